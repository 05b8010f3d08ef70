//! Old payloads read as today's: a table of small changes, each from one version of an event type to a later one.
//!
//! Nothing in the log is ever rewritten. Whoever changes the shape of an event raises its `event_version`, adds a
//! row to [`UPCASTERS`], and leaves the golden file of the old version where it is.

use serde_json::Value;

use crate::identity::created_with_details;

/// The version that every event type starts with.
pub const FIRST_VERSION: u32 = 1;

/// One change of one event type. The domain's events have whole numbers as versions.
#[derive(Clone, Copy, Debug)]
pub struct Upcaster {
    pub event_type: &'static str,
    pub from_version: u32,
    /// Greater than `from_version`, so a chain always comes to an end.
    pub to_version: u32,
    pub change: fn(Value) -> Result<Value, UpcastError>,
}

/// Every change there ever was, oldest first.
pub const UPCASTERS: &[Upcaster] =
    &[Upcaster { event_type: "UserCreated", from_version: 1, to_version: 2, change: created_with_details }];

/// Why a payload can not be read as today's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    #[error("{event_type} has the version {version:?}, which is not a whole number from {FIRST_VERSION} on")]
    UnreadableVersion { event_type: String, version: String },
    #[error("{event_type} was written as version {version} by a newer release; this one knows {newest}")]
    NewerThanKnown { event_type: String, version: u32, newest: u32 },
    #[error("no upcaster leads {event_type} on from version {version} to {newest}")]
    MissingLink { event_type: String, version: u32, newest: u32 },
    #[error("an upcaster of {event_type} leads from version {from_version} back to {to_version}")]
    Backwards { event_type: String, from_version: u32, to_version: u32 },
    /// For the changes themselves: the payload is not what its version promises.
    #[error("the payload is not as its version promises: {0}")]
    Payload(String),
}

/// The version that `event_type` is written in today.
pub fn newest_version(event_type: &str) -> u32 {
    newest_in(UPCASTERS, event_type)
}

/// `payload`, written as `version` of `event_type`, in the newest version.
pub fn upcast(event_type: &str, version: &str, payload: Value) -> Result<Value, UpcastError> {
    upcast_with(UPCASTERS, event_type, version, payload)
}

fn newest_in(table: &[Upcaster], event_type: &str) -> u32 {
    let ends = table.iter().filter(|row| row.event_type == event_type).map(|row| row.to_version);
    ends.max().unwrap_or(FIRST_VERSION)
}

fn upcast_with(table: &[Upcaster], event_type: &str, version: &str, mut payload: Value) -> Result<Value, UpcastError> {
    let newest = newest_in(table, event_type);
    let event_type = || event_type.to_owned();
    let mut version = match version.parse() {
        Ok(number) if number >= FIRST_VERSION => number,
        _ => return Err(UpcastError::UnreadableVersion { event_type: event_type(), version: version.to_owned() }),
    };
    if version > newest {
        return Err(UpcastError::NewerThanKnown { event_type: event_type(), version, newest });
    }
    while version < newest {
        let next = table.iter().find(|row| row.event_type == event_type() && row.from_version == version);
        let Upcaster { from_version, to_version, change, .. } =
            *next.ok_or_else(|| UpcastError::MissingLink { event_type: event_type(), version, newest })?;
        if to_version <= from_version {
            return Err(UpcastError::Backwards { event_type: event_type(), from_version, to_version });
        }
        payload = change(payload)?;
        version = to_version;
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(mut payload: Value) -> Result<Value, UpcastError> {
        let fields = payload.as_object_mut().ok_or_else(|| UpcastError::Payload("not an object".to_owned()))?;
        let title = fields.remove("title").ok_or_else(|| UpcastError::Payload("no title".to_owned()))?;
        fields.insert("name".to_owned(), title);
        Ok(payload)
    }

    fn counted(mut payload: Value) -> Result<Value, UpcastError> {
        payload["count"] = json!(0);
        Ok(payload)
    }

    fn row(
        event_type: &'static str,
        from_version: u32,
        to_version: u32,
        change: fn(Value) -> Result<Value, UpcastError>,
    ) -> Upcaster {
        Upcaster { event_type, from_version, to_version, change }
    }

    #[test]
    fn a_payload_is_led_through_every_later_version_of_its_own_type() {
        // Out of order on purpose: the versions chain, not the rows.
        let table = [row("Made", 2, 4, counted), row("Other", 1, 9, named), row("Made", 1, 2, named)];
        let read = |version, payload| upcast_with(&table, "Made", version, payload);
        assert_eq!(read("1", json!({"title": "a"})), Ok(json!({"name": "a", "count": 0})));
        assert_eq!(read("2", json!({"name": "a"})), Ok(json!({"name": "a", "count": 0})));
        assert_eq!(read("4", json!({"name": "a", "count": 7})), Ok(json!({"name": "a", "count": 7})));
        assert_eq!(upcast_with(&table, "Untouched", "1", json!([1])), Ok(json!([1])));
        assert_eq!(newest_in(&table, "Made"), 4);
        assert_eq!(newest_in(&table, "Untouched"), FIRST_VERSION);
    }

    #[test]
    fn what_can_not_be_led_to_the_newest_version_is_an_error() {
        let event_type = || "Made".to_owned();
        let gap = [row("Made", 1, 2, counted), row("Made", 3, 4, counted)];
        let read = |version| upcast_with(&gap, "Made", version, json!({}));
        assert_eq!(read("1"), Err(UpcastError::MissingLink { event_type: event_type(), version: 2, newest: 4 }));
        assert_eq!(read("5"), Err(UpcastError::NewerThanKnown { event_type: event_type(), version: 5, newest: 4 }));
        for version in ["", "0", "-1", "1.0", "one"] {
            let error = UpcastError::UnreadableVersion { event_type: event_type(), version: version.to_owned() };
            assert_eq!(read(version), Err(error));
        }
        let no_title = upcast_with(&[row("Made", 1, 2, named)], "Made", "1", json!({}));
        assert_eq!(no_title, Err(UpcastError::Payload("no title".to_owned())));
    }

    #[test]
    fn a_table_that_runs_in_a_circle_is_refused() {
        for (from_version, to_version) in [(2, 1), (2, 2)] {
            let table = [
                row("Made", 1, 2, counted),
                row("Made", from_version, to_version, counted),
                row("Made", 3, 4, counted),
            ];
            let error = UpcastError::Backwards { event_type: "Made".to_owned(), from_version, to_version };
            assert_eq!(upcast_with(&table, "Made", "1", json!({})), Err(error));
        }
    }

    #[test]
    fn the_real_table_only_goes_forward_and_never_forks() {
        for (at, row) in UPCASTERS.iter().enumerate() {
            assert!(row.from_version >= FIRST_VERSION && row.to_version > row.from_version, "{row:?}");
            let fork = UPCASTERS[..at]
                .iter()
                .any(|other| (other.event_type, other.from_version) == (row.event_type, row.from_version));
            assert!(!fork, "{row:?}");
        }
    }
}
