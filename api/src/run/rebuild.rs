//! `palaver rebuild`

use std::io::Write;

use palaver_projections::engine::{EngineError, RebuildProgress, RebuildReport};

use super::{
    RunError,
    database::Tool,
    progress::{Otherwise, Progress, Reached},
};
use crate::{app::App, cli::RebuildArgs, server::Shutdown, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &RebuildArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let report = rebuild(&app, &args.projection, &shutdown).await;
    app.close().await;
    tool.close().await?;
    writeln!(out, "{}", serde_json::to_string(&report?)?)?;
    Ok(())
}

async fn rebuild(app: &App, projection: &str, shutdown: &Shutdown) -> Result<RebuildReport, EngineError> {
    let rebuild = app.engine.begin_rebuild(projection).await?;
    let mut progress = Progress::begin(format!("rebuild {projection}"), Otherwise::Lines);
    let mut reached = Reached { done: 0, total: None, events: 0 };
    let report = rebuild
        .run(&shutdown.stop, |RebuildProgress { events, position, head }| {
            reached = Reached { done: counted(position), total: Some(counted(head)), events };
            progress.reached(reached);
        })
        .await;
    progress.end(reached);
    report
}

/// Positions are never negative.
fn counted(position: i64) -> u64 {
    u64::try_from(position).unwrap_or_default()
}
