//! A fork is what the service was at a position: it answers as it did, and does nothing.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::TimeDelta;
use palaver_domain::identity::Role;
use palaver_eventstore::clock::{Clock, SystemClock};
use palaver_tests::{Client, Person, Service, ServiceOptions, eventually};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use tempfile::TempDir;

use super::log_has_no_gaps;

const PASSWORD: &str = "correct horse battery staple 1";
const LISTS: [&str; 12] = [
    "/api2/",
    "/api2/cp/posts?count=500",
    "/api2/cp/posts?status=draft&count=1",
    "/api2/cp/posts/counts",
    "/api2/channels",
    "/api2/channels/summary",
    "/api2/users",
    "/api2/users/summary",
    "/api2/teams",
    "/api2/teams/summary",
    "/api2/contacts",
    "/api2/accounts",
];

fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    // PostgreSQL's user must be able to pass.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
    directory
}

async fn head(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.unwrap()
}

/// Status and body of whatever a person can list, and of each post of `posts`.
async fn answers(client: &Client, after: i64, posts: &[String]) -> BTreeMap<String, (u16, Value)> {
    let mut answers = BTreeMap::new();
    let of_posts = posts.iter().flat_map(|post| ["", "/feed"].map(|what| format!("/api2/cp/posts/{post}{what}")));
    for path in LISTS.map(str::to_owned).into_iter().chain(of_posts) {
        let answer = client.get(&path).after(after).await;
        answers.insert(path, (answer.status, answer.body));
    }
    let range = json!({ "since": "2031-05-01T00:00:00Z", "until": "2031-06-01T00:00:00Z", "tz": "Europe/Berlin" });
    let days = client.post("/api2/cp/posts/aggregates/day").after(after).json(range).await;
    answers.insert("days".to_owned(), (days.status, days.body));
    answers
}

/// Makes a fork of what the service stands on, and returns what was printed.
async fn fork(service: &Service, until: i64, directory: &Path, people: &[&Person]) -> Value {
    let (until, directory) = (until.to_string(), directory.to_str().unwrap());
    let mut arguments = vec!["fork", "--until", &until, "--data", directory];
    for person in people {
        arguments.extend(["--as", &person.name]);
    }
    serde_json::from_str(&service.tool(&arguments).await).unwrap()
}

/// Everything of the log up to a position.
async fn log(pool: &PgPool, until: i64) -> Vec<String> {
    let events = sqlx::query_scalar(
        "SELECT row(position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                    payload::text, metadata::text, recorded_at)::text
         FROM events WHERE position <= $1 ORDER BY position",
    );
    events.bind(until).fetch_all(pool).await.unwrap()
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(pool).await.unwrap()
}

/// Every way to change something is refused, and nothing changes.
async fn takes_no_changes(fork: &Service, client: &Client, post: &str) {
    let pool = fork.pool().await;
    let before = (head(&pool).await, count(&pool, "access_tokens").await);
    let post = format!("/api2/cp/posts/{post}");
    for request in [
        client.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })),
        client.patch(&post).json(json!({ "content": { "text": "other" } })),
        client.delete(&post),
        client.post("/api2/channels/sandbox").json(json!({ "name": "Two", "socialNetwork": "FACEBOOK" })),
        client.get("/api2/users/logout"),
        fork.anonymous().post("/api2/users/login").json(json!({ "username": "x", "password": PASSWORD })),
        fork.anonymous().post("/api2/users/password/reset").json(json!({ "email": "x@example.com" })),
    ] {
        request.await.is(403, "ForkIsReadOnly");
    }
    let made = fork.tool_output(&["account", "create", "--name", "New", "--user", "new@example.com"]).await;
    assert_eq!(made.status.code(), Some(1));
    assert!(made.stderr.contains("this is a fork"), "{}", made.stderr);
    // Nor by a program that knows nothing of forks.
    let inserted =
        pool.execute("INSERT INTO events SELECT (json_populate_record(e, '{\"sequence\": 999}')).* FROM events e");
    assert!(inserted.await.unwrap_err().to_string().contains("a fork, which takes no events"));
    assert_eq!((head(&pool).await, count(&pool, "access_tokens").await), before);
    pool.close().await;
}

