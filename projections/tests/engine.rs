//! What the engine promises: each event once, one leader, and trouble with one stream left to that stream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use palaver_domain::AccountId;
use palaver_eventstore::StreamId;
use palaver_projections::engine::{EngineError, Resumed, Waited};
use serde_json::json;
use support::{Ledger, Process, anything, eventually, object_id, test_database};
use tokio_util::sync::CancellationToken;

const LEDGER: &[&str] = &["ledger"];

fn thing(n: usize) -> StreamId {
    StreamId::new("thing", format!("{n:024x}"))
}

async fn sums(process: &Process) -> Vec<(String, i64)> {
    let pool = process.log.database().pool();
    sqlx::query_as("SELECT id, n FROM ledger_sum ORDER BY id").fetch_all(pool).await.unwrap()
}

async fn leads(process: &Process) -> bool {
    process.engine.projections().status().await.unwrap()[0].led_here
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_counts_once_however_often_workers_are_killed() {
    const STREAMS: usize = 10;
    const EVENTS_PER_STREAM_MIN: i64 = 50;
    const KILLS_AT_WORK: usize = 5;
    let test = test_database().await;
    let ledger = || Arc::new(Ledger { pause: Duration::from_millis(4), ..Ledger::new() });
    let first = Process::start(&test.database, vec![ledger()]).await;
    let second = Process::start(&test.database, vec![ledger()]).await;
    let tenant = AccountId::from_bytes(object_id());

    let (writer, enough) = (first.clone(), CancellationToken::new());
    let enough_killed = enough.clone();
    // There is always something to do, for as long as workers are to be killed at it.
    let writing = tokio::spawn(async move {
        let mut sequence = 0;
        while sequence < EVENTS_PER_STREAM_MIN || !enough.is_cancelled() {
            for stream in 0..STREAMS {
                writer.append(tenant, &thing(stream), sequence, vec![anything(json!({ "n": sequence + 1 }))]).await;
            }
            sequence += 1;
        }
        sequence
    });
    let mut killed_at = vec![0];
    let mut patience = Duration::from_millis(5);
    while killed_at.len() <= KILLS_AT_WORK {
        let engine = if killed_at.len() % 2 == 0 { &first.engine } else { &second.engine };
        let engine = engine.clone();
        let worker = tokio::spawn(async move { engine.run(CancellationToken::new()).await });
        tokio::time::sleep(patience).await;
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        let position = first.engine.projections().status().await.unwrap()[0].position;
        // However slow the machine is, some of the kills come before anything is done, and some in the midst of it.
        if killed_at.last() == Some(&position) {
            patience = patience * 3 / 2;
            assert!(patience < Duration::from_secs(60), "nothing is done: {killed_at:?}");
        } else {
            killed_at.push(position);
            patience /= 2;
        }
    }
    enough_killed.cancel();
    let events_per_stream: i64 = writing.await.unwrap();

    let shutdown = CancellationToken::new();
    let engine = second.engine.clone();
    let run = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { engine.run(shutdown).await }
    });
    second.caught_up(LEDGER).await;
    let expected = events_per_stream * (events_per_stream + 1) / 2;
    let sums = sums(&second).await;
    assert_eq!(sums.len(), STREAMS);
    assert!(sums.iter().all(|(_, n)| *n == expected), "{sums:?}");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(test.database.pool()).await.unwrap();
    assert_eq!(rows, STREAMS as i64 * events_per_stream);
    assert_eq!(second.engine.quarantined(None, 0, 100).await.unwrap().streams, []);
    shutdown.cancel();
    run.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_takes_over_within_seconds() {
    let test = test_database().await;
    let first = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let second = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let run = |process: &Process, shutdown: &CancellationToken| {
        let (engine, shutdown) = (process.engine.clone(), shutdown.clone());
        tokio::spawn(async move { engine.run(shutdown).await })
    };
    let shutdown = CancellationToken::new();
    let killed = run(&first, &shutdown);
    eventually("the first leads", || leads(&first)).await;
    let stands_by = run(&second, &shutdown);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!leads(&second).await, "two lead at once");

    // A reader waits in the process that does not work.
    let tenant = AccountId::from_bytes(object_id());
    let position = first.append(tenant, &thing(1), 0, vec![anything(json!({}))]).await;
    let waited = second.engine.projections().wait_for(LEDGER, position, Duration::from_secs(5)).await;
    assert_eq!(waited, Waited::Reached);
    let waited = second.engine.projections().wait_for(LEDGER, position + 1, Duration::from_millis(50)).await;
    assert_eq!(waited, Waited::Behind { at: position });

    killed.abort();
    let since = tokio::time::Instant::now();
    let position = first.append(tenant, &thing(1), 1, vec![anything(json!({}))]).await;
    let waited = first.engine.projections().wait_for(LEDGER, position, Duration::from_secs(5)).await;
    assert_eq!(waited, Waited::Reached);
    assert!(since.elapsed() < Duration::from_secs(3), "took {:?}", since.elapsed());
    assert!(leads(&second).await && !leads(&first).await);

    // Told to stop, a worker gives its lease back at once.
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(2), stands_by).await.expect("stops when told").unwrap();
    let shutdown = CancellationToken::new();
    let again = run(&first, &shutdown);
    eventually("the first leads again", || leads(&first)).await;
    shutdown.cancel();
    again.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_a_database_that_ends_its_connections() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let shutdown = CancellationToken::new();
    let engine = process.engine.clone();
    let stop = shutdown.clone();
    let run = tokio::spawn(async move { engine.run(stop).await });
    let tenant = AccountId::from_bytes(object_id());
    for sequence in 0..5 {
        eventually("somebody leads", || leads(&process)).await;
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'palaver projection ledger'",
        )
        .fetch_one(test.database.pool())
        .await
        .unwrap();
        assert_eq!(ended, 1);
        process.append(tenant, &thing(1), sequence, vec![anything(json!({}))]).await;
        process.caught_up(LEDGER).await;
    }
    assert_eq!(sums(&process).await, [(thing(1).aggregate_id, 5)]);
    shutdown.cancel();
    run.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_of_a_defect_ends_the_engine() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let tenant = AccountId::from_bytes(object_id());
    let engine = process.engine.clone();
    let mut run = tokio::spawn(async move { engine.run(CancellationToken::new()).await });
    process.append(tenant, &thing(1), 0, vec![anything(json!({}))]).await;
    process.caught_up(LEDGER).await;
    assert!(!run.is_finished());
    process.append(tenant, &thing(1), 1, vec![anything(json!({ "panic": true }))]).await;
    tokio::time::timeout(Duration::from_secs(20), &mut run)
        .await
        .expect("the engine goes on without its worker")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_its_own_stream_alone() {
    let test = test_database().await;
    let ledger = Ledger::new();
    let lenient = ledger.lenient.clone();
    let process = Process::start(&test.database, vec![Arc::new(ledger)]).await;
    process.engine.install().await.unwrap();
    let tenant = AccountId::from_bytes(object_id());
    let (poisoned, refused, healthy) = (thing(1), thing(2), thing(3));
    // All of it in one batch: the projector refuses an event of one stream, the database one of another.
    for sequence in 0..4 {
        let bad = sequence == 1;
        process.append(tenant, &poisoned, sequence, vec![anything(json!({ "n": 10, "poison": bad }))]).await;
        process.append(tenant, &refused, sequence, vec![anything(json!({ "n": if bad { 0 } else { 10 } }))]).await;
        process.append(tenant, &healthy, sequence, vec![anything(json!({ "n": 10 }))]).await;
    }
    let shutdown = CancellationToken::new();
    let engine = process.engine.clone();
    let stop = shutdown.clone();
    let run = tokio::spawn(async move { engine.run(stop).await });
    process.caught_up(LEDGER).await;

    let id = |stream: &StreamId| stream.aggregate_id.clone();
    assert_eq!(sums(&process).await, [(id(&poisoned), 10), (id(&refused), 10), (id(&healthy), 40)]);
    let listed = process.engine.quarantined(Some("ledger"), 0, 100).await.unwrap().streams;
    let of = |stream: &StreamId| listed.iter().find(|row| row.aggregate_id == stream.aggregate_id).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((of(&poisoned).sequence, of(&poisoned).attempts), (2, 1));
    assert_eq!(of(&poisoned).error, "does not agree with me");
    assert_eq!(of(&refused).sequence, 2);
    assert!(of(&refused).error.contains("check constraint"), "{}", of(&refused).error);
    assert_eq!(process.engine.projections().status().await.unwrap()[0].quarantined, 2);

    // Later events of the stream wait, those of others do not.
    process.append(tenant, &poisoned, 4, vec![anything(json!({ "n": 10 }))]).await;
    process.append(tenant, &healthy, 4, vec![anything(json!({ "n": 10 }))]).await;
    process.caught_up(LEDGER).await;
    assert_eq!(sums(&process).await, [(id(&poisoned), 10), (id(&refused), 10), (id(&healthy), 50)]);

    // What it is about, and what it holds up.
    let case = process.engine.quarantined_case("ledger", &poisoned).await.unwrap();
    assert_eq!(case.event.as_ref().map(|event| event.sequence), Some(2));
    assert_eq!(case.event.as_ref().map(|event| event.position), Some(case.stream.position));
    assert_eq!(case.waiting, 3);
    assert_eq!(case.first_waiting.iter().map(|event| event.sequence).collect::<Vec<_>>(), [3, 4, 5]);
    let other = process.engine.quarantined_case("ledger", &healthy).await;
    assert!(matches!(other, Err(EngineError::NotQuarantined { .. })), "{other:?}");
    // In pages, each of which knows how many there are.
    let page = process.engine.quarantined(None, 1, 1).await.unwrap();
    assert_eq!((page.count, page.streams.len()), (2, 1));
    let unknown = process.engine.quarantined(Some("nothing"), 0, 1).await;
    assert!(matches!(unknown, Err(EngineError::UnknownProjection(_))), "{unknown:?}");

    // A retry that fails again is counted; one that succeeds makes up for everything.
    let failing = process.engine.retry("ledger", &poisoned).await.unwrap();
    assert_eq!(failing, Resumed::StillFailing { sequence: 2, error: "does not agree with me".to_owned() });
    let listed = process.engine.quarantined(None, 0, 100).await.unwrap().streams;
    assert_eq!(listed.iter().find(|row| row.aggregate_id == id(&poisoned)).unwrap().attempts, 2);
    lenient.store(true, Ordering::SeqCst);
    assert_eq!(process.engine.retry("ledger", &poisoned).await.unwrap(), Resumed::Following { events: 4 });
    // Skipping leaves out the one event.
    assert_eq!(process.engine.skip("ledger", &refused).await.unwrap(), Resumed::Following { events: 2 });
    assert_eq!(process.engine.quarantined(None, 0, 100).await.unwrap().streams, []);
    assert_eq!(sums(&process).await, [(id(&poisoned), 50), (id(&refused), 30), (id(&healthy), 50)]);

    // And the streams are followed as before.
    for (stream, sequence) in [(&poisoned, 5), (&refused, 4)] {
        process.append(tenant, stream, sequence, vec![anything(json!({ "n": 1 }))]).await;
    }
    process.caught_up(LEDGER).await;
    assert_eq!(sums(&process).await, [(id(&poisoned), 51), (id(&refused), 31), (id(&healthy), 50)]);

    let unknown = process.engine.retry("nothing", &poisoned).await;
    assert!(matches!(unknown, Err(EngineError::UnknownProjection(_))));
    let clean = process.engine.retry("ledger", &poisoned).await;
    assert!(matches!(clean, Err(EngineError::NotQuarantined { .. })));
    shutdown.cancel();
    run.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_culprit_among_many_streams_is_found() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let tenant = AccountId::from_bytes(object_id());
    for stream in 0..60 {
        let events = (1..=3).map(|n| anything(json!({ "n": if stream == 37 && n == 3 { 0 } else { n } })));
        process.append(tenant, &thing(stream), 0, events.collect()).await;
    }
    let shutdown = CancellationToken::new();
    let engine = process.engine.clone();
    let stop = shutdown.clone();
    let run = tokio::spawn(async move { engine.run(stop).await });
    process.caught_up(LEDGER).await;
    let listed = process.engine.quarantined(None, 0, 100).await.unwrap().streams;
    assert_eq!(
        listed.iter().map(|row| (&row.aggregate_id, row.sequence)).collect::<Vec<_>>(),
        [(&thing(37).aggregate_id, 3)]
    );
    for (at, (id, n)) in sums(&process).await.into_iter().enumerate() {
        assert_eq!((id, n), (thing(at).aggregate_id, if at == 37 { 3 } else { 6 }));
    }
    shutdown.cancel();
    run.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_no_event_stops_its_own_stream_alone() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    process.engine.install().await.unwrap();
    let tenant = AccountId::from_bytes(object_id());
    let (broken, deep, healthy) = (thing(1), thing(2), thing(3));
    let mut without_actor = anything(json!({ "n": 10 }));
    without_actor.metadata = "{}".to_owned();
    let mut too_deep = anything(json!({}));
    too_deep.payload = format!("{}{}", "[".repeat(500), "]".repeat(500));
    process.append(tenant, &broken, 0, vec![anything(json!({ "n": 10 })), without_actor, anything(json!({}))]).await;
    process.append(tenant, &deep, 0, vec![too_deep]).await;
    process.append(tenant, &healthy, 0, vec![anything(json!({ "n": 10 }))]).await;
    let shutdown = CancellationToken::new();
    let (engine, stop) = (process.engine.clone(), shutdown.clone());
    let run = tokio::spawn(async move { engine.run(stop).await });
    process.caught_up(LEDGER).await;

    let id = |stream: &StreamId| stream.aggregate_id.clone();
    assert_eq!(sums(&process).await, [(id(&broken), 10), (id(&healthy), 10)]);
    let listed = process.engine.quarantined(Some("ledger"), 0, 100).await.unwrap().streams;
    let found: Vec<_> = listed.iter().map(|row| (row.aggregate_id.clone(), row.sequence)).collect();
    assert_eq!(found, [(id(&broken), 2), (id(&deep), 1)]);
    assert!(listed[0].error.starts_with("metadata: "), "{}", listed[0].error);
    assert_eq!(process.engine.skip("ledger", &broken).await.unwrap(), Resumed::Following { events: 1 });
    shutdown.cancel();
    run.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_checkpoint_passes_the_end_of_the_log() {
    let test = test_database().await;
    let process = Process::start(&test.database, vec![Arc::new(Ledger::new())]).await;
    let shutdown = CancellationToken::new();
    let (engine, stop) = (process.engine.clone(), shutdown.clone());
    let run = tokio::spawn(async move { engine.run(stop).await });
    let tenant = AccountId::from_bytes(object_id());
    for sequence in 0..3 {
        sqlx::query("SELECT pg_notify('palaver_log', '100000')").execute(test.database.pool()).await.unwrap();
        process.append(tenant, &thing(1), sequence, vec![anything(json!({}))]).await;
        process.caught_up(LEDGER).await;
    }
    assert_eq!(sums(&process).await, [(thing(1).aggregate_id, 3)]);
    assert_eq!(process.engine.projections().status().await.unwrap()[0].position, 3);
    shutdown.cancel();
    run.await.unwrap();
}
