//! Appending: many at once, in conflict, in excess, until the end.

use std::collections::{BTreeMap, HashMap};

use futures::future::join_all;
use palaver_eventstore::{Append, AppendError, EventFilter, EventLog, Position, RecordedEvent, StreamAppend};
use palaver_tests::fresh_database;
use serde_json::json;
use sqlx::Executor;

use super::{TENANT, append, event, nothing, open, open_with, stream};

const WRITERS: usize = 64;
const STREAMS: usize = 8;
const APPENDS_PER_WRITER: usize = 5;
const APPENDS: usize = WRITERS * APPENDS_PER_WRITER;

/// Appends until all of this writer's are in, on whatever sequence the stream is found to be at.
async fn write(log: EventLog, writer: usize) -> Vec<(usize, usize, Position)> {
    let id = (writer % STREAMS).to_string();
    let (mut expected, mut written) = (0, Vec::new());
    while written.len() < APPENDS_PER_WRITER {
        let number = written.len();
        match log.append(append(&id, expected, &json!({ "writer": writer, "number": number }))).await {
            Ok(appended) => {
                written.push((writer, number, appended.last));
                expected += 1;
            }
            Err(AppendError::Conflict { actual, .. }) => expected = actual,
            Err(error) => panic!("{error}"),
        }
    }
    written
}

/// Everything from the beginning, as it comes.
async fn follow(log: EventLog) -> Vec<RecordedEvent> {
    let mut subscription = log.subscribe(0, EventFilter::default());
    let mut seen = Vec::new();
    while seen.len() < APPENDS {
        seen.extend(subscription.next().await.unwrap());
    }
    assert_eq!(subscription.position(), seen.last().unwrap().position);
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_processes_lose_nothing_and_followers_see_everything_once_and_in_order() {
    let database = fresh_database().await;
    let (one, _one_tasks) = open(&database).await;
    let (other, _other_tasks) = open(&database).await;
    let followers = [&one, &other].map(|log| tokio::spawn(follow(log.clone())));
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write([&one, &other][writer % 2].clone(), writer)));
    let mut acknowledged = HashMap::new();
    for written in join_all(writers).await {
        for (writer, number, position) in written.unwrap() {
            assert!(acknowledged.insert(position, (writer, number)).is_none(), "{position} was given twice");
        }
    }
    assert_eq!(acknowledged.len(), APPENDS);

    let logged = one.read_range(0, Position::MAX, &EventFilter::default()).await.unwrap();
    for follower in followers {
        let seen = follower.await.unwrap();
        let positions: Vec<_> = seen.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=APPENDS as Position).collect::<Vec<_>>());
        let ids = |events: &[RecordedEvent]| events.iter().map(|event| event.event_id).collect::<Vec<_>>();
        assert_eq!(ids(&seen), ids(&logged));
    }
    let mut streams: BTreeMap<_, Vec<&RecordedEvent>> = BTreeMap::new();
    for event in &logged {
        let said = |name: &str| usize::try_from(event.payload[name].as_u64().unwrap()).unwrap();
        assert_eq!(acknowledged[&event.position], (said("writer"), said("number")));
        streams.entry(event.stream.clone()).or_default().push(event);
    }
    assert_eq!(streams.len(), STREAMS);
    for events in streams.values() {
        let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=(APPENDS / STREAMS) as i64).collect::<Vec<_>>());
    }
    assert_eq!(one.head().await.unwrap(), APPENDS as Position);
}

#[tokio::test]
async fn a_conflict_fails_its_own_append_and_no_other_of_the_batch() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    log.append(append("taken", 0, &nothing())).await.unwrap();
    // On one thread, all of these wait together when the appender next looks.
    let answers = join_all((0..20).map(|number| {
        let append =
            if number == 7 { append("taken", 0, &nothing()) } else { append(&number.to_string(), 0, &nothing()) };
        log.append(append)
    }))
    .await;
    for (number, answer) in answers.iter().enumerate() {
        match answer {
            Ok(_) => assert_ne!(number, 7),
            Err(AppendError::Conflict { stream: refused, expected: 0, actual: 1 }) => {
                assert_eq!((number, refused), (7, &stream("taken")));
            }
            Err(error) => panic!("{number}: {error}"),
        }
    }
    let events = log.read_range(1, Position::MAX, &EventFilter::default()).await.unwrap();
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), (2..=20).collect::<Vec<_>>());
    let mut times: Vec<_> = events.iter().map(|event| event.recorded_at).collect();
    times.dedup();
    assert_eq!(times.len(), 1, "they were not one batch");
}

