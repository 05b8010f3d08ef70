//! The roles of seed 003 and what each grants, as one table.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Permission;

/// Source: seed 003, `Settings.roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Runs the account.
    Admin,
    /// Social media manager: plans, approves and publishes.
    Smm,
    /// Community manager: works the inbox, may propose posts.
    Cm,
    /// Writes posts that others approve.
    Editor,
    /// Reads.
    Observer,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Admin, Self::Smm, Self::Cm, Self::Editor, Self::Observer];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Smm => "SMM",
            Self::Cm => "CM",
            Self::Editor => "EDITOR",
            Self::Observer => "OBSERVER",
        }
    }

    pub const fn permissions(self) -> &'static [Permission] {
        use Permission::*;
        match self {
            Self::Admin => Permission::ALL,
            Self::Smm => &[
                ViewPosts,
                EditPosts,
                ViewCollaborationTab,
                CreateComment,
                PublishPosts,
                ApprovePosts,
                ApproveOwnPosts,
                RejectPost,
                ViewCalendar,
                ViewContentList,
                ViewChannels,
            ],
            Self::Cm => &[
                ViewPosts,
                EditPosts,
                ViewCollaborationTab,
                CreateComment,
                ViewCalendar,
                ViewContentList,
                ViewChannels,
            ],
            Self::Editor => &[ViewPosts, EditPosts, ViewCollaborationTab, CreateComment, ViewCalendar, ViewContentList],
            Self::Observer => &[ViewPosts, ViewCalendar, ViewContentList],
        }
    }

    pub fn grants(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownRole)
    }
}
