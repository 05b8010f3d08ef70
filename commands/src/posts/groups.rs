//! Use cases of a post group. Source: seed 003, /cp/postGroups.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    AccountId, CHANNELS_PER_GROUP_MAX, ChannelId, Failure, FailureKind, FieldErrors, PostGroupId, PostId,
    posts::{
        Action, ChannelRef, Post, PostCommand, PostError, PostGroup, PostGroupCommand, PostState, Status, Workbench,
        WorkbenchCommand,
    },
};
use serde::{Deserialize, Serialize};

use super::{Planner, access::clear_workbench, refuse};
use crate::{CommandContext, CommandError, Commander, Outcome, Work};

/// What to compose: an empty post for each channel.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub channel_ids: Vec<ChannelId>,
    pub publish_time: Option<DateTime<Utc>>,
    pub publish_time_zone: Option<String>,
}

/// A group after a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAnswer {
    pub id: PostGroupId,
    pub account_id: AccountId,
}

impl Commander {
    /// Creates a group and an empty `preDraft` post for each channel.
    ///
    /// # Errors
    /// When a channel can not be used, or the planner is composing another group already.
    pub async fn create_group(
        &self,
        context: &CommandContext,
        planner: Planner,
        new: NewGroup,
    ) -> Result<Outcome<GroupAnswer>, CommandError> {
        let mut channel_ids = Vec::new();
        for id in new.channel_ids {
            if !channel_ids.contains(&id) {
                channel_ids.push(id);
            }
        }
        check_number(channel_ids.len())?;
        let id = PostGroupId::from_bytes(self.ids().object_id());
        let account_id = context.tenant;
        let posts: Vec<(ChannelId, PostId)> =
            channel_ids.into_iter().map(|channel| (channel, PostId::from_bytes(self.ids().object_id()))).collect();
        self.run(context, move |work| {
            let (planner, posts) = (planner.clone(), posts.clone());
            let (publish_time, publish_time_zone) = (new.publish_time, new.publish_time_zone.clone());
            async move {
                let author = planner.user;
                work.handle::<Workbench>(author, WorkbenchCommand::Open { group_id: id }).await?;
                for (channel_id, post_id) in &posts {
                    let channel = planner.channel(work, *channel_id).await?;
                    let command = PostCommand::Plan {
                        id: *post_id,
                        account_id,
                        group_id: id,
                        channel: ChannelRef {
                            id: channel.id,
                            unique_name: channel.unique_name,
                            social_network: channel.network,
                        },
                        author,
                        publish_time,
                        publish_time_zone: publish_time_zone.clone(),
                    };
                    work.handle::<Post>(post_id, command).await?;
                }
                work.handle::<PostGroup>(id, PostGroupCommand::Create { id, account_id, author, posts }).await?;
                Ok(GroupAnswer { id, account_id })
            }
            .boxed()
        })
        .await
    }

