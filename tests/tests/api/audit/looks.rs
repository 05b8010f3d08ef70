//! Who looks at the past is put on record, before anything is told.

use palaver_domain::identity::Role;
use palaver_eventstore::{
    Append, NewEvent, StreamAppend, StreamId,
    ids::{Ids, SystemIds},
};
use palaver_tests::{Service, ServiceOptions};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool, Row};

use super::{EVENTS, Story, UNKNOWN};
use crate::shared;

/// The accesses of an account, in order: actor, who acted as the actor, request, and what the event says.
async fn recorded(pool: &PgPool, account: &str) -> Vec<[Value; 4]> {
    let rows = sqlx::query(
        "SELECT metadata->>'actor', metadata->>'maskedBy', metadata->>'request_id', payload::text FROM events
         WHERE tenant_id = $1 AND aggregate_type = 'audit_access' ORDER BY position",
    )
    .bind(account)
    .fetch_all(pool)
    .await
    .unwrap();
    let text = |row: &sqlx::postgres::PgRow, index: usize| json!(row.get::<Option<String>, _>(index));
    let said = |row: &sqlx::postgres::PgRow| {
        let payload: Value = serde_json::from_str(&row.get::<String, _>(3)).unwrap();
        payload["Recorded"].clone()
    };
    rows.iter().map(|row| [text(row, 0), text(row, 1), text(row, 2), said(row)]).collect()
}

#[tokio::test]
async fn every_look_is_an_event_that_tells_who_looked_at_what() {
    let service = shared().await;
    let story = Story::told(service.account("Looks").await).await;
    let (pool, account) = (service.pool().await, story.account.id.to_string());
    let (admin, post) = (story.admin(), story.post.as_str());
    assert_eq!(recorded(&pool, &account).await.len(), 0);

    let path = format!("/audit/post/{post}");
    admin.get(&path).header("x-request-id", "the-first-look").await.ok();
    admin.get(&format!("{path}?after=2&limit=1")).await.ok();
    admin.get(&format!("{path}?at=2031-05-01T12:00:00%2B02:00")).await.ok();
    admin.get(&format!("{path}/diff?from=%231&to=42")).await.ok();
    // That there is nothing was told as well.
    admin.get(&format!("/audit/channel/{UNKNOWN}")).await.is(404, "NotFoundError");
    // An idempotency key makes no two looks one.
    for _ in 0..2 {
        admin.get(&path).key("again").await.ok();
    }
    // What was refused told nothing.
    admin.get(&format!("{path}?at=soon")).await.is(400, "BadRequestError");
    let editor = story.account.as_role(Role::Editor).await;
    editor.get(&path).await.is(403, "InsufficientPermissions");

    let looks = recorded(&pool, &account).await;
    let user = json!(format!("user:{}", admin.id()));
    assert!(looks.iter().all(|[actor, masked_by, ..]| (actor, masked_by) == (&user, &json!(null))), "{looks:?}");
    assert_eq!(looks[0][2], "the-first-look");
    let said: Vec<Value> = looks
        .iter()
        .map(|[.., said]| json!([said["aggregateType"], said["aggregateId"], said["view"], said["found"]]))
        .collect();
    let whole = || json!(["post", post, { "kind": "timeline", "after": 0, "limit": 50 }, true]);
    assert_eq!(
        said,
        [
            whole(),
            json!(["post", post, { "kind": "timeline", "after": 2, "limit": 1 }, true]),
            json!(["post", post, { "kind": "state", "at": "2031-05-01T10:00:00Z" }, true]),
            json!(["post", post, { "kind": "differences", "from": "#1", "to": "42" }, true]),
            json!(["channel", UNKNOWN, { "kind": "timeline", "after": 0, "limit": 50 }, false]),
            whole(),
            whole(),
        ]
    );
    assert!(looks.iter().all(|[.., said]| said["accountId"] == json!(account)));

    // A look is a thing with a past of its own, and looking at that is a look.
    let look = looks[0][3]["id"].as_str().unwrap();
    let past = admin.get(&format!("/audit/audit_access/{look}")).await.ok().body;
    assert_eq!(past["data"][0]["eventType"], "AuditAccessRecorded");
    assert_eq!(recorded(&pool, &account).await.len(), looks.len() + 1);

    // On the command line, the same.
    let told = service.tool(&["events", "--tenant", &account, "--type", "auditAccess", "--json"]).await;
    assert_eq!(told.lines().count(), looks.len() + 1);
    assert!(told.lines().next().unwrap().contains("the-first-look"), "{told}");
}

