//! What every mutation and every read promise: a key makes a command one, and one's own writes are seen.

use std::time::{Duration, Instant};

use futures::future::join_all;
use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client, Service, eventually};
use serde_json::{Value, json};

use crate::shared;

async fn comments(client: &Client, post: &str) -> i64 {
    client.get(&format!("/api2/cp/posts/{post}/feed")).await.ok().body["count"].as_i64().unwrap()
}

/// Status and body, which a repeat has to have as well.
fn said(answer: &Answer) -> (u16, &Value) {
    (answer.status, &answer.body)
}

#[tokio::test]
async fn a_key_makes_repeats_one_command() {
    // Its own service, to be restarted.
    let mut service = Service::up().await;
    let account = service.account("Keys").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let feed = format!("/api2/cp/posts/{post}/feed");
    let before = comments(admin, &post).await;
    let comment = |key: &str, text: &str| admin.post(&feed).key(key).json(json!({ "message": text }));

    let first = comment("one", "hello").await.ok();
    assert!(!first.replayed());
    let again = comment("one", "hello").await;
    assert!(again.replayed());
    assert_eq!((said(&again), again.position()), (said(&first), first.position()));
    comment("one", "hello!").await.is(422, "IdempotencyKeyReusedError");
    admin
        .post(&format!("{feed}?accesstoken={}", admin.token().unwrap()))
        .key("one")
        .json(json!({ "message": "hello" }))
        .await
        .ok();
    assert_eq!(comments(admin, &post).await, before + 1);

    // Twenty at once; who comes while the first is on its way is told to come back.
    let all = join_all((0..20).map(|_| async {
        loop {
            let answer = comment("crowd", "all together").await;
            if answer.status != 409 {
                return answer.ok();
            }
            let early = answer.is(409, "IdempotencyKeyInUseError");
            assert_eq!(early.header("retry-after"), Some("1"));
        }
    }))
    .await;
    assert_eq!(all.iter().filter(|answer| !answer.replayed()).count(), 1, "one is first");
    assert!(all.iter().all(|answer| said(answer) == said(&all[0]) && answer.position() == all[0].position()));
    assert_eq!(comments(admin, &post).await, before + 2);

    // Another command, another person, another account.
    admin.post(&format!("/api2/cp/posts/{post}/suggest")).key("one").await.is(422, "IdempotencyKeyReusedError");
    assert_eq!(admin.read(&post).await["status"], "draft");
    let smm = account.as_role(Role::Smm).await;
    smm.post(&feed).key("one").json(json!({ "message": "hello" })).await.is(422, "IdempotencyKeyReusedError");
    let other = service.account("Others").await;
    let theirs = other.admin().post("/api2/channels/sandbox").key("one");
    assert!(!theirs.json(json!({ "name": "Theirs", "socialNetwork": "FACEBOOK" })).await.ok().replayed());

    // A refusal is no command: when the reason is gone, the same key is carried out.
    let publish = || admin.post(&format!("/api2/cp/posts/{post}/approve")).key("approve");
    publish().await.is(409, "ConflictError");
    admin.edit(&post, json!({ "publishTime": crate::hours_from_now(9) })).await;
    admin.move_post(&post, "suggest").await;
    let approved = publish().await.ok();
    assert!(!approved.replayed());

    // The first answer is given even when the thing has moved on, and after a restart.
    admin.move_post(&post, "unschedule").await;
    service.stop().await;
    service.restart().await;
    let (late, gone) = (publish().await, comment("one", "hello").await);
    assert!(late.replayed() && gone.replayed());
    assert_eq!((said(&late), said(&gone)), (said(&approved), said(&first)));
    assert_eq!(admin.read(&post).await["status"], "draft");
    assert_eq!(comments(admin, &post).await, before + 2 + 2, "suggested and approved once each");
}

