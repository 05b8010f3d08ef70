//! The log: append, read, subscribe; aggregates loaded from it; secrets kept beside it; and the private PostgreSQL
//! that the embedded default runs on. What events mean, and what they lead to, lives elsewhere.

pub mod clock;
mod event;
pub mod ids;

pub use event::{Metadata, NewEvent, Position, RecordedEvent, Sequence, StreamId};
