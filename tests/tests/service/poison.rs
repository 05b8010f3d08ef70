//! An event that no projection can read: it stops its own stream and nothing else, and an operator deals with it.

use palaver_tests::{Account, Service, eventually};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};

use super::read_models_equal_a_rebuild;

const MODELS: [&str; 3] = ["post_feed", "posts", "publish_schedule"];
pub(super) const BROKEN: &str = r#"{"ContentEdited":{"content":{"text":42}}}"#;
const REPAIRED: &str = r#"{"ContentEdited":{"content":{"type":"POST","text":"repaired"}}}"#;
pub(super) const LATER: &str = r#"{"ContentEdited":{"content":{"type":"POST","text":"later"}}}"#;

/// Appends behind the service's back what it would never write itself.
pub(super) async fn append(pool: &PgPool, account: &Account, post: &str, payloads: &[&str]) {
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

async fn repair(pool: &PgPool, post: &str) {
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

/// Which streams each projection can not follow.
async fn quarantined(service: &Service) -> Vec<(String, Vec<String>)> {
    let listed = service.tool(&["projections", "list", "--json"]).await;
    let lines = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            let streams = line["streams"].as_array().unwrap();
            let mut ids: Vec<_> =
                streams.iter().map(|stream| stream["aggregateId"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            assert_eq!(line["quarantined"], json!(ids.len()));
            (line["name"].as_str().unwrap().to_owned(), ids)
        })
        .filter(|(_, ids)| !ids.is_empty())
        .collect()
}

async fn listed_text(account: &Account, post: &str) -> Value {
    let listed = account.admin().get("/api2/cp/posts?count=500").await.ok();
    let posts = listed.body["data"].as_array().unwrap();
    posts.iter().find(|found| found["_id"] == *post).expect("the post is listed")["content"]["text"].clone()
}

#[tokio::test]
async fn a_poison_event_stops_its_stream_alone_until_an_operator_acts() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let channel = admin.sandbox("One").await;
    let (to_retry, to_skip) = (admin.draft(&channel, "before").await, admin.draft(&channel, "before").await);
    let healthy = admin.draft(&channel, "before").await;
    append(&pool, &account, &to_retry, &[BROKEN, LATER]).await;
    append(&pool, &account, &to_skip, &[BROKEN, LATER]).await;

    // The others go on, past the poison.
    admin.edit(&healthy, json!({ "content": { "text": "after" } })).await;
    assert_eq!(listed_text(&account, &healthy).await, "after");
    let mut both = vec![to_retry.clone(), to_skip.clone()];
    both.sort();
    let expected: Vec<_> = MODELS.map(|model| (model.to_owned(), both.clone())).into();
    eventually("all three projections past the poison", async || {
        let found = quarantined(&service).await;
        (found == expected).then_some(())
    })
    .await;
    let shown = service.tool(&["projections"]).await;
    assert!(shown.contains(&format!("posts can not follow post/{to_retry} from position ")), "{shown}");
    assert!(shown.contains("PostContentEdited version 1 at position "), "{shown}");
    assert_eq!(listed_text(&account, &to_retry).await, "before");

    // Trying again without a repair changes nothing but the count of tries.
    let again = service.tool_output(&["projections", "retry", "posts", "post", &to_retry]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains(&format!("posts still can not follow post/{to_retry}")), "{}", again.stderr);
    assert!(service.tool(&["projections"]).await.contains("tried 2 times"));
    let unknown = service.tool_output(&["projections", "skip", "posts", "post", &healthy]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("is not in quarantine for posts"), "{}", unknown.stderr);

    repair(&pool, &to_retry).await;
    for model in MODELS {
        let told = service.tool(&["projections", "retry", model, "post", &to_retry]).await;
        assert!(told.contains("2 events made up for"), "{told}");
        let told = service.tool(&["projections", "skip", model, "post", &to_skip]).await;
        assert!(told.contains("1 events made up for"), "{told}");
    }
    assert_eq!(quarantined(&service).await, []);
    for post in [&to_retry, &to_skip] {
        assert_eq!(listed_text(&account, post).await, "later");
    }
    // What was repaired can be worked with again, and is followed.
    admin.edit(&to_retry, json!({ "content": { "text": "well again" } })).await;
    assert_eq!(listed_text(&account, &to_retry).await, "well again");

    // With the other one repaired as well, nothing is left of the trouble.
    repair(&pool, &to_skip).await;
    read_models_equal_a_rebuild(&service, &pool).await;
    service.stop().await;
}

#[tokio::test]
async fn a_rebuild_meets_the_poison_again_and_goes_on_without_it() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let channel = admin.sandbox("One").await;
    let (poisoned, healthy) = (admin.draft(&channel, "before").await, admin.draft(&channel, "fine").await);
    append(&pool, &account, &poisoned, &[BROKEN, LATER]).await;
    let report: Value = serde_json::from_str(&service.tool(&["rebuild", "posts"]).await).unwrap();
    assert_eq!(report["quarantined"], 1, "{report}");
    assert_eq!(listed_text(&account, &poisoned).await, "before");
    assert_eq!(listed_text(&account, &healthy).await, "fine");
    repair(&pool, &poisoned).await;
    let report: Value = serde_json::from_str(&service.tool(&["rebuild", "posts"]).await).unwrap();
    assert_eq!(report["quarantined"], 0, "{report}");
    assert_eq!(listed_text(&account, &poisoned).await, "later");
    service.stop().await;
}
