//! What can be asked of a user.

use serde_json::{Map, Value};

use super::{super::Permissions, super::Role, Details, UpdateFacts, UserCreated, UserUpdate};
use crate::{ChannelId, TeamId, UserId};

#[derive(Clone, Debug)]
pub enum UserCommand {
    Create(Box<UserCreated>),
    /// As somebody wants it who may, or may not.
    Update {
        update: Box<UserUpdate>,
        facts: Box<UpdateFacts>,
    },
    /// The permissions of a `CUSTOM` user, chosen by somebody who may, or may not.
    Grant {
        permissions: Permissions,
        team_ids: Option<Vec<TeamId>>,
        facts: Box<UpdateFacts>,
    },
    /// The following ask nobody whether the actor may. What is the same already is left out of the event; each of the following commands does nothing then.
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
