//! The content planner: posts, the groups they are planned in, and each author's workbench.
//!
//! A *post* is one piece of content for one channel. A *group* holds the posts planned together, one a
//! channel. A *workbench* remembers the one group that an author is still composing (`preDraft`).

mod commands;
mod content;
mod errors;
mod events;
mod group;
mod post;
mod status;
pub mod validation;
mod workbench;

pub use commands::{PostCommand, PostEdit, PostGroupCommand, WorkbenchCommand};
pub use content::{
    Animation, Content, ContentType, Image, InlineLink, Link, Location, MediaTag, Mention, ProductTag, Video,
};
pub use errors::PostError;
pub use events::{FailureReason, PostEvent, PostGroupEvent, WorkbenchEvent};
pub use group::{PostGroup, PostGroupState};
pub use post::{Call, ChannelRef, Flags, Post, PostState, Publication, StoryWorkaround};
pub use status::{Action, Status};
pub use workbench::Workbench;
