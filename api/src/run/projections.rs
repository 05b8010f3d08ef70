//! `palaver projections`: how far each has come, how fast it moves, and how a rebuild goes.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use palaver_projections::engine::ProjectionStatus;

use super::{RunError, database::Tool};
use crate::{app::App, cli::ProjectionsArgs, server::Shutdown, settings::Settings};

/// Puts the cursor of a terminal into its first corner and clears what is behind it.
const CLEAR: &str = "\x1b[H\x1b[J";

pub(super) async fn run(settings: &Settings, args: &ProjectionsArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = match args.watch() {
        Some(every) => watch(&app, args.json, every, out).await,
        None => show(&app, args.json, out).await,
    };
    app.close().await;
    tool.close().await?;
    result
}

/// Again and again, until interrupted.
async fn watch(app: &App, json: bool, every: Duration, out: &mut impl Write) -> Result<(), RunError> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let clear = !json && std::io::stdout().is_terminal();
    loop {
        if clear {
            write!(out, "{CLEAR}")?;
        }
        show(app, json, out).await?;
        out.flush()?;
        tokio::select! {
            () = shutdown.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        if !json && !clear {
            writeln!(out)?;
        }
    }
}

async fn show(app: &App, json: bool, out: &mut impl Write) -> Result<(), RunError> {
    let statuses = app.engine.projections().status().await?;
    if json {
        for status in &statuses {
            writeln!(out, "{}", serde_json::to_string(status)?)?;
        }
        return Ok(());
    }
    print(&statuses, out)
}

fn print(statuses: &[ProjectionStatus], out: &mut impl Write) -> Result<(), RunError> {
    writeln!(
        out,
        "{:<20} {:>7} {:<15} {:>12} {:>10} {:>8} {:>9} {:>12}",
        "PROJECTION", "VERSION", "STATE", "POSITION", "LAG", "SECONDS", "EVENTS/S", "QUARANTINED"
    )?;
    for status in statuses {
        writeln!(
            out,
            "{:<20} {:>7} {:<15} {:>12} {:>10} {:>8.1} {:>9.1} {:>12}",
            status.name,
            status.version,
            stands(status),
            status.position,
            status.lag_events,
            status.lag_seconds,
            status.events_per_second,
            status.quarantined
        )?;
    }
    for status in statuses {
        if let Some(told) = told_of_rebuild(status) {
            writeln!(out, "\n{told}")?;
        }
    }
    if statuses.iter().any(|status| status.quarantined > 0) {
        writeln!(out, "\n`palaver quarantine list` shows what they could not follow.")?;
    }
    Ok(())
}

/// In one or two words.
fn stands(status: &ProjectionStatus) -> String {
    match &status.rebuild {
        Some(rebuild) if rebuild.running => format!("rebuilding {:.0}%", rebuild.percent.floor()),
        _ => status.state.to_string(),
    }
}

fn told_of_rebuild(status: &ProjectionStatus) -> Option<String> {
    let (name, rebuild) = (&status.name, status.rebuild.as_ref()?);
    let (version, position, head) = (rebuild.version, rebuild.position, status.head);
    if rebuild.running {
        let left = rebuild.seconds_left.map(|left| format!(", about {left:.0} s left")).unwrap_or_default();
        return Some(format!(
            "{name} is being rebuilt as version {version}: position {position} of {head}, {:.0} events/s{left}; the \
             tables in use are {}",
            rebuild.events_per_second, status.state
        ));
    }
    let why = rebuild.error.as_deref().unwrap_or("nobody knows why");
    Some(format!("a rebuild of {name} as version {version} ended at position {position} of {head}: {why}"))
}

#[cfg(test)]
mod tests {
    use palaver_projections::engine::{ProjectionState, RebuildStatus};

    use super::*;

    fn posts(rebuild: Option<RebuildStatus>) -> ProjectionStatus {
        ProjectionStatus {
            name: "posts".to_owned(),
            state: ProjectionState::CatchingUp,
            version: 2,
            stored_version: Some(2),
            position: 100,
            head: 1_000,
            lag_events: 900,
            lag_seconds: 1.0,
            events_per_second: 50.0,
            quarantined: 0,
            led_here: false,
            rebuild,
        }
    }

    #[test]
    fn a_rebuild_is_told_of_while_it_runs_and_when_it_was_left() {
        let rebuild = RebuildStatus {
            running: true,
            version: 2,
            position: 996,
            percent: 99.6,
            events_per_second: 4.0,
            began_at: None,
            seconds_left: Some(1.0),
            error: None,
        };
        let left = RebuildStatus {
            running: false,
            error: Some("stopped by shutdown".to_owned()),
            seconds_left: None,
            ..rebuild.clone()
        };
        // Not done before it is.
        let running = posts(Some(rebuild));
        assert_eq!(stands(&running), "rebuilding 99%");
        assert_eq!(
            told_of_rebuild(&running).unwrap(),
            "posts is being rebuilt as version 2: position 996 of 1000, 4 events/s, about 1 s left; the tables in use are \
             catching up"
        );
        let left = posts(Some(left));
        assert_eq!(stands(&left), "catching up");
        assert_eq!(
            told_of_rebuild(&left).unwrap(),
            "a rebuild of posts as version 2 ended at position 996 of 1000: stopped by shutdown"
        );
        assert_eq!(told_of_rebuild(&posts(None)), None);
    }
}
