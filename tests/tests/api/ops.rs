//! `/ops`: what operators see and do over HTTP. That others may not is in [`crate::permissions`]; what a rebuild and a
//! quarantine are is tested by the command line, in `tests/service`.

use palaver_domain::identity::Role;
use palaver_tests::{
    Client, READ_MODELS, Service, eventually,
    poison::{BROKEN, LATER, append, repair},
};
use serde_json::{Value, json};

use crate::{bad_input::shaped, shared};

async fn status(operator: &Client, name: &str) -> Value {
    let listed = operator.get("/ops/projections").await.ok().body;
    listed["data"].as_array().unwrap().iter().find(|one| one["name"] == name).expect("it is listed").clone()
}

#[tokio::test]
async fn every_projection_tells_how_it_stands() {
    let mut service = Service::up().await;
    let account = service.account("Operations").await;
    let operator = account.as_role(Role::SuperAdmin).await;
    let settled = eventually("all projections have caught up", || async {
        let listed = operator.get("/ops/projections").await.ok().body;
        listed["data"].as_array().unwrap().iter().all(|one| one["lagEvents"] == 0).then_some(listed)
    })
    .await;
    let all = settled["data"].as_array().unwrap();
    assert_eq!(settled["count"], all.len());
    assert_eq!(all.iter().map(|one| one["name"].as_str().unwrap()).collect::<Vec<_>>(), READ_MODELS);
    for one in all {
        assert_eq!(one["state"], "live", "{one}");
        assert_eq!((&one["version"], &one["position"]), (&one["storedVersion"], &one["head"]), "{one}");
        assert!(one["eventsPerSecond"].as_f64().is_some_and(|rate| rate >= 0.0), "{one}");
        assert_eq!((&one["rebuild"], &one["quarantined"], &one["lagSeconds"]), (&Value::Null, &json!(0), &json!(0.0)));
    }
    // The command line says the same, from a process that moves nothing itself.
    let told = service.tool(&["projections", "--json"]).await;
    for line in told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        assert_eq!((&line["state"], &line["ledHere"]), (&json!("live"), &json!(false)), "{line}");
    }
    service.stop().await;
    let told = service.tool(&["projections", "--json"]).await;
    assert!(
        told.lines().count() == READ_MODELS.len() && told.lines().all(|line| line.contains(r#""state":"stopped""#))
    );
}

#[tokio::test]
async fn a_rebuild_runs_once_at_a_time_and_is_seen_to_its_end() {
    let mut service = Service::up().await;
    let account = service.account("Operations").await;
    let (admin, operator) = (account.admin(), account.as_role(Role::SuperAdmin).await);
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    // A rebuild that nobody finishes: another process has the lease.
    let pool = service.pool().await;
    let mut other = pool.acquire().await.unwrap();
    let lease = "hashtextextended('palaver rebuild posts', 0)";
    sqlx::query(&format!("SELECT pg_advisory_lock({lease})")).execute(&mut *other).await.unwrap();
    let refused = operator.post("/ops/projections/posts/rebuild").await.is(409, "ConflictError");
    assert_eq!(refused.text("message"), "posts is being rebuilt already");
    shaped(&refused, "a second rebuild");
    sqlx::query(&format!("SELECT pg_advisory_unlock({lease})")).execute(&mut *other).await.unwrap();

    // Columns that only a rebuild could bring back.
    sqlx::query("UPDATE read_model.posts SET doc = '{}'").execute(&mut *other).await.unwrap();
    let begun = operator.post("/ops/projections/posts/rebuild").await;
    assert_eq!((begun.status, &begun.body), (202, &json!({ "projection": "posts" })));
    assert_eq!(begun.header("location"), Some("/ops/projections"));
    eventually("the rebuild's end", || async {
        let seen = status(&operator, "posts").await;
        assert_eq!(seen["rebuild"]["error"], Value::Null, "{seen}");
        (seen["rebuild"] == Value::Null).then_some(())
    })
    .await;
    let listed = admin.get("/api2/cp/posts").await.ok().body;
    assert_eq!(listed["data"][0]["_id"], post.as_str(), "{listed}");

    let unknown = operator.post("/ops/projections/nothing/rebuild").await.is(404, "NotFoundError");
    assert!(unknown.text("message").contains("no projection named nothing"));
    admin.post("/ops/projections/posts/rebuild").await.is(403, "InsufficientPermissions");
    admin.get("/ops/projections").await.is(403, "InsufficientPermissions");

    // Who did it can be read later.
    service.stop().await;
    let actor = format!("user:{}", operator.user.as_deref().unwrap());
    let acts: Vec<_> = service.log().lines().filter(|line| line.contains("operator acts")).map(str::to_owned).collect();
    assert_eq!(acts.len(), 1, "{acts:?}");
    assert!(acts[0].contains(&actor) && acts[0].contains("rebuild") && acts[0].contains("posts"), "{acts:?}");
}

#[tokio::test]
async fn the_quarantine_is_listed_shown_and_emptied() {
    let service = Service::up().await;
    let account = service.account("Operations").await;
    let (admin, operator, pool) = (account.admin(), account.as_role(Role::SuperAdmin).await, service.pool().await);
    let channel = admin.sandbox("One").await;
    let (to_retry, to_skip) = (admin.draft(&channel, "before").await, admin.draft(&channel, "before").await);
    assert_eq!(operator.get("/ops/quarantine").await.ok().body, json!({ "count": 0, "data": [] }));
    for post in [&to_retry, &to_skip] {
        append(&pool, &account, post, &[BROKEN, LATER]).await;
    }
    let of_posts = eventually("two streams in quarantine", || async {
        let listed = operator.get("/ops/quarantine?projection=posts&count=10").await.ok().body;
        (listed["count"] == 2).then_some(listed)
    })
    .await;
    for stream in of_posts["data"].as_array().unwrap() {
        assert_eq!((&stream["aggregateType"], &stream["attempts"]), (&json!("post"), &json!(1)), "{stream}");
    }
    assert_eq!(status(&operator, "posts").await["quarantined"], 2);
    let page = operator.get("/ops/quarantine?projection=posts&offset=1&count=1").await.ok().body;
    assert_eq!(
        (&page["count"], &page["data"][0], page["data"].as_array().unwrap().len()),
        (&json!(2), &of_posts["data"][1], 1)
    );

    let place = |post: &str| format!("/ops/quarantine/posts/post/{post}");
    let shown = operator.get(&place(&to_retry)).await.ok().body;
    assert_eq!(shown["event"]["payload"], serde_json::from_str::<Value>(BROKEN).unwrap(), "{shown}");
    assert_eq!(shown["event"]["tenantId"], account.id.to_string());
    assert_eq!((&shown["event"]["position"], &shown["waiting"]), (&shown["position"], &json!(1)));
    assert_eq!(shown["firstWaiting"][0]["payload"], serde_json::from_str::<Value>(LATER).unwrap());
    assert!(shown["error"].as_str().unwrap().contains("PostContentEdited"), "{shown}");

    // Without a repair a retry changes nothing but the count of tries.
    let failed = operator.post(&format!("{}/retry", place(&to_retry))).await.is(409, "ConflictError");
    assert_eq!(failed.body["data"]["sequence"], shown["sequence"], "{}", failed.body);
    assert_eq!(failed.body["data"]["error"], shown["error"]);
    assert_eq!(operator.get(&place(&to_retry)).await.ok().body["attempts"], 2);
    repair(&pool, &to_retry).await;
    assert_eq!(operator.post(&format!("{}/retry", place(&to_retry))).await.ok().body, json!({ "events": 2 }));
    assert_eq!(operator.post(&format!("{}/skip", place(&to_skip))).await.ok().body, json!({ "events": 1 }));
    for post in [&to_retry, &to_skip] {
        operator.get(&place(post)).await.is(404, "NotFoundError");
        assert_eq!(admin.get("/api2/cp/posts?search=later").await.ok().body["count"], 2, "{post}");
    }
    assert_eq!(operator.get("/ops/quarantine?projection=posts").await.ok().body["count"], 0);
}

#[tokio::test]
async fn what_operators_ask_wrongly_is_refused() {
    let service = shared().await;
    let account = service.account("Operations").await;
    let operator = account.as_role(Role::SuperAdmin).await;
    for (path, says) in [
        ("/ops/quarantine?count=501", "`count` must be between 0 and 500"),
        ("/ops/quarantine?offset=-1", "`offset` must be between 0 and 100000"),
        ("/ops/quarantine?count=x", "must be a whole number"),
        ("/ops/quarantine?project=posts", "query parameter `project` is not known here"),
        ("/ops/quarantine?projection=a&projection=b", "takes one value"),
        ("/ops/quarantine/posts/post/%00", "U+0000"),
        ("/ops/quarantine/posts/post/%FF", "not percent-encoded UTF-8"),
    ] {
        let refused = operator.get(path).await.is(400, "BadRequestError");
        assert!(refused.text("message").contains(says), "{path}: {}", refused.body);
        shaped(&refused, path);
    }
    for (method, path) in [
        // This service has no NATS.
        ("GET", "/ops/relay"),
        ("GET", "/ops/quarantine?projection=nothing"),
        ("GET", "/ops/quarantine/nothing/post/x"),
        ("GET", "/ops/quarantine/posts/post/x"),
        ("POST", "/ops/quarantine/posts/post/x/retry"),
        ("POST", "/ops/quarantine/posts/post/x/skip"),
        ("POST", "/ops/quarantine/nothing/post/x/skip"),
    ] {
        let refused = operator.request(method.parse().unwrap(), path).await.is(404, "NotFoundError");
        shaped(&refused, path);
    }
    operator.request("PUT".parse().unwrap(), "/ops/projections").await.is(405, "MethodNotAllowedError");
}
