//! An event as the world outside is shown it: a CloudEvent 1.0 in structured JSON, on every stream that leaves the
//! house. Where it goes to, and who may see it, is decided elsewhere.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, Actor};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Position, RecordedEvent};

/// What a CloudEvent in JSON is sent as.
pub const CLOUD_EVENT_CONTENT_TYPE: &str = "application/cloudevents+json";
/// Stands before the type of every event. A name that anybody's CloudEvents can be mixed with needs one.
pub const CLOUD_EVENT_TYPE_PREFIX: &str = "palaver.";

/// A CloudEvent that borrows from the event it shows.
///
/// The payload is what was written, never upcast: `dataschema` names the schema of that very version, and the data fit
/// it. An event that can not be read has `fault` in place of data and schema, so that who follows sees that something
/// is missing, and what.
///
/// Extensions have the names and types that CloudEvents allows: lower-case letters and digits; and no integers beyond
/// 32 bits, so `position` and `sequence` are 19 digits with zeros in front. Thereby they sort as text, as the documented
/// extension `sequence` has to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CloudEvent<'a> {
    #[schemars(extend("const" = "1.0"))]
    pub specversion: &'static str,
    /// The event's id, the same on every stream and at every repetition: what to know a duplicate by.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// `/palaver/<tenant>`.
    #[schemars(extend("format" = "uri-reference"))]
    pub source: String,
    /// `palaver.<event type>`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// `<aggregate type>/<aggregate id>`.
    pub subject: String,
    /// When it was decided.
    pub time: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<&'static str>,
    /// `<schemas_url>/<event type>/v<version>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri"))]
    pub dataschema: Option<String>,
    /// The event's place in the log, over all tenants.
    #[schemars(extend("pattern" = "^[0-9]{19}$"))]
    pub position: String,
    /// The event's place among those of its subject, from 1 on, without gaps.
    #[schemars(extend("pattern" = "^[0-9]{19}$"))]
    pub sequence: String,
    pub tenant: AccountId,
    /// `user:<id>`, `app:<id>` or `system:<name>`.
    #[schemars(with = "String")]
    pub actor: &'a Actor,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub commandid: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub correlationid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causationid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requestid: Option<&'a str>,
    /// When it entered the log.
    pub recordedtime: DateTime<Utc>,
    /// Why the event can not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, Value>>,
}

impl<'a> CloudEvent<'a> {
    /// Shows `event`. Schemas are found below `schemas_url`, such as `https://palaver.example.com/schemas`: the
    /// attribute that names one must be a whole URI.
    pub fn of(event: &'a RecordedEvent, schemas_url: &str) -> Self {
        let metadata = &event.metadata;
        let readable = event.fault.is_none();
        Self {
            specversion: "1.0",
            id: event.event_id,
            source: format!("/palaver/{}", event.tenant_id),
            event_type: format!("{CLOUD_EVENT_TYPE_PREFIX}{}", event.event_type),
            subject: event.stream.to_string(),
            time: metadata.time,
            datacontenttype: readable.then_some("application/json"),
            dataschema: readable.then(|| format!("{schemas_url}/{}/v{}", event.event_type, event.event_version)),
            position: digits(event.position),
            sequence: digits(event.sequence),
            tenant: event.tenant_id,
            actor: &metadata.actor,
            commandid: &metadata.command_id,
            correlationid: &metadata.correlation_id,
            causationid: metadata.causation_id.as_deref(),
            requestid: metadata.request_id.as_deref(),
            recordedtime: event.recorded_at,
            fault: event.fault.as_deref(),
            data: readable.then(|| fields(&event.payload)),
        }
    }

    /// The same without what it says, and why: for whoever can not take so much.
    pub fn withheld(event: &'a RecordedEvent, why: &'a str) -> Self {
        let fault = Some(event.fault.as_deref().unwrap_or(why));
        Self { datacontenttype: None, dataschema: None, data: None, fault, ..Self::of(event, "") }
    }
}

/// All digits that an `i64` may have, so that they sort as the numbers do.
fn digits(number: Position) -> String {
    format!("{number:019}")
}

/// What an event says: the fields of its payload, without the name of its variant around them.
pub fn fields(payload: &Value) -> Cow<'_, Value> {
    match payload {
        Value::Object(variant) if variant.len() == 1 => variant.values().next().map_or_else(nothing, Cow::Borrowed),
        // A variant without fields is written as its name alone.
        Value::String(_) => nothing(),
        other => Cow::Borrowed(other),
    }
}

fn nothing<'a>() -> Cow<'a, Value> {
    Cow::Owned(Value::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{Metadata, StreamId};

    fn event(payload: Value, fault: Option<&str>) -> RecordedEvent {
        let time = DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap();
        let id: Uuid = "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66".parse().unwrap();
        RecordedEvent {
            position: 42,
            event_id: id,
            tenant_id: "64b0c0ffee6150a4de010203".parse().unwrap(),
            stream: StreamId::new("post", "65f1c0ffee5eed0000000001"),
            sequence: 3,
            event_type: "PostScheduled".to_owned(),
            event_version: "1".to_owned(),
            payload,
            metadata: Metadata {
                actor: Actor::system("publisher"),
                command_id: "c".to_owned(),
                correlation_id: "o".to_owned(),
                causation_id: None,
                request_id: Some("r".to_owned()),
                time,
                more: BTreeMap::new(),
            },
            recorded_at: time,
            fault: fault.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn an_event_is_shown_with_all_that_is_known_of_it() {
        let event = event(json!({ "PostScheduled": { "at": "2026-02-01T00:00:00Z" } }), None);
        let shown = serde_json::to_value(CloudEvent::of(&event, "https://palaver.example.com/schemas")).unwrap();
        let expected = json!({
            "specversion": "1.0",
            "id": "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66",
            "source": "/palaver/64b0c0ffee6150a4de010203",
            "type": "palaver.PostScheduled",
            "subject": "post/65f1c0ffee5eed0000000001",
            "time": "2026-01-01T00:00:00.123456Z",
            "datacontenttype": "application/json",
            "dataschema": "https://palaver.example.com/schemas/PostScheduled/v1",
            "position": "0000000000000000042",
            "sequence": "0000000000000000003",
            "tenant": "64b0c0ffee6150a4de010203",
            "actor": "system:publisher",
            "commandid": "c",
            "correlationid": "o",
            "requestid": "r",
            "recordedtime": "2026-01-01T00:00:00.123456Z",
            "data": { "at": "2026-02-01T00:00:00Z" },
        });
        assert_eq!(shown, expected);
        // Extensions are named as CloudEvents wants it.
        for name in shown.as_object().unwrap().keys() {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
        }
    }

    #[test]
    fn an_event_that_can_not_be_read_says_so_in_place_of_its_data() {
        let event = event(Value::Null, Some("payload: too long"));
        let shown = serde_json::to_value(CloudEvent::of(&event, "/schemas")).unwrap();
        assert_eq!(shown["fault"], "payload: too long");
        assert_eq!(shown["id"], "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66");
        for absent in ["data", "dataschema", "datacontenttype"] {
            assert!(shown.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn an_event_without_fields_has_empty_data() {
        assert_eq!(*fields(&json!("PostDeleted")), json!({}));
        assert_eq!(*fields(&json!({ "PostDeleted": {} })), json!({}));
        assert_eq!(*fields(&json!({ "a": 1, "b": 2 })), json!({ "a": 1, "b": 2 }));
        assert_eq!(digits(i64::MAX).len(), 19);
    }
}
