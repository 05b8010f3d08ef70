//! `palaver up`, `serve` and `work`: the long-running commands, and how they come to their end.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use palaver_eventstore::{
    Database, Fork,
    managed::{ManagedNats, NatsAddress},
    relay::Relay,
};
use palaver_projections::engine::Waited;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{RunError, database::named, demo, private::PrivateServers, workers::Workers};
use crate::{
    app::App,
    auth::AccessTokens,
    cli::UpArgs,
    server::{self, Ended, Shutdown},
    settings::Settings,
    telemetry::{self, Metrics},
};

/// How long a demo's read models may take to catch up with its log before it counts as ready all the same.
const READ_MODELS_WAIT: Duration = Duration::from_secs(120);

/// What a service is made of once it runs.
struct Started {
    app: App,
    metrics: Metrics,
    shutdown: Shutdown,
}

fn begin(settings: &Settings) -> Result<(Metrics, Shutdown), RunError> {
    telemetry::start_logging(&settings.log, settings.log_format)
        .map_err(|error| RunError::Telemetry(error.to_string()))?;
    settings.log();
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let metrics = Metrics::install(shutdown.stop.clone()).map_err(|error| RunError::Telemetry(error.to_string()))?;
    Ok((metrics, shutdown))
}

/// Everything in one process.
pub(super) async fn up(settings: &Settings, args: &UpArgs, out: &mut impl Write) -> Result<(), RunError> {
    let began = Instant::now();
    let (metrics, shutdown) = begin(settings)?;
    let (app, servers) = tokio::select! {
        prepared = prepare(settings) => prepared?,
        // What was begun is dropped, and servers of ours with it.
        () = shutdown.stop.cancelled() => {
            tracing::info!("stopped before it was ready");
            return Ok(());
        }
    };
    let settings = &servers.applied_to(settings)?;
    let nats = servers.nats().map(ManagedNats::address);
    let result = tokio::select! {
        result = run_all(Started { app, metrics, shutdown }, settings, args, nats, began, out) => result,
        how = servers.ended() => Err(RunError::PostgresEnded(how)),
    };
    let stopped = servers.stop().await;
    result.and(stopped)
}

/// The database and NATS, started if they are ours; the schema brought up to date; and what stands on it.
async fn prepare(settings: &Settings) -> Result<(App, PrivateServers), RunError> {
    let (mut servers, options) = PrivateServers::start(settings).await?;
    let database = Database::connect(options, settings.pool_size).await?;
    database.migrate().await?;
    let mut app = App::open(database, settings).await?;
    if app.secrets.is_none() {
        app.unlock_by_kept_key(settings).await?;
        tracing::warn!(
            "no master key was given; this process uses the one in its data directory, which no other process knows"
        );
    }
    // A fork relays nothing: what it holds was relayed by the service it is of.
    if app.log.fork().is_none() {
        servers.start_nats(settings).await?;
    }
    Ok((app, servers))
}

/// Half of a service shares its secrets with the other half, so it must be given the key.
async fn open_half(settings: &Settings, name: &'static str) -> Result<(App, Metrics, Shutdown), RunError> {
    let options = named(settings)?.ok_or(RunError::DatabaseUrlMissing(name))?;
    if settings.master_key.is_none() {
        return Err(RunError::MasterKeyMissing(name));
    }
    let (metrics, shutdown) = begin(settings)?;
    let app = App::open(Database::connect(options, settings.pool_size).await?, settings).await?;
    Ok((app, metrics, shutdown))
}

async fn run_all(
    started: Started,
    settings: &Settings,
    args: &UpArgs,
    nats: Option<&NatsAddress>,
    began: Instant,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let listener = server::bind(settings.listen).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut ready = ready_line(&started.app, &url);
    if let Some(nats) = nats {
        // This line is in the log, too; the address with its password is in `<data>/nats/url`.
        ready["nats"] = json!(nats.to_string());
    }
    if args.demo {
        if started.app.log.fork().is_some() {
            return Err(RunError::Misused("a fork takes no events, and so no demo".to_owned()));
        }
        // Before any worker runs: a publisher would take the demo's past for work that is overdue.
        let recipe = demo::Recipe { seed: args.demo_seed, scale: args.demo_scale };
        let stop = &started.shutdown.stop;
        let app = &started.app;
        let secrets = app.secrets.as_ref().ok_or(RunError::MasterKeyMissing("up"))?;
        let tokens = AccessTokens::new(&secrets.signing_key);
        let nats = nats.map(NatsAddress::expose);
        let at = demo::Whereabouts { url: &url, nats: nats.as_deref() };
        ready["demo"] = json!(demo::prepare(&app.commander, &tokens, recipe, &settings.data, at, stop).await?);
    }
    let settings = &settings.listening_at(listener.local_addr()?);
    let workers = start_workers(&started.app, settings)?;
    if args.demo {
        tokio::select! {
            waited = wait_for_read_models(&started.app) => waited?,
            () = started.shutdown.stop.cancelled() => {}
        }
    }
    Box::pin(serve_until_the_end(started, workers, listener, settings, began, &ready, out)).await
}

/// What is printed once a service can be used.
fn ready_line(app: &App, url: &str) -> Value {
    let mut ready = json!({ "ready": true, "url": url });
    if let Some(Fork { source, until, .. }) = app.log.fork() {
        ready["fork"] = json!({ "of": source, "until": until });
    }
    ready
}

