//! How events, states and changes look on the command line.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use palaver_eventstore::{
    RecordedEvent,
    cloud_event::fields,
    timeline::{Change, ChangeOp, StateAt, Step},
};
use serde_json::{Value, json};

pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// All that is known of an event.
pub(super) fn event(event: &RecordedEvent) -> Value {
    json!({
        "position": event.position,
        "tenantId": event.tenant_id,
        "aggregateType": event.stream.aggregate_type,
        "aggregateId": event.stream.aggregate_id,
        "sequence": event.sequence,
        "eventId": event.event_id,
        "eventType": event.event_type,
        "eventVersion": event.event_version,
        "time": event.metadata.time,
        "recordedAt": event.recorded_at,
        "metadata": event.metadata,
        "change": fields(&event.payload),
        "fault": event.fault,
    })
}

/// A step as a JSON object: the event, the state after it, and, when asked for, what has changed.
pub(super) fn step(step: &Step, with_changes: bool) -> Value {
    let mut line = event(&step.event);
    if let Some(line) = line.as_object_mut() {
        line.insert("state".to_owned(), step.after.as_deref().cloned().unwrap_or_default());
        if let Err(unreadable) = &step.after {
            line.insert("unknown".to_owned(), json!(unreadable.to_string()));
        }
        if let (true, Ok(changes)) = (with_changes, step.changes()) {
            line.insert("changes".to_owned(), json!(changes));
        }
    }
    line
}

/// Which event it is, in its stream and in the log; when it was decided, by whom and by which command.
pub(super) fn heading(event: &RecordedEvent, out: &mut impl Write) -> io::Result<()> {
    let metadata = &event.metadata;
    writeln!(
        out,
        "#{:<4} {}  {:<28} {}  position {}  command {}",
        event.sequence,
        time(metadata.time),
        event.event_type,
        metadata.actor,
        event.position,
        metadata.command_id,
    )
}

/// What an event says, a line for each field that is set.
pub(super) fn said(event: &RecordedEvent, out: &mut impl Write) -> io::Result<()> {
    if let Value::Object(fields) = &*fields(&event.payload) {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            writeln!(out, "        {name} = {value}")?;
        }
    }
    Ok(())
}

/// A line for each change. What came to be as a whole is told by its members that are set.
pub(super) fn changes(changes: &[Change], out: &mut impl Write) -> io::Result<()> {
    for Change { op, path, before, after } in changes {
        let (before, after) = (before.as_ref().unwrap_or(&Value::Null), after.as_ref().unwrap_or(&Value::Null));
        match (op, after) {
            (ChangeOp::Add, Value::Object(members)) if path.is_empty() => {
                for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                    writeln!(out, "      + /{name} = {value}")?;
                }
            }
            (ChangeOp::Add, after) => writeln!(out, "      + {path} = {after}")?,
            (ChangeOp::Remove, _) => writeln!(out, "      - {path} = {before}")?,
            (ChangeOp::Replace, after) => writeln!(out, "      ~ {path} = {after}, was {before}")?,
        }
    }
    Ok(())
}

/// The moment of a state: the event that it is due to.
pub(super) fn moment(at: &StateAt) -> String {
    match at.time {
        Some(decided) => format!("#{} at position {}, {}", at.sequence, at.position, time(decided)),
        None => "before the first event".to_owned(),
    }
}

pub(super) fn moment_json(at: &StateAt) -> Value {
    json!({ "sequence": at.sequence, "position": at.position, "time": at.time })
}