#[tokio::test]
async fn every_kind_of_mutation_is_repeated_by_its_key() {
    let service = shared().await;
    let account = service.account("Every mutation").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let twice = |name: &'static str, request: Box<dyn Fn() -> palaver_tests::Request>| async move {
        let first = request().key(name).await.ok();
        let again = request().key(name).await.ok();
        assert_eq!((first.replayed(), again.replayed()), (false, true), "{name}");
        assert_eq!((said(&again), again.position()), (said(&first), first.position()), "{name}");
        first
    };
    let at = |path: String| {
        let client = admin.clone();
        move || client.post(&path)
    };
    let body = json!({ "channelIds": [channel] });
    let create = at("/api2/cp/postGroups".to_owned());
    let group = twice("create", Box::new(move || create().json(body.clone()))).await.id();
    let listed = admin.get(&format!("/api2/cp/posts?postGroupId={group}")).await.ok().body;
    let post = listed["data"][0]["_id"].as_str().unwrap().to_owned();
    let (client, path) = (admin.clone(), format!("/api2/cp/posts/{post}"));
    let patch = json!({ "content": { "text": "t" }, "publishTime": crate::hours_from_now(7) });
    twice("patch", Box::new(move || client.patch(&path).json(patch.clone()))).await;
    twice("save", Box::new(at(format!("/api2/cp/postGroups/{group}/saveAsDraft")))).await;
    for how in ["suggest", "reject", "schedule", "unschedule"] {
        twice(how, Box::new(at(format!("/api2/cp/posts/{post}/{how}")))).await;
        if how == "suggest" {
            assert_eq!(admin.read(&post).await["status"], "needsApproval");
        }
    }
    twice("schedule-group", Box::new(at(format!("/api2/cp/postGroups/{group}/schedule")))).await;
    let placeholder = at("/api2/channels/placeholder".to_owned());
    twice("placeholder", Box::new(move || placeholder().json(json!({ "name": "Print" })))).await;
    let sandbox = at("/api2/channels/sandbox".to_owned());
    let new = json!({ "name": "Two", "socialNetwork": "TIKTOK" });
    twice("sandbox", Box::new(move || sandbox().json(new.clone()))).await;
    for path in ["/api2/cp/posts/", "/api2/cp/postGroups/"] {
        let composing = admin.compose(&[&channel]).await;
        let id = if path.contains("Groups") { composing.id } else { composing.posts[0].clone() };
        let client = admin.clone();
        twice(path, Box::new(move || client.delete(&format!("{path}{id}")))).await;
    }
    let (client, path) = (admin.clone(), format!("/api2/channels/{channel}"));
    twice("deactivate", Box::new(move || client.delete(&path))).await;
    assert_eq!(admin.get("/api2/channels?includeInactive=false").await.ok().body["count"], 2);
}

