//! How a time looks in every answer: milliseconds and `Z`, as clients written in JavaScript produce and expect.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;
use serde_json::Value;

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// For documents that are put together by hand.
pub(crate) fn json(time: DateTime<Utc>) -> Value {
    Value::String(text(time))
}

/// For a field: `#[serde(serialize_with = "times::serialize")]`.
///
/// # Errors
/// As the serializer has it.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*time))
}