#[tokio::test]
async fn a_fork_answers_as_the_service_did_then() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let (boss, watcher) = (account.person(Role::Admin, PASSWORD).await, account.person(Role::Observer, PASSWORD).await);
    let people = [&boss, &watcher];
    let stranger = service.account("Other").await;
    stranger.admin().draft(&stranger.admin().sandbox("Theirs").await, "theirs").await;
    let team = admin.team("Team").await;
    let channel = admin.sandbox("One").await;
    let mut posts = vec![admin.draft(&channel, "first").await];
    posts.extend(boss.client.compose(&[&channel]).await.posts);

    let mut seen = Vec::new();
    for step in 0..3 {
        match step {
            0 => {
                admin.post("/api2/contacts").json(json!({ "email": "someone@example.com" })).await.ok();
                admin.post(&format!("/api2/cp/posts/{}/feed", posts[0])).json(json!({ "message": "why?" })).await.ok();
            }
            1 => {
                admin.edit(&posts[0], json!({ "publishTime": "2031-05-07T12:00:00Z" })).await;
                admin.move_post(&posts[0], "schedule").await;
                posts.push(admin.draft(&channel, "third").await);
                admin.patch(&format!("/api2/teams/{team}")).json(json!({ "name": "Renamed" })).await.ok();
            }
            _ => {
                boss.client.delete(&format!("/api2/cp/posts/{}", posts[1])).await.ok();
                admin.sandbox_of("Two", &[&team]).await;
                account.as_role(Role::Editor).await;
            }
        }
        let position = head(&pool).await;
        let mut all = Vec::new();
        for person in people {
            all.push(answers(&person.client, position, &posts).await);
        }
        seen.push((position, posts.clone(), all));
    }
    assert_ne!(seen[0].2, seen[2].2);

    for (position, posts, expected) in seen {
        let place = directory();
        let told = fork(&service, position, place.path(), &people).await;
        assert_eq!(told["fork"]["until"], position);
        let mut forked = ServiceOptions::new("up").below(place).start().await;
        assert_eq!(forked.ready()["fork"], told["fork"]);
        let visitors = told["visitors"].as_array().unwrap();
        for ((person, visitor), expected) in people.iter().zip(visitors).zip(&expected) {
            assert_eq!((&visitor["userName"], &visitor["userId"]), (&json!(person.name), &json!(person.id())));
            let client = person.client.at(forked.endpoint()).with_token(visitor["accesstoken"].as_str().unwrap());
            let answered = answers(&client, position, &posts).await;
            for (path, expected) in expected {
                assert_eq!(&answered[path], expected, "{path} at {position}");
            }
            // What opens the service opens no fork.
            person.client.at(forked.endpoint()).get("/api2/").await.is(401, "AccessTokenInvalidError");
            takes_no_changes(&forked, &client, &posts[0]).await;
        }
        let there = forked.pool().await;
        log_has_no_gaps(&there).await;
        assert_eq!(log(&there, i64::MAX).await, log(&pool, position).await);
        for table in ["passwords", "vault", "command_receipts", "mail_outbox", "sandbox.items"] {
            assert_eq!(count(&there, table).await, 0, "{table}");
        }
        assert_eq!(count(&there, "access_tokens").await, people.len() as i64);
        there.close().await;
        forked.stop().await;
    }
    service.stop().await;
}

