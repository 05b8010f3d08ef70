//! Replaying: many batches, among appends and rebuilds, with poison of both kinds; and nothing is left when it is cut.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use palaver_domain::AccountId;
use palaver_eventstore::StreamId;
use palaver_projections::engine::{EngineError, LeftOut, ReplayOptions, ReplayReport};
use serde_json::json;
use sqlx::PgPool;
use support::{Ledger, Process, TestDatabase, anything, eventually, object_id, test_database};
use tokio_util::sync::CancellationToken;

const ALL: ReplayOptions = ReplayOptions { from: 1, until: None, shown_max: 5 };
const STREAMS: i64 = 700;

fn stream(n: i64) -> StreamId {
    StreamId::new("thing", format!("{n:024x}"))
}

/// A ledger with more events than two batches, and a poisoned stream of each kind.
async fn filled(process: &Process) -> AccountId {
    process.engine.install().await.unwrap();
    let tenant = AccountId::from_bytes(object_id());
    for n in 0..STREAMS {
        process.append(tenant, &stream(n), 0, (1..=7).map(|n| anything(json!({ "n": n }))).collect()).await;
    }
    process.append(tenant, &stream(1), 7, vec![anything(json!({ "poison": true })), anything(json!({}))]).await;
    process.append(tenant, &stream(2), 7, vec![anything(json!({ "n": 0 })), anything(json!({}))]).await;
    tenant
}

async fn temporary_tables(pool: &PgPool) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'");
    count.fetch_one(pool).await.unwrap()
}

async fn nothing_is_left(test: &TestDatabase) {
    eventually("no temporary table", || async { temporary_tables(test.database.pool()).await == 0 }).await;
}

/// Returns where it took over. The lease of the one before is free a moment after its end.
async fn rebuild(process: &Process, shutdown: &CancellationToken) -> i64 {
    loop {
        match process.engine.rebuild("ledger", shutdown).await {
            Err(EngineError::RebuildInProgress { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            rebuilt => return rebuilt.unwrap().position,
        }
    }
}

fn differences(report: &ReplayReport) -> Vec<[i64; 3]> {
    report.tables.iter().map(|table| [table.missing, table.extra, table.different]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_and_takeovers_meanwhile_make_no_difference() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let tenant = filled(&process).await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, shutdown) = (process.engine.clone(), shutdown.clone());
        async move { engine.run(shutdown).await }
    });
    process.caught_up(&["ledger"]).await;

    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (process, done) = (process.clone(), done.clone());
        async move {
            let mut sequence = 0;
            while !done.load(Ordering::SeqCst) {
                process.append(tenant, &stream(STREAMS), sequence, vec![anything(json!({ "n": 1 }))]).await;
                sequence += 1;
            }
            sequence
        }
    });
    for _ in 0..3 {
        let mut told = Vec::new();
        let (rebuilt, report) = tokio::join!(
            rebuild(&process, &shutdown),
            process.engine.replay("ledger", ALL, &shutdown, |at| told.push((at.position, at.until)))
        );
        assert!(rebuilt > 0);
        let report = report.unwrap();
        assert!(report.same, "{report:?}");
        assert_eq!(report.left_out, LeftOut { poisoned: 2, ..LeftOut::default() });
        assert_eq!(report.until, report.live_position);
        assert_eq!(i64::try_from(report.events).unwrap(), report.until);
        let kinds: Vec<_> = report.poison.iter().map(|one| (one.aggregate_id.clone(), one.sequence)).collect();
        assert_eq!(kinds, [(stream(1).aggregate_id, 8), (stream(2).aggregate_id, 8)]);
        assert!(told.len() > 3 && told.is_sorted(), "{told:?}");
        assert_eq!(told.last(), Some(&(report.until, report.until)));
    }
    done.store(true, Ordering::SeqCst);
    assert!(writer.await.unwrap() > 0);
    process.caught_up(&["ledger"]).await;

    // Counts are exact, whatever is shown of them.
    let pool = test.database.pool();
    for statement in ["UPDATE ledger_sum SET n = n + 1", "DELETE FROM ledger WHERE position <= 100"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let report = process.engine.replay("ledger", ALL, &shutdown, |_| {}).await.unwrap();
    // Of the 701 sums, those of the poisoned streams are not compared.
    assert_eq!(differences(&report), [[100, 0, 0], [0, 0, STREAMS - 1]]);
    assert_eq!(report.tables.iter().map(|table| table.differences.len()).collect::<Vec<_>>(), [5, 5]);
    let first = &report.tables[1].differences[0];
    assert_eq!((first.kind.as_str(), &first.key["id"]), ("different", &stream(0).aggregate_id));
    let [field] = &first.fields[..] else { panic!("{first:?}") };
    assert_eq!((field.live.as_deref(), field.replayed.as_deref()), (Some("29"), Some("28")));
    nothing_is_left(&test).await;
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_stopped_or_cut_leaves_nothing_and_the_next_one_works() {
    let test = test_database().await;
    let slow = Arc::new(Ledger { pause: Duration::from_millis(300), ..Ledger::new() });
    let slow = Process::start(&test.database, vec![slow]).await;
    let quick = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    filled(&quick).await;
    let never = CancellationToken::new();
    quick.engine.rebuild("ledger", &never).await.unwrap();

    for cut in [false, true] {
        let stop = CancellationToken::new();
        let replay = tokio::spawn({
            let (engine, stop) = (slow.engine.clone(), stop.clone());
            async move { engine.replay("ledger", ALL, &stop, |_| {}).await }
        });
        eventually("a replay under way", || async { temporary_tables(test.database.pool()).await > 0 }).await;
        if cut {
            replay.abort();
            assert!(replay.await.unwrap_err().is_cancelled());
        } else {
            stop.cancel();
            let stopped = replay.await.unwrap();
            assert!(matches!(stopped, Err(EngineError::Stopped)), "{stopped:?}");
        }
        nothing_is_left(&test).await;
    }

    // Two at once are not in each other's way.
    let (one, other) = tokio::join!(
        quick.engine.replay("ledger", ALL, &never, |_| {}),
        quick.engine.replay("ledger", ALL, &never, |_| {})
    );
    assert!(one.unwrap().same && other.unwrap().same);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_not_compared() {
    let test = test_database().await;
    let old = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let new = Process::start(&test.database, vec![Arc::new(Ledger { version: 2, ..Ledger::new() })]).await;
    let never = CancellationToken::new();
    let missing = old.engine.replay("ledger", ALL, &never, |_| {}).await;
    assert!(matches!(missing, Err(EngineError::NotInstalled { .. })), "{missing:?}");
    old.engine.install().await.unwrap();
    let other = new.engine.replay("ledger", ALL, &never, |_| {}).await;
    assert!(matches!(other, Err(EngineError::VersionMismatch { stored: 1, known: 2, .. })), "{other:?}");
    // A log without events comes to empty tables.
    assert!(old.engine.replay("ledger", ALL, &never, |_| {}).await.unwrap().same);
    sqlx::query("ALTER TABLE ledger ADD COLUMN more text").execute(test.database.pool()).await.unwrap();
    let changed = old.engine.replay("ledger", ALL, &never, |_| {}).await;
    assert!(matches!(changed, Err(EngineError::OtherColumns { .. })), "{changed:?}");
    new.engine.rebuild("ledger", &never).await.unwrap();
    let keyless = new.engine.replay("ledger", ALL, &never, |_| {}).await;
    assert!(matches!(keyless, Err(EngineError::NoKey { .. })), "{keyless:?}");
    nothing_is_left(&test).await;
}
