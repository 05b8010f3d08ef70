//! Why a post, a group or a workbench refuses a command.

use super::Status;
use crate::{Failure, FailureKind, FieldErrors};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error("there is no such post")]
    PostNotFound,
    #[error("there is no such post group")]
    GroupNotFound,
    #[error("a post that is {status} can not be {attempted}")]
    WrongStatus { status: Status, attempted: &'static str },
    #[error("the post has no publishTime; set one, or use publish instead of schedule")]
    PublishTimeMissing,
    #[error("the post has a publishTime; use schedule, or clear it to publish at once")]
    PublishTimeSet,
    #[error("the post is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
    #[error("the post already exists")]
    AlreadyExists,
    #[error("a post group with posts in preDraft is already open; save, schedule, publish or delete it first")]
    WorkbenchTaken,
    #[error("the group holds posts of others, or posts that are no longer preDraft")]
    GroupNotDeletable,
    #[error("the group holds preDraft posts of somebody else")]
    GroupNotYours,
    #[error("no post of the group can be scheduled any more")]
    NothingToPublish,
    #[error("this outcome belongs to another publication")]
    OtherPublication,
    #[error("no publication of the post is open")]
    NotOpen,
    #[error("the publication is still under way; wait until the post needs attention")]
    UnderWay,
    #[error("the post is not due yet")]
    NotDue,
}

impl From<PostError> for Failure {
    fn from(error: PostError) -> Self {
        let message = error.to_string();
        match error {
            PostError::PostNotFound | PostError::GroupNotFound => {
                Self::new(FailureKind::NotFound, "NotFoundError", message)
            }
            PostError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
            PostError::WrongStatus { .. }
            | PostError::PublishTimeMissing
            | PostError::PublishTimeSet
            | PostError::AlreadyExists
            | PostError::WorkbenchTaken
            | PostError::GroupNotDeletable
            | PostError::GroupNotYours
            | PostError::NothingToPublish
            | PostError::OtherPublication
            | PostError::NotOpen
            | PostError::UnderWay
            | PostError::NotDue => Self::new(FailureKind::Conflict, "ConflictError", message),
        }
    }
}