#[tokio::test]
async fn appends_to_one_stream_that_arrive_together_are_written_one_after_the_other() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let answers = join_all((0..10).map(|expected| log.append(append("one", expected, &nothing())))).await;
    let positions: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().last).collect();
    assert_eq!(positions, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_append_to_several_streams_is_written_whole_or_not_at_all() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    log.append(append("b", 0, &nothing())).await.unwrap();
    let to_both = |expected_of_b| Append {
        tenant: TENANT,
        streams: [("a", 0), ("b", expected_of_b)]
            .map(|(id, expected)| StreamAppend {
                stream: stream(id),
                expected,
                events: vec![event("First", &nothing()), event("Second", &nothing())],
            })
            .into(),
        receipt: None,
    };
    let refused = log.append(to_both(0)).await.unwrap_err();
    let AppendError::Conflict { stream: at, expected: 0, actual: 1 } = refused else { panic!("{refused}") };
    assert_eq!(at, stream("b"));
    assert_eq!(log.head().await.unwrap(), 1);
    assert!(log.read_stream(&stream("a"), 0, 10).await.unwrap().is_empty());

    assert_eq!(log.append(to_both(1)).await.unwrap().last, 5);
    for (id, sequences) in [("a", vec![1, 2]), ("b", vec![1, 2, 3])] {
        let events = log.read_stream(&stream(id), 0, 10).await.unwrap();
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), sequences, "{id}");
    }

    // A stream without events is only checked.
    let mut watching = append("c", 0, &nothing());
    watching.streams.push(StreamAppend { stream: stream("a"), expected: 1, events: Vec::new() });
    assert!(matches!(log.append(watching).await, Err(AppendError::Conflict { expected: 1, actual: 2, .. })));
    assert_eq!(log.head().await.unwrap(), 5);
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_it_took_is_written() {
    const QUEUE: usize = 4;
    let database = fresh_database().await;
    let (log, _tasks) = open_with(&database, QUEUE).await;
    let pool = database.pool().await;
    let mut blocking = pool.begin().await.unwrap();
    blocking.execute("SELECT * FROM log_head FOR UPDATE").await.unwrap();
    // On one thread, the appender takes none of these before all of them have knocked.
    let appends = join_all((0..20).map(|number| log.append(append(&number.to_string(), 0, &nothing()))));
    let (answers, _) = tokio::join!(appends, async {
        tokio::task::yield_now().await;
        blocking.rollback().await.unwrap();
    });
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    let overloaded = answers.iter().filter(|answer| matches!(answer, Err(AppendError::Overloaded))).count();
    assert_eq!((written, overloaded), (QUEUE, 20 - QUEUE));
    assert_eq!(log.head().await.unwrap(), QUEUE as Position);
    // There is room again.
    log.append(append("later", 0, &nothing())).await.unwrap();
}

#[tokio::test]
async fn an_append_that_is_too_large_or_not_json_is_refused_and_hurts_nobody() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let mut many = append("many", 0, &nothing());
    many.streams[0].events = (0..1_001).map(|_| event("ThingHappened", &nothing())).collect();
    assert!(matches!(log.append(many).await, Err(AppendError::TooLarge { limit: 1_000, unit: "events" })));
    let big = append("big", 0, &json!("x".repeat(4 * 1_024 * 1_024)));
    assert!(matches!(log.append(big).await, Err(AppendError::TooLarge { limit: 4_096, unit: "KiB" })));

    let mut broken = append("broken", 0, &nothing());
    broken.streams[0].events[0].payload = "{".to_owned();
    let appends = [append("before", 0, &nothing()), broken, append("after", 0, &nothing())];
    let answers = join_all(appends.map(|append| log.append(append))).await;
    assert!(matches!(answers[..], [Ok(_), Err(AppendError::Refused(_)), Ok(_)]), "{answers:?}");
    assert_eq!(log.head().await.unwrap(), 2);
}

#[tokio::test]
async fn closing_writes_what_was_accepted_and_takes_nothing_more() {
    let database = fresh_database().await;
    let (log, tasks) = open(&database).await;
    let appends = join_all((0..200).map(|number| log.append(append(&number.to_string(), 0, &nothing()))));
    let (answers, ()) = tokio::join!(appends, tasks.drain());
    assert!(answers.iter().all(Result::is_ok));
    assert!(matches!(log.append(append("late", 0, &nothing())).await, Err(AppendError::Closed)));
    assert_eq!(log.head().await.unwrap(), 200);
}

#[tokio::test]
async fn history_can_not_be_changed() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    log.append(append("a", 0, &nothing())).await.unwrap();
    let pool = database.pool().await;
    for statement in ["UPDATE events SET payload = '{}'", "DELETE FROM events"] {
        let error = pool.execute(statement).await.unwrap_err().to_string();
        assert!(error.contains("the event log is append-only"), "{statement}: {error}");
    }
    assert_eq!(log.read_stream(&stream("a"), 0, 10).await.unwrap().len(), 1);
}
