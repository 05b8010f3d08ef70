//! `/cp/posts`: lists, single posts, their moves and their feed.

pub(super) mod days;
pub(super) mod feed;
pub(super) mod list;
pub(super) mod moves;
pub(super) mod single;
