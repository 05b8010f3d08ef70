//! Mail by SMTP: the server of the settings, and one conversation with it for each mail.
//!
//! The conversation is led step by step, because it matters where it breaks off. The server takes a mail when it has
//! read the final dot of `DATA`: whatever fails before that, the mail was not taken; a silence after it may be either.

use std::{net::IpAddr, str::FromStr, time::Duration};

use futures::future::BoxFuture;
use lettre::{
    Address, Message,
    error::Error as BuildError,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
        response::{Response, Severity},
    },
};
use tokio::time::timeout;
use url::{Host, Url};

use super::mailer::{Mailer, MailerError, Outgoing};

/// From the connection to the server's readiness for the content. It has taken nothing until then.
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);
/// For a farewell that changes nothing.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// RFC 3834: nobody's absence needs to be told to a machine.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    None,
    /// `STARTTLS`, if the server offers it.
    Opportunistic,
    /// `STARTTLS`, or nothing is sent.
    Required,
    /// From the first byte.
    Wrapped,
}

/// Why a text names no mail server. Nothing of it is repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpUrlError {
    #[error(
        "must be like smtps://user:password@host:465 or smtp://host:587?tls=required (not shown: it may hold a password)"
    )]
    Malformed,
    #[error("sends a password in the clear; use smtps:// or ?tls=required")]
    PasswordInTheClear,
}

/// A mail server: `smtp://` or `smtps://`, with `?tls=required` or `?tls=opportunistic` for `STARTTLS`, user name and
/// password (percent-encoded) where needed, and as path the name to greet it with.
#[derive(Clone)]
pub struct SmtpUrl {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
    hello: Option<String>,
}

impl SmtpUrl {
    /// The server, without what is secret.
    pub fn without_credentials(&self) -> String {
        let (scheme, tls) = match self.encryption {
            Encryption::None => ("smtp", ""),
            Encryption::Opportunistic => ("smtp", "?tls=opportunistic"),
            Encryption::Required => ("smtp", "?tls=required"),
            Encryption::Wrapped => ("smtps", ""),
        };
        let user = if self.credentials.is_some() { "***@" } else { "" };
        format!("{scheme}://{user}{}:{}{tls}", self.host, self.port)
    }
}

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    fn from_str(text: &str) -> Result<Self, SmtpUrlError> {
        let url = Url::parse(text).map_err(|_| SmtpUrlError::Malformed)?;
        let queries: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let tls = match queries.as_slice() {
            [] => None,
            [(name, tls)] if name == "tls" => Some(tls.as_str()),
            _ => return Err(SmtpUrlError::Malformed),
        };
        let (encryption, port) = match (url.scheme(), tls) {
            ("smtp", None) => (Encryption::None, 25),
            ("smtp", Some("opportunistic")) => (Encryption::Opportunistic, 587),
            ("smtp", Some("required")) => (Encryption::Required, 587),
            ("smtps", None) => (Encryption::Wrapped, 465),
            _ => return Err(SmtpUrlError::Malformed),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SmtpUrlError::Malformed)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let hello = Some(url.path().trim_matches('/')).filter(|name| !name.is_empty());
        if hello.is_some_and(|name| Host::parse(name).is_err()) {
            return Err(SmtpUrlError::Malformed);
        }
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(SmtpUrlError::Malformed),
            (user, Some(password)) => Some(Credentials::new(decoded(user)?, decoded(password)?)),
        };
        let encrypted = matches!(encryption, Encryption::Required | Encryption::Wrapped);
        if credentials.is_some() && !encrypted && !is_this_machine(&host) {
            return Err(SmtpUrlError::PasswordInTheClear);
        }
        let port = url.port().unwrap_or(port);
        Ok(Self { host, port, encryption, credentials, hello: hello.map(str::to_owned) })
    }
}