    /// The group the planner is composing.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn group_in_work(
        &self,
        context: &CommandContext,
        planner: &Planner,
    ) -> Result<GroupAnswer, CommandError> {
        let user = planner.user;
        self.look(context, move |work| {
            async move {
                let workbench = work.get::<Workbench>(user).await?;
                let id = workbench.aggregate.0.ok_or_else(|| refuse(PostError::GroupNotFound))?;
                let group = work.get::<PostGroup>(id).await?;
                let group = group.aggregate.existing().map_err(refuse)?;
                Ok(GroupAnswer { id, account_id: group.account_id })
            }
            .boxed()
        })
        .await
    }

    /// Deletes a group that nobody but the planner has worked on.
    ///
    /// # Errors
    /// `Conflict` when a post is another's, or is not a `preDraft` any more.
    pub async fn delete_group(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostGroupId,
    ) -> Result<Outcome<()>, CommandError> {
        self.run(context, move |work| {
            let planner = planner.clone();
            async move {
                // Whatever has become of its channels since: what nobody else has seen may go, or the workbench would
                // never be free again.
                let posts = own_pre_drafts(work, &planner, id).await?;
                for post in &posts {
                    work.handle::<Post>(post.id, PostCommand::Delete).await?;
                }
                work.handle::<PostGroup>(id, PostGroupCommand::Delete).await?;
                work.handle::<Workbench>(planner.user, WorkbenchCommand::Clear { group_id: id }).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Keeps every post of the group as a draft, for others to see.
    ///
    /// # Errors
    /// `Conflict` when a post is another's, or is not a `preDraft` any more.
    pub async fn save_group_as_draft(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostGroupId,
    ) -> Result<Outcome<GroupAnswer>, CommandError> {
        self.run(context, move |work| {
            let planner = planner.clone();
            async move {
                let posts = own_pre_drafts(work, &planner, id).await?;
                for post in &posts {
                    planner.post_to_change(work, post.id).await?;
                    work.handle::<Post>(post.id, PostCommand::SaveAsDraft).await?;
                }
                work.handle::<Workbench>(planner.user, WorkbenchCommand::Clear { group_id: id }).await?;
                group_answer(work, id).await
            }
            .boxed()
        })
        .await
    }

    /// Schedules every post of the group that is still to be published, each at its own time.
    ///
    /// # Errors
    /// `Conflict` when one has no time or is another's `preDraft`; `Invalid` when a network would not take one.
    pub async fn schedule_group(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostGroupId,
    ) -> Result<Outcome<GroupAnswer>, CommandError> {
        self.move_group(context, planner, id, PostCommand::Schedule).await
    }

    /// Publishes every post of the group as soon as possible.
    ///
    /// # Errors
    /// `Conflict` when one has a time or is another's `preDraft`; `Invalid` when a network would not take one.
    pub async fn publish_group(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostGroupId,
    ) -> Result<Outcome<GroupAnswer>, CommandError> {
        self.move_group(context, planner, id, PostCommand::Publish).await
    }

    async fn move_group(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostGroupId,
        command: PostCommand,
    ) -> Result<Outcome<GroupAnswer>, CommandError> {
        self.run(context, move |work| {
            let (planner, command) = (planner.clone(), command.clone());
            async move {
                let posts = to_publish(work, &planner, id).await?;
                for post in posts {
                    work.handle::<Post>(post.id, command.clone()).await?;
                }
                let group = work.get::<PostGroup>(id).await?;
                let group = group.aggregate.existing().map_err(refuse)?;
                clear_workbench(work, group.author, id, &group.posts).await?;
                group_answer(work, id).await
            }
            .boxed()
        })
        .await
    }
}

fn check_number(channels: usize) -> Result<(), CommandError> {
    let code = match channels {
        0 => "required",
        1..=CHANNELS_PER_GROUP_MAX => return Ok(()),
        _ => "tooMany",
    };
    let message = format!("a post group needs 1 to {CHANNELS_PER_GROUP_MAX} channels");
    let fields = FieldErrors::from([("channelIds".to_owned(), vec![code.to_owned()])]);
    Err(Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields).into())
}

/// Every post of the group, provided that all are `preDraft` and the planner's own.
async fn own_pre_drafts(work: &mut Work, planner: &Planner, id: PostGroupId) -> Result<Vec<PostState>, CommandError> {
    let posts = posts_of(work, id).await?;
    let own = |post: &PostState| post.status == Status::PreDraft && post.author == planner.user;
    if posts.iter().all(own) { Ok(posts) } else { Err(refuse(PostError::GroupNotDeletable)) }
}

/// The posts of the group that the planner may schedule. Source: seed 003: those the user has access to, provided
/// that these include every `preDraft`.
async fn to_publish(work: &mut Work, planner: &Planner, id: PostGroupId) -> Result<Vec<PostState>, CommandError> {
    let mut posts = Vec::new();
    let mut nothing = refuse(PostError::NothingToPublish);
    for post in posts_of(work, id).await? {
        match planner.post_to_change(work, post.id).await {
            Ok(_) if post.status != Status::Scheduled && post.status.after(Action::Schedule).is_some() => {
                posts.push(post);
            }
            Ok(_) => {}
            Err(CommandError::Refused(failure)) if failure.kind == FailureKind::Forbidden => {
                if post.status == Status::PreDraft {
                    return Err(failure.into());
                }
                nothing = failure.into();
            }
            Err(CommandError::Refused(_)) if post.status == Status::PreDraft => {
                return Err(refuse(PostError::GroupNotYours));
            }
            Err(CommandError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if posts.is_empty() { Err(nothing) } else { Ok(posts) }
}

async fn posts_of(work: &mut Work, id: PostGroupId) -> Result<Vec<PostState>, CommandError> {
    let group = work.get::<PostGroup>(id).await?;
    let group = group.aggregate.existing().map_err(refuse)?;
    let mut posts = Vec::with_capacity(group.posts.len());
    for (_, id) in &group.posts {
        posts.push(work.get::<Post>(id).await?.aggregate.existing().map_err(refuse)?.clone());
    }
    Ok(posts)
}

async fn group_answer(work: &mut Work, id: PostGroupId) -> Result<GroupAnswer, CommandError> {
    let group = work.get::<PostGroup>(id).await?;
    let account_id = group.aggregate.existing().map_err(refuse)?.account_id;
    Ok(GroupAnswer { id, account_id })
}
