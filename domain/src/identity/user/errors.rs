//! Why a user refuses a command.

use super::FailedUpdate;
use crate::{Failure, FailureKind, FieldErrors, identity::Permission};

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
    #[error("changing other users needs the permission EditUsers")]
    EditUsersMissing,
    #[error("this user may do more than you, so you can not change them")]
    OutOfReach,
    #[error("your own permissions are for others to change")]
    OwnPermissions,
    #[error("nobody grants a permission that they do not hold")]
    MoreThanHeld,
    #[error("the account's feature customPermissions is off")]
    CustomPermissionsOff,
    #[error("the account has not what {0} is about")]
    PermissionUnmet(Permission),
    #[error("the account may have {0} users, and has them")]
    TooManyUsers(u32),
    #[error("the account needs an administrator; make somebody else one first")]
    LastAdministrator,
    #[error("nobody deletes themselves; ask another administrator")]
    DeletingOneself,
    #[error("whoever is no administrator needs a team; name teams")]
    TeamMissing,
    #[error("the user can not be changed like this; data.failed names each attribute and the reason")]
    Refused(Vec<FailedUpdate>),
}

impl UserError {
    /// One of the teams that were named is none of the account's.
    pub fn unknown_team() -> Self {
        Self::Invalid(FieldErrors::from([("teams".to_owned(), vec!["unknownTeam".to_owned()])]))
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let message = error.to_string();
        match error {
            UserError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            UserError::AlreadyExists
            | UserError::TotpEnabled
            | UserError::TotpMissing
            | UserError::CustomPermissionsOff
            | UserError::PermissionUnmet(_)
            | UserError::TooManyUsers(_)
            | UserError::LastAdministrator
            | UserError::TeamMissing => Self::new(FailureKind::Conflict, "ConflictError", message),
            UserError::EditUsersMissing => Self::new(FailureKind::Forbidden, "InsufficientPermissions", message),
            UserError::OutOfReach
            | UserError::OwnPermissions
            | UserError::MoreThanHeld
            | UserError::DeletingOneself => Self::new(FailureKind::Forbidden, "AccessDenied", message),
            UserError::Refused(failed) => Self::new(FailureKind::Conflict, "InvalidUserUpdate", message)
                .with_data(serde_json::json!({ "failed": failed })),
            UserError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}
