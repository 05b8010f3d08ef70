//! What a command's failure is to the client.

use palaver_commands::CommandError;
use palaver_eventstore::{LoadError, LogError};

use crate::http::{ApiError, ErrorCode};

/// Seconds after which an overloaded log may be asked again.
const OVERLOADED_RETRY_AFTER_S: u32 = 1;

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(failure) => failure.into(),
            CommandError::KeyReused => Self::new(ErrorCode::IdempotencyKeyReusedError, error.to_string()),
            CommandError::PreconditionFailed => Self::new(ErrorCode::PreconditionFailedError, error.to_string()),
            CommandError::TooLarge { .. } => Self::new(ErrorCode::PayloadTooLargeError, error.to_string()),
            CommandError::Fork => Self::new(ErrorCode::ForkIsReadOnly, error.to_string()),
            CommandError::Behind => Self::read_model_behind(error.to_string()),
            CommandError::Contended | CommandError::Overloaded | CommandError::Busy => {
                Self::unavailable(error.to_string(), OVERLOADED_RETRY_AFTER_S)
            }
            CommandError::OutcomeUnknown(_) => {
                tracing::error!(cause = %crate::http::chain(&error), "the outcome of a command is not known");
                let message = "whether this was carried out is not known; repeat it with the same Idempotency-Key, or look \
                               before you repeat it";
                Self::unavailable(message, OVERLOADED_RETRY_AFTER_S)
            }
            CommandError::Unavailable(_) => {
                tracing::warn!(cause = %crate::http::chain(&error), "database unavailable");
                Self::unavailable(error.to_string(), OVERLOADED_RETRY_AFTER_S)
            }
            CommandError::Unreadable(LoadError::Log(LogError::Database(error))) => error.into(),
            CommandError::Unreadable(_) | CommandError::Credential(_) | CommandError::Unwritable(_) => {
                Self::internal(&error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use palaver_eventstore::AppendError;

    use super::*;

    #[test]
    fn too_much_for_one_append_is_the_clients_matter_and_names_the_limit() {
        let error = ApiError::from(CommandError::from(AppendError::TooLarge { limit: 1_000, unit: "events" }));
        assert_eq!(error.code, ErrorCode::PayloadTooLargeError);
        assert!(error.message.ends_with(": 1000 events"), "{}", error.message);
    }
}
