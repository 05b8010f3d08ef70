//! Use cases of one post. Source: seed 003, /cp/posts/{id}.

use futures::FutureExt;
use palaver_domain::{
    Failure, FailureKind, FeedItemId, PostId, UserId,
    posts::{Content, Post, PostCommand, PostEdit, PostError, PostGroup, PostGroupCommand, Status},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Planner, PostAnswer,
    access::{clear_workbench, people_exist},
    answer, refuse,
};
use crate::{CommandContext, CommandError, Commander, Outcome, commander::unwritable};

/// A partial change of a post, whose content may be given in part as well.
#[derive(Clone, Debug, Default)]
pub struct PostPatch {
    /// Everything but the content.
    pub edit: PostEdit,
    /// Fields of the content that are replaced; `null` empties one.
    pub content: Option<Map<String, Value>>,
}

/// A comment after it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommentAnswer {
    pub item_id: FeedItemId,
    pub post: PostAnswer,
    pub message: String,
    pub mentions: Vec<UserId>,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl Commander {
    /// Changes some of a post; `patch` is laid over the content as it is when the change is written.
    ///
    /// # Errors
    /// When the post is not the planner's to change, its status forbids it, or the change is not valid.
    pub async fn edit_post(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostId,
        patch: PostPatch,
    ) -> Result<Outcome<PostAnswer>, CommandError> {
        self.run(context, move |work| {
            let (planner, PostPatch { mut edit, content }) = (planner.clone(), patch.clone());
            async move {
                let post = planner.post_to_change(work, id).await?;
                if let Some(content) = content {
                    edit.content = Some(lay_over(&post.content, content)?);
                }
                people_exist(work, "assignee", edit.assignee.flatten()).await?;
                let publisher = edit.story_workaround.as_ref().and_then(Option::as_ref);
                people_exist(work, "storyWorkaround.publisher", publisher.map(|story| story.publisher)).await?;
                work.handle::<Post>(id, PostCommand::Edit(Box::new(edit))).await.and_then(|post| answer(&post))
            }
            .boxed()
        })
        .await
    }

    /// Moves a post along its status machine: schedule, publish, unschedule, suggest, approve, reject.
    ///
    /// # Errors
    /// When the post is not the planner's to move, or its status, time or content forbids it.
    pub async fn move_post(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostId,
        command: PostCommand,
    ) -> Result<Outcome<PostAnswer>, CommandError> {
        self.run(context, move |work| {
            let (planner, command) = (planner.clone(), command.clone());
            async move {
                let before = planner.post_to_change(work, id).await?;
                if matches!(command, PostCommand::Approve) {
                    planner.may_approve(&before)?;
                }
                let after = work.handle::<Post>(id, command).await?;
                if before.status == Status::PreDraft {
                    let group = work.get::<PostGroup>(before.group_id).await?;
                    let group = group.aggregate.existing().map_err(refuse)?;
                    clear_workbench(work, group.author, group.id, &group.posts).await?;
                }
                answer(&after)
            }
            .boxed()
        })
        .await
    }

    /// Deletes a `preDraft` post, and its group with the last one.
    ///
    /// # Errors
    /// `Conflict` when the post is not a `preDraft`.
    pub async fn delete_post(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostId,
    ) -> Result<Outcome<()>, CommandError> {
        self.run(context, move |work| {
            let planner = planner.clone();
            async move {
                let post = planner.post_to_change(work, id).await?;
                work.handle::<Post>(id, PostCommand::Delete).await?;
                let group =
                    work.handle::<PostGroup>(post.group_id, PostGroupCommand::RemovePost { post_id: id }).await?;
                let Some(group) = &group.aggregate.0 else { return Err(refuse(PostError::GroupNotFound)) };
                clear_workbench(work, group.author, group.id, &group.posts).await
            }
            .boxed()
        })
        .await
    }

    /// Adds a comment to a post's feed.
    ///
    /// # Errors
    /// When the post is not the planner's to see, or the comment is not valid.
    pub async fn comment_on_post(
        &self,
        context: &CommandContext,
        planner: Planner,
        id: PostId,
        message: String,
        mentions: Vec<UserId>,
    ) -> Result<Outcome<CommentAnswer>, CommandError> {
        let item_id = FeedItemId::from_bytes(self.ids().object_id());
        self.run(context, move |work| {
            let (planner, message, mentions) = (planner.clone(), message.clone(), mentions.clone());
            async move {
                planner.post_to_change(work, id).await?;
                let command = PostCommand::Comment { item_id, message: message.clone(), mentions: mentions.clone() };
                let post = work.handle::<Post>(id, command).await?;
                people_exist(work, "mentions", mentions.iter().copied()).await?;
                let created_at = work.circumstances().now;
                Ok(CommentAnswer { item_id, post: answer(&post)?, message, mentions, created_at })
            }
            .boxed()
        })
        .await
    }

    /// The post as it is now, when the planner may see it.
    ///
    /// # Errors
    /// `NotFound` when there is no such post for this planner.
    pub async fn post(
        &self,
        context: &CommandContext,
        planner: &Planner,
        id: PostId,
    ) -> Result<PostAnswer, CommandError> {
        let planner = planner.clone();
        self.look(context, move |work| {
            let planner = planner.clone();
            async move {
                planner.post(work, id).await?;
                work.get::<Post>(id).await.and_then(|post| answer(&post))
            }
            .boxed()
        })
        .await
    }
}

fn lay_over(content: &Content, patch: Map<String, Value>) -> Result<Content, CommandError> {
    let mut laid = match serde_json::to_value(content).map_err(unwritable)? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            laid.remove(&name);
        } else {
            laid.insert(name, value);
        }
    }
    serde_json::from_value(Value::Object(laid)).map_err(|error| {
        Failure::new(FailureKind::Invalid, "BadRequestError", format!("the content is not understood: {error}")).into()
    })
}
