//! Settings of the process: from a flag, else the environment, else the file, else the default; checked in one place
//! and printed without secrets. What may be given, with its help, is in [`given`].

mod given;
mod mail;
mod nats;
mod streams;

use std::{
    fmt, io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::ValueEnum;
use palaver_eventstore::{QUEUE_APPENDS_MAX, managed::POOL_CONNECTIONS_MAX, vault::MasterKey};
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use tracing_subscriber::EnvFilter;

pub use given::Given;
pub use mail::MailServer;
pub use nats::{NatsProgram, NatsSettings, NatsUrl};

pub(crate) use self::default::DATA as DATA_DEFAULT;
use crate::{
    events::StreamSettings,
    http::{CorsOrigin, RateLimits},
};

/// The file that is read when none is named.
const FILE_NAME: &str = "palaver.toml";

/// With less, a publication is taken for abandoned before its call has even been made.
const OUTCOME_SETTLE_MS_MIN: u64 = 100;
const RATE_LIMIT_BOUNDS: RangeInclusive<u64> = 0..=1_000_000;

mod default {
    pub const DATA: &str = "./data";
    pub const LISTEN: std::net::SocketAddr =
        std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
    pub const LOG: &str = "info";
    pub const POOL_SIZE: u64 = 16;
    pub const BODY_LIMIT_BYTES: u64 = 1_048_576;
    pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
    pub const READ_WAIT_MS: u64 = 2_000;
    pub const PUBLISH_LATE_MAX_MINUTES: u64 = 60;
    pub const PUBLISHER_POLL_MS: u64 = 1_000;
    pub const NETWORK_CALL_TIMEOUT_MS: u64 = 10_000;
    pub const OUTCOME_SETTLE_MS: u64 = 10_000;
    pub const SHUTDOWN_GRACE_SECONDS: u64 = 20;
    pub const RATE_LIMIT_WINDOW_SECONDS: u64 = 60;
    pub const RATE_LIMIT_PER_CREDENTIAL: u64 = 1_200;
    pub const RATE_LIMIT_PER_TENANT: u64 = 6_000;
    /// Source: seed 002, "Rate Limiting".
    pub const RATE_LIMIT_MKT_X_PER_TENANT: u64 = 100;
    pub const RATE_LIMIT_PER_ADDRESS: u64 = 60;
    pub const PROXY_TRUSTED: bool = false;
}

/// A text that is never printed.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Pretty,
    Json,
}

impl LogFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

/// Settings as they hold.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data: PathBuf,
    /// The file that was read, if any.
    pub config: Option<PathBuf>,
    pub listen: SocketAddr,
    pub database_url: Option<Secret>,
    pub pg_bin: Option<PathBuf>,
    /// 32 bytes, as 64 hex digits or as base64.
    pub master_key: Option<Secret>,
    pub log: String,
    /// `None` leaves it to the terminal.
    pub log_format: Option<LogFormat>,
    pub pool_size: u32,
    pub append_queue_max: usize,
    pub body_limit_bytes: usize,
    pub request_timeout: Duration,
    pub read_wait: Duration,
    pub publish_late_max: Duration,
    pub publisher_poll: Duration,
    pub network_call_timeout: Duration,
    pub outcome_settle: Duration,
    pub shutdown_grace: Duration,
    pub rate_limits: RateLimits,
    pub event_streams: StreamSettings,
    /// Whether the last hop of `X-Forwarded-For` is the client.
    pub proxy_trusted: bool,
    /// As given, without a slash at its end. See [`Settings::public_url`].
    pub public_url: Option<String>,
    /// Without a slash at its end.
    pub keycloak_url: Option<String>,
    /// `None`: mail is kept and not sent.
    pub mail: Option<MailServer>,
    /// Who is told what accounts ask for.
    pub support_email: Option<String>,
    /// Origins whose pages may call from a browser.
    pub cors_origins: Vec<CorsOrigin>,
    /// Where the log's events go.
    pub nats: NatsSettings,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("can not read the settings file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the settings file {} is not valid in line {line}: {message}", path.display())]
    File { path: PathBuf, line: usize, message: String },
    #[error("settings are not valid: {}", .0.join("; "))]
    Invalid(Vec<String>),
}

