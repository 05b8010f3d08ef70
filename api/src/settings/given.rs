//! Every setting by its three names (flag, environment variable, key of the file), with its help. What holds in the
//! end is decided in the parent.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde::Deserialize;

use super::{LogFormat, Secret};

/// Settings as given, by flag and environment or by the file. What is missing is somebody else's to say.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Settings (flag, else environment, else file, else default)")]
pub struct Given {
    /// Directory for everything that is kept. Default: ./data
    #[arg(long, global = true, env = "PALAVER_DATA", value_name = "DIR", hide_env_values = true)]
    pub data: Option<PathBuf>,

    /// TOML file of settings, named as here with underscores. Default: <data>/palaver.toml, if there
    #[arg(long, global = true, env = "PALAVER_CONFIG", value_name = "FILE", hide_env_values = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Address to serve HTTP on; port 0 takes a free one. Default: 127.0.0.1:8080
    #[arg(long, global = true, env = "PALAVER_LISTEN", value_name = "HOST:PORT", hide_env_values = true)]
    pub listen: Option<SocketAddr>,

    /// PostgreSQL to use, 15 or later. Default: none; `up` then runs a private one under the data directory
    #[arg(long, global = true, env = "PALAVER_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// Directory with PostgreSQL's `initdb` and `postgres`, for a private one. Default: looked for
    #[arg(long, global = true, env = "PALAVER_PG_BIN", value_name = "DIR", hide_env_values = true)]
    pub pg_bin: Option<PathBuf>,

    /// Key that seals secrets at rest, 32 bytes as hex or base64; prefer the environment, flags are seen by everyone on the
    /// machine. Default: made once and kept in the data directory
    #[arg(long, global = true, env = "PALAVER_MASTER_KEY", value_name = "HEX", hide_env_values = true)]
    pub master_key: Option<Secret>,

    /// What to log: a level, or levels by module such as `info,palaver_api=debug`. Default: info
    #[arg(long, global = true, env = "PALAVER_LOG", value_name = "FILTER", hide_env_values = true)]
    pub log: Option<String>,

    /// How to log. Default: pretty on a terminal, else json
    #[arg(long, global = true, env = "PALAVER_LOG_FORMAT", value_name = "FORMAT", hide_env_values = true)]
    pub log_format: Option<LogFormat>,

    /// Connections to PostgreSQL, at most 60 to a private one. Default: 16
    #[arg(
        long,
        global = true,
        env = "PALAVER_POOL_SIZE",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub pool_size: Option<u64>,

    /// Appends that may wait for the log before callers are told to come back. Default: 4096
    #[arg(
        long,
        global = true,
        env = "PALAVER_APPEND_QUEUE_MAX",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub append_queue_max: Option<u64>,

    /// Largest request body, in bytes. Default: 1048576
    #[arg(
        long,
        global = true,
        env = "PALAVER_BODY_LIMIT_BYTES",
        value_name = "BYTES",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub body_limit_bytes: Option<u64>,

    /// Time for one request, in milliseconds. Default: 30000
    #[arg(
        long,
        global = true,
        env = "PALAVER_REQUEST_TIMEOUT_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub request_timeout_ms: Option<u64>,

    /// How long a read waits for its read model to catch up, in milliseconds. Default: 2000
    #[arg(
        long,
        global = true,
        env = "PALAVER_READ_WAIT_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub read_wait_ms: Option<u64>,

    /// A post that is due longer than this is not published any more but marked overdue, in minutes. Default: 60
    #[arg(
        long,
        global = true,
        env = "PALAVER_PUBLISH_LATE_MAX_MINUTES",
        value_name = "MINUTES",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub publish_late_max_minutes: Option<u64>,

    /// How often to look for due posts, in milliseconds. Default: 1000
    #[arg(
        long,
        global = true,
        env = "PALAVER_PUBLISHER_POLL_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub publisher_poll_ms: Option<u64>,

    /// How long a network may take to answer a call, retries included, in milliseconds. Default: 10000
    #[arg(
        long,
        global = true,
        env = "PALAVER_NETWORK_CALL_TIMEOUT_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub network_call_timeout_ms: Option<u64>,

    /// How long a publication may be without outcome before the network is asked for it, in milliseconds.
    /// Default: 10000
    #[arg(
        long,
        global = true,
        env = "PALAVER_OUTCOME_SETTLE_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub outcome_settle_ms: Option<u64>,

    /// Time for requests in flight to finish when the process is told to stop, and then once more for its workers and
    /// what the log has accepted, in seconds. Default: 20
    #[arg(
        long,
        global = true,
        env = "PALAVER_SHUTDOWN_GRACE_SECONDS",
        value_name = "SECONDS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub shutdown_grace_seconds: Option<u64>,

    /// Window of the limits below, in seconds. Each process counts for itself. Default: 60
    #[arg(
        long,
        global = true,
        env = "PALAVER_RATE_LIMIT_WINDOW_SECONDS",
        value_name = "SECONDS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub rate_limit_window_seconds: Option<u64>,

    /// Requests that one token may make in a window; 0 is no limit. Default: 1200
    #[arg(
        long,
        global = true,
        env = "PALAVER_RATE_LIMIT_PER_CREDENTIAL",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub rate_limit_per_credential: Option<u64>,

    /// Requests that all tokens of one account may make in a window; 0 is no limit. Default: 6000
    #[arg(
        long,
        global = true,
        env = "PALAVER_RATE_LIMIT_PER_TENANT",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub rate_limit_per_tenant: Option<u64>,

