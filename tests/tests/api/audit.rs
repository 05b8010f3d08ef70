//! `/audit`: how a thing came to be, told to auditors of its account alone; and that every look is itself in the log.

mod looks;
mod tools;

use chrono::{DateTime, SecondsFormat, Utc};
use palaver_domain::identity::{Permission, Role};
use palaver_tests::{Account, Client, eventually};
use serde_json::{Value, json};

use crate::shared;

const UNKNOWN: &str = "0123456789abcdef01234567";

/// Of a post's story.
const EVENTS: i64 = 8;

/// A post that was written, changed and published, in an account of its own.
struct Story {
    account: Account,
    channel: String,
    post: String,
}

impl Story {
    async fn told(account: Account) -> Self {
        let admin = account.admin();
        let channel = admin.sandbox("One").await;
        let post = admin.draft(&channel, "first words").await;
        let path = format!("/api2/cp/posts/{post}");
        let patch = json!({ "content": { "text": "second words" } });
        admin.patch(&path).header("x-request-id", "the-second-edit").json(patch).await.ok();
        admin.move_post(&post, "publish").await;
        eventually("publication", || async { (admin.read(&post).await["status"] == "published").then_some(()) }).await;
        Self { account, channel, post }
    }

    fn admin(&self) -> &Client {
        self.account.admin()
    }

    async fn comment(&self, message: &str) {
        let comment = json!({ "message": message, "mentions": [] });
        self.admin().post(&format!("/api2/cp/posts/{}/feed", self.post)).json(comment).await.ok();
    }

    async fn past(&self, query: &str) -> Value {
        self.admin().get(&format!("/audit/post/{}{query}", self.post)).await.ok().body
    }

