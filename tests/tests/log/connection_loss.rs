//! The appender's connection is cut again and again, and nobody is told anything untrue.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use palaver_eventstore::{AppendError, EventFilter, EventLog, Position};
use palaver_tests::fresh_database;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use uuid::Uuid;

use super::{append, nothing, open, stream};

const WRITERS: usize = 16;
const APPENDS_PER_WRITER: usize = 60;
const CUTS_MIN: usize = 10;
const SEED: u64 = 7;

const CUT: &str = "SELECT count(*) FROM (
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'palaver-appender') cut";

/// Cuts until it is told to stop and has cut often enough; returns how often that was.
async fn cut(pool: PgPool, done: Arc<AtomicBool>) -> usize {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut cuts = 0;
    while !done.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(random.gen_range(5..60))).await;
        let cut: i64 = sqlx::query_scalar(CUT).fetch_one(&pool).await.unwrap();
        cuts += usize::try_from(cut).unwrap();
    }
    cuts
}

#[derive(Default)]
struct Told {
    acknowledged: HashMap<Uuid, Position>,
    unknown: Vec<Uuid>,
}

/// One stream of its own, so that nothing but a lost answer can confuse its sequence.
async fn write(log: EventLog, writer: usize, cuts: Arc<AtomicBool>) -> Told {
    let id = writer.to_string();
    let (mut told, mut expected, mut written) = (Told::default(), 0, 0);
    while written < APPENDS_PER_WRITER || !cuts.load(Ordering::SeqCst) {
        let append = append(&id, expected, &nothing());
        let event_id = append.streams[0].events[0].event_id;
        match log.append(append).await {
            Ok(appended) => {
                told.acknowledged.insert(event_id, appended.last);
                expected += 1;
            }
            Err(AppendError::OutcomeUnknown(_)) => {
                told.unknown.push(event_id);
                let events = log.read_stream(&stream(&id), 0, 1_000).await.unwrap();
                expected = events.len() as i64;
            }
            // What was left open has landed after all.
            Err(AppendError::Conflict { actual, .. }) if !told.unknown.is_empty() => expected = actual,
            Err(error) => panic!("{error}"),
        }
        written += 1;
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_is_in_the_log_once_and_what_is_in_the_log_was_told() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let (done, enough) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let cutter = tokio::spawn(cut(database.pool().await, done.clone()));
    let watch_cuts = {
        let (pool, enough) = (database.pool().await, enough.clone());
        tokio::spawn(async move {
            // Each new connection of the appender was made necessary by a cut.
            let mut seen = std::collections::HashSet::new();
            while seen.len() <= CUTS_MIN {
                let pids: Vec<i32> =
                    sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'palaver-appender'")
                        .fetch_all(&pool)
                        .await
                        .unwrap();
                seen.extend(pids);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            enough.store(true, Ordering::SeqCst);
        })
    };
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(log.clone(), writer, enough.clone())));
    let mut told = Told::default();
    for writer in join_all(writers).await {
        let writer = writer.unwrap();
        told.acknowledged.extend(writer.acknowledged);
        told.unknown.extend(writer.unknown);
    }
    done.store(true, Ordering::SeqCst);
    watch_cuts.await.unwrap();
    assert!(cutter.await.unwrap() >= CUTS_MIN);

    let events = log.read_range(0, Position::MAX, &EventFilter::default()).await.unwrap();
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=events.len() as Position).collect::<Vec<_>>());
    let logged: HashMap<Uuid, Position> = events.iter().map(|event| (event.event_id, event.position)).collect();
    assert_eq!(logged.len(), events.len(), "an event is in the log twice");
    for (event, position) in &told.acknowledged {
        assert_eq!(logged.get(event), Some(position), "acknowledged");
    }
    for event in logged.keys() {
        assert!(told.acknowledged.contains_key(event) || told.unknown.contains(event), "{event} was never told of");
    }
    println!("{} acknowledged, {} left open, {} logged", told.acknowledged.len(), told.unknown.len(), logged.len());
}
