//! What the publisher has to do, and when.

mod projector;
mod queries;

pub use projector::{PublishScheduleProjector, ScheduleRow};
pub use queries::{Due, Unresolved, take_due, take_unresolved};
