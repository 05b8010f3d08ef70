//! Events as they happen.

use palaver_tests::{Received, ServiceOptions};
use serde_json::json;

use super::{kind, logged, position};
use crate::shared;

fn told(events: &[Received]) -> Vec<(i64, String)> {
    for event in events {
        assert_eq!((event.id, &event.event), (position(&event.data), &kind(&event.data)), "{event:?}");
    }
    events.iter().map(|event| (event.id, event.event.clone())).collect()
}

#[tokio::test]
async fn a_stream_tells_what_there_was_and_then_what_comes() {
    let service = shared().await;
    let (account, other) = (service.account("Follows").await, service.account("Others").await);
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let pool = service.pool().await;
    let id = account.id.to_string();
    let there = logged(&pool, &id, "true").await;
    let mut stream = admin.events("", None).await;
    assert_eq!(told(&stream.take(there.len()).await), there);
    assert!(stream.retry.is_some_and(|ms| ms > 0));

    let before = stream.position();
    other.admin().sandbox("Theirs").await;
    admin.draft(&channel, "a text").await;
    let comes = logged(&pool, &id, &format!("position > {before}")).await;
    assert!(comes.len() >= 4, "{comes:?}");
    assert_eq!(told(&stream.take(comes.len()).await), comes);
}

#[tokio::test]
async fn it_goes_on_after_the_last_event_that_was_seen() {
    let service = shared().await;
    let account = service.account("Resumes").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    admin.draft(&channel, "a text").await;
    let all = logged(&service.pool().await, &account.id.to_string(), "true").await;
    for cut in [1, all.len() / 2, all.len() - 1] {
        let mut stream = admin.events("from=0", None).await;
        let mut seen = told(&stream.take(cut).await);
        let last = stream.last_event_id.clone();
        drop(stream);
        // As a browser does: the same address, and the header.
        let mut stream = admin.events("from=0", Some(&last)).await;
        seen.extend(told(&stream.take(all.len() - cut).await));
        assert_eq!(seen, all, "cut after {cut}");
        // As a client without headers does.
        let mut stream = admin.events(&format!("from=0&lastEventId={last}"), None).await;
        assert_eq!(told(&stream.take(all.len() - cut).await), all[cut..], "cut after {cut}");
    }
    // From now on: what was is not told.
    let mut stream = admin.events("from=head", None).await;
    admin.post("/api2/contacts").json(json!({ "email": "new@example.org" })).await.ok();
    let first = stream.next().await.unwrap();
    assert!(first.id > all.last().unwrap().0, "{first:?}");
}

#[tokio::test]
async fn a_filter_holds_for_what_was_and_for_what_comes() {
    let service = shared().await;
    let account = service.account("Filtered").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let (one, two) = (admin.draft(&channel, "a").await, admin.draft(&channel, "b").await);
    let pool = service.pool().await;
    let id = account.id.to_string();
    let cases = [
        ("aggregateType=post".to_owned(), "aggregate_type = 'post'".to_owned()),
        ("eventType=PostContentEdited".to_owned(), "event_type = 'PostContentEdited'".to_owned()),
        (format!("aggregateType=post&aggregateId={two}"), format!("aggregate_id = '{two}'")),
    ];
    let mut streams = Vec::new();
    for (query, condition) in cases {
        let there = logged(&pool, &id, &condition).await;
        let mut stream = admin.events(&query, None).await;
        assert_eq!(told(&stream.take(there.len()).await), there, "{query}");
        streams.push((stream, query, condition));
    }
    for text in ["c", "d"] {
        for post in [&one, &two] {
            admin.edit(post, json!({ "content": { "text": text } })).await;
        }
        admin.sandbox("Another").await;
    }
    for (mut stream, query, condition) in streams {
        let comes = logged(&pool, &id, &format!("position > {} AND {condition}", stream.position())).await;
        assert!(comes.len() >= 2, "{query}: {comes:?}");
        assert_eq!(told(&stream.take(comes.len()).await), comes, "{query}");
    }
}

/// Somebody who waits for what is rare need not search the whole log again after each cut.
#[tokio::test]
async fn a_heartbeat_moves_the_position_on_although_nothing_matches() {
    let service = ServiceOptions::new("up").setting("event-stream-heartbeat-ms", "100").start().await;
    let (account, other) = (service.account("Rare").await, service.account("Busy").await);
    let mut stream = account.admin().events("eventType=ContactDeleted", None).await;
    for name in ["One", "Two", "Three"] {
        other.admin().sandbox(name).await;
    }
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&service.pool().await).await.unwrap();
    assert_eq!(stream.until(head).await, [], "nothing was deleted");
    assert!(stream.comments.iter().any(|comment| comment == "heartbeat"), "{:?}", stream.comments);
    let last = stream.last_event_id.clone();
    drop(stream);
    let admin = account.admin();
    let contact = admin.post("/api2/contacts").json(json!({ "email": "e@example.org" })).await.ok();
    let contact = contact.body[0]["_id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/api2/contacts/{contact}")).await.ok();
    let mut stream = admin.events("eventType=ContactDeleted", Some(&last)).await;
    let found = stream.next().await.unwrap();
    assert_eq!(
        (found.event.as_str(), &found.data["subject"]),
        ("ContactDeleted", &json!(format!("contact/{contact}")))
    );
}

/// Another process of the same service writes, and neither knows of the other.
#[tokio::test]
async fn what_another_process_writes_is_told_as_well() {
    let service = shared().await;
    let account = service.account("Elsewhere").await;
    let mut stream = account.admin().events("from=head", None).await;
    // Read first, so that the stream has certainly begun.
    let start = loop {
        if !stream.last_event_id.is_empty() {
            break stream.position();
        }
        stream.until(1).await;
    };
    let team = account.team("Written elsewhere").await;
    let event = stream.next().await.unwrap();
    assert!(event.id > start, "{event:?}");
    assert_eq!((event.event.as_str(), &event.data["subject"]), ("TeamCreated", &json!(format!("team/{team}"))));
}
