//! Events by the page.

use palaver_domain::identity::Role;

use super::{kind, logged, page, position};
use crate::shared;

#[tokio::test]
async fn pages_hold_each_event_of_the_account_once_and_in_order() {
    let service = shared().await;
    let (account, other) = (service.account("Pages").await, service.account("Others").await);
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    other.admin().sandbox("Theirs").await;
    for text in ["a", "b", "c"] {
        admin.draft(&channel, text).await;
    }
    other.admin().sandbox("Theirs, too").await;
    let expected = logged(&service.pool().await, &account.id.to_string(), "true").await;
    assert!(expected.len() > 12, "{expected:?}");

    for limit in [1, 5, 1_000] {
        let (mut from, mut found) = (0, Vec::new());
        loop {
            let (events, next, head) = page(admin, &format!("limit={limit}&from={from}")).await;
            assert!(events.len() <= limit && next >= from && next <= head, "{next} of {head}");
            for event in &events {
                assert_eq!(event["specversion"], "1.0");
                assert_eq!(event["tenant"], account.id.to_string());
                assert!((from + 1..=next).contains(&position(event)), "{event}");
            }
            found.extend(events.iter().map(|event| (position(event), kind(event))));
            if next == head {
                break;
            }
            assert!(next > from, "a page gets further");
            from = next;
        }
        assert_eq!(found, expected, "by {limit}");
    }
    // 100 when nothing is said.
    assert_eq!(page(admin, "").await.0.len(), expected.len().min(100));
}

#[tokio::test]
async fn filters_leave_out_what_is_not_asked_for_and_the_cursor_moves_all_the_same() {
    let service = shared().await;
    let account = service.account("Filters").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let (one, two) = (admin.draft(&channel, "a").await, admin.draft(&channel, "b").await);
    admin.post("/api2/contacts").json(serde_json::json!({ "email": "c@example.org" })).await.ok();
    let pool = service.pool().await;
    let id = account.id.to_string();
    for (query, condition) in [
        ("aggregateType=post", "aggregate_type = 'post'".to_owned()),
        ("aggregateType=post,contact", "aggregate_type IN ('post', 'contact')".to_owned()),
        ("aggregateType=post&aggregateType=contact", "aggregate_type IN ('post', 'contact')".to_owned()),
        ("eventType=PostSavedAsDraft", "event_type = 'PostSavedAsDraft'".to_owned()),
        (
            "eventType=PostSavedAsDraft,ContactCreated",
            "event_type IN ('PostSavedAsDraft', 'ContactCreated')".to_owned(),
        ),
        ("aggregateType=post&eventType=ContactCreated", "false".to_owned()),
        (
            &format!("aggregateType=post&aggregateId={one}"),
            format!("aggregate_type = 'post' AND aggregate_id = '{one}'"),
        ),
        (
            &format!("aggregateType=post&aggregateId={two}&eventType=PostPlanned"),
            format!("aggregate_id = '{two}' AND event_type = 'PostPlanned'"),
        ),
        ("aggregateType=post&aggregateId=nobody", "false".to_owned()),
    ] {
        let expected = logged(&pool, &id, &condition).await;
        assert_eq!(expected.is_empty(), condition == "false", "{query}");
        let (events, next, head) = page(admin, &format!("{query}&limit=1000")).await;
        let found: Vec<_> = events.iter().map(|event| (position(event), kind(event))).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(next, head, "{query}: searched to the end, whether or not anything was found");
    }
}

#[tokio::test]
async fn an_event_tells_who_did_what_and_by_which_request() {
    let service = shared().await;
    let account = service.account("Envelope").await;
    let admin = account.admin();
    let made = admin
        .post("/api2/contacts")
        .json(serde_json::json!({ "email": "d@example.org" }))
        .header("x-request-id", "asked-by-a-test")
        .await
        .ok();
    let contact = made.body[0]["_id"].as_str().unwrap();
    let (events, ..) = page(admin, &format!("aggregateType=contact&aggregateId={contact}")).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event["type"], "palaver.ContactCreated");
    assert_eq!(event["subject"], format!("contact/{contact}"));
    assert_eq!(event["source"], format!("/palaver/{}", account.id));
    assert_eq!(event["actor"], format!("user:{}", admin.user.as_deref().unwrap()));
    assert_eq!(event["requestid"], "asked-by-a-test");
    assert_eq!(event["data"]["email"], "d@example.org");
    // What else was written with it ends at the position that was answered.
    assert!((1..=made.position()).contains(&position(event)), "{event}");
    let schema = event["dataschema"].as_str().unwrap();
    assert!(schema.starts_with(&service.endpoint().url()) && schema.ends_with("/ContactCreated/v1"), "{schema}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let service = shared().await;
    let account = service.account("Senseless").await;
    let admin = account.admin();
    for (query, says) in [
        ("format=csv", "query parameter `format`"),
        ("format=ndjson&limit=0", "`limit` must be between 1 and 1000"),
        ("format=ndjson&limit=1001", "`limit` must be between 1 and 1000"),
        ("format=ndjson&limit=x", "query parameter `limit`"),
        ("limit=5", "`limit` is for pages"),
        ("from=yesterday", "`from` must be a position"),
        ("format=ndjson&from=-1", "`from` must be a position"),
        ("lastEventId=x", "`lastEventId` must be a position"),
        ("from=999999999999", "so there is nothing after 999999999999 yet"),
        ("format=ndjson&from=999999999999", "the log ends at position "),
        ("aggregateType=Post", "there is no `Post`; there are account, "),
        ("eventType=PostPlaned", "there is no `PostPlaned`; /schemas lists what there is"),
        ("aggregateId=x", "`aggregateId` needs `aggregateType`"),
        ("aggregateId=x&aggregateType=post,user", "`aggregateId` needs `aggregateType`"),
        ("type=post", "query parameter `type` is not known here"),
    ] {
        let refused = admin.get(&format!("/events?{query}")).await.is(400, "BadRequestError");
        assert!(refused.text("message").contains(says), "{query}: {}", refused.body);
    }
    let refused = admin.get("/events").header("last-event-id", "abc").await.is(400, "BadRequestError");
    assert!(refused.text("message").contains("Last-Event-ID"), "{}", refused.body);
    admin.get("/events").header("accept", "application/json").await.is(406, "NotAcceptableError");
    admin.post("/events").await.is(405, "MethodNotAllowedError");
    // Whoever may not see events learns nothing of what was wrong.
    let editor = account.as_role(Role::Editor).await;
    editor.get("/events?from=x").await.is(403, "InsufficientPermissions");
}
