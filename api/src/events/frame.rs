//! How an event is written: once for everybody who follows it, as a block of Server-Sent Events or a line of NDJSON.

use axum::body::Bytes;
use palaver_domain::AccountId;
use palaver_eventstore::{EventFilter, Position, RecordedEvent, StreamId, cloud_event::CloudEvent};

/// An event ready to be sent, with what a filter asks of it.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub position: Position,
    pub block: Bytes,
    tenant: AccountId,
    stream: StreamId,
    event_type: String,
}

impl Frame {
    pub fn of(event: RecordedEvent, schemas_url: &str) -> Self {
        let block = block(&event, schemas_url);
        let RecordedEvent { position, tenant_id, stream, event_type, .. } = event;
        Self { position, block, tenant: tenant_id, stream, event_type }
    }

    pub fn matches(&self, filter: &EventFilter) -> bool {
        filter.matches(self.tenant, &self.stream, &self.event_type)
    }
}

/// An event as Server-Sent Events write it: its position is where a client goes on after it.
pub(super) fn block(event: &RecordedEvent, schemas_url: &str) -> Bytes {
    let RecordedEvent { position, event_type, .. } = event;
    match serde_json::to_string(&CloudEvent::of(event, schemas_url)) {
        Ok(json) => format!("id: {position}\nevent: {event_type}\ndata: {json}\n\n").into(),
        // Not known to happen. One event must not keep a client from those behind it.
        Err(error) => {
            tracing::error!(%error, position, "an event can not be written as JSON");
            format!(": the event at position {position} can not be shown\n\n").into()
        }
    }
}

/// An event as one line.
///
/// # Errors
/// Not known to happen.
pub(super) fn line(event: &RecordedEvent, schemas_url: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&CloudEvent::of(event, schemas_url))?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
pub(super) mod tests {
    use palaver_domain::Actor;
    use palaver_eventstore::Metadata;
    use serde_json::json;

    use super::*;

    /// The event at a position: of one of two accounts, and of its own post.
    pub fn event(position: Position) -> RecordedEvent {
        let time = chrono::DateTime::from_timestamp(1_767_225_600 + position, 0).unwrap();
        RecordedEvent {
            position,
            event_id: "0b9f5c1e-8d0e-4a58-9a0f-3c5d1f2b7e66".parse().unwrap(),
            tenant_id: AccountId::from_bytes([u8::from(position % 2 == 0); 12]),
            stream: StreamId::new("post", position),
            sequence: 1,
            event_type: "PostCommented".to_owned(),
            event_version: "1".to_owned(),
            payload: json!({ "Commented": { "message": "two\nlines" } }),
            metadata: Metadata {
                actor: Actor::system("test"),
                command_id: "c".to_owned(),
                correlation_id: "c".to_owned(),
                causation_id: None,
                request_id: None,
                time,
                more: std::collections::BTreeMap::new(),
            },
            recorded_at: time,
            fault: None,
        }
    }

    #[test]
    fn a_block_has_one_line_for_each_field_whatever_the_event_says() {
        let block = block(&event(42), "https://palaver.example/schemas");
        let text = std::str::from_utf8(&block).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((lines[0], lines[1], &lines[3..]), ("id: 42", "event: PostCommented", &["", ""][..]), "{text}");
        let shown: serde_json::Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(shown["data"], json!({ "message": "two\nlines" }));
        let line = line(&event(42), "https://palaver.example/schemas").unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), shown);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