#[tokio::test]
async fn what_was_due_is_not_done_again() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let post = admin.draft(&admin.sandbox("One").await, "soon").await;
    let scheduled = admin.schedule(&post, SystemClock.now() + TimeDelta::seconds(2)).await.position();
    let path = format!("/api2/cp/posts/{post}");
    eventually("the post published", async || {
        (admin.get(&path).await.ok().text("status") == "published").then_some(())
    })
    .await;

    let place = directory();
    let told = fork(&service, scheduled, place.path(), &[]).await;
    // Nobody was named: the first administrator of the one account.
    let [visitor] = &told["visitors"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!((&visitor["accountId"], &visitor["userId"]), (&json!(account.id), &json!(admin.id())));
    let mut forked = ServiceOptions::new("up").below(place).start().await;
    let client = admin.at(forked.endpoint()).with_token(visitor["accesstoken"].as_str().unwrap());
    // It is long due, and a publisher would look for it twenty times in this time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.get(&path).await.ok().text("status"), "scheduled");
    let there = forked.pool().await;
    assert_eq!((head(&there).await, count(&there, "sandbox.items").await), (scheduled, 0));
    let untaken: i64 = sqlx::query_scalar("SELECT count(*) FROM publish_schedule WHERE taken_until IS NULL")
        .fetch_one(&there)
        .await
        .unwrap();
    assert_eq!(untaken, 1);
    there.close().await;
    assert!(forked.log().contains("this is a fork"), "it says so");
    let demo = forked.tool_output(&["up", "--demo"]).await;
    assert!(!demo.status.success());
    forked.stop().await;
    let items: i64 = sqlx::query_scalar("SELECT coalesce(sum(submissions), 0)::bigint FROM sandbox.items")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(items, 1);
    service.stop().await;
}

/// What lies beside a directory.
fn beside(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_fork_is_made_whole_or_not_at_all() {
    let mut service = Service::up_private().await;
    let account = service.account("Acme").await;
    let post = account.admin().draft(&account.admin().sandbox("One").await, "text").await;
    let pool = service.pool().await;
    let last = head(&pool).await;
    let events = log(&pool, last).await;
    pool.close().await;
    // From here on, the source is at rest.
    service.stop().await;

    let place = directory();
    let target = place.path().join("below/then");
    let data = target.to_str().unwrap();
    let (last_text, beyond) = (last.to_string(), (last + 1).to_string());
    for (arguments, code, message) in [
        (vec!["--until", &beyond], 2, format!("lies beyond the log, which ends at {last}")),
        (vec!["--until", "0"], 2, "0 is not in".to_owned()),
        (vec!["--until", &last_text, "--as", "nobody"], 1, "there is no user called nobody".to_owned()),
    ] {
        let ended = service.tool_output(&[&["fork", "--data", data], &arguments[..]].concat()).await;
        assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(&message), "{}", ended.stderr);
        assert!(!target.parent().unwrap().is_dir() || beside(target.parent().unwrap()).is_empty(), "{arguments:?}");
    }

    // What a killed run left is no hindrance, and what somebody else keeps there is.
    let unfinished = target.with_file_name(".then.unfinished");
    fs::create_dir_all(unfinished.join("postgres")).unwrap();
    fs::write(unfinished.join("postgres/anything"), "half").unwrap();
    let told = fork(&service, last, &target, &[]).await;
    assert_eq!(beside(target.parent().unwrap()), std::slice::from_ref(&target));
    assert_eq!(told["data"], data);
    let again = service.tool_output(&["fork", "--data", data, "--until", "1"]).await;
    assert_eq!(again.status.code(), Some(2));
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);

    // A fork of the fork, while it is served.
    let moved = directory();
    fs::rename(&target, moved.path()).unwrap();
    let mut forked = ServiceOptions::new("up").below(moved).start().await;
    let deeper = directory();
    let told = fork(&forked, last - 1, deeper.path(), &[]).await;
    let mut deepest = ServiceOptions::new("up").below(deeper).start().await;
    let there = deepest.pool().await;
    assert_eq!(log(&there, i64::MAX).await, events[..events.len() - 1]);
    there.close().await;
    let token = told["visitors"][0]["accesstoken"].as_str().unwrap();
    let client = account.admin().at(deepest.endpoint()).with_token(token);
    assert_eq!(client.get(&format!("/api2/cp/posts/{post}")).await.ok().id(), post);
    deepest.stop().await;
    forked.stop().await;
}
