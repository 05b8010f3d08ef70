//! The feed of a post: what happened to it, and what people say about it.

mod projector;
mod queries;

pub use projector::{FeedRow, PostFeedProjector, comment};
pub use queries::{FEED_ITEMS_MAX, FeedPage, feed};
