//! Use cases of the content planner. Each is one unit of work over a group, its posts and its author's workbench.

mod access;
mod groups;
mod single;

use chrono::{DateTime, Utc};
use palaver_domain::{
    UserId,
    identity::{Permissions, Role},
    posts::{Post, PostError, PostState},
};
use palaver_eventstore::{Loaded, Sequence};
use serde::{Deserialize, Serialize};

pub use groups::{GroupAnswer, NewGroup};
pub use single::{CommentAnswer, PostPatch};

use crate::CommandError;

/// Who plans: a user, and what they are. Which channels they may use is asked of the log, each time anew.
#[derive(Clone, Debug)]
pub struct Planner {
    pub user: UserId,
    pub role: Role,
    pub permissions: Permissions,
}

/// A post after a command, with its times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostAnswer {
    pub post: PostState,
    /// Where its stream stands. 0 in receipts of versions that did not keep it.
    #[serde(default)]
    pub sequence: Sequence,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

fn refuse(error: PostError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &Loaded<Post>) -> Result<PostAnswer, CommandError> {
    let post = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(PostAnswer { post, sequence: loaded.sequence, created_at: loaded.created_at, updated_at: loaded.updated_at })
}