#[tokio::test]
async fn a_change_may_be_bound_to_what_was_read() {
    let service = shared().await;
    let account = service.account("Tags").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let path = format!("/api2/cp/posts/{post}");
    let tag = |answer: &Answer| answer.header("etag").expect("a tag").to_owned();
    let read = tag(&admin.get(&path).await.ok());
    let same = admin.get(&path).header("if-none-match", &read).await;
    assert_eq!((same.status, &same.body, tag(&same)), (304, &json!(""), read.clone()));

    // Of many who have read the same, one changes it.
    let edits = (0..10).map(|turn| {
        let patch = json!({ "content": { "text": format!("text {turn}") } });
        async { admin.patch(&path).header("if-match", &read).json(patch).await }
    });
    let (done, late): (Vec<_>, Vec<_>) = join_all(edits).await.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((done.len(), late.len()), (1, 9));
    for answer in late {
        answer.is(412, "PreconditionFailedError");
    }
    let now = admin.get(&path).header("if-none-match", &read).await.ok();
    assert_eq!((tag(&now), &now.body), (tag(&done[0]), &done[0].body));
    assert_ne!(tag(&now), read);

    // Every mutation of one post heeds it, and tells the tag that the next one needs.
    admin.edit(&post, json!({ "publishTime": crate::hours_from_now(9) })).await;
    let mut tagged = tag(&admin.get(&path).await.ok());
    for how in ["suggest", "reject", "suggest", "approve", "unschedule", "schedule", "unschedule"] {
        let ask = |tag: &str| admin.post(&format!("{path}/{how}")).header("if-match", tag);
        ask(&read).await.is(412, "PreconditionFailedError");
        ask("\"x\", W/\"1\"").await.is(412, "PreconditionFailedError");
        tagged = tag(&ask(&format!("\"x\", {tagged}")).await.ok());
        assert_eq!(tagged, tag(&admin.get(&path).await.ok()), "{how}");
    }
    admin.edit(&post, json!({ "publishTime": null })).await;
    admin.post(&format!("{path}/publish")).header("if-match", &tagged).await.is(412, "PreconditionFailedError");
    // Its state forbids it as well; that it has changed says more.
    admin.post(&format!("{path}/approve")).header("if-match", &read).await.is(412, "PreconditionFailedError");
    admin.post(&format!("{path}/approve")).header("if-match", "*").await.is(409, "ConflictError");
    admin.delete(&path).header("if-match", &read).await.is(412, "PreconditionFailedError");
    admin.delete(&path).header("if-match", "7").await.is(400, "BadRequestError");
    let composed = admin.compose(&[&channel]).await;
    let composed = format!("/api2/cp/posts/{}", composed.posts[0]);
    let fresh = tag(&admin.get(&composed).await.ok());
    admin.delete(&composed).header("if-match", "\"77\"").await.is(412, "PreconditionFailedError");
    admin.delete(&composed).header("if-match", &fresh).await.ok();
    admin.delete(&composed).header("if-match", &fresh).await.is(404, "NotFoundError");

    // What is not theirs does not exist for them, whatever they know of it.
    let other = service.account("Other tags").await;
    for tag in [read.as_str(), "\"77\"", "*"] {
        let theirs = other.admin().patch(&path).header("if-match", tag).json(json!({})).await;
        theirs.is(404, "NotFoundError");
    }

    let path = format!("/api2/channels/{channel}");
    let first = tag(&admin.get(&path).await.ok());
    admin.delete(&path).header("if-match", "\"77\"").await.is(412, "PreconditionFailedError");
    let gone = admin.delete(&path).header("if-match", &first).key("gone").await.ok();
    assert_eq!(tag(&gone), tag(&admin.get(&path).await.ok()));
    assert_eq!(admin.get(&path).header("if-none-match", &tag(&gone)).await.status, 304);
    // A repeat is answered as the first was, though its condition would not hold any more.
    let again = admin.delete(&path).header("if-match", &first).key("gone").await.ok();
    assert!(again.replayed());
    assert_eq!(tag(&again), tag(&gone));
}