    /// The same under `/api/v1`, counted apart; 0 is no limit. Default: 100
    #[arg(
        long,
        global = true,
        env = "PALAVER_RATE_LIMIT_MKT_X_PER_TENANT",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub rate_limit_mkt_x_per_tenant: Option<u64>,

    /// Requests that one client address (of IPv6, one /64) may make without a valid token in a window; 0 is no limit.
    /// Default: 60
    #[arg(
        long,
        global = true,
        env = "PALAVER_RATE_LIMIT_PER_ADDRESS",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub rate_limit_per_address: Option<u64>,

    /// Event streams (GET /events) that this process keeps open at one time. Default: 2000
    #[arg(
        long,
        global = true,
        env = "PALAVER_EVENT_STREAMS_MAX",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub event_streams_max: Option<u64>,

    /// The same for one account. Default: 500
    #[arg(
        long,
        global = true,
        env = "PALAVER_EVENT_STREAMS_PER_TENANT",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub event_streams_per_tenant: Option<u64>,

    /// The same by one token or key. Default: 50
    #[arg(
        long,
        global = true,
        env = "PALAVER_EVENT_STREAMS_PER_CREDENTIAL",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub event_streams_per_credential: Option<u64>,

    /// How often an event stream sends something although nothing happens, in milliseconds. Default: 15000
    #[arg(
        long,
        global = true,
        env = "PALAVER_EVENT_STREAM_HEARTBEAT_MS",
        value_name = "MS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub event_stream_heartbeat_ms: Option<u64>,

    /// Whether clients come through a proxy that appends their address to `X-Forwarded-For`; its last entry is then taken
    /// for the client. Default: false
    #[arg(
        long,
        global = true,
        env = "PALAVER_PROXY_TRUSTED",
        value_name = "BOOL",
        hide_env_values = true,
        hide_short_help = true,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub proxy_trusted: Option<bool>,

    /// Where this service is reached from outside; links in mails begin with it. Default: http:// and the listening
    /// address
    #[arg(
        long,
        global = true,
        env = "PALAVER_PUBLIC_URL",
        value_name = "URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub public_url: Option<String>,

    /// Keycloak that has the realms by which users of accounts log in, such as https://keycloak.example.com. Default: none;
    /// nobody logs in by a realm then
    #[arg(
        long,
        global = true,
        env = "PALAVER_KEYCLOAK_URL",
        value_name = "URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub keycloak_url: Option<String>,

    /// Mail server, such as smtps://user:password@host or smtp://host?tls=required; prefer the environment, flags are
    /// seen by everyone on the machine. Default: none; mail is then kept, for `palaver mail` to show
    #[arg(
        long,
        global = true,
        env = "PALAVER_SMTP_URL",
        value_name = "URL",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub smtp_url: Option<Secret>,

    /// Sender of mail, such as `Palaver <palaver@example.com>`; needed with a mail server. Default: none
    #[arg(
        long,
        global = true,
        env = "PALAVER_MAIL_FROM",
        value_name = "ADDRESS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub mail_from: Option<String>,

    /// Address of whoever is told by mail what accounts ask for. Default: none; it is kept in the log alone
    #[arg(
        long,
        global = true,
        env = "PALAVER_SUPPORT_EMAIL",
        value_name = "ADDRESS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub support_email: Option<String>,

    /// Origins whose web pages may call from a browser, such as `https://planner.example`, with commas between them; `*`
    /// for all. Default: none
    #[arg(
        long,
        global = true,
        env = "PALAVER_CORS_ORIGINS",
        value_name = "ORIGINS",
        hide_env_values = true,
        hide_short_help = true,
        value_delimiter = ','
    )]
    pub cors_origins: Option<Vec<String>>,

    /// NATS servers with JetStream that take the log's events, such as `nats://user:password@host:4222`, with commas
    /// between them. Default: none; `up` then runs a private one under the data directory
    #[arg(long, global = true, env = "PALAVER_NATS_URL", value_name = "URLS", hide_env_values = true)]
    pub nats_url: Option<Secret>,

    /// File of credentials for the NATS servers, as `nsc` makes it. Default: none
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_CREDENTIALS_FILE",
        value_name = "FILE",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_credentials_file: Option<PathBuf>,

    /// Program of nats-server, for a private one; `none` to run without. Default: looked for
    #[arg(long, global = true, env = "PALAVER_NATS_SERVER", value_name = "FILE", hide_env_values = true)]
    pub nats_server: Option<PathBuf>,

    /// Name of JetStream's stream; it is made if it is not there. Default: PALAVER
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_STREAM",
        value_name = "NAME",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_stream: Option<String>,

    /// Servers of a NATS cluster that keep each event. Default: 1
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_REPLICAS",
        value_name = "COUNT",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_replicas: Option<u64>,

    /// Hours that JetStream keeps events for; 0 for ever. Default: 0
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_MAX_AGE_HOURS",
        value_name = "HOURS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_max_age_hours: Option<u64>,

    /// Bytes of events that JetStream keeps, the newest; 0 for all. Default: 0
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_MAX_BYTES",
        value_name = "BYTES",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_max_bytes: Option<u64>,

    /// Seconds within which JetStream knows an event that is sent again. Default: 120
    #[arg(
        long,
        global = true,
        env = "PALAVER_NATS_DUPLICATE_WINDOW_SECONDS",
        value_name = "SECONDS",
        hide_env_values = true,
        hide_short_help = true
    )]
    pub nats_duplicate_window_seconds: Option<u64>,
}
