//! How fast a log that is there is relayed to a JetStream beside it: a private PostgreSQL and a private nats-server with
//! a stream on disk, each round a new stream. What is counted ends when the stream has confirmed the last event. Run by
//! scripts/bench.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that fails should say where")]

use std::{
    env, fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use palaver_eventstore::{
    Append, Database, EventLog, Metadata, NewEvent, QUEUE_APPENDS_MAX, StreamAppend, StreamId,
    clock::SystemClock,
    ids::{Ids, SystemIds},
    managed::{ManagedNats, ManagedOptions, ManagedPostgres, NatsOptions},
    relay::{Relay, RelayOptions},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "usage: relay [--json FILE] [--rounds N] [--events N]

  --json FILE   also adds the row to what is there: [{work, subject, callers, per_s, p50_ms, p99_ms}, ...]
  --rounds N    turns; the median counts (default 3)
  --events N    events that are relayed in each (default 200000)";

/// What a local JetStream should take in a second.
const AIM_PER_S: f64 = 40_000.0;
/// Events of one append while the log is filled.
const APPEND_EVENTS: usize = 1_000;
const POLL: Duration = Duration::from_millis(5);

struct Options {
    json: Option<PathBuf>,
    rounds: usize,
    events: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: None, rounds: 3, events: 200_000 };
        while let Some(argument) = arguments.next() {
            // `cargo bench` says so to every benchmark.
            if argument == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or(USAGE)?;
            let number = || value.parse().ok().filter(|number| *number > 0).ok_or_else(|| USAGE.to_owned());
            match argument.as_str() {
                "--json" => options.json = Some(PathBuf::from(value)),
                "--rounds" => options.rounds = number()?,
                "--events" => options.events = number()?,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse(env::args().skip(1)).unwrap_or_else(|message| {
        eprintln!("{message}");
        std::process::exit(2)
    });
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_owned();
    let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let program = env::var_os("PALAVER_NATS_SERVER").map(PathBuf::from);
    let postgres = ManagedPostgres::start(ManagedOptions { directory: data.clone(), binaries }).await.unwrap();
    let nats = ManagedNats::start(NatsOptions { directory: data, program }).await.unwrap();
    let database = Database::connect(postgres.connect_options(), 4).await.unwrap();
    database.migrate().await.unwrap();
    let (log, tasks) = EventLog::open(database.clone(), Arc::new(SystemClock), QUEUE_APPENDS_MAX).await.unwrap();
    fill(&log, options.events).await;

    let mut rates = Vec::new();
    for round in 1..=options.rounds {
        let mut relay =
            RelayOptions::to(vec![nats.address().expose()], "https://palaver.example.com/schemas".to_owned());
        relay.stream = format!("ROUND{round}");
        let rate = measure(&log, &database, relay).await;
        eprintln!("round {round}  relay of {} events: {rate:.0} per s", options.events);
        rates.push(rate);
        clear(&nats, &format!("ROUND{round}")).await;
    }
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    let verdict = if median >= AIM_PER_S { "reached" } else { "missed" };
    eprintln!("relay: {median:.0} events per s into a local JetStream, aim {AIM_PER_S:.0}: {verdict}");
    tasks.drain().await;
    nats.stop().await.unwrap();
    postgres.stop().await.unwrap();
    if let Some(file) = &options.json {
        add_row(file, median);
    }
}

/// Events as long as real ones, of as many streams as appends.
async fn fill(log: &EventLog, events: usize) {
    let metadata = json!({
        "actor": "user:64b0c0ffee6150a4de0a0b0c",
        "command_id": SystemIds.uuid(),
        "correlation_id": SystemIds.uuid(),
        "request_id": SystemIds.uuid(),
        "time": "2026-01-01T00:00:00.123456Z",
    });
    let _: Metadata = serde_json::from_value(metadata.clone()).unwrap();
    let payload = json!({ "PostContentChanged": {
        "text": "Spring is here, and so is our new collection: twelve pieces made to be worn for years, and every one of \
                 them can be repaired in our shops. Come by on Saturday!",
        "link": "https://example.com/collections/spring?utm_source=social",
        "media": ["64b0c0ffee6150a4de010203", "64b0c0ffee6150a4de010204"],
    }});
    let mut left = events;
    while left > 0 {
        let count = left.min(APPEND_EVENTS);
        let new = || NewEvent {
            event_type: "PostContentChanged".to_owned(),
            event_version: "1".to_owned(),
            payload: payload.to_string(),
            metadata: metadata.to_string(),
            event_id: SystemIds.uuid(),
        };
        let stream = StreamId::new("post", palaver_domain::PostId::from_bytes(SystemIds.object_id()));
        let streams = vec![StreamAppend { stream, expected: 0, events: (0..count).map(|_| new()).collect() }];
        let tenant = "64b0c0ffee6150a4de010203".parse().unwrap();
        log.append(Append { tenant, streams, receipt: None }).await.unwrap();
        left -= count;
    }
}

/// From the start of a relay to the confirmation of the last event, as its checkpoint says.
async fn measure(log: &EventLog, database: &Database, options: RelayOptions) -> f64 {
    let head = log.head().await.unwrap();
    let stream = options.stream.clone();
    let stop = CancellationToken::new();
    let began = Instant::now();
    let relaying = tokio::spawn(Relay::new(log.clone(), Arc::new(SystemClock), options).run(stop.clone()));
    loop {
        let position: Option<i64> = sqlx::query_scalar("SELECT position FROM relay_checkpoints WHERE stream = $1")
            .bind(&stream)
            .fetch_optional(database.pool())
            .await
            .unwrap();
        if position == Some(head) {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    let took = began.elapsed();
    stop.cancel();
    relaying.await.unwrap();
    head as f64 / took.as_secs_f64()
}

/// Two streams can not take the same subjects.
async fn clear(nats: &ManagedNats, stream: &str) {
    let address = nats.address().expose();
    let (user, place) = address.strip_prefix("nats://").unwrap().split_once('@').unwrap();
    let (user, password) = user.split_once(':').unwrap();
    let options = async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned());
    let jetstream = async_nats::jetstream::new(options.connect(place).await.unwrap());
    jetstream.delete_stream(stream).await.unwrap();
}

fn add_row(file: &PathBuf, per_s: f64) {
    let there = fs::read_to_string(file).ok();
    let mut rows: Vec<Value> = there.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
    rows.push(json!({
        "work": "relay",
        "subject": "palaver",
        "callers": 1,
        "per_s": per_s.round(),
        "p50_ms": null,
        "p99_ms": null,
    }));
    fs::write(file, format!("{:#}\n", Value::from(rows))).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
