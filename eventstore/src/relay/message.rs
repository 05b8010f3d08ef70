//! An event as a message of NATS: its subject, its headers, and its CloudEvent.

use std::borrow::Cow;

use async_nats::{
    HeaderMap, HeaderValue, Subject,
    header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::ENVELOPE_BYTES_MAX;
use crate::{
    Position, RecordedEvent,
    cloud_event::{CLOUD_EVENT_CONTENT_TYPE, CloudEvent},
};

/// What every subject begins with.
pub const SUBJECT_PREFIX: &str = "palaver";
/// The header that says where in the log the event stands, so that who reads the end of the stream knows.
pub const POSITION_HEADER: &str = "Palaver-Position";
const CONTENT_TYPE_HEADER: &str = "Content-Type";

/// All that may have a meaning in a subject is escaped.
const TOKEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A message that is ready to be published.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub position: Position,
    pub subject: Subject,
    pub headers: HeaderMap,
    pub payload: Vec<u8>,
}

/// How it is made sure that no event is taken when one before it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// Each message names the id of the one before, so thousands can be on their way.
    Ids,
    /// Atomic batches, one at a time: all of it is taken or nothing.
    Batches,
}

/// How events become messages in one run of the relay.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    pub chain: Chain,
    pub stream: String,
    pub schemas_url: String,
    /// Bytes that a message may have, with subject and headers.
    pub message_bytes_max: usize,
    /// The place where the run began: the last event's position, and its sequence in the stream.
    pub position: Position,
    pub sequence: u64,
}

impl Encoder {
    /// What the stream must end with for the event at `position` to be taken. Positions and sequences both have no gaps,
    /// so they go side by side.
    pub fn expected_last_sequence(&self, position: Position) -> u64 {
        let ahead = u64::try_from(position - 1 - self.position).unwrap_or_default();
        self.sequence + ahead
    }

    /// `before` is the id of the event before, when that is one of the same run.
    pub fn encode(&self, event: &RecordedEvent, before: Option<Uuid>) -> Result<Outgoing, serde_json::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, event.event_id.to_string());
        headers.insert(NATS_EXPECTED_STREAM, self.stream.as_str());
        headers.insert(POSITION_HEADER, HeaderValue::from(event.position));
        headers.insert(CONTENT_TYPE_HEADER, CLOUD_EVENT_CONTENT_TYPE);
        if self.chain == Chain::Ids {
            self.expect_place(&mut headers, event.position);
            if let Some(before) = before {
                headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, before.to_string());
            }
        }
        let payload = self.payload(event)?;
        Ok(Outgoing { position: event.position, subject: subject(event).into(), headers, payload })
    }

    /// Has the message taken only when the stream ends right before its place.
    pub fn expect_place(&self, headers: &mut HeaderMap, position: Position) {
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(self.expected_last_sequence(position)));
    }

    /// An event that is too long for the server is sent without what it says, so that it does not hold up the others.
    fn payload(&self, event: &RecordedEvent) -> Result<Vec<u8>, serde_json::Error> {
        let whole = serde_json::to_vec(&CloudEvent::of(event, &self.schemas_url))?;
        let room = self.message_bytes_max.saturating_sub(ENVELOPE_BYTES_MAX);
        if whole.len() <= room {
            return Ok(whole);
        }
        let bytes = whole.len();
        tracing::warn!(
            position = event.position,
            bytes,
            room,
            "an event is too long for NATS; relayed without its data"
        );
        metrics::counter!("palaver_relay_withheld_total", "stream" => self.stream.clone()).increment(1);
        let why = format!("{bytes} bytes are more than this stream takes ({room}); read it by GET /events");
        serde_json::to_vec(&CloudEvent::withheld(event, &why))
    }
}

/// `palaver.<tenant>.<aggregate type>.<event type>.<aggregate id>`.
fn subject(event: &RecordedEvent) -> String {
    let stream = &event.stream;
    format!(
        "{SUBJECT_PREFIX}.{}.{}.{}.{}",
        event.tenant_id,
        token(&stream.aggregate_type),
        token(&event.event_type),
        token(&stream.aggregate_id)
    )
}

