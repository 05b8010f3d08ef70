//! What can have happened to a post, a post group, an author's workbench.
//!
//! Who did it and when is in every event's metadata, not here.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{ChannelRef, Content, StoryWorkaround};
use crate::{AccountId, CategoryId, ChannelId, FeedItemId, PostGroupId, PostId, TagId, UserId};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        publish_time_zone: Option<String>,
    },
    ContentEdited {
        content: Box<Content>,
    },
    PublishTimeSet {
        publish_time: Option<DateTime<Utc>>,
        publish_time_zone: Option<String>,
    },
    TagsSet {
        tags: Vec<TagId>,
    },
    CategoriesSet {
        categories: Vec<CategoryId>,
    },
    Assigned {
        assignee: Option<UserId>,
    },
    StoryWorkaroundSet {
        story_workaround: Option<StoryWorkaround>,
    },
    AttentionCleared,
    SavedAsDraft,
    /// `by` gets the post back when it is rejected.
    Suggested {
        by: Option<UserId>,
    },
    Approved {
        publish_time: DateTime<Utc>,
    },
    Rejected {
        message: Option<String>,
        item_id: FeedItemId,
    },
    Scheduled {
        publish_time: DateTime<Utc>,
    },
    Unscheduled,
    /// The intent: the network is called after this, under this key.
    PublishingStarted {
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
        error: String,
    },
    Published {
        key: String,
        network_item_id: Option<String>,
        network_url: Option<String>,
    },
    PublishingFailed {
        reason: FailureReason,
        error: String,
    },
    Commented {
        item_id: FeedItemId,
        message: String,
        mentions: Vec<UserId>,
    },
    Deleted,
}

impl DomainEvent for PostEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Planned { .. } => "PostPlanned",
            Self::ContentEdited { .. } => "PostContentEdited",
            Self::PublishTimeSet { .. } => "PostPublishTimeSet",
            Self::TagsSet { .. } => "PostTagsSet",
            Self::CategoriesSet { .. } => "PostCategoriesSet",
            Self::Assigned { .. } => "PostAssigned",
            Self::StoryWorkaroundSet { .. } => "PostStoryWorkaroundSet",
            Self::AttentionCleared => "PostAttentionCleared",
            Self::SavedAsDraft => "PostSavedAsDraft",
            Self::Suggested { .. } => "PostSuggested",
            Self::Approved { .. } => "PostApproved",
            Self::Rejected { .. } => "PostRejected",
            Self::Scheduled { .. } => "PostScheduled",
            Self::Unscheduled => "PostUnscheduled",
            Self::PublishingStarted { .. } => "PostPublishingStarted",
            Self::PublishingResumed { .. } => "PostPublishingResumed",
            Self::PublishingOutcomeUnknown { .. } => "PostPublishingOutcomeUnknown",
            Self::Published { .. } => "PostPublished",
            Self::PublishingFailed { .. } => "PostPublishingFailed",
            Self::Commented { .. } => "PostCommented",
            Self::Deleted => "PostDeleted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// Why a publication failed. Source: seed 003, `FeedItem.key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum PostGroupEvent {
    Created {
        id: PostGroupId,
        account_id: AccountId,
        author: UserId,
        posts: Vec<(ChannelId, PostId)>,
    },
    /// A post left the group because it was deleted.
    PostRemoved {
        post_id: PostId,
    },
    Deleted,
}

impl DomainEvent for PostGroupEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "PostGroupCreated",
            Self::PostRemoved { .. } => "PostGroupPostRemoved",
            Self::Deleted => "PostGroupDeleted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

/// The stream of a workbench has its author's user id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum WorkbenchEvent {
    /// The author began to compose a group.
    Opened { group_id: PostGroupId },
    /// No post of the group is a `preDraft` any more.
    Cleared { group_id: PostGroupId },
}

impl DomainEvent for WorkbenchEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Opened { .. } => "WorkbenchOpened",
            Self::Cleared { .. } => "WorkbenchCleared",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
