//! Why a channel refuses a command.

use crate::{Failure, FailureKind, FieldErrors};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    #[error("there is no such channel")]
    NotFound,
    #[error("the channel already exists")]
    AlreadyExists,
    #[error("the channel is active already")]
    AlreadyActive,
    #[error("the channel is not valid")]
    Invalid(FieldErrors),
}

impl From<ChannelError> for Failure {
    fn from(error: ChannelError) -> Self {
        let message = error.to_string();
        match error {
            ChannelError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            ChannelError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
            ChannelError::AlreadyExists | ChannelError::AlreadyActive => {
                Self::new(FailureKind::Conflict, "ConflictError", message)
            }
        }
    }
}
