//! Reading: filters, the indexes they walk along, and what an error looks like.

use std::{collections::HashMap, sync::Arc};

use futures::{StreamExt, TryStreamExt};
use palaver_domain::AccountId;
use palaver_eventstore::{
    Database, EventFilter, EventLog, LogError, Position, QUEUE_APPENDS_MAX, READ_PAGE_EVENTS_MAX, clock::SystemClock,
};
use palaver_tests::{TestDatabase, fresh_database};
use sqlx::{Executor, PgPool};

use super::{append, metadata, nothing, open};

const EVENTS: Position = 20_000;
/// Every so manyth event is of the rare tenant, type and kind.
const RARE_EVERY: Position = 1_000;
const RARE: AccountId = AccountId::from_bytes([9; 12]);

/// A long log in which a few things are rare.
async fn fill(pool: &PgPool) {
    sqlx::query(
        "INSERT INTO events
         SELECT CASE WHEN n % $2 = 1 THEN 'rare' ELSE 'thing' END, n::text, 1,
                CASE WHEN n % $2 = 2 THEN 'RareHappened' ELSE 'ThingHappened' END, '1', '{}', $3::json, n,
                gen_random_uuid(), CASE WHEN n % $2 = 3 THEN $4 ELSE $5 END, now()
         FROM generate_series(1, $1) n",
    )
    .bind(EVENTS)
    .bind(RARE_EVERY)
    .bind(serde_json::to_string(&metadata()).unwrap())
    .bind(RARE.to_string())
    .bind(super::TENANT.to_string())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("UPDATE log_head SET position = $1").bind(EVENTS).execute(pool).await.unwrap();
    pool.execute("ANALYZE events").await.unwrap();
}

/// How many entries of each of the log's indexes were read, as far as the reader's connections have told.
async fn index_reads(pool: &PgPool) -> HashMap<String, i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT indexrelname::text, idx_tup_read FROM pg_stat_user_indexes WHERE relname = 'events'")
            .fetch_all(pool)
            .await
            .unwrap();
    rows.into_iter().collect()
}

async fn filled() -> (TestDatabase, PgPool) {
    let database = fresh_database().await;
    let pool = database.pool().await;
    fill(&pool).await;
    (database, pool)
}

#[tokio::test]
async fn a_filter_finds_what_it_names_along_its_own_index() {
    let (database, pool) = filled().await;
    // One connection for the log's listener, and one for all else, whose statistics are then told in order.
    let connections = Database::connect(database.options.clone(), 2).await.unwrap();
    let (log, _tasks) = EventLog::open(connections, Arc::new(SystemClock), QUEUE_APPENDS_MAX).await.unwrap();
    let types = |name: &str| vec![name.to_owned()];
    let cases = [
        ("events_tenant", 3, EventFilter { tenant: Some(RARE), ..EventFilter::default() }),
        ("events_aggregate_type", 1, EventFilter { aggregate_types: types("rare"), ..EventFilter::default() }),
        ("events_event_type", 2, EventFilter { event_types: types("RareHappened"), ..EventFilter::default() }),
        (
            "events_event_type",
            2,
            EventFilter { tenant: Some(super::TENANT), event_types: types("RareHappened"), ..EventFilter::default() },
        ),
    ];
    for (index, first, filter) in cases {
        // What a connection has counted is told at the end of its next statement.
        let tell = async || log.database().pool().execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        tell().await;
        let before = index_reads(&pool).await;
        let page = log.read_page(0, &filter, 500).await.unwrap();
        tell().await;
        let after = index_reads(&pool).await;

        let positions: Vec<_> = page.events.iter().map(|event| event.position).collect();
        let expected: Vec<_> = (0..EVENTS / RARE_EVERY).map(|number| first + number * RARE_EVERY).collect();
        assert_eq!((positions, page.scanned_to), (expected, EVENTS), "{filter:?}");
        for (read, count) in &after {
            // The planner looks at the ends of an index, which counts as well.
            let (count, rare) = (count - before[read], EVENTS / RARE_EVERY);
            let fits = if read == index { (rare..2 * rare).contains(&count) } else { count < rare };
            assert!(fits, "{count} entries of {read} were read for {filter:?}");
        }
    }
    let none = EventFilter { tenant: Some(RARE), aggregate_types: types("rare"), ..EventFilter::default() };
    let page = log.read_page(0, &none, 500).await.unwrap();
    assert_eq!((page.events.len(), page.scanned_to), (0, EVENTS));
    let either = EventFilter { event_types: vec!["RareHappened".into(), "Unheard".into()], ..EventFilter::default() };
    assert_eq!(log.read_range(0, EVENTS, &either).await.unwrap().len() as i64, EVENTS / RARE_EVERY);
}

