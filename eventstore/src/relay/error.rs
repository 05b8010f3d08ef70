//! Why the relay stands still. It tries again until it can go on, whatever it was; what a person has to do is said.

use async_nats::jetstream;

use crate::{LogError, Position};

#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("the database could not be asked")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the log has {found} events where {expected} were expected, after position {after}")]
    LogGap { after: Position, expected: i64, found: usize },
    #[error("an event can not be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("NATS can not be reached: {0}")]
    Unreachable(String),
    #[error("the address of a NATS server can not be read: {0}")]
    Address(String),
    #[error("the credentials for NATS can not be read: {0}")]
    Credentials(std::io::Error),
    #[error("the connection to NATS was lost")]
    Disconnected,
    #[error("NATS did not answer in time")]
    TimedOut,
    #[error("JetStream can not {action}: {cause}")]
    JetStream { action: &'static str, cause: String },
    #[error("the stream {stream} does not take the event at position {position}: {cause}")]
    Refused { stream: String, position: Position, cause: jetstream::Error },
    #[error(
        "the stream {stream} has copies, but takes no atomic batches: its servers must be nats-server 2.12 or newer, and \
         the stream must allow it (allow_atomic)"
    )]
    NoBatches { stream: String },
    #[error("nobody answers for the stream {0}: it was deleted, or its leader is away")]
    NoStream(String),
    #[error("what the stream answers can not be understood: {0}")]
    Answer(String),
    #[error(
        "the stream {stream} has the event at position {position} at {found}, where {expected} was expected: somebody else \
         writes into it"
    )]
    Misplaced { stream: String, position: Position, expected: u64, found: u64 },
    #[error(
        "the stream {stream} ends with an event that this log does not have at position {position} (the log ends at \
         {head}): the database is an older or another one. Nothing is relayed. Delete the stream to have this log \
         relayed from its beginning, or name another stream"
    )]
    NotThisLog { stream: String, position: Position, head: Position },
    #[error(
        "the last {passed} messages of the stream {stream} are not the relay's: somebody else writes into it. Nothing is \
         relayed. Delete them, or the stream"
    )]
    Strays { stream: String, passed: u64 },
}

impl RelayError {
    pub(super) fn jetstream(action: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::JetStream { action, cause: cause.to_string() }
    }
}
