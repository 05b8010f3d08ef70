//! A log taken to another database: equal to the last byte, or not at all.

use std::convert::Infallible;

use futures::{Stream, TryStreamExt, stream};
use palaver_eventstore::{
    Append, Database, EventFilter, NewEvent, Position, StreamAppend,
    clock::{Clock, SystemClock},
    transfer::{RawEvent, TransferError, read_raw, write_events},
};
use palaver_tests::fresh_database;
use sqlx::PgPool;

use super::{TENANT, append, event, nothing, open, stream as stream_id};

/// What JSON may look like and nobody would write twice the same way.
const ODD: [&str; 5] = [
    r#"{"b" : 1,  "a":2, "b":3}"#,
    "{\"text\":\"a\\tb\\\\n \\u0000 \\ud83d\\ude00 \u{1f600} \\\\N\",\n \"n\": 1.50e+2 }",
    r#""only a text""#,
    "[]",
    r#"{"q":"it's \"quoted\"; $$"}"#,
];

fn pages(events: &[RawEvent], size: usize) -> impl Stream<Item = Result<Vec<RawEvent>, Infallible>> + use<> {
    stream::iter(events.chunks(size).map(|page| Ok(page.to_vec())).collect::<Vec<_>>())
}

async fn all(database: &Database, until: Position) -> Vec<RawEvent> {
    read_raw(database, 0, until).try_concat().await.unwrap()
}

/// Some streams that take turns, in a log of their own.
async fn written() -> Vec<RawEvent> {
    let database = fresh_database().await;
    let (log, tasks) = open(&database).await;
    for (sequence, payload) in (0..).zip(ODD) {
        for id in ["one", "two"] {
            let odd = NewEvent { payload: payload.to_owned(), ..event("ThingHappened", &nothing()) };
            let streams = vec![StreamAppend { stream: stream_id(id), expected: sequence, events: vec![odd] }];
            log.append(Append { tenant: TENANT, streams, receipt: None }).await.unwrap();
        }
    }
    let events = all(log.database(), 1_000).await;
    tasks.drain().await;
    events
}

async fn is_empty(pool: &PgPool) -> bool {
    let found: (i64, i64) =
        sqlx::query_as("SELECT position, (SELECT count(*) FROM events) FROM log_head").fetch_one(pool).await.unwrap();
    found == (0, 0)
}

#[tokio::test]
async fn events_arrive_as_they_were_and_the_log_goes_on_behind_them() {
    let events = written().await;
    assert_eq!(events.len(), 2 * ODD.len());
    for (event, payload) in events.iter().step_by(2).zip(ODD) {
        assert_eq!(event.payload, payload);
    }
    let database = fresh_database().await;
    let (log, tasks) = open(&database).await;
    let mut known = log.watch();
    let mut told = Vec::new();
    let last = write_events(log.database(), pages(&events, 4), |position| told.push(position)).await.unwrap();
    assert_eq!((last, told), (10, vec![4, 8, 10]));
    assert_eq!(all(log.database(), 1_000).await, events);
    assert_eq!(all(log.database(), 7).await, events[..7]);
    // Whoever follows the log hears of it, and appends know what is there.
    known.wait_for(|position| *position == 10).await.unwrap();
    log.append(append("one", 5, &nothing())).await.unwrap();
    let read = log.read_range(0, 100, &EventFilter::default()).await.unwrap();
    assert_eq!(read.iter().map(|event| event.position).collect::<Vec<_>>(), (1..=11).collect::<Vec<_>>());
    assert!(read.iter().all(|event| event.fault.is_none()), "{read:?}");

    let again = write_events(log.database(), pages(&events, 4), |_| {}).await;
    assert!(matches!(again, Err(TransferError::NotEmpty { head: 11 })), "{again:?}");
    tasks.drain().await;
}

#[tokio::test]
async fn a_log_that_does_not_hold_together_is_refused_whole() {
    let events = written().await;
    let test = fresh_database().await;
    let (database, pool) = (test.connect().await, test.pool().await);
    let broken = |change: &dyn Fn(&mut Vec<RawEvent>)| {
        let mut events = events.clone();
        change(&mut events);
        pages(&events, 3)
    };

    let refused = write_events(&database, broken(&|events| drop(events.remove(4))), |_| {}).await;
    assert!(matches!(refused, Err(TransferError::Gap { expected: 5, found: 6 })), "{refused:?}");
    assert!(is_empty(&pool).await);
    let refused = write_events(&database, broken(&|events| events.swap(0, 1)), |_| {}).await;
    assert!(matches!(refused, Err(TransferError::Gap { expected: 1, found: 2 })), "{refused:?}");
    let refused = write_events(&database, broken(&|events| events[9].sequence = 6), |_| {}).await;
    let Err(TransferError::Sequence { stream, position: 10, expected: 5, found: 6 }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(stream, stream_id("two"));
    let refused = write_events(&database, broken(&|events| events[9].event_id = events[2].event_id), |_| {}).await;
    let Err(TransferError::DuplicateId { id, first: 3, second: 10 }) = refused else { panic!("{refused:?}") };
    assert_eq!(id, events[2].event_id);
    for payload in ["{", "{\"nul\": \"\0\"}", ""] {
        let refused =
            write_events(&database, broken(&|events| payload.clone_into(&mut events[9].payload)), |_| {}).await;
        assert!(matches!(refused, Err(TransferError::Database(_))), "{payload:?}: {refused:?}");
    }
    assert!(is_empty(&pool).await);

    // A source that ends badly is no end of the log.
    let cut = stream::iter([Ok(events[..5].to_vec()), Err(std::io::Error::other("the file is cut"))]);
    let refused = write_events(&database, cut, |_| {}).await;
    assert_eq!(refused.unwrap_err().to_string(), "the file is cut");
    assert!(is_empty(&pool).await);

    // Nothing of it is in the way of what does hold together; an empty log is one.
    assert_eq!(write_events(&database, pages(&[], 3), |_| {}).await.unwrap(), 0);
    assert_eq!(write_events(&database, pages(&events, 3), |_| {}).await.unwrap(), 10);
}

#[tokio::test]
async fn a_log_of_many_pages_arrives_whole() {
    let source = fresh_database().await;
    let (log, tasks) = open(&source).await;
    let text = "x".repeat(2_000);
    for sequence in 0..3 {
        let events = (0..1_000).map(|_| event("ThingHappened", &serde_json::json!({ "text": text }))).collect();
        let streams = vec![StreamAppend { stream: stream_id("long"), expected: sequence * 1_000, events }];
        log.append(Append { tenant: TENANT, streams, receipt: None }).await.unwrap();
    }
    let pages: Vec<_> = read_raw(log.database(), 0, 2_500).try_collect().await.unwrap();
    tasks.drain().await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
    assert!(pages.iter().flatten().all(|event| event.recorded_at <= SystemClock.now()));
    drop((log, source));

    let target = fresh_database().await;
    let database = target.connect().await;
    let whole = stream::iter(pages.clone().into_iter().map(Ok::<_, Infallible>));
    assert_eq!(write_events(&database, whole, |_| {}).await.unwrap(), 2_500);
    assert_eq!(all(&database, 9_999).await, pages.concat());
}