/// Whatever the filter, one query searches a bounded part of the log, and the cursor comes to its end.
#[tokio::test]
async fn windows_meet_without_gap_or_overlap_and_a_filter_means_the_same_in_memory() {
    const POSITIONS: Position = 1_700;
    let (database, _pool) = filled().await;
    let (log, _tasks) = open(&database).await;
    let all = log.read_range(0, EVENTS, &EventFilter::default()).await.unwrap();
    let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (rare, thing) = (types(&["rare"]), types(&["thing"]));
    for filter in [
        EventFilter { tenant: Some(RARE), ..EventFilter::default() },
        EventFilter { tenant: Some(RARE), aggregate_types: rare.clone(), ..EventFilter::default() },
        EventFilter { tenant: Some(super::TENANT), aggregate_types: rare.clone(), ..EventFilter::default() },
        EventFilter { aggregate_types: types(&["rare", "unheard"]), ..EventFilter::default() },
        EventFilter { event_types: types(&["RareHappened", "Unheard"]), ..EventFilter::default() },
        EventFilter { aggregate_types: rare, aggregate_id: Some("2001".to_owned()), ..EventFilter::default() },
        EventFilter { aggregate_types: thing.clone(), aggregate_id: Some("2001".to_owned()), ..EventFilter::default() },
        EventFilter {
            tenant: Some(super::TENANT),
            aggregate_types: thing,
            event_types: types(&["ThingHappened"]),
            aggregate_id: Some("777".to_owned()),
        },
    ] {
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let page = log.read_window(after, &filter, 3, POSITIONS).await.unwrap();
            assert!(page.events.len() <= 3 && page.head == EVENTS, "{filter:?}");
            assert!((after..=after + POSITIONS).contains(&page.scanned_to), "{} after {after}", page.scanned_to);
            found.extend(page.events.iter().map(|event| event.position));
            if page.scanned_to == page.head {
                break;
            }
            assert!(page.scanned_to > after, "{filter:?}");
            after = page.scanned_to;
        }
        let matching = all.iter().filter(|event| filter.matches(event.tenant_id, &event.stream, &event.event_type));
        assert_eq!(found, matching.map(|event| event.position).collect::<Vec<_>>(), "{filter:?}");
    }
    // Nothing is behind the end, and nothing moves there.
    let page = log.read_window(EVENTS, &EventFilter::default(), 3, POSITIONS).await.unwrap();
    assert_eq!((page.events.len(), page.scanned_to), (0, EVENTS));
}

/// A long stream in a long log: its pages are found by its name, and come in its own order.
#[tokio::test]
async fn one_stream_is_found_by_its_name() {
    const LENGTH: Position = 300;
    let (database, pool) = filled().await;
    sqlx::query(
        "INSERT INTO events
         SELECT 'thing', CASE WHEN n % 2 = 0 THEN 'long' ELSE 'other' END, (n + 1) / 2, 'ThingHappened', '1', '{}',
                $2::json, $1 + n, gen_random_uuid(), $3, now()
         FROM generate_series(1, $4) n",
    )
    .bind(EVENTS)
    .bind(serde_json::to_string(&metadata()).unwrap())
    .bind(super::TENANT.to_string())
    .bind(2 * LENGTH)
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("UPDATE log_head SET position = $1").bind(EVENTS + 2 * LENGTH).execute(&pool).await.unwrap();
    pool.execute("ANALYZE events").await.unwrap();
    let connections = Database::connect(database.options.clone(), 2).await.unwrap();
    let (log, _tasks) = EventLog::open(connections, Arc::new(SystemClock), QUEUE_APPENDS_MAX).await.unwrap();
    let filter = EventFilter {
        tenant: Some(super::TENANT),
        aggregate_types: vec!["thing".to_owned()],
        aggregate_id: Some("long".to_owned()),
        ..EventFilter::default()
    };
    let tell = async || log.database().pool().execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    tell().await;
    let before = index_reads(&pool).await;
    let (mut after, mut found) = (0, Vec::new());
    while after < EVENTS + 2 * LENGTH {
        let page = log.read_page(after, &filter, 100).await.unwrap();
        found.extend(page.events.iter().map(|event| (event.sequence, event.position)));
        after = page.scanned_to;
    }
    tell().await;
    let reads = index_reads(&pool).await;
    let expected: Vec<_> = (1..=LENGTH).map(|sequence| (sequence, EVENTS + 2 * sequence)).collect();
    assert_eq!(found, expected);
    for (index, count) in &reads {
        let count = count - before[index];
        // A page walks over those before it, or over what else is behind it when that is less.
        assert!(count <= 4 * LENGTH, "{count} entries of {index} were read, in a log of {EVENTS}");
    }
}

