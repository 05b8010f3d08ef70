//! What can go wrong: with one event, and with the engine.

use palaver_eventstore::{DecodeError, LogError, Position};

/// Why one event could not be applied. It quarantines the event's stream, and nothing else.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The event does not fit what the read model holds.
    #[error("{0}")]
    Unexpected(String),
}

impl ProjectionError {
    pub fn unexpected(reason: impl Into<String>) -> Self {
        Self::Unexpected(reason.into())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the database failed a projection")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("there is no projection named {0}")]
    UnknownProjection(String),
    #[error("{projection} has no checkpoint; it was never installed")]
    NotInstalled { projection: String },
    #[error("{projection} is version {stored} in the database, and {known} here")]
    VersionMismatch { projection: String, stored: i32, known: i32 },
    #[error("{stream} is not in quarantine for {projection}")]
    NotQuarantined { projection: String, stream: String },
    #[error("{projection} is being rebuilt already")]
    RebuildInProgress { projection: String },
    #[error("{projection} was rebuilt up to {position}, but readers never left the old tables alone long enough")]
    TakeoverBlocked { projection: String, position: Position },
    #[error("positions {from} to {until} can not be compared with tables that are at {live}")]
    OutOfReach { from: Position, until: Position, live: Position },
    #[error(
        "the table {table} has other columns than this version makes; `palaver rebuild {projection}` makes it anew"
    )]
    OtherColumns { projection: String, table: String },
    #[error("the table {table} has no primary key to compare its rows by")]
    NoKey { table: String },
    #[error("stopped by shutdown")]
    Stopped,
}

/// Whether the data is to blame, and not the database: SQLSTATE classes 22 (data), 23 (constraints) and 54 (too
/// large), and values that can not be sent at all. Everything else is tried again.
pub(super) fn is_data_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// Whether a lock was not to be had in time (SQLSTATE 55P03).
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("55P03"))
}
