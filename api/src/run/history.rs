//! `palaver history`: how a thing came to be what it is, straight from its stream.

use std::io::Write;

use palaver_eventstore::{RecordedEvent, Sequence, cloud_event::fields};
use serde_json::{Value, json};

use super::{RunError, database::Tool, stream::stream};
use crate::{app::App, cli::HistoryArgs, settings::Settings};

const PAGE_EVENTS: i64 = 500;

pub(super) async fn run(settings: &Settings, args: &HistoryArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let stream = stream(&args.aggregate_type, &args.aggregate_id);
    let mut after: Sequence = args.after;
    let mut seen = false;
    loop {
        let events = app.log.read_stream(&stream, after, PAGE_EVENTS).await?;
        let Some(last) = events.last() else { break };
        after = last.sequence;
        seen = true;
        for event in &events {
            if args.json {
                writeln!(out, "{}", as_json(event))?;
            } else {
                print(event, out)?;
            }
        }
    }
    app.close().await;
    tool.close().await?;
    if seen {
        Ok(())
    } else {
        Err(RunError::NotFound(format!("the log has no events of {stream} after {}", args.after)))
    }
}

fn as_json(event: &RecordedEvent) -> Value {
    json!({
        "position": event.position,
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

/// One line of who, when and where, and one line for each field that was set.
fn print(event: &RecordedEvent, out: &mut impl Write) -> Result<(), RunError> {
    let metadata = &event.metadata;
    writeln!(
        out,
        "#{:<4} {}  {:<28} {}  position {}  command {}",
        event.sequence,
        metadata.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        event.event_type,
        metadata.actor,
        event.position,
        metadata.command_id,
    )?;
    if let Some(fault) = &event.fault {
        writeln!(out, "        this event can not be read: {fault}")?;
    }
    if let Value::Object(fields) = &*fields(&event.payload) {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            writeln!(out, "        {name} = {value}")?;
        }
    }
    Ok(())
}
