//! `palaver migrate`

use std::io::Write;

use super::{RunError, database::Tool};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open_or_make(settings).await?;
    let pending = tool.database.migrations_pending().await?;
    tool.database.migrate().await?;
    tool.close().await?;
    match pending {
        0 => writeln!(out, "nothing to do")?,
        pending => writeln!(out, "{pending} migrations applied")?,
    }
    Ok(())
}