impl Given {
    /// Adds the file and the defaults, and checks the whole.
    ///
    /// # Errors
    /// When the file can not be read or has an unknown key, or a value is out of bounds; every such value is named.
    pub fn resolve(self) -> Result<Settings, SettingsError> {
        let data = self.data.clone().unwrap_or_else(|| default::DATA.into());
        let (path, required) = match &self.config {
            Some(path) => (path.clone(), true),
            None => (data.join(FILE_NAME), false),
        };
        let file = read(&path, required)?;
        let config = file.is_some().then_some(path);
        self.or(file.unwrap_or_default()).check(config)
    }

    fn or(self, file: Self) -> Self {
        macro_rules! first {
            ($($name:ident),+ $(,)?) => { Self { $($name: self.$name.or(file.$name)),+ } };
        }
        first! {
            data, config, listen, database_url, pg_bin, master_key, log, log_format, pool_size, append_queue_max,
            body_limit_bytes, request_timeout_ms, read_wait_ms, publish_late_max_minutes, publisher_poll_ms,
            network_call_timeout_ms, outcome_settle_ms, shutdown_grace_seconds, rate_limit_window_seconds,
            rate_limit_per_credential, rate_limit_per_tenant, rate_limit_mkt_x_per_tenant, rate_limit_per_address,
            proxy_trusted, public_url, keycloak_url, smtp_url, mail_from, support_email, cors_origins, nats_url,
            nats_credentials_file, nats_server, nats_stream, nats_replicas, nats_max_age_hours, nats_max_bytes,
            nats_duplicate_window_seconds,
            event_streams_max, event_streams_per_tenant, event_streams_per_credential, event_stream_heartbeat_ms,
        }
    }

    fn check(self, config: Option<PathBuf>) -> Result<Settings, SettingsError> {
        let mut check = Check(Vec::new());
        let rate_limits = self.rate_limits(&mut check);
        let nats = self.nats(&mut check);
        let event_streams = self.event_streams(&mut check);
        let log = self.log.unwrap_or_else(|| default::LOG.to_owned());
        if let Err(error) = EnvFilter::try_new(&log) {
            check.fail("log", &format!("is not a log filter: {error}"));
        }
        if self.database_url.as_ref().is_some_and(|url| !is_postgres_url(url.expose())) {
            check.fail(
                "database_url",
                "must be like postgres://user@host:5432/database (not shown: it may hold a password)",
            );
        }
        if self.master_key.as_ref().is_some_and(|key| !is_master_key(key.expose())) {
            check.fail("master_key", "must be 32 bytes, as 64 hex digits or as base64");
        }
        let public_url = mail::base_url(&mut check, "public_url", self.public_url);
        let keycloak_url = mail::base_url(&mut check, "keycloak_url", self.keycloak_url);
        let support_email = mail::support(&mut check, self.support_email);
        let mail = mail::server(&mut check, self.smtp_url.as_ref(), self.mail_from);
        let ms = Duration::from_millis;
        let settings = Settings {
            data: self.data.unwrap_or_else(|| default::DATA.into()),
            config,
            listen: self.listen.unwrap_or(default::LISTEN),
            database_url: self.database_url,
            pg_bin: self.pg_bin,
            master_key: self.master_key,
            log,
            log_format: self.log_format,
            pool_size: check.number("pool_size", self.pool_size, default::POOL_SIZE, 4..=1_000),
            append_queue_max: check.number(
                "append_queue_max",
                self.append_queue_max,
                QUEUE_APPENDS_MAX as u64,
                1..=1_000_000,
            ),
            body_limit_bytes: check.number(
                "body_limit_bytes",
                self.body_limit_bytes,
                default::BODY_LIMIT_BYTES,
                1_024..=104_857_600,
            ),
            request_timeout: ms(check.number(
                "request_timeout_ms",
                self.request_timeout_ms,
                default::REQUEST_TIMEOUT_MS,
                1..=600_000,
            )),
            read_wait: ms(check.number("read_wait_ms", self.read_wait_ms, default::READ_WAIT_MS, 0..=60_000)),
            publish_late_max: ms(60_000
                * check.number::<u64>(
                    "publish_late_max_minutes",
                    self.publish_late_max_minutes,
                    default::PUBLISH_LATE_MAX_MINUTES,
                    1..=525_600,
                )),
            publisher_poll: ms(check.number(
                "publisher_poll_ms",
                self.publisher_poll_ms,
                default::PUBLISHER_POLL_MS,
                10..=60_000,
            )),
            network_call_timeout: ms(check.number(
                "network_call_timeout_ms",
                self.network_call_timeout_ms,
                default::NETWORK_CALL_TIMEOUT_MS,
                1..=600_000,
            )),
            outcome_settle: ms(check.number(
                "outcome_settle_ms",
                self.outcome_settle_ms,
                default::OUTCOME_SETTLE_MS,
                OUTCOME_SETTLE_MS_MIN..=3_600_000,
            )),
            shutdown_grace: Duration::from_secs(check.number(
                "shutdown_grace_seconds",
                self.shutdown_grace_seconds,
                default::SHUTDOWN_GRACE_SECONDS,
                0..=3_600,
            )),
            rate_limits,
            event_streams,
            proxy_trusted: self.proxy_trusted.unwrap_or(default::PROXY_TRUSTED),
            public_url,
            keycloak_url,
            mail,
            support_email,
            cors_origins: check.all("cors_origins", &self.cors_origins.unwrap_or_default()),
            nats,
        };
        if settings.database_url.is_none() && settings.pool_size > POOL_CONNECTIONS_MAX {
            check.fail(
                "pool_size",
                &format!("must be at most {POOL_CONNECTIONS_MAX} on a private PostgreSQL, is {}", settings.pool_size),
            );
        }
        if settings.read_wait >= settings.request_timeout {
            check.fail("read_wait_ms", "must be less than request_timeout_ms, or waiting reads always time out");
        }
        if check.0.is_empty() { Ok(settings) } else { Err(SettingsError::Invalid(check.0)) }
    }
}

