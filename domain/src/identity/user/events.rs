//! What can have happened to a user. No password, token or other secret is ever part of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::{Locale, Permissions, Role};
use crate::{AccountId, ChannelId, TeamId, UpcastError, UserId, event_types::event_types};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum UserEvent {
    /// A user came into the account.
    Created(Box<UserCreated>),
    /// What is told of a person was changed. What is absent stays as it was.
    DetailsChanged(Details),
    /// The settings that the user's screens keep were changed; these are all of them.
    SettingsChanged { settings: Map<String, Value> },
    /// To any role but `CUSTOM`, which comes with chosen permissions.
    RoleChanged { role: Role },
    /// The role is `CUSTOM` from now on, and grants these.
    PermissionsChosen { permissions: Permissions },
    /// The user is in these teams now, and no others.
    TeamsChanged { team_ids: Vec<TeamId> },
    /// These channels the user may see and not change.
    ReadOnlyChannelsChanged { channel_ids: Vec<ChannelId> },
    /// The user has another password; it is not told.
    PasswordChanged,
    /// The user logs in with a second factor.
    TotpEnabled {
        /// Names the secret, which is kept elsewhere.
        secret_ref: String,
    },
    /// The user logs in without a second factor.
    TotpRemoved,
    /// Whoever acts as this user has shown that the mail address is theirs.
    Verified,
    /// A device gets messages for this user. One that is known already has a new token.
    MobileDeviceRegistered {
        device_id: String,
        /// Names the token, which is kept elsewhere.
        token_ref: String,
    },
    /// An operator acted as this user from then on.
    Masked { by: UserId },
    /// The user is gone, and logs in no more.
    Deleted,
}

/// How a user begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// What is told of a person; what nobody said is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

event_types!(UserEvent {
    Created => "UserCreated" version 2,
    DetailsChanged => "UserDetailsChanged",
    SettingsChanged => "UserSettingsChanged",
    RoleChanged => "UserRoleChanged",
    PermissionsChosen => "UserPermissionsChosen",
    TeamsChanged => "UserTeamsChanged",
    ReadOnlyChannelsChanged => "UserReadOnlyChannelsChanged",
    PasswordChanged => "UserPasswordChanged",
    TotpEnabled => "UserTotpEnabled",
    TotpRemoved => "UserTotpRemoved",
    Verified => "UserVerified",
    MobileDeviceRegistered => "UserMobileDeviceRegistered",
    Masked => "UserMasked",
    Deleted => "UserDeleted",
});

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
