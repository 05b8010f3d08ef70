//! What can have happened to a channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Connection, Network};
use crate::{AccountId, ChannelId, TeamId, event_types::event_types};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum ChannelEvent {
    /// A channel came into the account; posts can be planned for it.
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
    /// The channel may be used again.
    Reactivated,
    /// The channel may not be used any more; it stays for what was planned and published.
    Deactivated,
    /// The channel is in these teams now, and no others.
    TeamsChanged { team_ids: Vec<TeamId> },
}

event_types!(ChannelEvent {
    Connected => "ChannelConnected",
    Reactivated => "ChannelReactivated",
    Deactivated => "ChannelDeactivated",
    TeamsChanged => "ChannelTeamsChanged",
});
