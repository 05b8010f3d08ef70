//! Events that no projection can read, and their repair: what the service would never write itself.

use serde_json::json;
use sqlx::{Executor, PgPool};

use crate::Account;

/// A post's event whose text is no text.
pub const BROKEN: &str = r#"{"ContentEdited":{"content":{"text":42}}}"#;
/// What [`repair`] makes of it.
pub const REPAIRED: &str = r#"{"ContentEdited":{"content":{"type":"POST","text":"repaired"}}}"#;
/// One that is fine, for behind it.
pub const LATER: &str = r#"{"ContentEdited":{"content":{"type":"POST","text":"later"}}}"#;

/// Appends behind the service's back what it would never write itself.
pub async fn append(pool: &PgPool, account: &Account, post: &str, payloads: &[&str]) {
    let last: i64 = sqlx::query_scalar("SELECT max(sequence) FROM events WHERE aggregate_id = $1")
        .bind(post)
        .fetch_one(pool)
        .await
        .unwrap();
    let metadata = json!({ "actor": "system:test", "command_id": "c", "correlation_id": "c",
        "time": "2026-01-01T00:00:00Z" });
    let many = |value: &str| vec![value.to_owned(); payloads.len()];
    let refused: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM append_events(
             ARRAY[0], ARRAY['post'], ARRAY[$1], ARRAY[$2::bigint], '{}', '{}', '{}', '{}', '{}',
             array_fill(0, ARRAY[cardinality($3::text[])]), $4, $5,
             ARRAY(SELECT $2 + n FROM generate_series(1, cardinality($3)) n), $6, $7, $3, $8,
             ARRAY(SELECT gen_random_uuid() FROM generate_series(1, cardinality($3))), $9, now())
         WHERE append >= 0",
    )
    .bind(post)
    .bind(last)
    .bind(payloads.iter().map(|&payload| payload.to_owned()).collect::<Vec<String>>())
    .bind(many("post"))
    .bind(many(post))
    .bind(many("PostContentEdited"))
    .bind(many("1"))
    .bind(many(&metadata.to_string()))
    .bind(many(&account.id.to_string()))
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(refused, 0);
}

/// Mends what is broken in a post's stream, past the triggers that keep the log as it is.
pub async fn repair(pool: &PgPool, post: &str) {
    let mut db = pool.acquire().await.unwrap();
    db.execute("SET session_replication_role = replica").await.unwrap();
    let repaired = sqlx::query("UPDATE events SET payload = $2::json WHERE aggregate_id = $1 AND payload::text = $3")
        .bind(post)
        .bind(REPAIRED)
        .bind(BROKEN)
        .execute(&mut *db)
        .await
        .unwrap();
    assert_eq!(repaired.rows_affected(), 1);
    db.execute("SET session_replication_role = origin").await.unwrap();
}
