//! Read models as text, to be compared.

use std::collections::BTreeMap;

use sqlx::PgPool;

/// Every projection, as `palaver rebuild` knows it.
pub const READ_MODELS: [&str; 9] =
    ["accounts", "apps", "channels", "contacts", "post_feed", "posts", "publish_schedule", "teams", "users"];

/// Every table of theirs.
pub const READ_MODEL_TABLES: [&str; 12] = [
    "accounts",
    "apps",
    "channels",
    "contacts",
    "post_calendar",
    "post_counters",
    "post_feed",
    "post_feed_posts",
    "posts",
    "publish_schedule",
    "teams",
    "users",
];

/// Tables of numbers, where a row of nothing says the same as no row.
const TALLIES: [&str; 2] = ["post_calendar", "post_counters"];

/// What a worker notes for itself, and a rebuild forgets.
const LEASES: [&str; 1] = ["taken_until"];

/// Every row of every table, in an order that does not depend on how it was written.
pub async fn dump(pool: &PgPool) -> BTreeMap<&'static str, Vec<String>> {
    let mut dumped = BTreeMap::new();
    for table in READ_MODEL_TABLES {
        let leases = LEASES.map(|column| format!("- '{column}'")).join(" ");
        // By way of text, because what is kept as json may hold what jsonb refuses.
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = 'read_model' AND table_name = $1 ORDER BY column_name",
        )
        .bind(table)
        .fetch_all(pool)
        .await
        .unwrap();
        assert!(!columns.is_empty(), "there is no table {table}");
        let pairs: Vec<String> = columns.iter().map(|column| format!("'{column}', t.\"{column}\"::text")).collect();
        let counting = if TALLIES.contains(&table) { "WHERE n <> 0" } else { "" };
        let query = format!(
            "SELECT (jsonb_build_object({}) {leases})::text AS row FROM read_model.{table} t {counting} ORDER BY row",
            pairs.join(", ")
        );
        dumped.insert(table, sqlx::query_scalar(&query).fetch_all(pool).await.unwrap());
    }
    dumped
}
