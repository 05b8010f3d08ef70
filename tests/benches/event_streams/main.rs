//! How fast events reach those who follow `GET /events`: a whole service on a private PostgreSQL, clients that read what
//! they are sent, and an append after the other, as fast as the slowest client follows. Run by scripts/bench.
//!
//! `per_s` counts events received, by all clients together. Latency is from the acknowledgement of an append to the
//! arrival of its event at a client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that fails should say where")]

mod client;
mod service;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use palaver_eventstore::managed::{ManagedOptions, ManagedPostgres};
use serde_json::{Value, json};
use service::Service;

const USAGE: &str = "usage: event_streams [--json FILE] [--rounds N] [--seconds N]

  --json FILE   also adds the rows to what is there: [{work, subject, callers, per_s, p50_ms, p99_ms}, ...]
  --rounds N    turns for every number of clients; the median counts (default 3)
  --seconds N   length of one measurement (default 3)";

const CLIENTS: [usize; 3] = [1, 50, 200];

struct Options {
    json: Option<PathBuf>,
    rounds: usize,
    length: Duration,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: None, rounds: 3, length: Duration::from_secs(3) };
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
                "--seconds" => options.length = Duration::from_secs(number()? as u64),
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
    let service = Service::start(postgres.connect_options(), directory.path()).await;
    eprintln!("{:<6} {:>7} {:>9} {:>8} {:>8}", "work", "clients", "per s", "p50 ms", "p99 ms");
    let mut rows = Vec::new();
    for clients in CLIENTS {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push(service.measure(clients, options.length).await);
        }
        let median = |of: fn(&Measure) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[(values.len() - 1) / 2]
        };
        let (per_s, p50_ms, p99_ms) = (median(|m| m.per_s), median(|m| m.p50_ms), median(|m| m.p99_ms));
        eprintln!("{:<6} {clients:>7} {per_s:>9.0} {p50_ms:>8.2} {p99_ms:>8.2}", "sse");
        rows.push(json!({ "work": "sse", "subject": "palaver", "callers": clients, "per_s": per_s.round(),
            "p50_ms": p50_ms, "p99_ms": p99_ms }));
    }
    service.stop().await;
    postgres.stop().await.unwrap();
    if let Some(file) = &options.json {
        add(file, rows);
    }
}

/// Adds rows to those that another benchmark has left in the file.
fn add(file: &Path, rows: Vec<Value>) {
    let mut all: Vec<Value> = match fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        Err(_) => Vec::new(),
    };
    all.extend(rows);
    fs::write(file, format!("{:#}\n", Value::from(all))).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
