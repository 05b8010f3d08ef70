//! How fast events are appended: by Palaver, by plain INSERT from pgbench, and by stock postgres-es, turn by turn on
//! one private PostgreSQL with durable settings. Run by scripts/bench. How each subject works is in its own module.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that fails should say where")]

mod callers;
mod figures;
mod palaver;
mod plain;
mod postgres_es;
mod sample;

use std::{env, fs, path::PathBuf, time::Duration};

use figures::{Figures, Measure};
use palaver_eventstore::{
    Database,
    managed::{ManagedOptions, ManagedPostgres},
};
use plain::Pgbench;
use sample::Sample;
use sqlx::Executor;

const USAGE: &str = "usage: scripts/bench [--json FILE] [--rounds N] [--seconds N] [--only palaver|plain|postgres-es]

  --json FILE   also writes the rows there: [{work, subject, callers, per_s, p50_ms, p99_ms}, ...]
  --rounds N    turns of every subject; the median counts (default 3)
  --seconds N   length of one measurement (default 3)
  --only NAME   leaves the other subjects out, for looking into one";

/// What is appended, by how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub name: &'static str,
    pub events: usize,
    pub callers: usize,
}

const ONE_BY_16: Work = Work { name: "append_1", events: 1, callers: 16 };
const ONE_BY_256: Work = Work { name: "append_1", events: 1, callers: 256 };
const TEN_BY_16: Work = Work { name: "append_10", events: 10, callers: 16 };

struct Options {
    json: Option<PathBuf>,
    rounds: usize,
    length: Duration,
    only: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { json: None, rounds: 3, length: Duration::from_secs(3), only: None };
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
                "--only" if [palaver::NAME, plain::NAME, postgres_es::NAME].contains(&value.as_str()) => {
                    options.only = Some(value);
                }
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, subject: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == subject)
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
    let figures = compare(&options, &postgres, directory.path()).await;
    postgres.stop().await.unwrap();

    eprint!("{}", figures.table());
    if let Some(file) = &options.json {
        fs::write(file, figures.json()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

async fn compare(options: &Options, postgres: &ManagedPostgres, scratch: &std::path::Path) -> Figures {
    let connect = postgres.connect_options();
    let database = Database::connect(connect.clone(), 4).await.unwrap();
    database.migrate().await.unwrap();
    let sample = Sample::new();
    let pgbench = Pgbench::prepare(&connect, &database, &sample, scratch).await;
    let palaver = palaver::Subject::open(database.clone(), &sample).await;
    let postgres_es = postgres_es::Subject::open(&connect, &sample).await;
    if let Err(reason) = &pgbench {
        eprintln!("no figures of plain INSERT: {reason}");
    }
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(database.pool()).await.unwrap();
    eprintln!("PostgreSQL {version}; {}; {} rounds of {:?}", sample.sizes(), options.rounds, options.length);

    let mut figures = Figures::default();
    for round in 1..=options.rounds {
        for work in [ONE_BY_16, ONE_BY_256, TEN_BY_16] {
            // Plain INSERT from 16 clients is what both are held against.
            if work.callers == 16
                && options.wants(plain::NAME)
                && let Ok(pgbench) = &pgbench
            {
                fresh(&database, "plain_events").await;
                figures.add(round, work, plain::NAME, pgbench.measure(&database, work, options.length).await);
            }
            if options.wants(palaver::NAME) {
                fresh(&database, "events").await;
                figures.add(round, work, palaver::NAME, palaver.measure(work, options.length).await);
            }
            if work.callers == 16 && options.wants(postgres_es::NAME) {
                postgres_es.empty().await;
                figures.add(round, work, postgres_es::NAME, postgres_es.measure(work, options.length).await);
            }
        }
    }
    figures
}

/// Every measurement starts with an empty table and nothing left to write from the one before. The log refuses to be
/// emptied, unless one is allowed to say that its triggers do not count.
async fn fresh(database: &Database, table: &str) {
    let empty =
        format!("SET session_replication_role = replica; TRUNCATE {table}; SET session_replication_role = DEFAULT");
    database.pool().execute(empty.as_str()).await.unwrap();
    database.pool().execute("CHECKPOINT").await.unwrap();
}

/// Latencies and length of one measurement.
pub fn measured(mut latencies_us: Vec<u32>, per_s: f64) -> Measure {
    latencies_us.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies_us.len() as f64 * share) as usize).min(latencies_us.len().saturating_sub(1));
        latencies_us.get(index).copied().map_or(f64::NAN, |us| f64::from(us) / 1_000.0)
    };
    Measure { per_s, p50_ms: at(0.50), p99_ms: at(0.99) }
}
