//! `palaver fork`: the log up to a position in a data directory of its own, to see what users saw then.
//!
//! Only the log is taken, and the read models are made of it. What lies beside the log stays where it is: passwords,
//! tokens, secrets, mail, and what the sandbox network keeps. Nobody gets into a fork by what they know; whoever is to
//! look gets a token that is made here.

mod staging;

use std::io::Write;

use palaver_commands::CommandError;
use palaver_domain::{AccountId, UserId};
use palaver_eventstore::{
    Database, Fork,
    clock::{Clock, SystemClock},
    managed::{ManagedOptions, ManagedPostgres},
    transfer,
};
use palaver_projections::{engine::EngineError, users};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::staging::Staging;
use super::{
    RunError,
    database::Tool,
    progress::{Otherwise, Progress},
};
use crate::{app::App, auth::CredentialHash, cli::ForkArgs, server::Shutdown, settings::Settings};

/// Accounts whose first administrator gets a token when nobody is named.
const ACCOUNTS_MAX: i64 = 100;
/// Connections to the fork while it is made.
const CONNECTIONS_MAX: u32 = 4;

/// Who may look, and by which token. It is told once, and kept nowhere.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Visitor {
    account_id: AccountId,
    user_id: UserId,
    user_name: String,
    accesstoken: String,
}

pub(super) async fn run(settings: &Settings, args: &ForkArgs, out: &mut impl Write) -> Result<(), RunError> {
    let source = Settings { data: args.source.clone(), ..settings.clone() };
    if source.database_url.is_none() && !ManagedPostgres::is_made(&source.data) {
        let message = format!(
            "there is no database below {}; name what to fork by --source or --database-url",
            source.data.display()
        );
        return Err(RunError::NotFound(message));
    }
    let staging = Staging::begin(&settings.data, settings.pg_bin.as_deref()).await?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let made = tokio::select! {
        made = Box::pin(make(&source, args, &staging, &shutdown.stop)) => made,
        // The fork's PostgreSQL ends with what is dropped here.
        () = shutdown.stop.cancelled() => Err(EngineError::Stopped.into()),
    };
    match made {
        Ok((fork, visitors)) => {
            let data = staging.finish()?;
            let told = json!({
                "data": data, "fork": { "of": fork.source, "until": fork.until }, "visitors": visitors,
            });
            writeln!(out, "{told}")?;
            Ok(())
        }
        Err(error) => {
            staging.discard();
            Err(error)
        }
    }
}

async fn make(
    source: &Settings,
    args: &ForkArgs,
    staging: &Staging,
    stop: &CancellationToken,
) -> Result<(Fork, Vec<Visitor>), RunError> {
    let tool = Tool::open(source).await?;
    let result = make_of(&tool.database, source, args, staging, stop).await;
    tool.close().await?;
    result
}

async fn make_of(
    log: &Database,
    source: &Settings,
    args: &ForkArgs,
    staging: &Staging,
    stop: &CancellationToken,
) -> Result<(Fork, Vec<Visitor>), RunError> {
    let head = transfer::head(log).await?;
    if args.until > head {
        return Err(RunError::Misused(format!("--until {} lies beyond the log, which ends at {head}", args.until)));
    }
    let of = match &source.database_url {
        Some(_) => source.database(),
        None => source.data.canonicalize().unwrap_or_else(|_| source.data.clone()).display().to_string(),
    };
    let fork = Fork { source: of, until: args.until, forked_at: SystemClock.now() };
    // What the fork keeps is its own, the master key too.
    let settings = Settings { data: staging.path().to_owned(), database_url: None, master_key: None, ..source.clone() };
    let options = ManagedOptions { directory: settings.data.clone(), binaries: settings.pg_bin.clone() };
    let postgres = ManagedPostgres::start(options).await?;
    let visitors = fill(&postgres, log, &fork, &settings, &args.users, stop).await;
    postgres.stop().await?;
    Ok((fork, visitors?))
}

/// The log, the read models, and who may look; last of all the mark that lets nothing more in.
async fn fill(
    postgres: &ManagedPostgres,
    log: &Database,
    fork: &Fork,
    settings: &Settings,
    users: &[String],
    stop: &CancellationToken,
) -> Result<Vec<Visitor>, RunError> {
    let database = Database::connect(postgres.connect_options(), CONNECTIONS_MAX).await?;
    database.migrate().await?;
    let mut progress = Progress::begin("copying the log", Otherwise::Silence);
    let told = |position| progress.tell(position, fork.until);
    let last = transfer::write_events(&database, transfer::read_raw(log, 0, fork.until), told).await?;
    drop(progress);
    if last != fork.until {
        return Err(RunError::NotFound(format!("the log breaks off behind position {last}")));
    }
    let app = App::open(database.clone(), settings).await?;
    let filled = build(&app, fork, users, stop).await;
    app.close().await;
    filled
}

async fn build(app: &App, fork: &Fork, users: &[String], stop: &CancellationToken) -> Result<Vec<Visitor>, RunError> {
    let projections = palaver_projections::all();
    let mut progress = Progress::begin("building read models", Otherwise::Silence);
    for (done, projection) in (0..).zip(&projections) {
        progress.tell(done * fork.until, projections.len() as i64 * fork.until);
        app.engine.rebuild(projection.name(), stop).await?;
    }
    drop(progress);
    let visitors = visitors(app, users).await?;
    fork.mark(&app.database).await?;
    Ok(visitors)
}

async fn visitors(app: &App, names: &[String]) -> Result<Vec<Visitor>, RunError> {
    let mut found = Vec::new();
    for name in names {
        let user = app.commander.sessions().user_named(name).await?.filter(|user| !user.deleted);
        let user =
            user.ok_or_else(|| RunError::NotFound(format!("at that position there is no user called {name}")))?;
        found.push((user.account_id, user.id, user.user_name));
    }
    if names.is_empty() {
        let first = users::first_administrators(app.database.pool(), ACCOUNTS_MAX).await?;
        found.extend(first.into_iter().map(|first| (first.account_id, first.user_id, first.user_name)));
    }
    let mut visitors = Vec::new();
    for (account_id, user_id, user_name) in found {
        visitors.push(visitor(app, account_id, user_id, user_name).await?);
    }
    Ok(visitors)
}

async fn visitor(
    app: &App,
    account_id: AccountId,
    user_id: UserId,
    user_name: String,
) -> Result<Visitor, CommandError> {
    let accesstoken = app.ids.secret();
    app.commander.grant_token(account_id, user_id, CredentialHash::of(&accesstoken).as_bytes(), None).await?;
    Ok(Visitor { account_id, user_id, user_name, accesstoken })
}
