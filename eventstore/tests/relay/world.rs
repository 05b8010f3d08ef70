//! A database, a nats-server and logs on them; and what the stream is found to hold.

use std::{collections::BTreeMap, env, path::PathBuf, sync::Arc, time::Duration};

use async_nats::{
    ConnectOptions,
    jetstream::{self, consumer::pull},
};
use chrono::DateTime;
use futures::StreamExt;
use palaver_domain::Actor;
use palaver_eventstore::{
    Append, Database, EventFilter, EventLog, LogTasks, Metadata, NewEvent, QUEUE_APPENDS_MAX, RecordedEvent,
    StreamAppend, StreamId,
    clock::SystemClock,
    ids::{Ids, SystemIds},
    managed::{ManagedNats, ManagedOptions, ManagedPostgres, NatsOptions},
    relay::{Relay, RelayOptions},
};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const STREAM: &str = "PALAVER";
pub const SCHEMAS_URL: &str = "https://palaver.example.com/schemas";
const SOON: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

pub struct World {
    pub postgres: ManagedPostgres,
    pub nats: ManagedNats,
    _directory: TempDir,
}

/// A log, as a process of its own would have it.
pub struct OpenLog {
    pub log: EventLog,
    pub database: Database,
    _tasks: LogTasks,
}

/// A relay at work.
pub struct Relaying {
    pub relay: Relay,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A message of the stream.
#[derive(Debug)]
pub struct Stored {
    pub sequence: u64,
    pub subject: String,
    pub event: Value,
}

impl World {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = || directory.path().to_owned();
        let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
        let program = env::var_os("PALAVER_NATS_SERVER").map(PathBuf::from);
        let nats = NatsOptions { directory: path(), program };
        let (postgres, nats) = tokio::join!(
            ManagedPostgres::start(ManagedOptions { directory: path(), binaries }),
            ManagedNats::start(nats)
        );
        Self { postgres: postgres.unwrap(), nats: nats.unwrap(), _directory: directory }
    }

    /// The log in the database of that name, which is made when it is not there.
    pub async fn log(&self, name: &str) -> OpenLog {
        let options = self.postgres.connect_options();
        let mut db = PgConnection::connect_with(&options).await.unwrap();
        let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name);
        if found.fetch_optional(&mut db).await.unwrap().is_none() {
            db.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
        }
        let database = Database::connect(options.database(name), 8).await.unwrap();
        database.migrate().await.unwrap();
        let opened = EventLog::open(database.clone(), Arc::new(SystemClock), QUEUE_APPENDS_MAX).await;
        let (log, tasks) = opened.unwrap();
        OpenLog { log, database, _tasks: tasks }
    }

    pub fn options(&self) -> RelayOptions {
        RelayOptions::to(vec![self.nats.address().expose()], SCHEMAS_URL.to_owned())
    }

    pub async fn jetstream(&self) -> jetstream::Context {
        // The client takes no password from an address.
        let address = self.nats.address().expose();
        let (user, place) = address.strip_prefix("nats://").unwrap().split_once('@').unwrap();
        let (user, password) = user.split_once(':').unwrap();
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
        jetstream::new(options.connect(place).await.unwrap())
    }

    /// Everything that the stream holds, in its order.
    pub async fn stored(&self) -> Vec<Stored> {
        let stream = self.jetstream().await.get_stream(STREAM).await.unwrap();
        let expected = stream.cached_info().state.messages;
        let consumer = stream.create_consumer(pull::OrderedConfig::default()).await.unwrap();
        let mut messages = consumer.messages().await.unwrap();
        let mut stored = Vec::new();
        for _ in 0..expected {
            let message = messages.next().await.unwrap().unwrap();
            let sequence = message.info().unwrap().stream_sequence;
            let event = serde_json::from_slice(&message.payload).unwrap_or_default();
            stored.push(Stored { sequence, subject: message.subject.to_string(), event });
        }
        stored
    }

    /// The stream holds every event of the log, each once, in the log's order.
    pub async fn assert_relayed(&self, log: &EventLog) {
        let stored: Vec<Value> = self.stored().await.into_iter().map(|stored| stored.event["id"].clone()).collect();
        let expected: Vec<Value> = events(log).await.iter().map(|event| json!(event.event_id)).collect();
        let difference = stored.iter().zip(&expected).position(|(stored, expected)| stored != expected);
        assert_eq!((difference, stored.len()), (None, expected.len()), "the first place where they differ");
        assert!(!stored.is_empty());
    }
}

impl OpenLog {
    pub fn relay(&self, options: RelayOptions) -> Relaying {
        let relay = Relay::new(self.log.clone(), Arc::new(SystemClock), options);
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay.clone().run(stop.clone()));
        Relaying { relay, stop, task }
    }

    /// Waits until the checkpoint is at the end of the log.
    pub async fn relayed(&self) {
        let head = self.log.head().await.unwrap();
        eventually("the log is relayed", async || {
            let position: Option<i64> = sqlx::query_scalar("SELECT position FROM relay_checkpoints WHERE stream = $1")
                .bind(STREAM)
                .fetch_optional(self.database.pool())
                .await
                .unwrap();
            position == Some(head)
        })
        .await;
    }

    pub async fn standstill(&self) -> Option<String> {
        let error = sqlx::query_scalar("SELECT error FROM relay_errors WHERE stream = $1").bind(STREAM);
        error.fetch_optional(self.database.pool()).await.unwrap()
    }

    /// Appends `rounds` times one event to each of some streams, a few at a time, as many callers would.
    pub async fn write(&self, rounds: usize) {
        let streams: Vec<StreamId> = (0..7).map(|_| stream()).collect();
        let mut sequences: BTreeMap<&StreamId, i64> = BTreeMap::new();
        for round in 0..rounds {
            let appends = streams.iter().map(|stream| {
                let expected = sequences.entry(stream).or_default();
                *expected += 1;
                self.append(stream.clone(), *expected - 1, format!("round {round}"))
            });
            futures::future::join_all(appends).await;
        }
    }

    pub async fn append(&self, stream: StreamId, expected: i64, text: impl Into<String>) {
        let event = NewEvent {
            event_type: "PostContentChanged".to_owned(),
            event_version: "1".to_owned(),
            payload: json!({ "PostContentChanged": { "text": text.into() } }).to_string(),
            metadata: serde_json::to_string(&metadata()).unwrap(),
            event_id: SystemIds.uuid(),
        };
        let streams = vec![StreamAppend { stream, expected, events: vec![event] }];
        let tenant = "64b0c0ffee6150a4de010203".parse().unwrap();
        self.log.append(Append { tenant, streams, receipt: None }).await.unwrap();
    }
}

impl Relaying {
    /// As a process that is told to end.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// As a process that is killed.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub fn stream() -> StreamId {
    StreamId::new("post", hex(&SystemIds.object_id()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn metadata() -> Metadata {
    Metadata {
        actor: Actor::system("test"),
        command_id: Uuid::nil().to_string(),
        correlation_id: Uuid::nil().to_string(),
        causation_id: None,
        request_id: None,
        time: DateTime::from_timestamp_micros(1_767_225_600_123_456).unwrap(),
        more: BTreeMap::new(),
    }
}

/// The whole log.
pub async fn events(log: &EventLog) -> Vec<RecordedEvent> {
    let head = log.head().await.unwrap();
    log.read_range(0, head, &EventFilter::default()).await.unwrap()
}

pub async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !ask().await {
        assert!(since.elapsed() < SOON, "{what}");
        sleep(POLL).await;
    }
}
