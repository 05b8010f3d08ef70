//! `palaver resolve`: a person's word on a publication that nobody else can tell about.

use std::io::Write;

use palaver_commands::publishing::Resolution;
use palaver_domain::PostId;

use super::{RunError, database::Tool};
use crate::{
    app::App,
    cli::{ResolveArgs, ResolvedOutcome},
    settings::Settings,
};

pub(super) async fn run(settings: &Settings, args: &ResolveArgs, out: &mut impl Write) -> Result<(), RunError> {
    let post: PostId = args.post.parse().map_err(|error| RunError::Misused(format!("the post's id: {error}")))?;
    let resolution = match args.outcome {
        ResolvedOutcome::Published => Resolution::Published { url: args.url.clone() },
        ResolvedOutcome::Failed => Resolution::Failed,
    };
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let resolved = app.commander.resolve_publication(post, resolution).await;
    app.close().await;
    tool.close().await?;
    let status = resolved?.value.status;
    writeln!(out, "{post} is {status}")?;
    Ok(())
}
