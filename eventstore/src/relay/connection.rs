//! A connection to NATS for one run of the relay. It is not mended: when it is lost, the run is over, and what was on its
//! way with it; the next run asks the stream how far it came.

use async_nats::{
    Client, ConnectOptions, Event, ServerAddr,
    jetstream::{self, context::ContextBuilder},
};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use super::{ANSWER_WAIT_MAX, RelayError, RelayOptions, WINDOW_EVENTS_MAX};

pub(super) struct Connection {
    pub client: Client,
    pub jetstream: jetstream::Context,
    /// Cancelled when the connection is gone.
    pub lost: CancellationToken,
}

pub(super) async fn connect(options: &RelayOptions) -> Result<Connection, RelayError> {
    let lost = CancellationToken::new();
    let tell = lost.clone();
    let (servers, secret) = addresses(&options.servers)?;
    let mut connect = ConnectOptions::new()
        .name("palaver relay")
        .connection_timeout(ANSWER_WAIT_MAX)
        .request_timeout(Some(ANSWER_WAIT_MAX))
        .max_reconnects(servers.len())
        .client_capacity(WINDOW_EVENTS_MAX)
        .subscription_capacity(2 * WINDOW_EVENTS_MAX)
        .event_callback(move |event| {
            let gone = matches!(event, Event::Disconnected | Event::Closed | Event::SlowConsumer(_));
            if gone {
                tell.cancel();
            }
            tracing::debug!(%event, "the connection to NATS");
            std::future::ready(())
        });
    connect = match secret {
        Some(Secret::Password { user, password }) => connect.user_and_password(user, password),
        Some(Secret::Token(token)) => connect.token(token),
        None => connect,
    };
    if let Some(path) = &options.credentials_file {
        connect = connect.credentials_file(path).await.map_err(RelayError::Credentials)?;
    }
    let client = connect.connect(servers).await.map_err(|error| RelayError::Unreachable(chain(&error)))?;
    let jetstream = ContextBuilder::new().timeout(ANSWER_WAIT_MAX).build(client.clone());
    Ok(Connection { client, jetstream, lost })
}

enum Secret {
    Password { user: String, password: String },
    Token(String),
}

/// The addresses without what is secret in them, so that nothing that names a server tells it.
fn addresses(servers: &[String]) -> Result<(Vec<ServerAddr>, Option<Secret>), RelayError> {
    let mut secret = None;
    let mut addresses = Vec::new();
    // The cause is not said where it could quote the address.
    for (index, server) in servers.iter().enumerate() {
        let unreadable = || RelayError::Address(format!("number {} is not like nats://host:4222", index + 1));
        let mut url = server.trim().parse::<ServerAddr>().map_err(|_| unreadable())?.into_inner();
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        if secret.is_none() && !url.username().is_empty() {
            let user = decoded(url.username());
            secret = Some(match url.password() {
                Some(password) => Secret::Password { user, password: decoded(password) },
                None => Secret::Token(user),
            });
        }
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(unreadable());
        }
        addresses.push(ServerAddr::from_url(url).map_err(|_| unreadable())?);
    }
    if addresses.is_empty() { Err(RelayError::Address("none is given".to_owned())) } else { Ok((addresses, secret)) }
}

/// The addresses as they may be shown.
pub(super) fn shown(servers: &[String]) -> Vec<String> {
    let shown = addresses(servers).map(|(addresses, _)| addresses).unwrap_or_default();
    shown.iter().map(|address| format!("{}:{}", address.host(), address.port())).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(text: &str) -> Vec<String> {
        text.split(',').map(ToOwned::to_owned).collect()
    }

    #[test]
    fn secrets_are_taken_out_of_addresses() {
        let (addresses, secret) = addresses(&servers("nats://ada:p%40ss@a:1, tls://b,c:3")).unwrap();
        let texts: Vec<_> = addresses.iter().map(ServerAddr::as_url_str).collect();
        assert!(texts.iter().all(|text| !text.contains("ada") && !text.contains("ss@")), "{texts:?}");
        assert!(matches!(secret, Some(Secret::Password { user, password }) if user == "ada" && password == "p@ss"));
        assert_eq!(shown(&servers("nats://ada:pass@a:1,tls://b")), ["a:1", "b:4222"]);
    }

    #[test]
    fn a_user_without_a_password_is_a_token() {
        let (_, secret) = addresses(&servers("nats://t0ken@a")).unwrap();
        assert!(matches!(secret, Some(Secret::Token(token)) if token == "t0ken"));
        let error = addresses(&servers("http://ada:secret@a")).err().unwrap().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(addresses(&[]).is_err());
    }
}