#[tokio::test]
async fn a_look_behind_a_mask_names_the_operator() {
    let service = shared().await;
    let (house, story) = (service.account("House").await, Story::told(service.account("Masked").await).await);
    let operator = house.as_role(Role::SuperAdmin).await;
    let person = story.account.as_role(Role::Admin).await;
    let masked = operator.post(&format!("/api2/users/{}/mask", person.id())).await;
    let masked = crate::users::let_in(&service.anonymous(), &masked);
    masked.get(&format!("/audit/post/{}", story.post)).await.ok();
    let looks = recorded(&service.pool().await, &story.account.id.to_string()).await;
    let [actor, masked_by, ..] = &looks[0];
    assert_eq!(actor, &json!(format!("user:{}", person.id())));
    assert_eq!(masked_by, &json!(operator.id().to_string()));
    // And so does what was done behind it.
    let comment = json!({ "message": "behind a mask", "mentions": [] });
    masked.post(&format!("/api2/cp/posts/{}/feed", story.post)).json(comment).await.ok();
    let last = story.events().await.pop().unwrap();
    assert_eq!((&last["actor"]["id"], &last["maskedBy"]), (&json!(person.id()), &json!(operator.id())));
}

async fn alone() -> (Service, Story) {
    let service = ServiceOptions::new("up").start().await;
    let account = service.account("Alone").await;
    (service, Story::told(account).await)
}

#[tokio::test]
async fn what_can_not_be_recorded_is_not_told() {
    let (service, story) = alone().await;
    let pool = service.pool().await;
    pool.execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$;
         CREATE TRIGGER no_room BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.aggregate_type = 'audit_access')
             EXECUTE FUNCTION no_room()",
    )
    .await
    .unwrap();
    for path in ["", "?at=1", "/diff?from=0&to=9999"] {
        for id in [story.post.as_str(), UNKNOWN] {
            let answer = story.admin().get(&format!("/audit/post/{id}{path}")).await.is(500, "InternalServerError");
            assert!(!answer.body.to_string().contains("words"), "{}", answer.body);
        }
    }
    // Everything else goes on.
    story.comment("goes on").await;
    pool.execute("DROP TRIGGER no_room ON events").await.unwrap();
    assert_eq!(story.events().await.len() as i64, EVENTS + 1);
}

#[tokio::test]
async fn an_event_that_can_not_be_read_hides_no_other_and_is_told_of() {
    let (service, story) = alone().await;
    let stream = StreamId::new("post", &story.post);
    let broken = NewEvent {
        event_type: "PostTagsSet".to_owned(),
        event_version: "1".to_owned(),
        payload: json!({ "TagsSet": { "tags": 7 } }).to_string(),
        metadata: json!({ "actor": "system:test", "command_id": "c", "correlation_id": "c", "time": crate::now() })
            .to_string(),
        event_id: SystemIds.uuid(),
    };
    let tenant = story.account.id;
    story
        .account
        .act(async |commander| {
            let streams = vec![StreamAppend { stream: stream.clone(), expected: EVENTS, events: vec![broken.clone()] }];
            commander.log().append(Append { tenant, streams, receipt: None }).await.unwrap();
        })
        .await;

    let events = story.events().await;
    assert_eq!(events.len(), 9);
    assert!(events[7]["changes"].is_array());
    let last = &events[8];
    assert!(last["unreadable"].as_str().is_some_and(|reason| reason.contains("PostTagsSet")), "{last}");
    assert_eq!((last.get("changes"), &last["payload"]["tags"]), (None, &json!(7)));
    let now = story.past("?at=%239").await;
    assert_eq!((&now["state"], &now["sequence"]), (&json!(null), &json!(9)));
    assert!(now["unknown"].as_str().is_some_and(|why| why.contains("from sequence 9 on")), "{now}");
    assert_eq!(story.past("?at=%238").await["state"]["status"], "published");
    let path = format!("/audit/post/{}/diff?from=%238&to=%239", story.post);
    let diff = story.admin().get(&path).await.ok().body;
    assert!(diff.get("changes").is_none() && diff["unknown"].is_string(), "{diff}");

    // The command line says the same, and what it can not tell is not told as if it could.
    let post = story.post.as_str();
    let told = service.tool(&["history", "post", post]).await;
    assert!(told.contains("this event can not be read: "), "{told}");
    let told = service.tool(&["history", "post", post, "--diff"]).await;
    assert!(told.contains("the state is not known from sequence 9 on"), "{told}");
    let last: Value =
        serde_json::from_str(service.tool(&["history", "post", post, "--json"]).await.lines().last().unwrap()).unwrap();
    assert!(last["state"].is_null() && last["unknown"].is_string(), "{last}");
    let position = last["position"].to_string();
    let ended = service.tool_output(&["history", "post", post, "--position", &position]).await;
    assert_eq!(ended.status.code(), Some(1));
    let sought = ["bisect", "post", post, "--jsonpath", "$.status", "--equals"];
    let ended = service.tool_output(&[&sought[..], &["deleted"]].concat()).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("as far as can be told"), "{}", ended.stderr);
    let found = service.tool(&[&sought[..], &["published"]].concat()).await;
    assert!(found.contains("PostPublished"), "{found}");
}
