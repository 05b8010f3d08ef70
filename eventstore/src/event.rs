//! Events as the log holds them, and as they are handed to it.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use palaver_domain::{AccountId, Actor};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A place in the log: 1 for the first event, without gaps; 0 stands before all of them.
pub type Position = i64;

/// A place in one stream: 1 for its first event, 0 when it is empty.
pub type Sequence = i64;

/// A stream: one aggregate's events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub aggregate_type: String,
    pub aggregate_id: String,
}

impl StreamId {
    pub fn new(aggregate_type: impl Into<String>, aggregate_id: impl fmt::Display) -> Self {
        Self { aggregate_type: aggregate_type.into(), aggregate_id: aggregate_id.to_string() }
    }

    pub fn of<A: Aggregate>(aggregate_id: impl fmt::Display) -> Self {
        Self::new(A::TYPE, aggregate_id)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type, self.aggregate_id)
    }
}

/// Who and what an event came from. Stored as an object of strings, which is what cqrs-es reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub actor: Actor,
    /// The command that caused the event.
    pub command_id: String,
    /// Shared by everything that one outside cause led to.
    pub correlation_id: String,
    /// The event or command directly before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
    /// The HTTP request, when one was the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The time of the decision, RFC 3339; `recorded_at` is the time of the append.
    pub time: DateTime<Utc>,
    /// Whatever else an older or newer version wrote.
    #[serde(flatten)]
    pub more: BTreeMap<String, String>,
}

impl Metadata {
    /// In place of metadata that can not be read.
    pub(crate) fn unreadable(recorded_at: DateTime<Utc>) -> Self {
        Self {
            actor: Actor::system("unreadable"),
            command_id: String::new(),
            correlation_id: String::new(),
            causation_id: None,
            request_id: None,
            time: recorded_at,
            more: BTreeMap::new(),
        }
    }
}

/// An event on its way into the log. Its stream, sequence and position are the append's matter.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub event_type: String,
    pub event_version: String,
    /// JSON text.
    pub payload: String,
    /// JSON text, an object of strings.
    pub metadata: String,
    pub event_id: Uuid,
}

impl NewEvent {
    /// # Errors
    /// When the event or its metadata can not be written as JSON, which is a defect of its type.
    pub fn encode<E: DomainEvent>(event: &E, metadata: &Metadata, event_id: Uuid) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::to_string(event)?,
            metadata: serde_json::to_string(metadata)?,
            event_id,
        })
    }
}

/// An event as it stands in the log, with its payload as it was written (not upcast).
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    pub position: Position,
    pub event_id: Uuid,
    pub tenant_id: AccountId,
    pub stream: StreamId,
    pub sequence: Sequence,
    pub event_type: String,
    pub event_version: String,
    pub payload: serde_json::Value,
    pub metadata: Metadata,
    pub recorded_at: DateTime<Utc>,
    /// Why the row can not be read as an event, if it can not: what it says is then left empty above. Whoever decodes
    /// it is refused, so that it stops its own stream and nothing else.
    pub fault: Option<String>,
}
