//! What can have happened to a user. No password, token or other secret is ever part of it.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::{Locale, Permissions, Role};
use crate::{AccountId, ChannelId, TeamId, UpcastError, UserId};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum UserEvent {
    Created(Box<UserCreated>),
    /// `None` is what stays as it was.
    DetailsChanged(Details),
    SettingsChanged {
        settings: Map<String, Value>,
    },
    /// To any role but `CUSTOM`, which comes with [`UserEvent::PermissionsChosen`].
    RoleChanged {
        role: Role,
    },
    /// The role is `CUSTOM` from now on.
    PermissionsChosen {
        permissions: Permissions,
    },
    TeamsChanged {
        team_ids: Vec<TeamId>,
    },
    ReadOnlyChannelsChanged {
        channel_ids: Vec<ChannelId>,
    },
    PasswordChanged,
    /// The secret is in the vault; this names it.
    TotpEnabled {
        secret_ref: String,
    },
    TotpRemoved,
    /// Whoever acts as this user has shown that the mail address is theirs.
    Verified,
    /// The token is in the vault; the reference names it. A device that is known already has a new token.
    MobileDeviceRegistered {
        device_id: String,
        token_ref: String,
    },
    /// An operator acted as this user from then on.
    Masked {
        by: UserId,
    },
    Deleted,
}

/// How a user begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserCreated {
    pub id: UserId,
    pub account_id: AccountId,
    pub user_name: String,
    pub email: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub phone: Option<String>,
    pub locale: Locale,
    pub role: Role,
    /// For the role `CUSTOM` alone.
    pub permissions: Option<Permissions>,
    pub team_ids: Vec<TeamId>,
    pub verified: bool,
}

/// What is told of a person; `None` is what nobody said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created(_) => "UserCreated",
            Self::DetailsChanged(_) => "UserDetailsChanged",
            Self::SettingsChanged { .. } => "UserSettingsChanged",
            Self::RoleChanged { .. } => "UserRoleChanged",
            Self::PermissionsChosen { .. } => "UserPermissionsChosen",
            Self::TeamsChanged { .. } => "UserTeamsChanged",
            Self::ReadOnlyChannelsChanged { .. } => "UserReadOnlyChannelsChanged",
            Self::PasswordChanged => "UserPasswordChanged",
            Self::TotpEnabled { .. } => "UserTotpEnabled",
            Self::TotpRemoved => "UserTotpRemoved",
            Self::Verified => "UserVerified",
            Self::MobileDeviceRegistered { .. } => "UserMobileDeviceRegistered",
            Self::Masked { .. } => "UserMasked",
            Self::Deleted => "UserDeleted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        match self {
            Self::Created(_) => "2",
            _ => "1",
        }
        .to_owned()
    }
}

/// `UserCreated` from version 1, which knew a name, a role and teams. Those users log in, so they count as verified.
pub(crate) fn created_with_details(mut payload: Value) -> Result<Value, UpcastError> {
    let created = payload.get_mut("Created").and_then(Value::as_object_mut);
    let created = created.ok_or_else(|| UpcastError::Payload("not a UserCreated".to_owned()))?;
    for (field, unsaid) in [
        ("email", Value::Null),
        ("firstName", Value::from("")),
        ("lastName", Value::from("")),
        ("phone", Value::Null),
        ("locale", Value::from("en")),
        ("permissions", Value::Null),
        ("verified", Value::from(true)),
    ] {
        created.insert(field.to_owned(), unsaid);
    }
    Ok(payload)
}
