//! The post group: the posts that were planned together, one a channel.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{PostError, PostGroupCommand, PostGroupEvent, validation};
use crate::{AccountId, ChannelId, Circumstances, PostGroupId, PostId, UserId};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostGroupState {
    pub id: PostGroupId,
    pub account_id: AccountId,
    pub author: UserId,
    /// The posts still in the group, in the order of the channels asked for.
    pub posts: Vec<(ChannelId, PostId)>,
    pub deleted: bool,
}

/// The aggregate. Empty until `Created`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PostGroup(pub Option<PostGroupState>);

impl PostGroup {
    pub fn existing(&self) -> Result<&PostGroupState, PostError> {
        self.0.as_ref().filter(|group| !group.deleted).ok_or(PostError::GroupNotFound)
    }
}

impl Aggregate for PostGroup {
    const TYPE: &'static str = "post_group";
    type Command = PostGroupCommand;
    type Event = PostGroupEvent;
    type Error = PostError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: PostGroupCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), PostError> {
        match command {
            PostGroupCommand::Create { id, account_id, author, posts } => {
                if self.0.is_some() {
                    return Err(PostError::AlreadyExists);
                }
                let channels: Vec<ChannelId> = posts.iter().map(|(channel_id, _)| *channel_id).collect();
                validation::channels(&channels)?;
                sink.write(PostGroupEvent::Created { id, account_id, author, posts }, self).await;
            }
            PostGroupCommand::RemovePost { post_id } => {
                let group = self.existing()?;
                if !group.posts.iter().any(|(_, id)| *id == post_id) {
                    return Err(PostError::PostNotFound);
                }
                let last = group.posts.len() == 1;
                sink.write(PostGroupEvent::PostRemoved { post_id }, self).await;
                // Source: seed 003, DELETE /cp/posts/{id}: the group goes with its last post.
                if last {
                    sink.write(PostGroupEvent::Deleted, self).await;
                }
            }
            PostGroupCommand::Delete => {
                self.existing()?;
                sink.write(PostGroupEvent::Deleted, self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: PostGroupEvent) {
        match (event, &mut self.0) {
            (PostGroupEvent::Created { id, account_id, author, posts }, state) => {
                *state = Some(PostGroupState { id, account_id, author, posts, deleted: false });
            }
            (PostGroupEvent::PostRemoved { post_id }, Some(group)) => group.posts.retain(|(_, id)| *id != post_id),
            (PostGroupEvent::Deleted, Some(group)) => group.deleted = true,
            (PostGroupEvent::PostRemoved { .. } | PostGroupEvent::Deleted, None) => {}
        }
    }
}
