//! What can be asked of a user.

use serde_json::{Map, Value};

use super::{super::Permissions, super::Role, Details, UserCreated};
use crate::{ChannelId, TeamId, UserId};

#[derive(Clone, Debug)]
pub enum UserCommand {
    Create(Box<UserCreated>),
    /// What is the same already is left out of the event; each of the following commands does nothing then.
    ChangeDetails(Details),
    ChangeSettings {
        settings: Map<String, Value>,
    },
    ChangeRole {
        role: Role,
    },
    ChoosePermissions {
        permissions: Permissions,
    },
    ChangeTeams {
        team_ids: Vec<TeamId>,
    },
    ChangeReadOnlyChannels {
        channel_ids: Vec<ChannelId>,
    },
    /// The password itself is kept elsewhere; this tells that there is a new one.
    ChangePassword,
    EnableTotp {
        secret_ref: String,
    },
    RemoveTotp,
    Verify,
    RegisterMobileDevice {
        device_id: String,
        token_ref: String,
    },
    Mask {
        by: UserId,
    },
    Delete,
}