impl Given {
    fn rate_limits(&self, check: &mut Check) -> RateLimits {
        let window = check.number(
            "rate_limit_window_seconds",
            self.rate_limit_window_seconds,
            default::RATE_LIMIT_WINDOW_SECONDS,
            1..=86_400,
        );
        let mut limit = |name, given, default| check.number(name, given, default, RATE_LIMIT_BOUNDS);
        RateLimits {
            window: Duration::from_secs(window),
            per_credential: limit(
                "rate_limit_per_credential",
                self.rate_limit_per_credential,
                default::RATE_LIMIT_PER_CREDENTIAL,
            ),
            per_tenant: limit("rate_limit_per_tenant", self.rate_limit_per_tenant, default::RATE_LIMIT_PER_TENANT),
            mkt_x_per_tenant: limit(
                "rate_limit_mkt_x_per_tenant",
                self.rate_limit_mkt_x_per_tenant,
                default::RATE_LIMIT_MKT_X_PER_TENANT,
            ),
            per_address: limit("rate_limit_per_address", self.rate_limit_per_address, default::RATE_LIMIT_PER_ADDRESS),
        }
    }
}

fn read(path: &Path, required: bool) -> Result<Option<Given>, SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return Ok(None),
        Err(source) => return Err(SettingsError::Unreadable { path: path.to_owned(), source }),
    };
    // The error's own display quotes the line, and the line may hold a secret.
    toml::from_str(&text).map(Some).map_err(|error| SettingsError::File {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()),
        message: error.message().to_owned(),
    })
}

fn is_postgres_url(text: &str) -> bool {
    (text.starts_with("postgres://") || text.starts_with("postgresql://")) && PgConnectOptions::from_str(text).is_ok()
}

fn is_master_key(text: &str) -> bool {
    text.parse::<MasterKey>().is_ok()
}

/// Gathers what is wrong, to tell all of it at once.
struct Check(Vec<String>);

impl Check {
    fn fail(&mut self, name: &str, problem: &str) {
        let flag = name.replace('_', "-");
        let variable = name.to_uppercase();
        self.0.push(format!("{name} (--{flag}, PALAVER_{variable}) {problem}"));
    }

