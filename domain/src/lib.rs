//! What the business decides: aggregates, their events, commands and errors.
//!
//! Nothing here does I/O, reads a clock, or knows SQL or HTTP. Time and the acting person come in as
//! [`Circumstances`]; what happened goes out as events.

pub mod audit;
pub mod channels;
pub mod identity;
pub mod posts;

mod actor;
mod catalog;
mod event_schemas;
mod event_types;
mod failure;
mod findings;
mod ids;
mod limits;
mod text;
mod upcast;

pub use actor::{Actor, Circumstances};
pub use catalog::{AGGREGATE_TYPES, AggregateVisitor, event_types, visit_aggregate};
pub use event_schemas::{EventSchema, SchemaFault, event_schemas, schema_path, written_schema};
pub use event_types::{EventType, EventTypes};
pub use failure::{Failure, FailureKind, FieldErrors};
pub use identity::Locale;
pub use ids::{
    AccountId, AppId, AuditAccessId, CategoryId, ChannelId, ContactId, FeedItemId, InvalidId, InvalidUuid, KeyId,
    MediaId, PostGroupId, PostId, TagId, TeamId, UserId,
};
pub use limits::*;
pub use upcast::{FIRST_VERSION, UPCASTERS, UpcastError, Upcaster, newest_version, upcast};
