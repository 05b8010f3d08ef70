//! The log: append, read, subscribe; aggregates loaded from it; secrets kept beside it; and the private PostgreSQL
//! that the embedded default runs on. What events mean, and what they lead to, lives elsewhere.

pub mod clock;
pub mod cloud_event;
pub mod ids;
pub mod managed;
pub mod relay;
pub mod timeline;
pub mod transfer;
pub mod vault;

mod aggregates;
mod append;
mod cache;
mod database;
mod event;
mod fork;
mod head;
mod lease;
mod limits;
mod log;
mod read;
mod receipts;
mod store;
mod subscription;

pub use aggregates::{DecodeError, LoadError, Loaded, decode};
pub use append::{Append, AppendError, Appended, Receipt, StreamAppend};
pub use database::Database;
pub use event::{Metadata, NewEvent, Position, RecordedEvent, Sequence, StreamId};
pub use fork::Fork;
pub use lease::{LEASE_KEEPALIVES, give_back, try_lease};
pub use limits::*;
pub use log::{EventLog, LogTasks};
pub use read::{EventFilter, LogError, Page};
pub use receipts::KeptReceipt;
pub use store::{AggregateStore, StoreContext};
pub use subscription::Subscription;