fn decoded(text: &str) -> Result<String, SmtpUrlError> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| SmtpUrlError::Malformed)?;
    Ok(decoded.into_owned())
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why there can be no mail by SMTP.
#[derive(Debug, thiserror::Error)]
pub enum SmtpMailerError {
    #[error("the sender is not a mail address")]
    From,
    #[error("TLS can not be set up: {0}")]
    Tls(#[from] SmtpError),
}

/// A sender of mail, such as `Palaver <palaver@example.com>`.
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Whether mail can be sent to this: an address alone.
pub fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

pub struct SmtpMailer {
    server: SmtpUrl,
    from: Mailbox,
    hello: ClientId,
    tls: Option<TlsParameters>,
}

impl SmtpMailer {
    /// Does not call the server yet.
    ///
    /// # Errors
    /// When the sender is none, or the machine's root certificates can not be read.
    pub fn new(server: SmtpUrl, from: &str) -> Result<Self, SmtpMailerError> {
        let from: Mailbox = from.parse().map_err(|_| SmtpMailerError::From)?;
        let tls = match server.encryption {
            Encryption::None => None,
            _ => Some(TlsParameters::new(server.host.clone())?),
        };
        let hello = ClientId::Domain(server.hello.clone().unwrap_or_else(|| from.email.domain().to_owned()));
        Ok(Self { server, from, hello, tls })
    }

    async fn hand_over(&self, mail: &Outgoing) -> Result<(), MailerError> {
        // What can not be written can not be written later either.
        let recipient: Address =
            mail.recipient.parse().map_err(|_| MailerError::Refused("not a mail address".to_owned()))?;
        let message = self.message(mail, &recipient).map_err(|error| MailerError::Refused(error.to_string()))?;
        let opened = timeout(OPENING_TIMEOUT, self.open(recipient)).await;
        let mut connection = opened.unwrap_or_else(|_| Err(MailerError::Unavailable("not in time".to_owned())))?;
        let answer = taken(connection.message(&message).await);
        close(&mut connection).await;
        answer
    }

    /// The conversation up to the server's word that it reads the content.
    async fn open(&self, recipient: Address) -> Result<AsyncSmtpConnection, MailerError> {
        // Until the recipient is named, what the server says is not about this mail.
        let away = |error: SmtpError| MailerError::Unavailable(error.to_string());
        let mut connection = self.connect().await.map_err(away)?;
        let mut parameters = Vec::new();
        if !recipient.to_string().is_ascii() || !self.from.email.to_string().is_ascii() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                close(&mut connection).await;
                return Err(MailerError::Refused("the server takes no addresses outside ASCII".to_owned()));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let opened = async {
            connection.command(Mail::new(Some(self.from.email.clone()), parameters)).await.map_err(away)?;
            connection.command(Rcpt::new(recipient, Vec::new())).await.map_err(not_taken)?;
            let reply = connection.command(Data).await.map_err(not_taken)?;
            match reply.code().severity {
                Severity::PositiveIntermediate => Ok(()),
                _ => Err(MailerError::Unavailable(format!("unexpected reply to DATA: {}", reply.code()))),
            }
        };
        match opened.await {
            Ok(()) => Ok(connection),
            Err(error) => {
                close(&mut connection).await;
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let address = (self.server.host.as_str(), self.server.port);
        let wrapped = if self.server.encryption == Encryption::Wrapped { self.tls.clone() } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, None, &self.hello, wrapped, None).await?;
        let start_tls = match self.server.encryption {
            Encryption::None | Encryption::Wrapped => false,
            Encryption::Opportunistic => connection.can_starttls(),
            // An error when the server does not offer it.
            Encryption::Required => true,
        };
        if let Some(tls) = self.tls.clone().filter(|_| start_tls) {
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some(credentials) = &self.server.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn message(&self, mail: &Outgoing, recipient: &Address) -> Result<Vec<u8>, BuildError> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient.clone()))
            .subject(mail.content.subject.clone())
            .date(mail.date.into())
            .message_id(Some(mail.message_id.clone()))
            .multipart(MultiPart::alternative_plain_html(mail.content.text.clone(), mail.content.html.clone()))?;
        message.headers_mut().insert_raw(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
        Ok(message.formatted())
    }
}

impl Mailer for SmtpMailer {
    fn domain(&self) -> &str {
        self.from.email.domain()
    }

