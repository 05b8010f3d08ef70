//! Events as lines: one JSON object for each, its fields always in the same order, with payload and metadata as they are
//! stored, byte for byte. The same events make the same lines, whichever log they are in.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use palaver_eventstore::transfer::RawEvent;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::ExportError;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    position: i64,
    event_id: Uuid,
    #[serde(borrow)]
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    sequence: i64,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    event_version: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(serialize_with = "to_the_microsecond")]
    recorded_at: DateTime<Utc>,
}

/// What PostgreSQL keeps of a time, always with six digits.
fn to_the_microsecond<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// JSON text on one line. The service writes no line breaks, but the column would take them; outside of strings they mean
/// nothing, and inside of them they can not be.
fn on_one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) { Cow::Owned(text.replace(['\n', '\r'], " ")) } else { Cow::Borrowed(text) }
}

pub(super) fn write(event: &RawEvent, bytes: &mut Vec<u8>) -> Result<(), ExportError> {
    let position = event.position;
    let (payload, metadata) = (on_one_line(&event.payload), on_one_line(&event.metadata));
    let json = |column, text| {
        serde_json::from_str::<&RawValue>(text).map_err(|source| ExportError::NotJson { position, column, source })
    };
    let line = Line {
        position,
        event_id: event.event_id,
        tenant_id: event.tenant_id.as_str().into(),
        aggregate_type: event.aggregate_type.as_str().into(),
        aggregate_id: event.aggregate_id.as_str().into(),
        sequence: event.sequence,
        event_type: event.event_type.as_str().into(),
        event_version: event.event_version.as_str().into(),
        payload: json("a payload", &payload)?,
        metadata: json("metadata", &metadata)?,
        recorded_at: event.recorded_at,
    };
    serde_json::to_writer(&mut *bytes, &line).map_err(|source| ExportError::Json { position, source })?;
    bytes.push(b'\n');
    Ok(())
}

/// The event of a line, or what is wrong with it.
pub(in crate::run) fn read(line: &[u8]) -> Result<RawEvent, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| without_line(&error))?;
    if !line.recorded_at.timestamp_subsec_nanos().is_multiple_of(1_000) {
        return Err("`recordedAt` is finer than a microsecond".to_owned());
    }
    let texts = [
        ("tenantId", &line.tenant_id),
        ("aggregateType", &line.aggregate_type),
        ("aggregateId", &line.aggregate_id),
        ("eventType", &line.event_type),
        ("eventVersion", &line.event_version),
    ];
    if let Some((name, text)) = texts.iter().find(|(_, text)| text.is_empty() || text.contains('\0')) {
        let problem = if text.is_empty() { "is empty" } else { "holds the character U+0000, which can not be stored" };
        return Err(format!("`{name}` {problem}"));
    }
    Ok(RawEvent {
        position: line.position,
        event_id: line.event_id,
        tenant_id: line.tenant_id.into_owned(),
        aggregate_type: line.aggregate_type.into_owned(),
        aggregate_id: line.aggregate_id.into_owned(),
        sequence: line.sequence,
        event_type: line.event_type.into_owned(),
        event_version: line.event_version.into_owned(),
        payload: line.payload.get().to_owned(),
        metadata: line.metadata.get().to_owned(),
        recorded_at: line.recorded_at,
    })
}

/// The parser knows one line only, so its count is always 1.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"position":7,"eventId":"6fa459ea-ee8a-4ca4-894e-db77e160355e","tenantId":"65f1c0ffee5eed0000000001","#,
        r#""aggregateType":"post","aggregateId":"65f1c0ffee5eed0000000002","sequence":2,"eventType":"PostScheduled","#,
        r#""eventVersion":"1","payload":{"b": 1.0,  "a":"\u00e9\ud800","a":1e999},"metadata":{"actor":"user:x"},"#,
        r#""recordedAt":"2031-05-01T10:00:00.000100Z"}"#
    );

    fn written(event: &RawEvent) -> String {
        let mut bytes = Vec::new();
        write(event, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_comes_back_as_it_was_whatever_its_json_looks_like() {
        let event = read(LINE.as_bytes()).unwrap();
        assert_eq!(event.payload, r#"{"b": 1.0,  "a":"\u00e9\ud800","a":1e999}"#);
        assert_eq!((event.position, event.sequence, event.recorded_at.timestamp_subsec_micros()), (7, 2, 100));
        assert_eq!(written(&event), format!("{LINE}\n"));
    }

    #[test]
    fn json_of_several_lines_becomes_one_and_stays_so() {
        let mut event = read(LINE.as_bytes()).unwrap();
        event.payload = "{\r\n  \"a\":\n\"b\\n\"}".to_owned();
        let line = written(&event);
        assert_eq!(line.matches('\n').count(), 1);
        let again = read(line.trim_end().as_bytes()).unwrap();
        assert_eq!(again.payload, "{    \"a\": \"b\\n\"}");
        assert_eq!(written(&again), line);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (from, to, says) in [
            (r#""position":7,"#, "", "missing field `position`"),
            (r#""position":7"#, r#""position":7,"position":7"#, "duplicate field `position`"),
            (r#""sequence":2"#, r#""sequence":"2""#, "invalid type"),
            (r#""sequence":2"#, r#""sequence":2,"more":1"#, "unknown field `more`"),
            ("6fa459ea", "6fa459e", "UUID"),
            ("00.000100Z", "00.0001001Z", "finer than a microsecond"),
            ("2031-05-01T", "2031-13-01T", "out of range"),
            (r#""aggregateType":"post""#, r#""aggregateType":"""#, "`aggregateType` is empty"),
            (r#""aggregateType":"post""#, r#""aggregateType":"a\u0000""#, "U+0000"),
            ("Z\"}", "Z\"", "EOF while parsing"),
            ("Z\"}", "Z\"}x", "trailing characters at column"),
        ] {
            let line = LINE.replacen(from, to, 1);
            assert_ne!(line, LINE, "{from}");
            let told = read(line.as_bytes()).unwrap_err();
            assert!(told.contains(says), "{says}: {told}");
        }
        assert!(read(b"\xff").is_err() && read(b"").is_err());
    }
}
