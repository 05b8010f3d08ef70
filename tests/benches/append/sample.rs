//! The event that everybody appends: as long as a real one, and with the metadata that the log really keeps.

use std::collections::BTreeMap;

use chrono::DateTime;
use palaver_domain::{AccountId, Actor};
use palaver_eventstore::{Metadata, NewEvent, StreamId, ids::Ids};

/// Tenants that the appends are spread over, and how their ids begin; two decimal digits follow.
pub const TENANTS: std::ops::RangeInclusive<u8> = 10..=25;
pub const TENANT_PREFIX: &str = "64b0c0ffee6150a4de0000";

pub const AGGREGATE_TYPE: &str = "post";
pub const EVENT_TYPE: &str = "PostContentChanged";
pub const EVENT_VERSION: &str = "1";

#[derive(Clone, Debug)]
pub struct Sample {
    pub payload: String,
    pub metadata: String,
}

impl Sample {
    pub fn new() -> Self {
        let payload = serde_json::json!({
            "PostContentChanged": {
                "text": "Spring is here, and so is our new collection: twelve pieces made to be worn for years, \
                         and every one of them can be repaired in our shops. Come by on Saturday!",
                "link": "https://example.com/collections/spring?utm_source=social",
                "media": ["64b0c0ffee6150a4de010203", "64b0c0ffee6150a4de010204"],
            }
        });
        let metadata = Metadata {
            actor: Actor::User("64b0c0ffee6150a4de0a0b0c".parse().unwrap()),
            command_id: "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66".to_owned(),
            correlation_id: "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66".to_owned(),
            causation_id: None,
            request_id: Some("7d0a1f52-62f8-4a3e-8f63-1b0a5a7c9d10".to_owned()),
            time: DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap(),
            more: BTreeMap::new(),
        };
        Self { payload: payload.to_string(), metadata: serde_json::to_string(&metadata).unwrap() }
    }

    pub fn sizes(&self) -> String {
        format!("{} bytes of payload, {} of metadata", self.payload.len(), self.metadata.len())
    }

    pub fn event(&self, ids: &dyn Ids) -> NewEvent {
        NewEvent {
            event_type: EVENT_TYPE.to_owned(),
            event_version: EVENT_VERSION.to_owned(),
            payload: self.payload.clone(),
            metadata: self.metadata.clone(),
            event_id: ids.uuid(),
        }
    }
}

/// A stream that nobody has written to.
pub fn stream(ids: &dyn Ids) -> StreamId {
    StreamId::new(AGGREGATE_TYPE, palaver_domain::PostId::from_bytes(ids.object_id()))
}

pub fn tenants() -> Vec<AccountId> {
    TENANTS.map(|number| format!("{TENANT_PREFIX}{number}").parse().unwrap()).collect()
}
