//! `/events`: what each form and filter gives, who gets it, and how a stream ends.

mod access;
mod ends;
mod pages;
mod streams;

use palaver_tests::Client;
use serde_json::Value;
use sqlx::PgPool;

/// What the log holds for an account, as `(position, event type)`, by another way than the stream's.
async fn logged(pool: &PgPool, account: &str, condition: &str) -> Vec<(i64, String)> {
    let query = format!(
        "SELECT position, event_type FROM events WHERE tenant_id = $1 AND position <= (SELECT position FROM log_head)
         AND {condition} ORDER BY position"
    );
    sqlx::query_as(&query).bind(account).fetch_all(pool).await.unwrap()
}

/// A page, line by line, and the cursor for the next one.
async fn page(client: &Client, query: &str) -> (Vec<Value>, i64, i64) {
    let answer = client.get(&format!("/events?format=ndjson&{query}")).await.ok();
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let position = |name| answer.header(name).unwrap().parse().unwrap();
    // A page of one line reads as JSON itself.
    let lines = match &answer.body {
        Value::String(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one.clone()],
    };
    (lines, position("palaver-next"), position("palaver-head"))
}

/// The position that a CloudEvent tells.
fn position(event: &Value) -> i64 {
    event["position"].as_str().unwrap().parse().unwrap()
}

/// The type of an event, as filters name it.
fn kind(event: &Value) -> String {
    event["type"].as_str().unwrap().strip_prefix("palaver.").unwrap().to_owned()
}
