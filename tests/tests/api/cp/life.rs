//! A post from the first command line to the last event, as somebody does who has the README and curl.

use chrono::{SecondsFormat, TimeDelta, Utc};
use palaver_tests::{Service, eventually};
use serde_json::{Value, json};

use crate::{now, shared};

/// A tool's JSON, one value a line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_post_is_planned_published_once_and_told_of_everywhere() {
    let service = shared().await;
    let account = lines(&service.tool(&["account", "create", "--name", "Acme", "--user", "ada@example.com"]).await);
    let [account] = account.as_slice() else { panic!("one line") };
    assert_eq!((account["userName"].as_str(), account["role"].as_str()), (Some("ada@example.com"), Some("ADMIN")));
    let token = account["accesstoken"].as_str().unwrap();
    let curl = service.anonymous();
    let at = |path: &str| format!("/api2{path}{}accesstoken={token}", if path.contains('?') { "&" } else { "?" });
    // The user is read from a read model, which follows the log within moments.
    eventually("the token", || async { (curl.get(&at("/channels")).await.status == 200).then_some(()) }).await;

    let channel =
        curl.post(&at("/channels/sandbox")).json(json!({ "name": "News", "socialNetwork": "FACEBOOK" })).await;
    assert_eq!(channel.status, 201);
    let channel = channel.id();
    let group = curl.post(&at("/cp/postGroups")).json(json!({ "channelIds": [channel] })).await;
    assert_eq!((group.status, &group.body["accountId"]), (201, &account["accountId"]));
    let listed = curl.get(&at(&format!("/cp/posts?postGroupId={}", group.id()))).await.ok();
    assert_eq!((listed.body["count"].as_i64(), listed.body["data"][0]["status"].as_str()), (Some(1), Some("preDraft")));
    let post = listed.body["data"][0]["_id"].as_str().unwrap().to_owned();

    let due = now() + TimeDelta::seconds(2);
    let due_text = due.to_rfc3339_opts(SecondsFormat::Millis, true);
    let patch = json!({ "content": { "text": "Hello, world" }, "publishTime": due_text });
    let edited = curl.patch(&at(&format!("/cp/posts/{post}"))).json(patch).await.ok();
    assert_eq!(edited.body["content"], json!({ "type": "POST", "text": "Hello, world" }));
    assert_eq!(edited.body["publishTime"], due_text);
    let scheduled = curl.post(&at(&format!("/cp/posts/{post}/schedule"))).await.ok();
    assert_eq!(scheduled.body["status"], "scheduled");
    assert_eq!(curl.get(&at("/cp/posts/counts")).await.ok().body["scheduled"], 1);

    let published = eventually("the publication", || async {
        let post = curl.get(&at(&format!("/cp/posts/{post}"))).await.ok().body;
        (post["status"] == "published").then_some(post)
    })
    .await;
    assert!(now() >= due, "nothing is published before its time");
    let items = curl.get(&at(&format!("/channels/sandbox/{channel}/items"))).await.ok().body;
    assert_eq!(items["count"], 1);
    let item = &items["data"][0];
    assert_eq!((item["submissions"].as_i64(), item["key"].as_str()), (Some(1), Some(format!("{post}-1").as_str())));
    assert_eq!(item["content"]["text"], "Hello, world");
    assert_eq!(published["networkUrl"], item["url"]);

    // Every read model tells the same. Whoever only reads has written nothing to wait for, so they are asked until they do.
    let listed = eventually("the list", || async {
        let listed = curl.get(&at("/cp/posts?status=published")).await.ok().body;
        (listed["count"] == 1).then_some(listed)
    })
    .await;
    assert_eq!(listed["data"][0], published);
    let counts = curl.get(&at("/cp/posts/counts")).await.ok().body;
    assert_eq!((counts["scheduled"].as_i64(), counts["published"].as_i64()), (Some(0), Some(1)));
    let (since, until) = ((due - TimeDelta::hours(1)).to_rfc3339(), (due + TimeDelta::hours(1)).to_rfc3339());
    let range = json!({ "since": since, "until": until, "tz": "UTC" });
    let days = curl.post(&at("/cp/posts/aggregates/day")).json(range).await.ok().body;
    let facebook: i64 = days.as_array().unwrap().iter().filter_map(|day| day["data"]["facebook"].as_i64()).sum();
    assert_eq!(facebook, 1, "{days}");
    let feed = eventually("the feed", || async {
        let feed = curl.get(&at(&format!("/cp/posts/{post}/feed"))).await.ok().body;
        (feed["count"] == 2).then_some(feed)
    })
    .await;
    let keys: Vec<_> = feed["data"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["published", "created"]);

    history_tells_everything(&service, &post, account["userId"].as_str().unwrap()).await;
}

async fn history_tells_everything(service: &Service, post: &str, user: &str) {
    let events = lines(&service.tool(&["history", "post", post, "--json"]).await);
    let story: Vec<(&str, &str)> = events
        .iter()
        .map(|event| (event["eventType"].as_str().unwrap(), event["metadata"]["actor"].as_str().unwrap()))
        .collect();
    let (user, publisher) = (format!("user:{user}"), "system:publisher");
    assert_eq!(
        story,
        [
            ("PostPlanned", user.as_str()),
            ("PostContentEdited", &user),
            ("PostPublishTimeSet", &user),
            ("PostScheduled", &user),
            ("PostPublishingStarted", publisher),
            ("PostPublished", publisher),
        ]
    );
    let positions: Vec<i64> = events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert!(positions.is_sorted_by(|a, b| a < b), "{positions:?}");
    assert_eq!(events[1]["change"]["content"]["text"], "Hello, world");

    let told = service.tool(&["history", "post", post]).await;
    for event in &events {
        let heading = told.lines().find(|line| line.starts_with(&format!("#{} ", event["sequence"]))).unwrap();
        let time: chrono::DateTime<Utc> = event["time"].as_str().unwrap().parse().unwrap();
        for part in [
            event["eventType"].as_str().unwrap(),
            event["metadata"]["actor"].as_str().unwrap(),
            &format!("position {}", event["position"]),
            &time.to_rfc3339_opts(SecondsFormat::Millis, true),
        ] {
            assert!(heading.contains(part), "{part} in {heading}");
        }
    }
    assert!(told.contains(r#"content = {"text":"Hello, world","type":"POST"}"#), "{told}");
    assert_eq!(service.tool(&["history", "post", post, "--after", "4", "--json"]).await.lines().count(), 2);
    let unknown = service.tool_output(&["history", "post", "0123456789abcdef01234567"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("no events of post"), "{}", unknown.stderr);
}
