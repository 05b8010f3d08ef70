//! Which posts, channels and people a planner may name. What they may not see does not exist for them.

use palaver_domain::{
    ChannelId, Failure, FailureKind, FieldErrors, PostId, TeamId, UserId,
    channels::{Channel, ChannelState},
    identity::{Permission, Role, User},
    posts::{Post, PostError, PostState, Status, Workbench, WorkbenchCommand},
};

use super::{Planner, refuse};
use crate::{CommandError, Work};

/// Which channels somebody may use, as the log has it when that is decided: who has just left a team is not in it any
/// more, whatever a read model still says.
pub(crate) struct Reach {
    role: Role,
    team_ids: Vec<TeamId>,
    read_only: Vec<ChannelId>,
}

impl Reach {
    pub(crate) fn sees(&self, channel: &ChannelState) -> bool {
        channel.visible_to(self.role, &self.team_ids)
    }

    /// The one place that keeps posts from being made or changed on a channel that somebody may only look at.
    fn may_change(&self, channel: ChannelId) -> Result<(), CommandError> {
        if self.read_only.contains(&channel) {
            let message = format!("channel {channel} is read-only for you");
            return Err(Failure::new(FailureKind::Forbidden, "AccessDenied", message).into());
        }
        Ok(())
    }
}

impl Planner {
    pub(crate) async fn reach(&self, work: &mut Work) -> Result<Reach, CommandError> {
        let nowhere = Reach { role: self.role, team_ids: Vec::new(), read_only: Vec::new() };
        match work.get::<User>(self.user).await {
            Ok(user) => Ok(user.aggregate.existing().map_or(nowhere, |user| Reach {
                role: user.role,
                team_ids: user.team_ids.clone(),
                read_only: user.read_only_channel_ids.clone(),
            })),
            // Somebody of another account can only be here by a role that needs no teams.
            Err(CommandError::Refused(_)) => Ok(nowhere),
            Err(error) => Err(error),
        }
    }

    /// The post, when this planner may see it: not another's `preDraft`, and on a channel of theirs.
    pub(super) async fn post(&self, work: &mut Work, id: PostId) -> Result<PostState, CommandError> {
        self.reach_post(work, id).await.map(|(_, post)| post)
    }

    /// The post, when this planner may change it: one that they see, on a channel that is not read-only for them.
    pub(super) async fn post_to_change(&self, work: &mut Work, id: PostId) -> Result<PostState, CommandError> {
        let (reach, post) = self.reach_post(work, id).await?;
        reach.may_change(post.channel.id)?;
        Ok(post)
    }

    async fn reach_post(&self, work: &mut Work, id: PostId) -> Result<(Reach, PostState), CommandError> {
        let post = work.get::<Post>(id).await?.aggregate.existing().map_err(refuse)?.clone();
        let channel = work.get::<Channel>(post.channel.id).await?;
        let channel = channel.aggregate.existing().map_err(|error| CommandError::Refused(error.into()))?;
        let composing_elsewhere = post.status == Status::PreDraft && post.author != self.user;
        let reach = self.reach(work).await?;
        if composing_elsewhere || !reach.sees(channel) {
            return Err(refuse(PostError::PostNotFound));
        }
        Ok((reach, post))
    }

    /// Source: seed 003, POST /cp/posts/{id}/approve: `ApprovePosts`, or `ApproveOwnPosts` for one's own.
    pub(super) fn may_approve(&self, post: &PostState) -> Result<(), CommandError> {
        if self.permissions.contains(Permission::ApprovePosts) || post.author == self.user {
            return Ok(());
        }
        let message = "approving the posts of others needs the permission ApprovePosts";
        Err(Failure::new(FailureKind::Forbidden, "InsufficientPermissions", message).into())
    }

    /// The channel, when this planner may plan for it.
    pub(super) async fn channel(&self, work: &mut Work, id: ChannelId) -> Result<ChannelState, CommandError> {
        let channel = match work.get::<Channel>(id).await {
            Ok(loaded) => loaded.aggregate.existing().ok().cloned(),
            // Another account's, of which nobody here may learn that it exists.
            Err(CommandError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        let reach = self.reach(work).await?;
        let Some(channel) = channel.filter(|channel| channel.active && reach.sees(channel)) else {
            // Source: seed 003, POST /cp/postGroups: 404 for a channel that is unknown, inactive, or not theirs.
            let message = format!("channel {id} does not exist, is not active, or is not yours to use");
            return Err(Failure::new(FailureKind::NotFound, "NotFoundError", message).into());
        };
        reach.may_change(id)?;
        Ok(channel)
    }
}

/// People are named by an account's own ids.
pub(super) async fn people_exist(
    work: &mut Work,
    field: &str,
    people: impl IntoIterator<Item = UserId>,
) -> Result<(), CommandError> {
    for id in people {
        let known = match work.get::<User>(id).await {
            Ok(user) => user.aggregate.existing().is_ok(),
            Err(CommandError::Refused(_)) => false,
            Err(error) => return Err(error),
        };
        if !known {
            let fields = FieldErrors::from([(field.to_owned(), vec!["unknownUser".to_owned()])]);
            let message = format!("there is no user {id}");
            return Err(Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields).into());
        }
    }
    Ok(())
}

/// Clears the author's workbench when nothing of the group is a `preDraft` any more.
pub(super) async fn clear_workbench(
    work: &mut Work,
    author: UserId,
    group_id: palaver_domain::PostGroupId,
    posts: &[(ChannelId, PostId)],
) -> Result<(), CommandError> {
    for (_, id) in posts {
        let post = work.get::<Post>(id).await?;
        if post.aggregate.0.as_ref().is_some_and(|post| post.status == Status::PreDraft) {
            return Ok(());
        }
    }
    work.handle::<Workbench>(author, WorkbenchCommand::Clear { group_id }).await?;
    Ok(())
}
