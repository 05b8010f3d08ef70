//! What can have happened to a channel.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Connection, Network};
use crate::{AccountId, ChannelId, TeamId};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum ChannelEvent {
    Connected {
        id: ChannelId,
        account_id: AccountId,
        network: Network,
        connection: Connection,
        name: String,
        /// The name as it is known on the network, with its sign: `@acme`, `Acme (Facebook)`.
        unique_name: String,
        image_url: Option<String>,
        team_ids: Vec<TeamId>,
    },
    Reactivated,
    Deactivated,
    TeamsChanged {
        team_ids: Vec<TeamId>,
    },
}

impl DomainEvent for ChannelEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Connected { .. } => "ChannelConnected",
            Self::Reactivated => "ChannelReactivated",
            Self::Deactivated => "ChannelDeactivated",
            Self::TeamsChanged { .. } => "ChannelTeamsChanged",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
