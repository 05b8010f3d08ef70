//! The real binary on a real PostgreSQL: killed, stopped, doubled, fed poison, rebuilt under load.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "these are tests")]

mod crash;
mod crowded;
mod event_streams;
mod fork;
mod leases;
mod mail;
mod poison;
mod rebuild;
mod replay;
mod shutdown;
mod transfer;

use palaver_tests::{READ_MODELS, Service, dump};
use sqlx::PgPool;

/// The read models must be what the log makes of them: built anew, they are the same. Nothing may be written meanwhile.
async fn read_models_equal_a_rebuild(service: &Service, pool: &PgPool) {
    let kept = dump(pool).await;
    for model in READ_MODELS {
        service.tool(&["rebuild", model]).await;
    }
    let rebuilt = dump(pool).await;
    for (table, rows) in kept {
        let differing = rows.iter().zip(&rebuilt[table]).find(|(kept, rebuilt)| kept != rebuilt);
        assert_eq!(differing, None, "{table}");
        assert_eq!(rows.len(), rebuilt[table].len(), "{table}");
    }
}

/// Positions are 1 to the head, and every stream's sequences are 1 to its last.
async fn log_has_no_gaps(pool: &PgPool) {
    let (count, least, most, head): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), min(e.position), max(e.position), (SELECT position FROM log_head) FROM events e",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!((least, most, head), (1, count, count));
    let broken: Option<String> = sqlx::query_scalar(
        "SELECT aggregate_type || '/' || aggregate_id FROM events GROUP BY aggregate_type, aggregate_id
         HAVING min(sequence) <> 1 OR max(sequence) <> count(*) LIMIT 1",
    )
    .fetch_optional(pool)
    .await
    .unwrap();
    assert_eq!(broken, None);
}

/// Every post there is was published, and the network got each once.
async fn every_post_is_published_once(pool: &PgPool, posts: usize) {
    let (planned, published, distinct): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE event_type = 'PostPlanned'),
                count(*) FILTER (WHERE event_type = 'PostPublished'),
                count(DISTINCT aggregate_id) FILTER (WHERE event_type = 'PostPublished')
         FROM events WHERE aggregate_type = 'post'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!([planned, published, distinct], [posts as i64; 3], "planned, published, and of these distinct");
    let (items, submissions, keys): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(submissions), 0), count(DISTINCT split_part(key, '-', 1)) FROM sandbox.items",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!([items, submissions, keys], [posts as i64; 3], "accepted, sent, and posts among these");
}