#[tokio::test]
async fn pages_and_ranges_meet_without_gap_or_overlap() {
    let (database, _pool) = filled().await;
    let (log, _tasks) = open(&database).await;
    let all: Vec<_> = log.read_all(0, EventFilter::default()).try_concat().await.unwrap();
    let positions: Vec<_> = all.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=EVENTS).collect::<Vec<_>>());

    let filter = EventFilter { tenant: Some(RARE), ..EventFilter::default() };
    let (mut after, mut found) = (0, Vec::new());
    while after < EVENTS {
        let page = log.read_page(after, &filter, 3).await.unwrap();
        assert!(page.events.len() <= 3 && page.scanned_to > after);
        found.extend(page.events.iter().map(|event| event.position));
        after = page.scanned_to;
    }
    let whole = log.read_range(0, EVENTS, &filter).await.unwrap();
    assert_eq!(found, whole.iter().map(|event| event.position).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_error_of_the_database_is_an_error_and_not_the_end() {
    let (database, pool) = filled().await;
    let (log, _tasks) = open(&database).await;
    let mut pages = Box::pin(log.read_all(0, EventFilter::default()));
    let mut subscription = log.subscribe(0, EventFilter::default());
    assert_eq!(pages.next().await.unwrap().unwrap().len() as i64, READ_PAGE_EVENTS_MAX);
    assert_eq!(subscription.next().await.unwrap().len() as i64, READ_PAGE_EVENTS_MAX);

    pool.execute("ALTER TABLE events RENAME TO elsewhere").await.unwrap();
    assert!(matches!(pages.next().await, Some(Err(LogError::Database(_)))));
    assert!(matches!(subscription.next().await, Err(LogError::Database(_))));
    assert!(log.read_stream(&super::stream("5"), 0, 10).await.is_err());

    pool.execute("ALTER TABLE elsewhere RENAME TO events").await.unwrap();
    let next = subscription.next().await.unwrap();
    assert_eq!(next[0].position, READ_PAGE_EVENTS_MAX + 1, "a subscription goes on where it was");
}

#[tokio::test]
async fn what_is_no_event_is_given_as_such_and_hides_nothing_else() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let mut broken = append("a", 0, &nothing());
    broken.streams[0].events[0].metadata = "[]".to_owned();
    log.append(broken).await.unwrap();
    let mut deep = append("b", 0, &nothing());
    deep.streams[0].events[0].payload = format!("{}{}", "[".repeat(500), "]".repeat(500));
    log.append(deep).await.unwrap();
    log.append(append("c", 0, &nothing())).await.unwrap();
    let events = log.read_range(0, 3, &EventFilter::default()).await.unwrap();
    let faults: Vec<_> = events.iter().map(|event| event.fault.as_deref()).collect();
    assert!(faults[0].is_some_and(|fault| fault.starts_with("metadata: ")), "{faults:?}");
    assert!(faults[1].is_some_and(|fault| fault.starts_with("payload: ")), "{faults:?}");
    assert_eq!(faults[2], None);
    let refused = palaver_eventstore::decode::<palaver_domain::posts::PostEvent>(&events[1]).unwrap_err();
    assert_eq!(Some(refused.reason.as_str()), faults[1]);
}
