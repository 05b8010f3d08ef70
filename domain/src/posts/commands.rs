//! What can be asked of a post, a post group, an author's workbench.

use chrono::{DateTime, Utc};

use super::{Call, ChannelRef, Content, FailureReason, StoryWorkaround};
use crate::{AccountId, CategoryId, ChannelId, FeedItemId, PostGroupId, PostId, TagId, UserId};

#[derive(Clone, Debug)]
pub enum PostCommand {
    Plan {
        id: PostId,
        account_id: AccountId,
        group_id: PostGroupId,
        channel: ChannelRef,
        author: UserId,
        publish_time: Option<DateTime<Utc>>,
        publish_time_zone: Option<String>,
    },
    Edit(Box<PostEdit>),
    SaveAsDraft,
    Suggest,
    Approve,
    Reject {
        message: Option<String>,
        item_id: FeedItemId,
    },
    /// Publish at the time that is set. Refused without one, or when it has passed.
    Schedule,
    /// Publish as soon as possible. Refused when a time is set.
    Publish,
    Unschedule,
    Comment {
        item_id: FeedItemId,
        message: String,
        mentions: Vec<UserId>,
    },
    Delete,
    /// By the publisher: the post is due, the network is about to be called.
    StartPublishing,
    /// By the publisher: the network was asked, and has nothing under this key.
    ResumePublishing {
        after: Call,
    },
    RecordPublished {
        key: String,
        network_item_id: Option<String>,
        network_url: Option<String>,
    },
    /// `call` is `None` when the network was never called.
    RecordFailure {
        call: Option<Call>,
        reason: FailureReason,
        error: String,
    },
    RecordUnknown {
        call: Call,
        error: String,
    },
}

/// A partial change: `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostEdit {
    pub content: Option<Content>,
    pub publish_time: Option<Option<DateTime<Utc>>>,
    pub publish_time_zone: Option<Option<String>>,
    pub tags: Option<Vec<TagId>>,
    pub categories: Option<Vec<CategoryId>>,
    pub assignee: Option<Option<UserId>>,
    pub story_workaround: Option<Option<StoryWorkaround>>,
    /// `Some(false)` clears the flag; nobody can set it by hand.
    pub needs_attention: Option<bool>,
}

#[derive(Clone, Debug)]
pub enum PostGroupCommand {
    Create { id: PostGroupId, account_id: AccountId, author: UserId, posts: Vec<(ChannelId, PostId)> },
    RemovePost { post_id: PostId },
    Delete,
}

#[derive(Clone, Debug)]
pub enum WorkbenchCommand {
    Open {
        group_id: PostGroupId,
    },
    /// Does nothing when the workbench holds another group or none.
    Clear {
        group_id: PostGroupId,
    },
}
