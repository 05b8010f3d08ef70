//! The settings of NATS: which servers take the log's events, and what their stream is like.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use palaver_eventstore::relay::RelayOptions;
use url::Url;

use super::{Check, Given, Settings};

pub(super) mod default {
    pub const STREAM: &str = "PALAVER";
    pub const REPLICAS: u64 = 1;
    /// Without a limit, a stream that is made anew gets the whole log, and a late consumer sees all of it.
    pub const MAX_AGE_HOURS: u64 = 0;
    pub const MAX_BYTES: u64 = 0;
    pub const DUPLICATE_WINDOW_SECONDS: u64 = 120;
}

const STREAM_NAME_BYTES_MAX: usize = 64;
/// What is said instead of a program, to run without any.
const NO_SERVER: &str = "none";

/// Where the log's events go.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// One cluster; empty when events are not relayed.
    pub servers: Vec<NatsUrl>,
    /// As `nsc` makes it: who we are to servers that ask for a signature.
    pub credentials_file: Option<PathBuf>,
    /// For a private nats-server, where no servers are named.
    pub program: NatsProgram,
    pub stream: String,
    pub replicas: usize,
    /// `None` keeps events however old they are.
    pub max_age: Option<Duration>,
    /// `None` keeps events however many they are.
    pub max_bytes: Option<i64>,
    pub duplicate_window: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsProgram {
    Searched,
    Named(PathBuf),
    /// Runs without, even if there is one.
    Unwanted,
}

/// An address of a NATS server. It may hold a password or a token, so it is printed without user.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsUrl(Url);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be like nats://user:password@host:4222, with commas between several (not shown: it may hold a password)")]
pub struct NotANatsUrl;

impl NatsUrl {
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for NatsUrl {
    type Err = NotANatsUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NotANatsUrl)?;
        let known = matches!(url.scheme(), "nats" | "tls") && url.host_str().is_some_and(|host| !host.is_empty());
        let more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
        if known && !more { Ok(Self(url)) } else { Err(NotANatsUrl) }
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.0.username().is_empty() && self.0.password().is_none() { "" } else { "***@" };
        write!(f, "{}://{user}{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl NatsSettings {
    /// Which servers, for the log: `None` when there are none.
    pub(super) fn shown(&self) -> Option<String> {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        (!servers.is_empty()).then(|| servers.join(","))
    }
}

impl Settings {
    /// How the log is relayed; `None` when there is nowhere to.
    pub fn relay(&self) -> Option<RelayOptions> {
        let nats = &self.nats;
        (!nats.servers.is_empty()).then(|| RelayOptions {
            servers: nats.servers.iter().map(|server| server.expose().to_owned()).collect(),
            credentials_file: nats.credentials_file.clone(),
            stream: nats.stream.clone(),
            replicas: nats.replicas,
            max_age: nats.max_age,
            max_bytes: nats.max_bytes,
            duplicate_window: nats.duplicate_window,
            schemas_url: format!("{}/schemas", self.public_url()),
        })
    }

