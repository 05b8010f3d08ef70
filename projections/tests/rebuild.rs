//! Rebuilding under load: readers never see an error or a gap, and the result equals the live one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use palaver_domain::AccountId;
use palaver_eventstore::StreamId;
use palaver_projections::{
    all,
    engine::{EngineError, ProjectionState},
    posts::{Grouping, Page, PostFilter, calendar_days, counts, list},
};
use serde_json::{Value, json};
use support::{
    Ledger, Process, anything, eventually,
    histories::{Step, World, append, naive, naive_list},
    object_id, test_database,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn run(process: &Process, shutdown: &CancellationToken) -> JoinHandle<()> {
    let (engine, shutdown) = (process.engine.clone(), shutdown.clone());
    tokio::spawn(async move { engine.run(shutdown).await })
}

/// A long history, always the same.
fn steps(n: u64) -> Vec<Step> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..400).map(|_| (next() as u8, next() as u8, next() as u16)).collect()
}

async fn table(process: &Process, query: &str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(process.log.database().pool()).await.unwrap()
}

const TABLES: [&str; 6] = [
    "SELECT row(p.id, p.status, p.tags, p.publish_at, p.words, p.doc::text, p.state::text)::text FROM posts p ORDER BY id",
    "SELECT c::text FROM post_counters c ORDER BY 1",
    "SELECT c::text FROM post_calendar c ORDER BY 1",
    "SELECT row(f.post_id, f.position, f.place, f.id, f.doc::text)::text FROM post_feed f ORDER BY 1",
    "SELECT f::text FROM post_feed_posts f ORDER BY 1",
    "SELECT s::text FROM publish_schedule s ORDER BY 1",
];