    /// What can be read of a list; what can not is named.
    fn all<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, texts: &[String]) -> Vec<T> {
        let mut all = Vec::with_capacity(texts.len());
        for text in texts {
            match text.trim().parse() {
                Ok(one) => all.push(one),
                Err(error) => self.fail(name, &format!("is not valid: {error}")),
            }
        }
        all
    }

    fn number<N: TryFrom<u64> + Default>(
        &mut self,
        name: &str,
        given: Option<u64>,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> N {
        let number = given.unwrap_or(default);
        match N::try_from(number) {
            Ok(value) if bounds.contains(&number) => value,
            _ => {
                self.fail(name, &format!("must be between {} and {}, is {number}", bounds.start(), bounds.end()));
                N::default()
            }
        }
    }
}

impl Settings {
    /// One log line with every setting, without secrets.
    pub fn log(&self) {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        tracing::info!(
            data = %self.data.display(),
            config = path(&self.config),
            listen = %self.listen,
            database = self.database(),
            pg_bin = path(&self.pg_bin),
            master_key = self.master_key.as_ref().map(|_| "***"),
            log = self.log,
            log_format = self.log_format.map_or("auto", LogFormat::as_str),
            pool_size = self.pool_size,
            append_queue_max = self.append_queue_max,
            body_limit_bytes = self.body_limit_bytes,
            request_timeout_ms = ms(self.request_timeout),
            read_wait_ms = ms(self.read_wait),
            publish_late_max_minutes = self.publish_late_max.as_secs() / 60,
            publisher_poll_ms = ms(self.publisher_poll),
            network_call_timeout_ms = ms(self.network_call_timeout),
            outcome_settle_ms = ms(self.outcome_settle),
            shutdown_grace_seconds = self.shutdown_grace.as_secs(),
            rate_limit_window_seconds = self.rate_limits.window.as_secs(),
            rate_limit_per_credential = self.rate_limits.per_credential,
            rate_limit_per_tenant = self.rate_limits.per_tenant,
            rate_limit_mkt_x_per_tenant = self.rate_limits.mkt_x_per_tenant,
            rate_limit_per_address = self.rate_limits.per_address,
            event_streams_max = self.event_streams.limits.all,
            event_streams_per_tenant = self.event_streams.limits.per_tenant,
            event_streams_per_credential = self.event_streams.limits.per_credential,
            event_stream_heartbeat_ms = ms(self.event_streams.heartbeat),
            proxy_trusted = self.proxy_trusted,
            public_url = self.public_url,
            keycloak_url = self.keycloak_url,
            smtp_url = self.mail.as_ref().map(|mail| mail.server.without_credentials()),
            mail_from = self.mail.as_ref().map(|mail| &mail.from),
            support_email = self.support_email,
            cors_origins = ?self.cors_origins,
            nats_url = self.nats.shown(),
            nats_credentials_file = path(&self.nats.credentials_file),
            nats_server = ?self.nats.program,
            nats_stream = self.nats.stream,
            nats_replicas = self.nats.replicas,
            nats_max_age_hours = self.nats.max_age.map_or(0, |age| age.as_secs() / 3_600),
            nats_max_bytes = self.nats.max_bytes.unwrap_or(0),
            nats_duplicate_window_seconds = self.nats.duplicate_window.as_secs(),
            "settings"
        );
    }

    /// Which database, put together from the parts that are no secret.
    pub(crate) fn database(&self) -> String {
        let Some(url) = &self.database_url else { return "private, under the data directory".to_owned() };
        match PgConnectOptions::from_str(url.expose()) {
            Ok(options) => format!(
                "postgres://{}@{}:{}/{}",
                options.get_username(),
                options
                    .get_socket()
                    .map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string()),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
            Err(_) => "***".to_owned(),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        given: Given,
    }

    fn flags(line: &str) -> Given {
        Line::try_parse_from(std::iter::once("palaver").chain(line.split_whitespace())).unwrap().given
    }

    fn with_file(text: &str, line: &str) -> Result<Settings, SettingsError> {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join(FILE_NAME), text).unwrap();
        flags(&format!("{line} --data {}", data.path().display())).resolve()
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let settings = with_file("pool_size = 7\nread_wait_ms = 5\nlog_format = \"json\"", "--read-wait-ms 9").unwrap();
        assert_eq!(settings.pool_size, 7);
        assert_eq!(settings.read_wait, Duration::from_millis(9));
        assert_eq!(settings.log_format, Some(LogFormat::Json));
        assert_eq!(settings.body_limit_bytes, 1_048_576);
        let limits = with_file("rate_limit_per_tenant = 7", "--rate-limit-per-address 0 --proxy-trusted").unwrap();
        assert_eq!((limits.rate_limits.per_tenant, limits.rate_limits.per_address), (7, 0));
        assert_eq!((limits.rate_limits.per_credential, limits.proxy_trusted), (1_200, true));
        assert!(settings.config.is_some_and(|path| path.ends_with(FILE_NAME)));
    }