    /// The same, with the events going to a server that was started for them.
    pub fn relaying_to(&self, server: NatsUrl) -> Self {
        let mut settings = self.clone();
        settings.nats.servers = vec![server];
        settings
    }
}

impl Given {
    pub(super) fn nats(&self, check: &mut Check) -> NatsSettings {
        let urls = self.nats_url.as_ref().map(|urls| urls.expose().split(',').map(str::trim).collect::<Vec<_>>());
        let servers: Result<Vec<NatsUrl>, _> = urls.unwrap_or_default().into_iter().map(str::parse).collect();
        let servers = servers.unwrap_or_else(|error: NotANatsUrl| {
            check.fail("nats_url", &error.to_string());
            Vec::new()
        });
        let program = match &self.nats_server {
            None => NatsProgram::Searched,
            Some(program) if program.as_os_str() == NO_SERVER => NatsProgram::Unwanted,
            Some(program) => NatsProgram::Named(program.clone()),
        };
        let stream = self.nats_stream.clone().unwrap_or_else(|| default::STREAM.to_owned());
        if !is_stream_name(&stream) {
            check.fail("nats_stream", "must be letters, digits, `_` and `-`, at most 64");
        }
        let hours: u64 =
            check.number("nats_max_age_hours", self.nats_max_age_hours, default::MAX_AGE_HOURS, 0..=876_000);
        let bytes: i64 = check.number(
            "nats_max_bytes",
            self.nats_max_bytes,
            default::MAX_BYTES,
            0..=1_125_899_906_842_624, // a pebibyte
        );
        let window = check.number(
            "nats_duplicate_window_seconds",
            self.nats_duplicate_window_seconds,
            default::DUPLICATE_WINDOW_SECONDS,
            // JetStream refuses one that is longer than events are kept, which is an hour at least.
            1..=3_600,
        );
        NatsSettings {
            servers,
            credentials_file: self.nats_credentials_file.clone(),
            program,
            stream,
            // JetStream's own bounds.
            replicas: check.number("nats_replicas", self.nats_replicas, default::REPLICAS, 1..=5),
            max_age: (hours > 0).then(|| Duration::from_secs(hours * 3_600)),
            max_bytes: (bytes > 0).then_some(bytes),
            duplicate_window: Duration::from_secs(window),
        }
    }
}

/// What JetStream takes on every file system.
fn is_stream_name(text: &str) -> bool {
    (1..=STREAM_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::{super::SettingsError, *};

    fn given(nats_url: Option<&str>) -> Given {
        Given { data: Some("/nowhere".into()), nats_url: nats_url.map(|url| url.parse().unwrap()), ..Given::default() }
    }

    #[test]
    fn servers_come_with_commas_and_are_shown_without_who_we_are() {
        let servers = "nats://ada:sesame@one.example:4222, tls://sesame@two.example,nats://[::1]:4224";
        let settings = given(Some(servers)).resolve().unwrap();
        let exposed: Vec<&str> = settings.nats.servers.iter().map(NatsUrl::expose).collect();
        let expected = ["nats://ada:sesame@one.example:4222", "tls://sesame@two.example", "nats://[::1]:4224"];
        assert_eq!(exposed, expected);
        let shown = crate::telemetry::capture(|| settings.log());
        assert!(shown.contains("nats://***@one.example:4222,tls://***@two.example,nats://[::1]:4224"), "{shown}");
        for text in [shown, format!("{settings:?}")] {
            assert!(!text.contains("sesame") && !text.contains("ada"), "{text}");
        }
        assert!(given(None).resolve().unwrap().nats.servers.is_empty());
        let own = given(None).resolve().unwrap().relaying_to("nats://palaver:sesame@127.0.0.1:4711".parse().unwrap());
        assert_eq!(own.nats.shown().as_deref(), Some("nats://***@127.0.0.1:4711"));
    }

    #[test]
    fn what_is_no_address_is_told_without_it() {
        for url in
            ["sesame", "", "http://sesame@host", "nats://", "nats://host,", "nats://host/sesame", "nats://h?sesame"]
        {
            let SettingsError::Invalid(problems) = given(Some(url)).resolve().unwrap_err() else { panic!("{url}") };
            assert_eq!(problems.len(), 1, "{url}: {problems:?}");
            let named = problems[0].starts_with("nats_url (--nats-url, PALAVER_NATS_URL) must be like nats://");
            assert!(named && !problems[0].contains("sesame"), "{url}: {problems:?}");
        }
    }

    #[test]
    fn a_stream_has_limits_only_when_they_are_given() {
        let settings = given(None).resolve().unwrap().nats;
        assert_eq!((settings.stream.as_str(), settings.replicas), ("PALAVER", 1));
        assert_eq!((settings.max_age, settings.max_bytes), (None, None));
        assert_eq!((settings.duplicate_window, settings.program), (Duration::from_secs(120), NatsProgram::Searched));
        let limited = Given {
            nats_stream: Some("EVENTS_2".to_owned()),
            nats_replicas: Some(3),
            nats_max_age_hours: Some(24),
            nats_max_bytes: Some(1_000_000),
            nats_server: Some("none".into()),
            ..given(None)
        };
        let settings = limited.resolve().unwrap().nats;
        assert_eq!((settings.stream.as_str(), settings.replicas), ("EVENTS_2", 3));
        assert_eq!((settings.max_age, settings.max_bytes), (Some(Duration::from_secs(86_400)), Some(1_000_000)));
        assert_eq!(settings.program, NatsProgram::Unwanted);
        let named = Given { nats_server: Some("/opt/nats-server".into()), ..given(None) };
        assert_eq!(named.resolve().unwrap().nats.program, NatsProgram::Named("/opt/nats-server".into()));

        for stream in ["", "two words", "a.b", "a*", "a>b", "a/b", &"x".repeat(65)] {
            let odd = Given {
                nats_stream: Some(stream.to_owned()),
                nats_replicas: Some(6),
                nats_duplicate_window_seconds: Some(3_601),
                ..given(None)
            };
            let SettingsError::Invalid(problems) = odd.resolve().unwrap_err() else { panic!("{stream}") };
            for (problem, name) in
                problems.iter().zip(["nats_stream ", "nats_duplicate_window_seconds ", "nats_replicas "])
            {
                assert!(problem.starts_with(name), "{stream}: {problems:?}");
            }
            assert_eq!(problems.len(), 3, "{stream}: {problems:?}");
        }
    }
}
