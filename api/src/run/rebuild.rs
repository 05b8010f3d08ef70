//! `palaver rebuild`

use std::io::Write;

use super::{RunError, database::Tool};
use crate::{app::App, cli::RebuildArgs, server::Shutdown, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &RebuildArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let report = app.engine.rebuild(&args.projection, &shutdown.stop).await;
    app.close().await;
    tool.close().await?;
    writeln!(out, "{}", serde_json::to_string(&report?)?)?;
    Ok(())
}