/// A part of a subject: not empty, and without dots, blanks and wildcards.
fn token(text: &str) -> Cow<'_, str> {
    if text.is_empty() { Cow::Borrowed("%") } else { utf8_percent_encode(text, TOKEN).into() }
}

/// What a message in the stream says about the event it holds; `None` when it is not the relay's.
pub(super) fn mark(headers: &HeaderMap) -> Option<(Position, Uuid)> {
    let position = headers.get(POSITION_HEADER)?.as_str().parse().ok()?;
    let event_id = headers.get(NATS_MESSAGE_ID)?.as_str().parse().ok()?;
    Some((position, event_id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;
    use palaver_domain::Actor;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Metadata, StreamId};

    fn event(aggregate_id: &str, text: &str) -> RecordedEvent {
        let time = DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap();
        RecordedEvent {
            position: 13,
            event_id: Uuid::from_u128(7),
            tenant_id: "64b0c0ffee6150a4de010203".parse().unwrap(),
            stream: StreamId::new("post", aggregate_id),
            sequence: 3,
            event_type: "PostContentChanged".to_owned(),
            event_version: "1".to_owned(),
            payload: json!({ "PostContentChanged": { "text": text } }),
            metadata: Metadata {
                actor: Actor::system("test"),
                command_id: "c".to_owned(),
                correlation_id: "o".to_owned(),
                causation_id: None,
                request_id: None,
                time,
                more: BTreeMap::new(),
            },
            recorded_at: time,
            fault: None,
        }
    }

    fn encoder() -> Encoder {
        let (stream, schemas_url) = ("PALAVER".to_owned(), "https://palaver.example.com/schemas".to_owned());
        Encoder { chain: Chain::Ids, stream, schemas_url, message_bytes_max: 10_000, position: 10, sequence: 110 }
    }

    #[test]
    fn a_message_names_its_event_its_place_and_what_must_be_before_it() {
        let outgoing = encoder().encode(&event("65f1c0ffee5eed0000000001", "hello"), Some(Uuid::from_u128(6))).unwrap();
        let expected = "palaver.64b0c0ffee6150a4de010203.post.PostContentChanged.65f1c0ffee5eed0000000001";
        assert_eq!(outgoing.subject.as_str(), expected);
        let header = |name: &str| outgoing.headers.get(name).map(|value| value.as_str().to_owned());
        assert_eq!(header("Nats-Msg-Id").as_deref(), Some("00000000-0000-0000-0000-000000000007"));
        assert_eq!(header("Nats-Expected-Stream").as_deref(), Some("PALAVER"));
        // Positions 11 and 12 go before it, to 111 and 112.
        assert_eq!(header("Nats-Expected-Last-Sequence").as_deref(), Some("112"));
        assert_eq!(header("Nats-Expected-Last-Msg-Id").as_deref(), Some("00000000-0000-0000-0000-000000000006"));
        assert_eq!(header("Content-Type").as_deref(), Some("application/cloudevents+json"));
        assert_eq!(mark(&outgoing.headers), Some((13, Uuid::from_u128(7))));
        assert_eq!(mark(&HeaderMap::new()), None);
    }

    #[test]
    fn what_would_mean_something_in_a_subject_is_escaped() {
        assert_eq!(token("a.b *>"), "a%2Eb%20%2A%3E");
        assert_eq!(token("0b9f5c1e-8d0e_é"), "0b9f5c1e-8d0e_%C3%A9");
        assert_eq!(token(""), "%");
    }

    #[test]
    fn an_event_that_is_too_long_is_sent_without_its_data() {
        let long = event("1", &"x".repeat(10_000));
        let payload: Value = serde_json::from_slice(&encoder().encode(&long, None).unwrap().payload).unwrap();
        assert!(payload["fault"].as_str().unwrap().contains("GET /events"), "{payload}");
        assert_eq!((payload.get("data"), payload.get("dataschema")), (None, None));
        assert_eq!(payload["id"], "00000000-0000-0000-0000-000000000007");
    }
}
