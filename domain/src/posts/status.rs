//! The status machine of a post, as one table. Source: seed 003, `Post.status` and the routes that move it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a post stands. Source: seed 003, `Post.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Being composed; seen by its author alone.
    PreDraft,
    Draft,
    NeedsApproval,
    Scheduled,
    /// The network has been, or is about to be, called.
    Publishing,
    Published,
    FailedToPublish,
    Deleted,
}

/// What moves a post from one status to another, or edits it where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Edit,
    SaveAsDraft,
    Suggest,
    Approve,
    Reject,
    Schedule,
    Unschedule,
    StartPublishing,
    ResumePublishing,
    RecordPublished,
    RecordFailure,
    RecordUnknown,
    Delete,
}

impl Status {
    pub const ALL: [Self; 8] = [
        Self::PreDraft,
        Self::Draft,
        Self::NeedsApproval,
        Self::Scheduled,
        Self::Publishing,
        Self::Published,
        Self::FailedToPublish,
        Self::Deleted,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreDraft => "preDraft",
            Self::Draft => "draft",
            Self::NeedsApproval => "needsApproval",
            Self::Scheduled => "scheduled",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::FailedToPublish => "failedToPublish",
            Self::Deleted => "deleted",
        }
    }

    /// The whole machine: where `action` leads from here, or `None` where it is refused.
    ///
    /// An action that leads to where the post stands changes nothing and writes nothing, except for `Edit` (which
    /// writes what differs) and `RecordUnknown`. So a group is scheduled or suggested whole though some of its posts
    /// were before, and a request that is repeated does no harm.
    pub const fn after(self, action: Action) -> Option<Self> {
        use Status::*;
        match (action, self) {
            (Action::Edit, PreDraft | Draft | NeedsApproval | Scheduled | FailedToPublish) => Some(self),
            (Action::SaveAsDraft, PreDraft) => Some(Draft),
            // Not from `preDraft`: what only its author sees is saved first. Source: seed 003, .../suggest, 409.
            (Action::Suggest, Draft | Scheduled | FailedToPublish) => Some(NeedsApproval),
            (Action::Suggest, NeedsApproval) => Some(NeedsApproval),
            // From here alone. Source: seed 003, .../approve.
            (Action::Approve, NeedsApproval) => Some(Scheduled),
            (Action::Reject, NeedsApproval) => Some(Draft),
            // A failed post is scheduled again like any other, once its time is set anew.
            (Action::Schedule, PreDraft | Draft | NeedsApproval | FailedToPublish) => Some(Scheduled),
            (Action::Schedule, Scheduled) => Some(Scheduled),
            (Action::Unschedule, Scheduled) => Some(Draft),
            (Action::StartPublishing, Scheduled) => Some(Publishing),
            // The network was asked and has nothing, so it is called again.
            (Action::ResumePublishing, Publishing) => Some(Publishing),
            (Action::RecordPublished, Publishing) => Some(Published),
            // From `scheduled` when the network was never called: overdue, or the channel is gone.
            (Action::RecordFailure, Scheduled | Publishing) => Some(FailedToPublish),
            // Nobody knows yet; only the network's word, or a person's, ends it.
            (Action::RecordUnknown, Publishing) => Some(Publishing),
            // Source: seed 003, DELETE /cp/posts/{id}.
            (Action::Delete, PreDraft) => Some(Deleted),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a post status")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}