/// Who starts a demo wants to see it, and its tokens are worth nothing before its users are read.
async fn wait_for_read_models(app: &App) -> Result<(), RunError> {
    let projections = app.engine.projections();
    let statuses = projections.status().await?;
    let names: Vec<&str> = statuses.iter().map(|status| status.name.as_str()).collect();
    let head = app.log.head().await?;
    if let Waited::Behind { at } = projections.wait_for(&names, head, READ_MODELS_WAIT).await {
        tracing::warn!(at, head, "the read models are still behind the log; what is shown will be incomplete at first");
    }
    Ok(())
}

/// HTTP alone.
pub(super) async fn serve(settings: &Settings, out: &mut impl Write) -> Result<(), RunError> {
    let began = Instant::now();
    let (app, metrics, shutdown) = open_half(settings, "serve").await?;
    let listener = server::bind(settings.listen).await?;
    let settings = &settings.listening_at(listener.local_addr()?);
    let workers = log_alone(&app);
    let ready = ready_line(&app, &format!("http://{}", listener.local_addr()?));
    let started = Started { app, metrics, shutdown };
    Box::pin(serve_until_the_end(started, workers, listener, settings, began, &ready, out)).await
}

/// Serves until told to stop, or until a part ends that was not told to; then ends the rest in good order.
async fn serve_until_the_end(
    started: Started,
    mut workers: Workers,
    listener: TcpListener,
    settings: &Settings,
    began: Instant,
    ready: &Value,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let readiness = started.app.readiness();
    let events = started.app.events(settings, started.shutdown.stop.clone());
    let tail = events.tail();
    let router = started.app.router(settings, readiness.clone(), started.metrics.clone(), events)?;
    workers.start("tail of the event streams", |stop| async move { tail.run(stop).await });
    writeln!(out, "{ready}")?;
    out.flush()?;
    tracing::info!(%ready, ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "ready");
    let stop = started.shutdown.stop.clone();
    let draining = tokio::spawn(async move {
        stop.cancelled().await;
        readiness.drain();
    });
    let shutdown = started.shutdown.clone();
    let mut serving = Box::pin(server::serve(listener, router, &shutdown, settings.shutdown_grace));
    let (served, failed) = tokio::select! {
        served = &mut serving => (served, None),
        name = workers.ended_early() => {
            shutdown.stop.cancel();
            (serving.await, Some(name))
        }
    };
    draining.abort();
    finish(served, started, workers, settings.shutdown_grace).await;
    failed.map_or(Ok(()), |name| Err(RunError::WorkerEnded(name)))
}

/// The workers alone.
pub(super) async fn work(settings: &Settings) -> Result<(), RunError> {
    let (app, metrics, shutdown) = open_half(settings, "work").await?;
    let mut workers = start_workers(&app, settings)?;
    tracing::info!("working");
    let failed = tokio::select! {
        () = shutdown.stop.cancelled() => None,
        name = workers.ended_early() => Some(name),
    };
    finish(Ended::Drained, Started { app, metrics, shutdown }, workers, settings.shutdown_grace).await;
    failed.map_or(Ok(()), |name| Err(RunError::WorkerEnded(name)))
}

/// What every process has: the log's appender, without which nothing can be written.
fn log_alone(app: &App) -> Workers {
    let mut workers = Workers::default();
    workers.watch("appender", app.appender_ended());
    workers
}

fn start_workers(app: &App, settings: &Settings) -> Result<Workers, RunError> {
    let mut workers = log_alone(app);
    if let Some(Fork { source, until, .. }) = app.log.fork() {
        tracing::warn!(of = source, until, "this is a fork: it takes no changes, publishes nothing and sends nothing");
        let engine = app.engine.clone();
        // A release that reads its tables otherwise than the one that made the fork builds them anew.
        workers.start("projection engine", |stop| async move { engine.run(stop).await });
        return Ok(workers);
    }
    let (mail, outbox) = (app.mail_worker(settings)?, app.outbox.clone());
    let (engine, publisher, commander) = (app.engine.clone(), app.publisher(settings), app.commander.clone());
    workers.start("projection engine", |stop| async move { engine.run(stop).await });
    workers.start("publisher", |stop| async move { publisher.run(stop).await });
    let forgetful = app.commander.clone();
    workers.start("forgetting of credentials", |stop| async move { forgetful.forget_old_credentials(stop).await });
    workers.start("forgetting of receipts", |stop| async move { commander.forget_old_receipts(stop).await });
    workers.start("mail worker", |stop| async move { mail.run(stop).await });
    workers.start("forgetting of mail", |stop| async move { outbox.forget_old_mail(stop).await });
    if let Some(options) = settings.relay() {
        let relay = Relay::new(app.log.clone(), app.clock.clone(), options);
        workers.start("relay", |stop| async move { relay.run(stop).await });
    }
    Ok(workers)
}

/// In the order in which things depend on each other: requests have been answered; then the workers finish what they
/// have begun, then the log writes what it has accepted. When that takes longer than `grace`, or at a second signal,
/// what is left is skipped.
async fn finish(served: Ended, started: Started, workers: Workers, grace: Duration) {
    let Started { app, shutdown, .. } = started;
    let orderly = async {
        workers.stop().await;
        app.close().await;
    };
    tokio::select! {
        () = orderly => tracing::info!(?served, "stopped"),
        () = shutdown.abort.cancelled() => tracing::warn!("aborted; what was acknowledged is in the log"),
        () = tokio::time::sleep(grace) => {
            tracing::warn!(grace_s = grace.as_secs(), "stopping takes too long; aborted; what was acknowledged is in the log");
        }
    }
}
