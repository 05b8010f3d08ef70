//! Why an account refuses.

use super::{AiThreshold, Feature};
use crate::{Failure, FailureKind, FieldErrors};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("the account already exists")]
    AlreadyExists,
    #[error("there is no such account")]
    NotFound,
    #[error("the account is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
    /// Not these fields, and not by this user.
    #[error("changing {} needs EditAccountSalesSettings", .0.join(", "))]
    SalesOnly(Vec<&'static str>),
    #[error("the account has not expired")]
    NotExpired,
    #[error("the feature {0} is active already")]
    FeatureActive(Feature),
    #[error("the feature {0} was requested already")]
    FeatureRequested(Feature),
    #[error("the feature {feature} is not active, so {0} decides nothing", feature = .0.feature())]
    ThresholdIdle(AiThreshold),
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            AccountError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
            AccountError::SalesOnly(_) => Self::new(FailureKind::Forbidden, "InsufficientPermissions", message),
            AccountError::AlreadyExists
            | AccountError::NotExpired
            | AccountError::FeatureActive(_)
            | AccountError::FeatureRequested(_)
            | AccountError::ThresholdIdle(_) => Self::new(FailureKind::Conflict, "ConflictError", message),
        }
    }
}
