//! Why a user refuses a command.

use crate::{Failure, FailureKind, FieldErrors};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("there is no such user")]
    NotFound,
    #[error("the user already exists")]
    AlreadyExists,
    #[error("two-factor authentication is set up already; remove it first")]
    TotpEnabled,
    #[error("two-factor authentication is not set up")]
    TotpMissing,
    #[error("the user is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let message = error.to_string();
        match error {
            UserError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            UserError::AlreadyExists | UserError::TotpEnabled | UserError::TotpMissing => {
                Self::new(FailureKind::Conflict, "ConflictError", message)
            }
            UserError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}
