//! Where the log is relayed to, and how the stream there is to be kept.

use std::{fmt, path::PathBuf, time::Duration};

/// Plain values; whoever makes them has checked them.
#[derive(Clone)]
pub struct RelayOptions {
    /// The servers of one NATS, such as `nats://127.0.0.1:4222` or `tls://nats.example.com`. The user and password, or
    /// the token, of the first that has some is used for all.
    pub servers: Vec<String>,
    /// A file as `nsc` makes them, with a user's JWT and key.
    pub credentials_file: Option<PathBuf>,
    /// The name of the stream; also that of the checkpoint.
    pub stream: String,
    /// Copies of the stream in a cluster.
    pub replicas: usize,
    /// How long the stream keeps an event; `None` is for good.
    pub max_age: Option<Duration>,
    /// Bytes that the stream keeps, the oldest events going first; `None` is all.
    pub max_bytes: Option<i64>,
    /// How long JetStream knows an event's id, and takes it for a duplicate when it comes again.
    pub duplicate_window: Duration,
    /// Where the schemas of events are found: see [`crate::cloud_event::CloudEvent::of`].
    pub schemas_url: String,
}

impl RelayOptions {
    /// A stream named PALAVER in one copy that keeps everything, on these servers.
    pub fn to(servers: Vec<String>, schemas_url: String) -> Self {
        Self {
            servers,
            credentials_file: None,
            stream: "PALAVER".to_owned(),
            replicas: 1,
            max_age: None,
            max_bytes: None,
            duplicate_window: Duration::from_secs(120),
            schemas_url,
        }
    }
}

impl fmt::Debug for RelayOptions {
    /// Without the servers and the file: addresses hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayOptions")
            .field("stream", &self.stream)
            .field("replicas", &self.replicas)
            .field("max_age", &self.max_age)
            .field("max_bytes", &self.max_bytes)
            .field("duplicate_window", &self.duplicate_window)
            .finish_non_exhaustive()
    }
}
