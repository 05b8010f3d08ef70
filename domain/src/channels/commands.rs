//! What can be asked of a channel.

use super::{Connection, Network};
use crate::{AccountId, ChannelId, TeamId};

#[derive(Clone, Debug)]
pub enum ChannelCommand {
    Connect {
        id: ChannelId,
        account_id: AccountId,
        network: Network,
        connection: Connection,
        name: String,
        unique_name: Option<String>,
        image_url: Option<String>,
        team_ids: Vec<TeamId>,
    },
    Reactivate,
    Deactivate,
    /// Nothing happens when it is in these teams already.
    ChangeTeams {
        team_ids: Vec<TeamId>,
    },
}
