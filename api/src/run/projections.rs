//! `palaver projections`: how far each has come, and what it could not follow.

use std::io::Write;

use palaver_projections::engine::{ProjectionStatus, Quarantined, Resumed};

use super::{RunError, database::Tool, stream::stream};
use crate::{
    app::App,
    cli::{ProjectionsCommand, QuarantinedStream},
    settings::Settings,
};

pub(super) async fn run(
    settings: &Settings,
    command: &ProjectionsCommand,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, command, out).await;
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, command: &ProjectionsCommand, out: &mut impl Write) -> Result<(), RunError> {
    match command {
        ProjectionsCommand::List { json } => {
            let statuses = app.engine.projections().status().await?;
            let quarantined = app.engine.quarantined(None).await?;
            if *json {
                for status in &statuses {
                    let streams: Vec<_> = quarantined.iter().filter(|one| one.projection == status.name).collect();
                    let mut line = serde_json::to_value(status)?;
                    if let Some(line) = line.as_object_mut() {
                        line.insert("streams".to_owned(), serde_json::to_value(streams)?);
                    }
                    writeln!(out, "{line}")?;
                }
                return Ok(());
            }
            print(&statuses, &quarantined, out)
        }
        ProjectionsCommand::Retry(which) => {
            let resumed =
                app.engine.retry(&which.projection, &stream(&which.aggregate_type, &which.aggregate_id)).await?;
            tell(which, &resumed, out)
        }
        ProjectionsCommand::Skip(which) => {
            let resumed =
                app.engine.skip(&which.projection, &stream(&which.aggregate_type, &which.aggregate_id)).await?;
            tell(which, &resumed, out)
        }
    }
}

fn print(statuses: &[ProjectionStatus], quarantined: &[Quarantined], out: &mut impl Write) -> Result<(), RunError> {
    writeln!(
        out,
        "{:<20} {:>7} {:>12} {:>10} {:>8} {:>12}",
        "PROJECTION", "VERSION", "POSITION", "LAG", "SECONDS", "QUARANTINED"
    )?;
    for status in statuses {
        writeln!(
            out,
            "{:<20} {:>7} {:>12} {:>10} {:>8.1} {:>12}",
            status.name, status.version, status.position, status.lag_events, status.lag_seconds, status.quarantined
        )?;
    }
    for one in quarantined {
        writeln!(
            out,
            "\n{} can not follow {}/{} from position {} ({}, sequence {}), tried {} times since {}:\n    {}",
            one.projection,
            one.aggregate_type,
            one.aggregate_id,
            one.position,
            one.event_type,
            one.sequence,
            one.attempts,
            one.since,
            one.error
        )?;
    }
    Ok(())
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
