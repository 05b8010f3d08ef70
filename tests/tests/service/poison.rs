//! An event that no projection can read: it stops its own stream and nothing else, and an operator deals with it.

use palaver_tests::{
    Account, Service, eventually,
    poison::{BROKEN, LATER, append, repair},
};
use serde_json::{Value, json};

use super::read_models_equal_a_rebuild;

const MODELS: [&str; 3] = ["post_feed", "posts", "publish_schedule"];

/// Which streams each projection can not follow.
async fn quarantined(service: &Service) -> Vec<(String, Vec<String>)> {
    let parsed = |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let mut found: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    for stream in parsed(service.tool(&["quarantine", "list", "--json"]).await) {
        let text = |name: &str| stream[name].as_str().unwrap().to_owned();
        found.entry(text("projection")).or_default().push(text("aggregateId"));
    }
    found.values_mut().for_each(|ids| ids.sort());
    for status in parsed(service.tool(&["projections", "--json"]).await) {
        let ids = found.get(status["name"].as_str().unwrap());
        assert_eq!(status["quarantined"], json!(ids.map_or(0, Vec::len)), "{status}");
    }
    found.into_iter().collect()
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
    assert!(service.tool(&["projections"]).await.contains("palaver quarantine list"));
    let shown = service.tool(&["quarantine", "list", "--projection", "posts"]).await;
    assert!(shown.contains(&format!("posts can not follow post/{to_retry} from position ")), "{shown}");
    assert!(shown.contains("PostContentEdited version 1 at position "), "{shown}");
    assert!(!shown.contains("post_feed"), "{shown}");
    let shown = service.tool(&["quarantine", "list", "--limit", "1"]).await;
    assert!(shown.contains("and 5 more of 6"), "{shown}");
    let shown = service.tool(&["quarantine", "show", "posts", "Post", &to_retry]).await;
    for part in ["\"text\": 42", "1 later events of the stream wait", "by system:test", &account.id.to_string()] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown: Value =
        serde_json::from_str(&service.tool(&["quarantine", "show", "posts", "post", &to_retry, "--json"]).await)
            .unwrap();
    assert_eq!(shown["event"]["payload"], serde_json::from_str::<Value>(BROKEN).unwrap());
    assert_eq!(
        (&shown["waiting"], &shown["firstWaiting"][0]["sequence"]),
        (&json!(1), &json!(shown["sequence"].as_i64().unwrap() + 1))
    );
    assert_eq!(listed_text(&account, &to_retry).await, "before");

    // Trying again without a repair changes nothing but the count of tries.
    let again = service.tool_output(&["quarantine", "retry", "posts", "post", &to_retry]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(again.stderr.contains(&format!("posts still can not follow post/{to_retry}")), "{}", again.stderr);
    assert!(service.tool(&["quarantine", "list"]).await.contains("tried 2 times"));
    let unknown = service.tool_output(&["quarantine", "skip", "posts", "post", &healthy]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("is not in quarantine for posts"), "{}", unknown.stderr);

    repair(&pool, &to_retry).await;
    for model in MODELS {
        let told = service.tool(&["quarantine", "retry", model, "post", &to_retry]).await;
        assert!(told.contains("2 events made up for"), "{told}");
        let told = service.tool(&["quarantine", "skip", model, "post", &to_skip]).await;
        assert!(told.contains("1 events made up for"), "{told}");
    }
    assert_eq!(quarantined(&service).await, []);
    assert_eq!(service.tool(&["quarantine", "list"]).await, "nothing is in quarantine\n");
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
