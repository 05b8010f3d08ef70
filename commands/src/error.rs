//! What can come of a command besides success.

use palaver_domain::Failure;
use palaver_eventstore::{AppendError, LoadError, LogError};

#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The domain said no.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// The idempotency key was used before, for another command.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The thing has changed since the client saw it.
    #[error("it was changed since; read it again")]
    PreconditionFailed,
    /// Others changed the same streams, again and again.
    #[error("too many changes at once to the same thing; try again")]
    Contended,
    /// More than one command may write. No repetition helps.
    #[error("this takes more to write than one request may: {limit} {unit}")]
    TooLarge { limit: usize, unit: &'static str },
    /// A decision needs a read model that has not come far enough yet.
    #[error("a read model has not come far enough to decide this; try again")]
    Behind,
    #[error("this is a fork, a place to look: it takes no changes")]
    Fork,
    /// The append queue is full.
    #[error("too much to write at once; try again")]
    Overloaded,
    /// Too many passwords wait to be hashed.
    #[error("too many log in at once; try again")]
    Busy,
    #[error("the database can not be reached; nothing was written")]
    Unavailable(#[source] AppendError),
    /// It may have been carried out or not. Sending it again with the same idempotency key is safe.
    #[error("the database went away; whether this was carried out is not known")]
    OutcomeUnknown(#[source] AppendError),
    #[error("the log could not be read")]
    Unreadable(#[from] LoadError),
    #[error("a credential could not be made or read")]
    Credential(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the command could not be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<LogError> for CommandError {
    fn from(error: LogError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<sqlx::Error> for CommandError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unreadable(LogError::from(error).into())
    }
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::Contended,
            AppendError::Duplicate => Self::KeyReused,
            AppendError::Overloaded | AppendError::Closed => Self::Overloaded,
            AppendError::Fork => Self::Fork,
            AppendError::Unavailable(_) => Self::Unavailable(error),
            AppendError::OutcomeUnknown(_) => Self::OutcomeUnknown(error),
            AppendError::TooLarge { limit, unit } => Self::TooLarge { limit, unit },
            AppendError::Refused(_) => Self::Unwritable(Box::new(error)),
        }
    }
}