    fn send<'a>(&'a self, mail: &'a Outgoing) -> BoxFuture<'a, Result<(), MailerError>> {
        Box::pin(self.hand_over(mail))
    }
}

/// The server's word on one mail before it has read it.
fn not_taken(error: SmtpError) -> MailerError {
    if error.is_permanent() {
        MailerError::Refused(error.to_string())
    } else {
        MailerError::Unavailable(error.to_string())
    }
}

/// The server's word after the final dot, or the want of one.
fn taken(answer: Result<Response, SmtpError>) -> Result<(), MailerError> {
    match answer {
        Ok(reply) if reply.code().severity == Severity::PositiveCompletion => Ok(()),
        Ok(reply) => Err(MailerError::Unanswered(format!("unexpected reply to the content: {}", reply.code()))),
        Err(error) if error.is_permanent() || error.is_transient() => Err(not_taken(error)),
        Err(error) => Err(MailerError::Unanswered(error.to_string())),
    }
}

/// Whether the server hears the farewell changes nothing.
async fn close(connection: &mut AsyncSmtpConnection) {
    let _ = timeout(CLOSING_TIMEOUT, connection.abort()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_and_shown_without_its_password() {
        for (given, shown) in [
            ("smtp://mail.example", "smtp://mail.example:25"),
            ("smtp://localhost:1025", "smtp://localhost:1025"),
            ("smtp://mail.example?tls=required", "smtp://mail.example:587?tls=required"),
            ("smtp://mail.example/?tls=opportunistic", "smtp://mail.example:587?tls=opportunistic"),
            ("smtps://ada%40x:se%2Fsame@mail.example", "smtps://***@mail.example:465"),
            (
                "smtp://ada:sesame@mail.example:2525/palaver.example?tls=required",
                "smtp://***@mail.example:2525?tls=required",
            ),
            ("smtp://ada:sesame@127.0.0.1", "smtp://***@127.0.0.1:25"),
        ] {
            let server: SmtpUrl = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
            assert_eq!(server.without_credentials(), shown);
        }
        let server: SmtpUrl = "smtps://ada%40x:se%2Fsame@mail.example".parse().unwrap_or_else(|_| panic!());
        assert_eq!(server.credentials, Some(Credentials::new("ada@x".to_owned(), "se/same".to_owned())));
    }

    #[test]
    fn what_is_no_server_is_refused_without_being_repeated() {
        for given in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp:mail.example",
            "smtp://ada@mail.example",
            "smtp://:sesame@mail.example",
            "smtps://mail.example?tls=required",
            "smtp://mail.example?tls=yes",
            "smtp://mail.example?tls=required&x=y",
            "smtp://mail.example/a b%0d%0aQUIT",
        ] {
            assert_eq!(given.parse::<SmtpUrl>().err(), Some(SmtpUrlError::Malformed), "{given}");
        }
        for given in ["smtp://ada:sesame@mail.example", "smtp://ada:sesame@mail.example?tls=opportunistic"] {
            let error = given.parse::<SmtpUrl>().err().unwrap_or_else(|| panic!("{given}"));
            assert_eq!(error, SmtpUrlError::PasswordInTheClear, "{given}");
            assert!(!error.to_string().contains("sesame"));
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, is) in [
            ("palaver@example.com", true),
            ("Palaver <palaver@example.com>", true),
            ("Palaver", false),
            ("", false),
            ("palaver@example.com\r\nBcc: eve@example.com", false),
        ] {
            assert_eq!(is_sender(text), is, "{text:?}");
        }
    }
}
