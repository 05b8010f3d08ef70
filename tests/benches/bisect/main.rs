//! How long it takes to find the event, among ten thousand of one thing, that first made something so: as `palaver
//! bisect` does it, on a private PostgreSQL.
//!
//! `per_s` counts searches, one after the other. Each reads all events and looks at every state: what is sought becomes
//! true with the last.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that fails should say where")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use palaver_domain::{
    AccountId, Actor, ChannelId, TeamId,
    channels::{Channel, ChannelEvent, Connection, Network},
};
use palaver_eventstore::{
    Append, Database, EventLog, Metadata, NewEvent, QUEUE_APPENDS_MAX, StreamAppend, StreamId,
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
    managed::{ManagedOptions, ManagedPostgres},
    timeline::Condition,
};
use serde_json::{Value, json};

const USAGE: &str = "usage: bisect [--json FILE] [--seconds N]

  --json FILE   also adds the row to what is there: [{work, subject, callers, per_s, p50_ms, p99_ms}, ...]
  --seconds N   length of the measurement (default 3)";

const EVENTS: u32 = 10_000;
/// Events of one append.
const CHUNK: usize = 500;

struct Options {
    json: Option<PathBuf>,
    length: Duration,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: None, length: Duration::from_secs(3) };
        while let Some(argument) = arguments.next() {
            // `cargo bench` says so to every benchmark.
            if argument == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or(USAGE)?;
            match argument.as_str() {
                "--json" => options.json = Some(PathBuf::from(value)),
                "--seconds" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0).ok_or(USAGE)?;
                    options.length = Duration::from_secs(seconds);
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    let directory = tempfile::tempdir().unwrap();
    // PostgreSQL's user passes through here to its own folder, which is closed to others.
    let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(directory.path(), passable).unwrap();
    let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let managed = ManagedOptions { directory: directory.path().join("data"), binaries };
    let postgres = ManagedPostgres::start(managed).await.unwrap();
    let database = Database::connect(postgres.connect_options(), 4).await.unwrap();
    database.migrate().await.unwrap();
    let (log, tasks) = EventLog::open(database.clone(), Arc::new(SystemClock), QUEUE_APPENDS_MAX).await.unwrap();
    let stream = StreamId::of::<Channel>(ChannelId::from_bytes([7; 12]));
    fill(&log, &stream).await;
    let row = measure(&log, &stream, options.length).await;
    tasks.drain().await;
    database.close().await;
    postgres.stop().await.unwrap();

    eprintln!("{:<14} {:>9} {:>8} {:>8}", "work", "per s", "p50 ms", "p99 ms");
    let figure = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
    eprintln!("{:<14} {:>9.1} {:>8.1} {:>8.1}", "bisect_10000", figure("per_s"), figure("p50_ms"), figure("p99_ms"));
    if let Some(file) = &options.json {
        add(file, row);
    }
}

/// No two events leave the channel in the same teams.
async fn fill(log: &EventLog, stream: &StreamId) {
    let tenant = AccountId::from_bytes([1; 12]);
    let connected = ChannelEvent::Connected {
        id: ChannelId::from_bytes([7; 12]),
        account_id: tenant,
        network: Network::Facebook,
        connection: Connection::Sandbox,
        name: "One".to_owned(),
        unique_name: "one".to_owned(),
        image_url: None,
        team_ids: Vec::new(),
    };
    let moved = (2..=EVENTS).map(|number| ChannelEvent::TeamsChanged { team_ids: vec![team(number)] });
    let events: Vec<ChannelEvent> = std::iter::once(connected).chain(moved).collect();
    let metadata = Metadata {
        actor: Actor::system("bench"),
        command_id: SystemIds.uuid().to_string(),
        correlation_id: SystemIds.uuid().to_string(),
        causation_id: None,
        request_id: None,
        time: SystemClock.now(),
        more: std::collections::BTreeMap::new(),
    };
    let mut expected = 0;
    for chunk in events.chunks(CHUNK) {
        let encoded = chunk.iter().map(|event| NewEvent::encode(event, &metadata, SystemIds.uuid()).unwrap());
        let streams = vec![StreamAppend { stream: stream.clone(), expected, events: encoded.collect() }];
        log.append(Append { tenant, streams, receipt: None }).await.unwrap();
        expected += chunk.len() as i64;
    }
}

fn team(number: u32) -> TeamId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TeamId::from_bytes(bytes)
}

async fn measure(log: &EventLog, stream: &StreamId, length: Duration) -> Value {
    let condition = Condition::new("$.teamIds[0]", json!(team(EVENTS))).unwrap();
    let mut latencies_ms = Vec::new();
    let began = Instant::now();
    while began.elapsed() < length || latencies_ms.is_empty() {
        let one = Instant::now();
        let mut timeline = log.timeline(stream.clone()).unwrap();
        let found = timeline.first(|state| condition.holds(state)).await.unwrap();
        assert_eq!(found.map(|step| step.event.sequence), Some(i64::from(EVENTS)));
        latencies_ms.push(one.elapsed().as_secs_f64() * 1_000.0);
    }
    let per_s = latencies_ms.len() as f64 / began.elapsed().as_secs_f64();
    latencies_ms.sort_by(f64::total_cmp);
    let at = |share: f64| latencies_ms[((latencies_ms.len() as f64 * share) as usize).min(latencies_ms.len() - 1)];
    json!({ "work": "bisect_10000", "subject": "palaver", "callers": 1, "per_s": per_s, "p50_ms": at(0.50),
        "p99_ms": at(0.99) })
}

/// Adds a row to those that another benchmark has left in the file.
fn add(file: &Path, row: Value) {
    let mut all: Vec<Value> = match fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        Err(_) => Vec::new(),
    };
    all.push(row);
    fs::write(file, format!("{:#}\n", Value::from(all))).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
