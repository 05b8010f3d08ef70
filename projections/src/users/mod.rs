//! The users of an account, as needed to tell who calls and what they may do.

mod projector;
mod queries;

pub use projector::UsersProjector;
pub use queries::{by_id, by_name};
