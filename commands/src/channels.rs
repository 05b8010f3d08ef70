//! Use cases of channels: connecting them, and bringing one back.

use futures::FutureExt;
use palaver_domain::{
    ChannelId, TeamId,
    channels::{Channel, ChannelCommand, ChannelError, ChannelState, Connection, Network},
};
use serde::{Deserialize, Serialize};

use crate::{
    CommandContext, CommandError, Commander, Outcome,
    identity::{Members, join},
    posts::Planner,
};

/// What a new channel is to be.
#[derive(Clone, Debug)]
pub struct NewChannel {
    pub network: Network,
    pub connection: Connection,
    pub name: String,
    pub unique_name: Option<String>,
    pub image_url: Option<String>,
    pub team_ids: Vec<TeamId>,
}

/// A channel after a command, with its times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelAnswer {
    pub channel: ChannelState,
    /// Where its stream stands. 0 in receipts of versions that did not keep it.
    #[serde(default)]
    pub sequence: palaver_eventstore::Sequence,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl Commander {
    /// Connects a new channel.
    ///
    /// # Errors
    /// When the channel is not valid, names a team that there is not, or can not be written.
    pub async fn connect_channel(
        &self,
        context: &CommandContext,
        new: NewChannel,
    ) -> Result<Outcome<ChannelAnswer>, CommandError> {
        let id = ChannelId::from_bytes(self.ids().object_id());
        let account_id = context.tenant;
        self.run(context, move |work| {
            let NewChannel { network, connection, name, unique_name, image_url, team_ids } = new.clone();
            async move {
                let command = ChannelCommand::Connect {
                    id,
                    account_id,
                    network,
                    connection,
                    name,
                    unique_name,
                    image_url,
                    team_ids: team_ids.clone(),
                };
                let connected = work.handle::<Channel>(id, command).await?;
                join(work, "teamIds", &team_ids, Members { users: Vec::new(), channels: vec![id] }).await?;
                answer(&connected)
            }
            .boxed()
        })
        .await
    }

    /// Brings a deactivated placeholder back. Source: seed 003, POST /channels/placeholder with `channelId`.
    ///
    /// # Errors
    /// When there is no such placeholder, or it is active.
    pub async fn reactivate_placeholder(
        &self,
        context: &CommandContext,
        id: ChannelId,
    ) -> Result<Outcome<ChannelAnswer>, CommandError> {
        self.run(context, move |work| {
            async move {
                let loaded = work.get::<Channel>(id).await?;
                let channel = loaded.aggregate.existing().map_err(refuse)?;
                if !matches!(channel.connection, Connection::Placeholder { .. }) {
                    return Err(refuse(ChannelError::NotFound));
                }
                work.handle::<Channel>(id, ChannelCommand::Reactivate).await.and_then(|loaded| answer(&loaded))
            }
            .boxed()
        })
        .await
    }

    /// The channel as it is now, active or not, when the planner may see it.
    ///
    /// # Errors
    /// `NotFound` when there is none with this id for this planner.
    pub async fn channel(
        &self,
        context: &CommandContext,
        planner: &Planner,
        id: ChannelId,
    ) -> Result<ChannelAnswer, CommandError> {
        let planner = planner.clone();
        self.look(context, move |work| {
            let planner = planner.clone();
            async move {
                let found = work.get::<Channel>(id).await.and_then(|loaded| answer(&loaded))?;
                let seen = planner.reach(work).await?.sees(&found.channel);
                if seen { Ok(found) } else { Err(refuse(ChannelError::NotFound)) }
            }
            .boxed()
        })
        .await
    }

    /// Takes a channel out of use; its posts stay.
    ///
    /// # Errors
    /// When there is no such channel.
    pub async fn deactivate_channel(
        &self,
        context: &CommandContext,
        id: ChannelId,
    ) -> Result<Outcome<ChannelAnswer>, CommandError> {
        self.run(context, move |work| {
            async move {
                work.handle::<Channel>(id, ChannelCommand::Deactivate).await.and_then(|loaded| answer(&loaded))
            }
            .boxed()
        })
        .await
    }
}

fn refuse(error: ChannelError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &palaver_eventstore::Loaded<Channel>) -> Result<ChannelAnswer, CommandError> {
    let channel = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(ChannelAnswer { channel, sequence: loaded.sequence, created_at: loaded.created_at })
}