    #[test]
    fn the_file_of_the_data_directory_may_be_missing_but_a_named_one_may_not() {
        let data = tempfile::tempdir().unwrap();
        let settings = flags(&format!("--data {}", data.path().display())).resolve().unwrap();
        assert_eq!((settings.config, settings.listen), (None, default::LISTEN));
        let missing = data.path().join("other.toml");
        let error = flags(&format!("--config {}", missing.display())).resolve().unwrap_err();
        assert!(matches!(error, SettingsError::Unreadable { path, .. } if path == missing));
    }

    #[test]
    fn a_bad_file_is_told_with_key_and_line_and_without_its_content() {
        let error = with_file("pool_size = 7\nliten = \"x\"", "").unwrap_err().to_string();
        assert!(error.contains("line 2: unknown field `liten`, expected one of `data`, `listen`"), "{error}");
        let error = with_file("\nmaster_key = \"sesame\" oops", "").unwrap_err().to_string();
        assert!(error.contains("in line 2: ") && !error.contains("sesame"), "{error}");
    }

    #[test]
    fn every_value_out_of_bounds_is_named_at_once() {
        let line =
            "--pool-size 0 --read-wait-ms 700000 --master-key sesame --database-url http://u:sesame@h/ --log a=b=c";
        let SettingsError::Invalid(problems) = with_file("", line).unwrap_err() else { panic!() };
        let problems = problems.join("\n");
        for problem in [
            "pool_size (--pool-size, PALAVER_POOL_SIZE) must be between 4 and 1000, is 0",
            "read_wait_ms (--read-wait-ms, PALAVER_READ_WAIT_MS) must be between 0 and 60000, is 700000",
            "master_key (--master-key, PALAVER_MASTER_KEY) must be 32 bytes, as 64 hex digits or as base64",
            "database_url (--database-url, PALAVER_DATABASE_URL) must be like postgres://",
            "log (--log, PALAVER_LOG) is not a log filter: ",
        ] {
            assert!(problems.contains(problem), "no {problem:?} in\n{problems}");
        }
        assert!(!problems.contains("sesame"), "{problems}");
        let SettingsError::Invalid(problems) =
            with_file("read_wait_ms = 5000\nrequest_timeout_ms = 5000", "").unwrap_err()
        else {
            panic!()
        };
        assert!(problems.join("").contains("must be less than request_timeout_ms"));
    }

