//! The service that is measured: everything of `palaver up` that has a part in it, in the process of the benchmark, so
//! that it hears of appends as its own.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use palaver_api::{
    app::App,
    server::{self, Shutdown},
    settings::Given,
    system::Readiness,
    telemetry::Metrics,
};
use palaver_commands::{CommandContext, identity::NewUser};
use palaver_domain::{AccountId, Actor, ContactId, identity::Role};
use palaver_eventstore::{
    Append, Database, Metadata, NewEvent, StreamAppend, StreamId,
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
};
use palaver_projections::engine::Waited;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Barrier, watch};

use crate::{Measure, client};

/// Events of one append.
const BATCH: usize = 20;
/// Events that may be under way to the clients: the writer is as fast as they are, and not faster.
const UNDER_WAY_MAX: u64 = 400;
const WRITER_PAUSE: Duration = Duration::from_micros(200);
const READ_MODELS_WAIT: Duration = Duration::from_secs(30);

pub struct Service {
    app: App,
    address: String,
    account: AccountId,
    tokens: Vec<String>,
    shutdown: Shutdown,
}

impl Service {
    pub async fn start(connect: PgConnectOptions, scratch: &Path) -> Self {
        let database = Database::connect(connect, 16).await.unwrap();
        database.migrate().await.unwrap();
        let settings = Given {
            data: Some(scratch.join("service")),
            listen: Some(([127, 0, 0, 1], 0).into()),
            master_key: Some("ab".repeat(32).parse().unwrap()),
            rate_limit_per_credential: Some(0),
            rate_limit_per_tenant: Some(0),
            ..Given::default()
        };
        let settings = settings.resolve().unwrap();
        let app = App::open(database, &settings).await.unwrap();
        let shutdown = Shutdown::default();
        let (engine, stop) = (app.engine.clone(), shutdown.stop.clone());
        tokio::spawn(async move { engine.run(stop).await });

        let listener = server::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = settings.listening_at(address);
        let metrics = Metrics::install(shutdown.stop.clone()).unwrap();
        let events = app.events(&settings, shutdown.stop.clone());
        tokio::spawn(events.tail().run(shutdown.stop.clone()));
        let router = app.router(&settings, Readiness::default(), metrics, events).unwrap();
        let their = shutdown.clone();
        tokio::spawn(async move { server::serve(listener, router, &their, Duration::from_secs(5)).await });
        let (account, tokens) = people(&app).await;
        Self { app, address: address.to_string(), account, tokens, shutdown }
    }

    pub async fn measure(&self, clients: usize, length: Duration) -> Measure {
        let from = self.app.log.head().await.unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let (tell_last, last) = watch::channel(0);
        let ready = Arc::new(Barrier::new(clients + 1));
        let following: Vec<_> = (0..clients)
            .map(|number| {
                let token = self.tokens[number % self.tokens.len()].clone();
                let (received, last, ready) = (received.clone(), last.clone(), ready.clone());
                tokio::spawn(client::follow(self.address.clone(), token, from, received, last, ready))
            })
            .collect();
        ready.wait().await;

        let began = Instant::now();
        // Of each event behind `from`, when its append was acknowledged.
        let mut acknowledged = Vec::new();
        while began.elapsed() < length {
            let expected = (acknowledged.len() * clients) as u64;
            if expected - received.load(Ordering::Relaxed) > UNDER_WAY_MAX * clients as u64 {
                tokio::time::sleep(WRITER_PAUSE).await;
                continue;
            }
            self.app.log.append(self.batch()).await.unwrap();
            acknowledged.resize(acknowledged.len() + BATCH, Instant::now());
        }
        tell_last.send_replace(from + acknowledged.len() as i64);
        let (mut latencies_us, mut events, mut ended) = (Vec::new(), 0, began);
        for client in following {
            let arrivals = client.await.unwrap();
            let positions = arrivals.iter().map(|(position, _)| *position);
            assert!(positions.eq(from + 1..=from + acknowledged.len() as i64), "each event once and in order");
            events += arrivals.len();
            for (position, at) in arrivals {
                // It may arrive before the writer has heard that it is written.
                let latency = at.saturating_duration_since(acknowledged[usize::try_from(position - from - 1).unwrap()]);
                latencies_us.push(u32::try_from(latency.as_micros()).unwrap());
                ended = ended.max(at);
            }
        }
        latencies_us.sort_unstable();
        let at = |share: f64| {
            let index = (latencies_us.len() as f64 * share) as usize;
            f64::from(latencies_us[index.min(latencies_us.len() - 1)]) / 1_000.0
        };
        let per_s = events as f64 / ended.duration_since(began).as_secs_f64();
        Measure { per_s, p50_ms: at(0.50), p99_ms: at(0.99) }
    }

    /// New contacts, each a stream of its own.
    fn batch(&self) -> Append {
        let metadata = Metadata {
            actor: Actor::system("bench"),
            command_id: SystemIds.uuid().to_string(),
            correlation_id: SystemIds.uuid().to_string(),
            causation_id: None,
            request_id: None,
            time: SystemClock.now(),
            more: std::collections::BTreeMap::new(),
        };
        let metadata = serde_json::to_string(&metadata).unwrap();
        let stream = || {
            let id = ContactId::from_bytes(SystemIds.object_id());
            let payload =
                json!({ "Created": { "id": id, "accountId": self.account, "email": format!("{id}@example.com") } });
            let event = NewEvent {
                event_type: "ContactCreated".to_owned(),
                event_version: "1".to_owned(),
                payload: payload.to_string(),
                metadata: metadata.clone(),
                event_id: SystemIds.uuid(),
            };
            StreamAppend { stream: StreamId::new("contact", id), expected: 0, events: vec![event] }
        };
        Append { tenant: self.account, streams: (0..BATCH).map(|_| stream()).collect(), receipt: None }
    }

    pub async fn stop(self) {
        self.shutdown.stop.cancel();
        self.app.close().await;
    }
}

/// An account, and tokens of people who may follow what happens in it.
async fn people(app: &App) -> (AccountId, Vec<String>) {
    let account = app.commander.register_account("Bench".to_owned()).await.unwrap().value;
    let context = CommandContext::system(account, "bench");
    let mut tokens = Vec::new();
    for number in 0..8 {
        let new = NewUser::named(format!("bench-{number}@example.com"), Role::Admin);
        let user = app.commander.create_user(&context, new).await.unwrap().value;
        let token = SystemIds.secret();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        app.commander.grant_token(account, user, &hash, None).await.unwrap();
        tokens.push(token);
    }
    let head = app.log.head().await.unwrap();
    let waited = app.engine.projections().wait_for(&["users"], head, READ_MODELS_WAIT).await;
    assert!(!matches!(waited, Waited::Behind { .. }), "the tokens' users are not read");
    (account, tokens)
}