#[tokio::test]
async fn a_read_sees_what_its_reader_has_written() {
    let service = shared().await;
    let account = service.account("Reads").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let other = account.as_role(Role::Smm).await;
    let mut last = 0;
    for turn in 0..200 {
        let text = format!("turn {turn} w{turn}");
        let position = admin.edit(&post, json!({ "content": { "text": text } })).await.position();
        assert!(position > last, "{position} after {last}");
        last = position;
        // By list, by search, and by somebody else who is told the position.
        let reader =
            if turn % 3 == 2 { other.get("/api2/cp/posts").after(position) } else { admin.get("/api2/cp/posts") };
        let listed = match turn % 3 {
            1 => admin.get(&format!("/api2/cp/posts?search=w{turn}")).await,
            _ => reader.await,
        };
        assert_eq!(listed.ok().body["data"][0]["content"]["text"], text);
    }
    for turn in 0..20 {
        let (from, to) = if turn % 2 == 0 { ("suggest", "needsApproval") } else { ("reject", "draft") };
        admin.move_post(&post, from).await;
        assert_eq!(admin.get("/api2/cp/posts/counts").await.ok().body[to], 1, "{from}");
        let feed = admin.get(&format!("/api2/cp/posts/{post}/feed?count=1")).await.ok().body;
        assert_eq!(feed["count"], 3 + turn);
    }
    let channel = admin.sandbox("Two").await;
    assert_eq!(admin.get("/api2/channels").await.ok().body["data"][0]["_id"], channel);
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_an_answer_that_says_so() {
    let service = shared().await;
    let account = service.account("Ahead").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let head = admin.edit(&post, json!({ "content": { "text": "more" } })).await.position();
    let range = "since=2031-01-01T00:00:00Z&until=2031-01-02T00:00:00Z";
    let (since, until) = ("2031-01-01T00:00:00Z", "2031-01-02T00:00:00Z");
    let reads = || {
        [
            admin.get("/api2/cp/posts"),
            admin.post("/api2/cp/posts").json(json!({})),
            admin.get("/api2/cp/posts/counts"),
            admin.post("/api2/cp/posts/aggregates/day").json(json!({ "since": since, "until": until })),
            admin.post(&format!("/api2/cp/posts/aggregates/day/list?{range}")).json(json!({})),
            admin.get("/api2/channels"),
            admin.get("/api2/channels/summary"),
            admin.get(&format!("/api2/cp/posts/{post}/feed")),
        ]
    };
    let since = Instant::now();
    let answers = join_all(reads().map(|read| async { read.after(head + 1_000_000).await })).await;
    let waited = since.elapsed();
    for answer in answers {
        let answer = answer.is(503, "ReadModelBehindError");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert!(waited >= Duration::from_millis(1_500), "it waits as long as it was told to: {waited:?}");
    assert!(waited < Duration::from_secs(15), "and not much longer: {waited:?}");
    for read in reads() {
        read.after(head).await.ok();
    }
    // 0 asks not to wait, and huge positions are positions.
    admin.get("/api2/cp/posts").after(0).await.ok();
    admin.get("/api2/cp/posts").after(i64::MAX).await.is(503, "ReadModelBehindError");
}

#[tokio::test]
async fn an_unknown_path_is_refused_in_the_words_of_its_surface() {
    let service = shared().await;
    let anonymous = service.anonymous();
    for path in ["/api2/nothing", "/bot-api/v1/nothing", "/nothing"] {
        let answer = anonymous.get(path).await.is(404, "NotFoundError");
        assert!(answer.body["message"].is_string() && answer.body.as_object().unwrap().len() == 2, "{}", answer.body);
    }
    let answer = anonymous.post("/api/v1/mkt-x/nothing").await.is(404, "RESOURCE_NOT_FOUND");
    assert_eq!((&answer.body["success"], &answer.body["details"]), (&json!(false), &json!({})));
    assert!(answer.body["error"].is_string());
    for path in ["/v1/nothing", "/spams"] {
        let answer = anonymous.get(path).await.is(404, "NotFoundError");
        assert_eq!((&answer.body["statusCode"], &answer.body["error"]), (&json!(404), &json!("Not Found")));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn request_ids_and_security_headers_are_on_every_answer() {
    let service = shared().await;
    let account = service.account("Headers").await;
    let admin = account.admin();
    for (path, status) in [("/api2/cp/posts", 200), ("/api2/cp/posts/x", 400), ("/nowhere", 404), ("/healthz", 200)] {
        let named = admin.get(path).header("x-request-id", "my-request.1").await;
        assert_eq!((named.status, named.header("x-request-id")), (status, Some("my-request.1")), "{path}");
        let (one, two) = (admin.get(path).await, admin.get(path).await);
        assert_ne!(one.header("x-request-id").unwrap(), two.header("x-request-id").unwrap());
        assert_eq!(one.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(one.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(one.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(one.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(one.header("content-security-policy"), Some(policy), "{path}");
    }
    // The id leads from an answer to the log, and from an event to its request.
    let channel = admin.post("/api2/channels/sandbox").header("x-request-id", "made-by-me");
    let channel = channel.json(json!({ "name": "One", "socialNetwork": "FACEBOOK" })).await.ok().id();
    let told = service.tool(&["history", "channel", &channel, "--json"]).await;
    let event: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(event["metadata"]["request_id"], "made-by-me", "{event}");
    eventually("the request in the log", || async { service.log().contains("made-by-me").then_some(()) }).await;
}
