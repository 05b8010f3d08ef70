//! What can have happened to a post, a post group, an author's workbench.
//!
//! Who did it and when is in every event's metadata, not here.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChannelRef, Content, StoryWorkaround};
use crate::{
    AccountId, CategoryId, ChannelId, FeedItemId, PostGroupId, PostId, TagId, UserId, event_types::event_types,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum PostEvent {
    /// An empty post was planned for a channel; it starts as `preDraft`.
    Planned {
        id: PostId,
        account_id: AccountId,
        group_id: PostGroupId,
        channel: ChannelRef,
        author: UserId,
        publish_time: Option<DateTime<Utc>>,
        /// The zone that people think of the time in: `Europe/Berlin`.
        publish_time_zone: Option<String>,
    },
    /// The post says and shows this now, and nothing else.
    ContentEdited { content: Box<Content> },
    /// The post is due at another time, or at none.
    PublishTimeSet {
        publish_time: Option<DateTime<Utc>>,
        /// The zone that people think of the time in: `Europe/Berlin`.
        publish_time_zone: Option<String>,
    },
    /// The post has these tags now, and no others.
    TagsSet { tags: Vec<TagId> },
    /// The post has these categories now, and no others.
    CategoriesSet { categories: Vec<CategoryId> },
    /// Somebody is to look after the post; or nobody is any more.
    Assigned { assignee: Option<UserId> },
    /// A person is to publish the post; or its channel's network is again.
    StoryWorkaroundSet { story_workaround: Option<StoryWorkaround> },
    /// Somebody has seen what was wrong with the post.
    AttentionCleared,
    /// The post is a draft from now on, which its team sees.
    SavedAsDraft,
    /// The post waits for somebody to approve it.
    Suggested {
        /// Gets the post back when it is rejected.
        by: Option<UserId>,
    },
    /// A suggested post was approved, and is scheduled.
    Approved { publish_time: DateTime<Utc> },
    /// A suggested post was not approved: it is a draft again, and goes back to who suggested it.
    Rejected {
        message: Option<String>,
        /// Of the item that tells of it in the post's feed.
        item_id: FeedItemId,
    },
    /// The post will be published at this time.
    Scheduled { publish_time: DateTime<Utc> },
    /// The post is a draft again, and will not be published.
    Unscheduled,
    /// The intent: the network is called after this, under this key.
    PublishingStarted {
        /// 1 for the post's first publication.
        publication: u32,
        key: String,
    },
    /// The network was asked about this key and has nothing: it is called again, under the same key.
    PublishingResumed {
        key: String,
        /// 2 for the second call of a publication.
        call: u32,
    },
    /// The call ended and nobody knows how; the network is asked before anything else happens.
    PublishingOutcomeUnknown {
        key: String,
        /// What went wrong with the call, for people.
        error: String,
    },
    /// The post is on the network.
    Published { key: String, network_item_id: Option<String>, network_url: Option<String> },
    /// The publication failed, and is not tried again unless somebody says so.
    PublishingFailed {
        reason: FailureReason,
        /// What went wrong, for people.
        error: String,
    },
    /// Somebody of the team said something about the post.
    Commented {
        /// Of the comment in the post's feed.
        item_id: FeedItemId,
        message: String,
        mentions: Vec<UserId>,
    },
    /// The post is gone from Palaver.
    Deleted,
}

event_types!(PostEvent {
    Planned => "PostPlanned",
    ContentEdited => "PostContentEdited",
    PublishTimeSet => "PostPublishTimeSet",
    TagsSet => "PostTagsSet",
    CategoriesSet => "PostCategoriesSet",
    Assigned => "PostAssigned",
    StoryWorkaroundSet => "PostStoryWorkaroundSet",
    AttentionCleared => "PostAttentionCleared",
    SavedAsDraft => "PostSavedAsDraft",
    Suggested => "PostSuggested",
    Approved => "PostApproved",
    Rejected => "PostRejected",
    Scheduled => "PostScheduled",
    Unscheduled => "PostUnscheduled",
    PublishingStarted => "PostPublishingStarted",
    PublishingResumed => "PostPublishingResumed",
    PublishingOutcomeUnknown => "PostPublishingOutcomeUnknown",
    Published => "PostPublished",
    PublishingFailed => "PostPublishingFailed",
    Commented => "PostCommented",
    Deleted => "PostDeleted",
});

/// Why a publication failed. Source: seed 003, `FeedItem.key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureReason {
    /// Ours: the post was overdue, or its channel was gone.
    Internal,
    /// The network refused it.
    NetworkError,
    /// The network reported an error, and had published it all the same.
    FalseNetworkError,
    MissingPermission,
    /// The network refused an album.
    AlbumNetworkError,
}

impl FailureReason {
    /// The key of the feed item that tells of it.
    pub const fn feed_key(self) -> &'static str {
        match self {
            Self::Internal => "failedToPublishInternal",
            Self::NetworkError => "failedToPublishNetworkError",
            Self::FalseNetworkError => "failedToPublishFalseNetworkError",
            Self::MissingPermission => "failedToPublishMissingPermission",
            Self::AlbumNetworkError => "albumFailedToPublishNetworkError",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum PostGroupEvent {
    /// Posts for several channels were begun together.
    Created {
        id: PostGroupId,
        account_id: AccountId,
        author: UserId,
        /// Each post behind its channel.
        posts: Vec<(ChannelId, PostId)>,
    },
    /// A post left the group because it was deleted.
    PostRemoved { post_id: PostId },
    /// The group is gone, and its posts with it.
    Deleted,
}

event_types!(PostGroupEvent {
    Created => "PostGroupCreated",
    PostRemoved => "PostGroupPostRemoved",
    Deleted => "PostGroupDeleted",
});

/// The stream of a workbench has its author's user id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum WorkbenchEvent {
    /// The author began to compose a group.
    Opened { group_id: PostGroupId },
    /// No post of the group is a `preDraft` any more.
    Cleared { group_id: PostGroupId },
}

event_types!(WorkbenchEvent {
    Opened => "WorkbenchOpened",
    Cleared => "WorkbenchCleared",
});