    #[test]
    fn origins_come_with_commas_or_as_a_list() {
        let expected = ["https://a.example", "http://localhost:3000"].map(|text| text.parse::<CorsOrigin>().unwrap());
        let line = "--cors-origins https://a.example,http://localhost:3000";
        assert_eq!(with_file("", line).unwrap().cors_origins, expected);
        let file = r#"cors_origins = ["https://a.example", "http://localhost:3000"]"#;
        assert_eq!(with_file(file, "").unwrap().cors_origins, expected);
        assert!(with_file("", "").unwrap().cors_origins.is_empty());
        let SettingsError::Invalid(problems) = with_file("", "--cors-origins https://a.example/,*").unwrap_err() else {
            panic!()
        };
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("cors_origins (--cors-origins, PALAVER_CORS_ORIGINS) is not valid: `https"));
    }

    #[test]
    fn a_private_postgresql_has_room_for_fewer_connections() {
        assert_eq!(with_file("", "--pool-size 60").unwrap().pool_size, 60);
        assert_eq!(with_file("", "--pool-size 1000 --database-url postgres://u@h/d").unwrap().pool_size, 1_000);
        let SettingsError::Invalid(problems) = with_file("", "--pool-size 61 --outcome-settle-ms 0").unwrap_err()
        else {
            panic!()
        };
        assert_eq!(
            problems,
            [
                "outcome_settle_ms (--outcome-settle-ms, PALAVER_OUTCOME_SETTLE_MS) must be between 100 and 3600000, is 0",
                "pool_size (--pool-size, PALAVER_POOL_SIZE) must be at most 60 on a private PostgreSQL, is 61",
            ]
        );
    }

    #[test]
    fn the_line_at_start_shows_settings_and_no_secrets() {
        let key = "5e5a".repeat(16);
        let url = "postgres://someone:sesame@db.example:6432/palaver?password=sesame";
        let settings = with_file("", &format!("--database-url {url} --master-key {key}")).unwrap();
        let text = crate::telemetry::capture(|| settings.log());
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["database"], "postgres://someone@db.example:6432/palaver");
        assert_eq!(line["master_key"], "***");
        assert_eq!(line["request_timeout_ms"], 30_000);
        assert_eq!(line["log_format"], "auto");
        for text in [text, format!("{settings:?}")] {
            assert!(!text.contains("sesame") && !text.contains(&key), "{text}");
        }
    }

    #[test]
    fn the_help_tells_the_true_defaults() {
        use clap::CommandFactory;
        let command = Line::command();
        for (name, value) in [
            ("data", default::DATA.to_owned()),
            ("listen", default::LISTEN.to_string()),
            ("log", default::LOG.to_owned()),
            ("pool_size", default::POOL_SIZE.to_string()),
            ("append_queue_max", QUEUE_APPENDS_MAX.to_string()),
            ("body_limit_bytes", default::BODY_LIMIT_BYTES.to_string()),
            ("request_timeout_ms", default::REQUEST_TIMEOUT_MS.to_string()),
            ("read_wait_ms", default::READ_WAIT_MS.to_string()),
            ("publish_late_max_minutes", default::PUBLISH_LATE_MAX_MINUTES.to_string()),
            ("publisher_poll_ms", default::PUBLISHER_POLL_MS.to_string()),
            ("network_call_timeout_ms", default::NETWORK_CALL_TIMEOUT_MS.to_string()),
            ("outcome_settle_ms", default::OUTCOME_SETTLE_MS.to_string()),
            ("shutdown_grace_seconds", default::SHUTDOWN_GRACE_SECONDS.to_string()),
            ("rate_limit_window_seconds", default::RATE_LIMIT_WINDOW_SECONDS.to_string()),
            ("rate_limit_per_credential", default::RATE_LIMIT_PER_CREDENTIAL.to_string()),
            ("rate_limit_per_tenant", default::RATE_LIMIT_PER_TENANT.to_string()),
            ("rate_limit_mkt_x_per_tenant", default::RATE_LIMIT_MKT_X_PER_TENANT.to_string()),
            ("rate_limit_per_address", default::RATE_LIMIT_PER_ADDRESS.to_string()),
            ("event_streams_max", streams::default::EVENT_STREAMS_MAX.to_string()),
            ("event_streams_per_tenant", streams::default::EVENT_STREAMS_PER_TENANT.to_string()),
            ("event_streams_per_credential", streams::default::EVENT_STREAMS_PER_CREDENTIAL.to_string()),
            ("event_stream_heartbeat_ms", streams::default::EVENT_STREAM_HEARTBEAT_MS.to_string()),
            ("proxy_trusted", default::PROXY_TRUSTED.to_string()),
            ("nats_stream", nats::default::STREAM.to_owned()),
            ("nats_replicas", nats::default::REPLICAS.to_string()),
            ("nats_duplicate_window_seconds", nats::default::DUPLICATE_WINDOW_SECONDS.to_string()),
        ] {
            let argument = command.get_arguments().find(|argument| argument.get_id() == name).unwrap();
            let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
            assert!(help.ends_with(&format!("Default: {value}")), "{name}: {help}");
        }
    }
}
