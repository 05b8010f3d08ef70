//! `palaver quarantine`: what projections could not follow, and what an operator does about it.

use std::io::Write;

use palaver_eventstore::RecordedEvent;
use palaver_projections::engine::{Quarantined, QuarantinedCase, QuarantinedPage, Resumed};
use serde_json::{Value, json};

use super::{RunError, database::Tool, stream::stream};
use crate::{
    app::App,
    cli::{QuarantineCommand, QuarantinedStream},
    settings::Settings,
};

pub(super) async fn run(
    settings: &Settings,
    command: &QuarantineCommand,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, command, out).await;
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, command: &QuarantineCommand, out: &mut impl Write) -> Result<(), RunError> {
    match command {
        QuarantineCommand::List { projection, limit, offset, json } => {
            let page = app.engine.quarantined(projection.as_deref(), *offset, *limit).await?;
            if *json {
                for stream in &page.streams {
                    writeln!(out, "{}", serde_json::to_string(stream)?)?;
                }
                return Ok(());
            }
            print_list(&page, *offset, out)
        }
        QuarantineCommand::Show { which, json } => {
            let stream = stream(&which.aggregate_type, &which.aggregate_id);
            let case = app.engine.quarantined_case(&which.projection, &stream).await?;
            if *json {
                writeln!(out, "{}", as_json(&case)?)?;
                return Ok(());
            }
            print_case(&case, out)
        }
        QuarantineCommand::Retry(which) => {
            let stream = stream(&which.aggregate_type, &which.aggregate_id);
            tell(which, &app.engine.retry(&which.projection, &stream).await?, out)
        }
        QuarantineCommand::Skip(which) => {
            let stream = stream(&which.aggregate_type, &which.aggregate_id);
            tell(which, &app.engine.skip(&which.projection, &stream).await?, out)
        }
    }
}

fn print_list(page: &QuarantinedPage, offset: i64, out: &mut impl Write) -> Result<(), RunError> {
    for one in &page.streams {
        print(one, out)?;
    }
    let behind = page.count - offset - page.streams.len() as i64;
    if page.count == 0 {
        writeln!(out, "nothing is in quarantine")?;
    } else if behind > 0 {
        writeln!(out, "and {behind} more of {}", page.count)?;
    }
    Ok(())
}

fn print(one: &Quarantined, out: &mut impl Write) -> Result<(), RunError> {
    writeln!(
        out,
        "{} can not follow {}/{} from position {} ({}, sequence {}), tried {} times since {}:\n    {}",
        one.projection,
        one.aggregate_type,
        one.aggregate_id,
        one.position,
        one.event_type,
        one.sequence,
        one.attempts,
        one.since.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        one.error
    )?;
    Ok(())
}

fn print_case(case: &QuarantinedCase, out: &mut impl Write) -> Result<(), RunError> {
    print(&case.stream, out)?;
    match &case.event {
        None => writeln!(out, "\nThe log has no such event.")?,
        Some(event) => {
            let metadata = &event.metadata;
            writeln!(
                out,
                "\nEvent {} ({} version {}) of account {}, by {} at {}, command {}",
                event.event_id,
                event.event_type,
                event.event_version,
                event.tenant_id,
                metadata.actor,
                metadata.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                metadata.command_id
            )?;
            if let Some(fault) = &event.fault {
                writeln!(out, "It can not be read: {fault}")?;
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&event.payload)?)?;
        }
    }
    writeln!(out, "\n{} later events of the stream wait.", case.waiting)?;
    for event in &case.first_waiting {
        writeln!(out, "    #{:<4} position {:<10} {}", event.sequence, event.position, event.event_type)?;
    }
    let shown = case.first_waiting.len() as i64;
    if case.waiting > shown {
        writeln!(out, "    and {} more", case.waiting - shown)?;
    }
    Ok(())
}

fn as_json(case: &QuarantinedCase) -> Result<Value, RunError> {
    let mut shown = serde_json::to_value(&case.stream)?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("event".to_owned(), case.event.as_ref().map_or(Value::Null, event_as_json));
        shown.insert("waiting".to_owned(), json!(case.waiting));
        let first: Vec<_> = case.first_waiting.iter().map(event_as_json).collect();
        shown.insert("firstWaiting".to_owned(), json!(first));
    }
    Ok(shown)
}

fn event_as_json(event: &RecordedEvent) -> Value {
    json!({
        "position": event.position,
        "sequence": event.sequence,
        "eventId": event.event_id,
        "tenantId": event.tenant_id,
        "eventType": event.event_type,
        "eventVersion": event.event_version,
        "recordedAt": event.recorded_at,
        "metadata": event.metadata,
        "payload": event.payload,
        "fault": event.fault,
    })
}

fn tell(which: &QuarantinedStream, resumed: &Resumed, out: &mut impl Write) -> Result<(), RunError> {
    let stream = stream(&which.aggregate_type, &which.aggregate_id);
    match resumed {
        Resumed::Following { events } => {
            writeln!(out, "{} follows {stream} again; {events} events made up for", which.projection)?;
            Ok(())
        }
        Resumed::StillFailing { sequence, error } => Err(RunError::StillQuarantined(format!(
            "{} still can not follow {stream}, at sequence {sequence}: {error}",
            which.projection
        ))),
    }
}
