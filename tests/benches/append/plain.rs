//! Plain INSERT by pgbench into a table of the same columns and indexes: prepared, one statement a transaction, each
//! of our own transaction's promises but the order. Payload and metadata are sent with every statement, as a program
//! would; pgbench therefore gets them as variables, which also keeps it from reading their colons as variables.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use palaver_eventstore::Database;
use sqlx::{Executor, postgres::PgConnectOptions};
use tokio::process::Command;

use crate::{
    Work,
    figures::Measure,
    measured,
    sample::{AGGREGATE_TYPE, EVENT_TYPE, EVENT_VERSION, Sample, TENANT_PREFIX, TENANTS},
};

pub const NAME: &str = "plain";

pub struct Pgbench {
    program: PathBuf,
    connect: PgConnectOptions,
    sample: Sample,
    scratch: PathBuf,
}

impl Pgbench {
    /// Makes the table; or tells why there can be no figures.
    pub async fn prepare(
        connect: &PgConnectOptions,
        database: &Database,
        sample: &Sample,
        scratch: &Path,
    ) -> Result<Self, String> {
        let program = find().ok_or(
            "pgbench is neither in PALAVER_PG_BIN nor on PATH (Debian: apt-get install postgresql-contrib or postgresql)",
        )?;
        database
            .pool()
            .execute(
                "CREATE TABLE plain_events (LIKE events INCLUDING INDEXES INCLUDING CONSTRAINTS);
                 CREATE SEQUENCE plain_position;
                 ALTER TABLE plain_events ALTER position SET DEFAULT nextval('plain_position'),
                     ALTER event_id SET DEFAULT gen_random_uuid(), ALTER recorded_at SET DEFAULT now()",
            )
            .await
            .unwrap();
        Ok(Self { program, connect: connect.clone(), sample: sample.clone(), scratch: scratch.to_owned() })
    }

    pub async fn measure(&self, database: &Database, work: Work, length: Duration) -> Measure {
        let script = self.scratch.join("insert.sql");
        std::fs::write(&script, script_of(work.events)).unwrap();
        let logs = tempfile::tempdir_in(&self.scratch).unwrap();
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--log"])
            .args(["--client", &work.callers.to_string(), "--time", &length.as_secs().to_string()])
            .args(["--define", &format!("payload={}", self.sample.payload)])
            .args(["--define", &format!("metadata={}", self.sample.metadata)])
            .arg("--log-prefix")
            .arg(logs.path().join("log"))
            .arg("--file")
            .arg(&script)
            .arg("--host")
            .arg(self.connect.get_socket().unwrap())
            .args(["--port", &self.connect.get_port().to_string(), "--username", self.connect.get_username()])
            .arg(self.connect.get_database().unwrap())
            .output()
            .await
            .unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "pgbench: {report}{}", String::from_utf8_lossy(&output.stderr));
        let per_s = report.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| {
            let number = rest.split_whitespace().next()?;
            number.parse().ok()
        });
        let latencies_us = latencies_us(logs.path());
        self.check(database, latencies_us.len() * work.events).await;
        measured(latencies_us, per_s.unwrap_or_else(|| panic!("pgbench tells no tps: {report}")))
    }

    /// What was inserted is what Palaver would have written.
    async fn check(&self, database: &Database, expected: usize) {
        let kept: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM plain_events
             WHERE payload::text = $1 AND metadata::text = $2 AND length(aggregate_id) = 24 AND length(tenant_id) = 24",
        )
        .bind(&self.sample.payload)
        .bind(&self.sample.metadata)
        .fetch_one(database.pool())
        .await
        .unwrap();
        assert_eq!(usize::try_from(kept).unwrap(), expected, "pgbench inserted something else");
    }
}

/// Beside the programs of PostgreSQL that were named, else on PATH.
fn find() -> Option<PathBuf> {
    let named = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    named.into_iter().chain(env::split_paths(&path)).map(|folder| folder.join("pgbench")).find(|file| file.is_file())
}

fn script_of(events: usize) -> String {
    // 24 digits, as an id has: random where the stream is told apart.
    let row = |sequence| {
        format!(
            "('{AGGREGATE_TYPE}', '000000' || :stream, {sequence}, '{EVENT_TYPE}', '{EVENT_VERSION}', \
             :payload, :metadata, '{TENANT_PREFIX}' || :tenant)"
        )
    };
    let rows: Vec<String> = (1..=events).map(row).collect();
    format!(
        "\\set stream random(100000000000000000, 999999999999999999)\n\
         \\set tenant random({}, {})\n\
         INSERT INTO plain_events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, tenant_id) VALUES {};\n",
        TENANTS.start(),
        TENANTS.end(),
        rows.join(", ")
    )
}

/// The third word of each line is a transaction's microseconds.
fn latencies_us(logs: &Path) -> Vec<u32> {
    let mut latencies = Vec::new();
    for file in std::fs::read_dir(logs).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        latencies.extend(text.lines().map(|line| line.split(' ').nth(2).unwrap().parse::<u32>().unwrap()));
    }
    latencies
}