    async fn events(&self) -> Vec<Value> {
        self.past("").await["data"].as_array().unwrap().clone()
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventType"].as_str().unwrap()).collect()
}

fn time(event: &Value) -> DateTime<Utc> {
    event["time"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_time_line_tells_who_changed_what_when_and_why() {
    let service = shared().await;
    let story = Story::told(service.account("Time line").await).await;
    let events = story.events().await;
    let expected = [
        "PostPlanned",
        "PostContentEdited",
        "PostSavedAsDraft",
        "PostContentEdited",
        "PostPublishTimeSet",
        "PostScheduled",
        "PostPublishingStarted",
        "PostPublished",
    ];
    assert_eq!(types(&events), expected);
    let admin = story.admin().id().to_string();
    let (first, second) = (&events[0], &events[3]);
    let sequences: Vec<_> = events.iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, (1..=EVENTS).collect::<Vec<_>>());
    assert!(events.is_sorted_by_key(|event| event["position"].as_i64().unwrap()));

    // Who: a user by name, and a part of the service.
    let actor = &second["actor"];
    assert_eq!((actor["type"].as_str(), actor["id"].as_str()), (Some("user"), Some(admin.as_str())));
    assert!(actor["name"].as_str().is_some_and(|name| name.starts_with("admin-")), "{actor}");
    assert_eq!(events.last().unwrap()["actor"], json!({ "type": "system", "name": "publisher" }));
    // What.
    assert_eq!(first["changes"].as_array().unwrap().len(), 1);
    assert_eq!((first["changes"][0]["op"].as_str(), first["changes"][0]["path"].as_str()), (Some("add"), Some("")));
    assert_eq!(first["changes"][0]["after"]["status"], "preDraft");
    let change = json!({ "op": "replace", "path": "/content/text", "before": "first words", "after": "second words" });
    assert_eq!(second["changes"], json!([change]));
    assert_eq!(second["payload"]["content"]["text"], "second words");
    // When, and why.
    assert!(time(second) > time(first) && second["recordedAt"].is_string());
    assert_eq!(second["requestId"], "the-second-edit");
    assert_eq!(second["commandId"], second["correlationId"]);
    assert!(second["eventId"].as_str().is_some_and(|id| id.len() == 36));
    assert_eq!((second["eventVersion"].as_str(), second.get("unreadable")), (Some("1"), None));

    // Somebody who has left is told of by id.
    let editor = story.account.as_role(Role::Editor).await;
    let comment = json!({ "message": "and gone", "mentions": [] });
    editor.post(&format!("/api2/cp/posts/{}/feed", story.post)).json(comment).await.ok();
    story.admin().delete(&format!("/api2/users/{}", editor.id())).await.ok();
    let gone = eventually("the user to be gone from the read model", || async {
        let last = story.events().await.pop().unwrap();
        last["actor"].get("name").is_none().then_some(last)
    })
    .await;
    assert_eq!(gone["actor"]["id"], editor.id().to_string());
}

#[tokio::test]
async fn pages_meet_without_gap_and_know_what_was_before() {
    let service = shared().await;
    let story = Story::told(service.account("Pages").await).await;
    let all = story.events().await;
    let (mut after, mut paged) = (0, Vec::new());
    loop {
        let page = story.past(&format!("?limit=2&after={after}")).await;
        let data = page["data"].as_array().unwrap().clone();
        assert_eq!(data.len(), 2);
        paged.extend(data);
        match page.get("nextAfter") {
            Some(next) => after = next.as_i64().unwrap(),
            None => break,
        }
    }
    assert_eq!(paged, all, "changes and all");
    let behind = story.past("?after=1000").await;
    assert_eq!((&behind["data"], behind.get("nextAfter")), (&json!([]), None));
    assert_eq!(behind["aggregateType"], "post");
    assert_eq!(story.past(&format!("?limit={EVENTS}")).await.get("nextAfter"), None, "a full page may be the last");
}

#[tokio::test]
async fn the_state_at_any_moment_is_told() {
    let service = shared().await;
    let story = Story::told(service.account("States").await).await;
    let events = story.events().await;
    let (planned, edited) = (&events[0], &events[3]);
    let at = async |moment: &str| story.past(&format!("?at={}", moment.replace('#', "%23"))).await;

    let state = at(&edited["position"].to_string()).await;
    assert_eq!(state["state"]["content"]["text"], "second words");
    assert_eq!((&state["sequence"], &state["position"]), (&json!(4), &edited["position"]));
    assert_eq!((&state["time"], &state["aggregateId"]), (&edited["time"], &json!(story.post)));
    for moment in [
        "#4".to_owned(),
        edited["time"].as_str().unwrap().to_owned(),
        // As everybody else is shown it, to the millisecond.
        time(edited).to_rfc3339_opts(SecondsFormat::Millis, true),
    ] {
        let then = at(&moment).await;
        // What was decided within the same millisecond counts, too.
        assert!(then["sequence"].as_i64().is_some_and(|sequence| sequence >= 4), "{moment}: {then}");
        if moment == "#4" {
            assert_eq!(then, state);
        }
    }
    let before = at(&(planned["position"].as_i64().unwrap() - 1).to_string()).await;
    assert_eq!((&before["state"], &before["sequence"], before.get("time")), (&json!(null), &json!(0), None));
    assert_eq!(at("1999-01-01T00:00:00Z").await["state"], json!(null));
    let now = at("9999-01-01T00:00:00Z").await;
    assert_eq!((&now["state"]["status"], &now["sequence"]), (&json!("published"), &json!(EVENTS)));

    // What is deleted has a past.
    let contact = story.admin().post("/api2/contacts").json(json!({ "email": "not-for-long@example.com" })).await.ok();
    let contact = contact.body[0]["_id"].as_str().unwrap();
    story.admin().delete(&format!("/api2/contacts/{contact}")).await.ok();
    let past = story.admin().get(&format!("/audit/contact/{contact}")).await.ok().body;
    assert_eq!(types(past["data"].as_array().unwrap()), ["ContactCreated", "ContactDeleted"]);
    let then = story.admin().get(&format!("/audit/contact/{contact}?at=%232")).await.ok().body;
    assert_eq!(
        (&then["state"]["deleted"], &then["state"]["email"]),
        (&json!(true), &json!("not-for-long@example.com"))
    );
}

#[tokio::test]
async fn what_differs_between_two_moments_is_told_either_way() {
    let service = shared().await;
    let story = Story::told(service.account("Differences").await).await;
    let events = story.events().await;
    let diff = async |from: &str, to: &str| {
        let path = format!("/audit/post/{}/diff?from={from}&to={to}", story.post).replace('#', "%23");
        story.admin().get(&path).await.ok().body
    };
    let there = diff("#3", &events[3]["position"].to_string()).await;
    let change = json!({ "op": "replace", "path": "/content/text", "before": "first words", "after": "second words" });
    assert_eq!(there["changes"], json!([change]));
    assert_eq!((&there["from"]["sequence"], &there["to"]["position"]), (&json!(3), &events[3]["position"]));
    let back = diff("#4", "#3").await;
    assert_eq!(back["changes"][0]["after"], "first words");
    assert_eq!(diff("#3", "#3").await["changes"], json!([]));
    let whole = diff("0", "9999-01-01T00:00:00Z").await;
    assert_eq!((&whole["changes"][0]["op"], &whole["from"]["sequence"]), (&json!("add"), &json!(0)));
    assert_eq!(whole["changes"][0]["after"]["status"], "published");
}

#[tokio::test]
async fn every_type_of_thing_has_a_past_but_claims() {
    let service = shared().await;
    let story = Story::told(service.account("Types").await).await;
    let admin = story.admin();
    let group = admin.read(&story.post).await["postGroupId"].as_str().unwrap().to_owned();
    for (kind, id, first) in [
        ("account", story.account.id.to_string(), "AccountRegistered"),
        ("user", admin.id().to_string(), "UserCreated"),
        ("channel", story.channel.clone(), "ChannelConnected"),
        ("post_group", group, "PostGroupCreated"),
        ("workbench", admin.id().to_string(), "WorkbenchOpened"),
    ] {
        let past = admin.get(&format!("/audit/{kind}/{id}")).await.ok().body;
        assert_eq!(past["data"][0]["eventType"], first, "{past}");
        assert!(past["data"][0]["changes"][0]["after"] != json!(null), "{past}");
    }
    for kind in ["claim", "postGroup", "nothing", "%20"] {
        admin.get(&format!("/audit/{kind}/{UNKNOWN}")).await.is(400, "BadRequestError");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_says_why() {
    let service = shared().await;
    let story = Story::told(service.account("Bad input").await).await;
    let post = &story.post;
    for (path, says) in [
        (format!("/audit/posts/{post}"), "`type` in the path: it must be one of account, app, "),
        ("/audit/post/ABC".to_owned(), "`id` in the path: an id is lower-case hex digits and hyphens, at most 64"),
        (format!("/audit/post/{}", "a".repeat(65)), "at most 64"),
        ("/audit/post/%00".to_owned(), "`id` in the path"),
        (format!("/audit/post/{post}?at=yesterday"), "`at`: neither a position"),
        (format!("/audit/post/{post}?at=-1"), "`at`: neither a position"),
        (format!("/audit/post/{post}?at=99999999999999999999"), "`at`: neither a position"),
        (format!("/audit/post/{post}?at=1&limit=2"), "send no `after` and no `limit`"),
        (format!("/audit/post/{post}?at=1&at=2"), "`at`"),
        (format!("/audit/post/{post}?after=-1"), "`after` must be 0 or greater, is -1"),
        (format!("/audit/post/{post}?after=x"), "`after`"),
        (format!("/audit/post/{post}?limit=0"), "`limit` must be between 1 and 100, is 0"),
        (format!("/audit/post/{post}?limit=101"), "`limit` must be between 1 and 100, is 101"),
        (format!("/audit/post/{post}?until=1"), "query parameter `until` is not known here"),
        (format!("/audit/post/{post}?from=1"), "query parameter `from` is not known here"),
        (format!("/audit/post/{post}/diff"), "from"),
        (format!("/audit/post/{post}/diff?from=1"), "to"),
        (format!("/audit/post/{post}/diff?from=1&to=soon"), "`to`: neither a position"),
        (format!("/audit/post/{post}/diff?from=%23x&to=1"), "`from`: neither a position"),
    ] {
        let answer = story.admin().get(&path).await.is(400, "BadRequestError");
        assert!(answer.text("message").contains(says), "{path}: {}", answer.body);
    }
    let posted = story.admin().post(&format!("/audit/post/{post}")).await.is(405, "MethodNotAllowedError");
    assert_eq!(posted.header("allow"), Some("GET, HEAD"));
    story.admin().get("/audit/post").await.is(404, "NotFoundError");
}

#[tokio::test]
async fn the_past_is_for_those_who_may_see_it_and_of_their_account_alone() {
    let service = shared().await;
    let (story, other) = (Story::told(service.account("Ours").await).await, service.account("Theirs").await);
    let (post, paths) = (story.post.as_str(), ["", "?at=1", "/diff?from=0&to=9999"]);
    let auditor = story.account.custom(&[Permission::ViewAudit], &[]).await;
    let reader = story.account.custom(&[Permission::ViewPosts, Permission::ViewEvents], &[]).await;
    let operator = other.as_role(Role::SuperAdmin).await;
    for path in paths {
        let at = |id: &str| format!("/audit/post/{id}{path}");
        auditor.get(&at(post)).await.ok();
        reader.get(&at(post)).await.is(403, "InsufficientPermissions");
        story.account.anonymous().get(&at(post)).await.is(401, "AccessTokenInvalidError");
        // Another account's is nobody's, also for those who run the service.
        for stranger in [other.admin(), &operator] {
            let theirs = stranger.get(&at(post)).await.is(404, "NotFoundError");
            let nobodys = stranger.get(&at(UNKNOWN)).await.is(404, "NotFoundError");
            assert_eq!(theirs.body, nobodys.body);
            assert_eq!(theirs.body["message"], "there is no such post");
        }
    }
    let account = format!("/audit/account/{}", story.account.id);
    operator.get(&account).await.is(404, "NotFoundError");
    auditor.get(&account).await.ok();
    let group = auditor.get(&format!("/audit/post_group/{UNKNOWN}")).await.is(404, "NotFoundError");
    assert_eq!(group.body["message"], "there is no such post group");
}