#[tokio::test(flavor = "multi_thread")]
async fn readers_notice_nothing_and_the_result_is_the_same() {
    let test = test_database().await;
    let process = Process::start(&test.database, all()).await;
    process.engine.install().await.unwrap();
    let shutdown = CancellationToken::new();
    let running = run(&process, &shutdown);

    // An account that stays as it is, whose readers must see the same all the time.
    let still = Arc::new(World::new());
    append(&process, &still, &steps(1)).await;
    process.caught_up(&["posts", "post_feed", "publish_schedule"]).await;
    let naive_posts = naive(&process, still.tenant).await;
    let everything = Page { count: 100, ..Page::default() };
    let expected = naive_list(&naive_posts, &still.viewer(), &PostFilter::default(), &everything);
    assert!(expected.0 >= 4, "the history leaves posts to read");

    let reads = Arc::new(AtomicU64::new(0));
    let stop = CancellationToken::new();
    let mut readers = Vec::new();
    for reader in 0..6 {
        let (process, still, stop, reads) = (process.clone(), still.clone(), stop.clone(), reads.clone());
        let (expected, everything) = (expected.clone(), everything.clone());
        readers.push(tokio::spawn(async move {
            let (db, viewer, filter) = (process.log.database().pool().clone(), still.viewer(), PostFilter::default());
            let first_counts = counts(&db, &viewer).await.expect("counts answer");
            let since = "2018-01-01T00:00:00Z".parse().unwrap();
            let until = "2018-12-01T00:00:00Z".parse().unwrap();
            let zone = chrono_tz::Europe::Berlin;
            let first_days = calendar_days(&db, &viewer, &filter, since, until, zone).await.expect("days answer");
            while !stop.is_cancelled() {
                match reader % 3 {
                    0 => {
                        let listed = list(&db, &viewer, &filter, &everything).await.expect("the list answers");
                        let docs: Vec<Value> =
                            listed.data.iter().map(|doc| serde_json::from_str(doc.get()).unwrap()).collect();
                        assert_eq!((listed.count, docs), expected);
                        let groups = Page { grouping: Grouping::PostGroup, ..everything.clone() };
                        list(&db, &viewer, &filter, &groups).await.expect("the list of groups answers");
                    }
                    1 => assert_eq!(counts(&db, &viewer).await.expect("counts answer"), first_counts),
                    _ => {
                        let days = calendar_days(&db, &viewer, &filter, since, until, zone).await;
                        assert_eq!(days.expect("days answer"), first_days);
                    }
                }
                reads.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let writer = {
        let (process, stop) = (process.clone(), stop.clone());
        tokio::spawn(async move {
            let mut round = 2;
            while !stop.is_cancelled() {
                append(&process, &World::new(), &steps(round)).await;
                round += 1;
            }
        })
    };

    let never = CancellationToken::new();
    for round in 0..8 {
        let report = process.engine.rebuild("posts", &never).await.unwrap();
        assert!(report.events > 100 && report.quarantined == 0, "{round}: {report:?}");
        if round % 4 == 0 {
            process.engine.rebuild("post_feed", &never).await.unwrap();
            process.engine.rebuild("publish_schedule", &never).await.unwrap();
        }
    }
    stop.cancel();
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(reads.load(Ordering::Relaxed) > 100);

    // What the workers kept up to date after the takeovers equals what one more rebuild makes of the log.
    process.caught_up(&["posts", "post_feed", "publish_schedule"]).await;
    let mut kept = Vec::new();
    for query in TABLES {
        kept.push(table(&process, query).await);
    }
    for projection in ["posts", "post_feed", "publish_schedule"] {
        process.engine.rebuild(projection, &never).await.unwrap();
    }
    for (query, kept) in TABLES.iter().zip(kept) {
        assert!(!kept.is_empty(), "{query}");
        assert_eq!(table(&process, query).await, kept, "{query}");
    }
    assert_eq!(process.engine.quarantined(None, 0, 100).await.unwrap().streams, []);
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_takes_over_and_the_old_process_steps_back() {
    let test = test_database().await;
    let old = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let new = Process::start(&test.database, vec![Arc::new(Ledger { version: 2, ..Ledger::new() })]).await;
    old.engine.install().await.unwrap();
    let shutdown = CancellationToken::new();
    let old_run = run(&old, &shutdown);
    let tenant = AccountId::from_bytes(object_id());
    let stream = |n: i64| StreamId::new("thing", format!("{n:024x}"));
    for n in 0..700 {
        old.append(tenant, &stream(n), 0, (1..=4).map(|n| anything(json!({ "n": n }))).collect()).await;
    }
    old.caught_up(&["ledger"]).await;

    // Readers of the old version go on naming the columns they know, in statements that are prepared once.
    let stop = CancellationToken::new();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (db, stop) = (test.database.pool().clone(), stop.clone());
            tokio::spawn(async move {
                let mut seen = 0;
                while !stop.is_cancelled() {
                    let (rows, sum): (i64, i64) = sqlx::query_as(
                        "SELECT (SELECT count(*) FROM ledger WHERE n > 0), (SELECT coalesce(sum(n), 0)::bigint FROM ledger_sum)",
                    )
                    .fetch_one(&db)
                    .await
                    .expect("readers notice nothing");
                    assert!(rows >= seen, "a reader went back from {seen} to {rows}");
                    assert!(sum >= rows);
                    seen = rows;
                    let id: Option<(i64, String)> = sqlx::query_as("SELECT n, id FROM ledger WHERE position = $1")
                        .bind(1_i64)
                        .fetch_optional(&db)
                        .await
                        .expect("readers notice nothing");
                    assert_eq!(id, Some((1, format!("{:024x}", 0))));
                }
            })
        })
        .collect();
    let new_run = run(&new, &shutdown);
    // The old process steps back by itself, without being told. That is no reason for it to end.
    eventually("the old process steps back", || async {
        !old.engine.projections().status().await.unwrap()[0].led_here
    })
    .await;
    assert!(!old_run.is_finished());
    for n in 0..50 {
        old.append(tenant, &stream(n), 4, vec![anything(json!({ "n": 5 }))]).await;
    }
    new.caught_up(&["ledger"]).await;
    eventually("the new version leads", || async { new.engine.projections().status().await.unwrap()[0].led_here })
        .await;
    stop.cancel();
    for reader in readers {
        reader.await.unwrap();
    }
    let status = &new.engine.projections().status().await.unwrap()[0];
    assert_eq!((status.stored_version, status.lag_events, &status.rebuild), (Some(2), 0, &None));
    assert_eq!(status.state, ProjectionState::Live);
    let seen_by_the_old = &old.engine.projections().status().await.unwrap()[0];
    assert_eq!((seen_by_the_old.state, seen_by_the_old.led_here), (ProjectionState::NewerVersion, false));
    let (rows, doubled): (i64, i64) = sqlx::query_as("SELECT count(*), sum(doubled)::bigint FROM ledger")
        .fetch_one(test.database.pool())
        .await
        .unwrap();
    assert_eq!((rows, doubled), (700 * 4 + 50, 2 * (700 * 10 + 50 * 5)));

    // An old process that starts now does nothing, and can do nothing.
    let late_run = run(&old, &shutdown);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!late_run.is_finished() && !old.engine.projections().status().await.unwrap()[0].led_here);
    let refused = old.engine.rebuild("ledger", &shutdown).await;
    assert!(matches!(refused, Err(EngineError::VersionMismatch { stored: 2, known: 1, .. })), "{refused:?}");
    shutdown.cancel();
    for ended in [old_run, late_run, new_run] {
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it was told to end").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rebuild_at_a_time_and_an_abandoned_one_does_no_harm() {
    let test = test_database().await;
    let slow = || Arc::new(Ledger { pause: Duration::from_millis(300), ..Ledger::new() });
    let process = Process::start(&test.database, vec![slow()]).await;
    let other = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    process.engine.install().await.unwrap();
    let tenant = AccountId::from_bytes(object_id());
    for n in 0..5 {
        let events = (0..1_000).map(|_| anything(json!({ "n": 1 }))).collect();
        process.append(tenant, &StreamId::new("thing", n), 0, events).await;
    }
    let never = CancellationToken::new();
    let half = tokio::spawn({
        let (engine, never) = (process.engine.clone(), never.clone());
        async move { engine.rebuild("ledger", &never).await }
    });
    let status = || async { other.engine.projections().status().await.unwrap().remove(0) };
    assert_eq!((status().await.state, status().await.rebuild), (ProjectionState::Stopped, None));
    eventually("a rebuild is under way", || async {
        status().await.rebuild.is_some_and(|rebuild| rebuild.position > 0 && rebuild.events_per_second > 0.0)
    })
    .await;
    // Told to whoever asks, in whatever process.
    let running = status().await.rebuild.unwrap();
    assert!(running.running && running.error.is_none() && running.began_at.is_some(), "{running:?}");
    assert_eq!(running.percent, 100.0 * running.position as f64 / 5_000.0);
    assert!(running.seconds_left.is_some_and(|seconds| seconds >= 0.0), "{running:?}");
    let second = other.engine.rebuild("ledger", &never).await;
    assert!(matches!(second, Err(EngineError::RebuildInProgress { .. })), "{second:?}");
    half.abort();
    assert!(half.await.unwrap_err().is_cancelled());
    eventually("nobody is at the rebuild", || async {
        status().await.rebuild.is_some_and(|left| !left.running && left.events_per_second == 0.0)
    })
    .await;

    // One that was told to stop says so.
    let stop = CancellationToken::new();
    let begun = other.engine.begin_rebuild("ledger").await.unwrap();
    stop.cancel();
    assert!(matches!(begun.run(&stop, |_| {}).await, Err(EngineError::Stopped)));
    let left = status().await.rebuild.expect("the empty tables are left behind");
    assert_eq!((left.running, left.position, left.error.as_deref()), (false, 0, Some("stopped by shutdown")));

    eventually("the lease is free again", || async {
        other.engine.rebuild("ledger", &never).await.is_ok_and(|report| report.events == 5_000)
    })
    .await;
    assert_eq!(status().await.rebuild, None);
    let rows: i64 =
        sqlx::query_scalar("SELECT sum(n)::bigint FROM ledger_sum").fetch_one(test.database.pool()).await.unwrap();
    assert_eq!(rows, 5_000);
    // It goes on from where the rebuild took over.
    let shutdown = CancellationToken::new();
    let running = run(&other, &shutdown);
    other.append(tenant, &StreamId::new("thing", 9), 0, vec![anything(json!({ "n": 1 }))]).await;
    other.caught_up(&["ledger"]).await;
    let rows: i64 =
        sqlx::query_scalar("SELECT sum(n)::bigint FROM ledger_sum").fetch_one(test.database.pool()).await.unwrap();
    assert_eq!(rows, 5_001);
    shutdown.cancel();
    running.await.unwrap();
}
