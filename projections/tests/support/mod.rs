//! What the tests of this package share: a database each, a log on it, and ways to fill it.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod histories;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use futures::future::BoxFuture;
use palaver_domain::{AccountId, Actor};
use palaver_eventstore::{
    Append, Database, EventLog, Metadata, NewEvent, Position, QUEUE_APPENDS_MAX, RecordedEvent, Sequence, StreamAppend,
    StreamId,
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
};
use palaver_projections::engine::{Engine, Poison, Projector};
use sqlx::PgConnection;

/// A database of its own, given back with this value.
pub struct TestDatabase {
    pub database: Database,
    _given: palaver_tests::TestDatabase,
}

/// The one place where tests get a database from.
pub async fn test_database() -> TestDatabase {
    let given = palaver_tests::fresh_database().await;
    let database = Database::connect(given.options.clone(), 20).await.unwrap();
    TestDatabase { database, _given: given }
}

/// A process, as far as the log and the projections go. Several on one database stand for several processes.
#[derive(Clone)]
pub struct Process {
    pub log: EventLog,
    pub engine: Engine,
}

impl Process {
    pub async fn start(database: &Database, projectors: Vec<Arc<dyn Projector>>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (log, _) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
        let engine = Engine::new(log.clone(), clock, projectors);
        Self { log, engine }
    }

    pub async fn caught_up(&self, projections: &[&str]) {
        let head = self.log.head().await.unwrap();
        let waited = self.engine.projections().wait_for(projections, head, Duration::from_secs(20)).await;
        assert_eq!(waited, palaver_projections::engine::Waited::Reached);
    }

    pub async fn append(
        &self,
        tenant: AccountId,
        stream: &StreamId,
        expected: Sequence,
        events: Vec<NewEvent>,
    ) -> Position {
        let streams = vec![StreamAppend { stream: stream.clone(), expected, events }];
        self.log.append(Append { tenant, streams, receipt: None }).await.unwrap().last
    }
}

pub fn object_id() -> [u8; 12] {
    SystemIds.object_id()
}

pub fn metadata(actor: Actor, time: DateTime<Utc>) -> Metadata {
    let command = SystemIds.uuid().to_string();
    Metadata {
        actor,
        correlation_id: command.clone(),
        command_id: command,
        causation_id: None,
        request_id: None,
        time,
        more: Default::default(),
    }
}

pub fn encode<E: DomainEvent>(event: &E, actor: Actor, time: DateTime<Utc>) -> NewEvent {
    NewEvent::encode(event, &metadata(actor, time), SystemIds.uuid()).unwrap()
}

/// An event that no projector knows by type, for those that take anything.
pub fn anything(payload: serde_json::Value) -> NewEvent {
    NewEvent {
        event_type: "Anything".to_owned(),
        event_version: "1".to_owned(),
        payload: payload.to_string(),
        metadata: serde_json::to_string(&metadata(Actor::system("test"), SystemClock.now())).unwrap(),
        event_id: SystemIds.uuid(),
    }
}

/// A projection that keeps books: a row for each event, and a sum that shows every event applied twice or never.
/// An event with `{"poison": true}` fails it in memory unless `lenient`, one with `{"n": 0}` in the database, and one
/// with `{"panic": true}` meets a defect.
pub struct Ledger {
    pub version: i32,
    pub lenient: Arc<std::sync::atomic::AtomicBool>,
    pub pause: Duration,
}

impl Ledger {
    pub fn new() -> Self {
        Self { version: 1, lenient: Arc::default(), pause: Duration::ZERO }
    }
}

impl Projector for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn version(&self) -> i32 {
        self.version
    }

    fn follows(&self) -> &'static [&'static str] {
        &["thing"]
    }

    fn schema(&self) -> &'static str {
        if self.version == 1 {
            "CREATE TABLE ledger (position bigint PRIMARY KEY, id text NOT NULL, n bigint NOT NULL CHECK (n <> 0));
             CREATE TABLE ledger_sum (id text PRIMARY KEY, n bigint NOT NULL)"
        } else {
            "CREATE TABLE ledger (doubled bigint NOT NULL, n bigint NOT NULL CHECK (n <> 0), id text NOT NULL,
                                  position bigint PRIMARY KEY);
             CREATE TABLE ledger_sum (n bigint NOT NULL, id text PRIMARY KEY);
             CREATE TABLE ledger_notes (id text)"
        }
    }

    fn tables(&self) -> &'static [&'static str] {
        if self.version == 1 { &["ledger", "ledger_sum"] } else { &["ledger", "ledger_sum", "ledger_notes"] }
    }

    fn apply<'a>(
        &'a self,
        db: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<Poison>, sqlx::Error>> {
        Box::pin(async move {
            let mut poison: Vec<Poison> = Vec::new();
            for event in events {
                if poison.iter().any(|poison| poison.stream == event.stream) {
                    continue;
                }
                if event.payload["poison"] == true && !self.lenient.load(std::sync::atomic::Ordering::SeqCst) {
                    poison.push(Poison::new(event, &std::io::Error::other("does not agree with me")));
                    continue;
                }
                assert!(event.payload["panic"] != true, "a defect");
                let n = event.payload["n"].as_i64().unwrap_or(1);
                let insert = if self.version == 1 {
                    "INSERT INTO ledger (position, id, n) VALUES ($1, $2, $3)"
                } else {
                    "INSERT INTO ledger (position, id, n, doubled) VALUES ($1, $2, $3, $3 * 2)"
                };
                let id = &event.stream.aggregate_id;
                sqlx::query(insert).bind(event.position).bind(id).bind(n).execute(&mut *db).await?;
                sqlx::query(
                    "INSERT INTO ledger_sum (id, n) VALUES ($1, $2)
                     ON CONFLICT (id) DO UPDATE SET n = ledger_sum.n + excluded.n",
                )
                .bind(id)
                .bind(n)
                .execute(&mut *db)
                .await?;
            }
            tokio::time::sleep(self.pause).await;
            Ok(poison)
        })
    }
}

/// Waits for something that must come to be.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..4_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} never came to be");
}
