//! Several processes share one database's work, and one takes over from another that is gone.

use std::time::{Duration, Instant};

use palaver_tests::{Client, Service, ServiceOptions, TestDatabase, eventually, eventually_within, fresh_database};
use serde_json::json;

use super::{every_post_is_published_once, log_has_no_gaps, read_models_equal_a_rebuild};

/// In which another process takes over, on a machine that has other things to do.
const SECONDS: Duration = Duration::from_secs(10);

async fn start(command: &'static str, database: &TestDatabase) -> Service {
    ServiceOptions::new(command).on(database).setting("pool-size", "5").start().await
}

/// Posts that are to be published at once.
async fn publish(client: &Client, channel: &str, posts: usize) {
    for number in 0..posts {
        let post = client.draft(channel, &format!("post {number}")).await;
        client.move_post(&post, "publish").await;
    }
}

async fn all_published(client: &Client, posts: usize) {
    eventually("every post published", || async {
        let counts = client.get("/api2/cp/posts/counts").await.ok().body;
        (counts["published"] == json!(posts)).then_some(())
    })
    .await;
}

async fn leads(service: &Service, projection: &str) -> bool {
    let metrics = service.anonymous().get("/metrics").await.ok().body;
    let line = format!("palaver_projection_led_here{{projection=\"{projection}\"}} 1");
    metrics.as_str().unwrap().lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_killed_another_goes_on_within_seconds() {
    let database = fresh_database().await;
    let mut one = start("up", &database).await;
    let mut other = start("up", &database).await;
    let account = one.account("Acme").await;
    let channel = account.admin().sandbox("One").await;
    account.admin().behave(&channel, "accept", 50).await;
    // Whoever came first leads everything.
    let first_leads = eventually("a leader", || async {
        match (leads(&one, "posts").await, leads(&other, "posts").await) {
            (true, true) => panic!("two lead one projection"),
            (false, false) => None,
            (first, _) => Some(first),
        }
    })
    .await;
    let (leader, heir) = if first_leads { (&mut one, &mut other) } else { (&mut other, &mut one) };
    let at_leader = account.admin().at(leader.endpoint());
    let at_heir = account.admin().at(heir.endpoint());
    publish(&at_leader, &channel, 10).await;

    leader.kill9();
    let killed = Instant::now();
    let position = at_heir.sandbox("Two").await;
    eventually_within(SECONDS, "the heir's read models moving on", || async {
        let listed = at_heir.get("/api2/channels/summary").await.ok().body;
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|found| found["id"] == *position || found["_id"] == *position)
            .then_some(())
    })
    .await;
    assert!(leads(heir, "channels").await);
    println!("taken over after {:?}", killed.elapsed());
    publish(&at_heir, &channel, 5).await;
    all_published(&at_heir, 15).await;

    // The one that was killed comes back, and stands by.
    leader.restart().await;
    publish(&at_leader, &channel, 5).await;
    all_published(&at_leader, 20).await;
    assert!(leads(heir, "posts").await && !leads(leader, "posts").await);

    // One that stops in order hands over at once.
    heir.stop().await;
    eventually_within(SECONDS, "a leader", || async { leads(leader, "posts").await.then_some(()) }).await;
    let pool = leader.pool().await;
    log_has_no_gaps(&pool).await;
    every_post_is_published_once(&pool, 20).await;
    read_models_equal_a_rebuild(leader, &pool).await;
    leader.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_take_turns_while_another_process_serves() {
    let database = fresh_database().await;
    let mut serve = start("serve", &database).await;
    let mut first = start("work", &database).await;
    let mut second = start("work", &database).await;
    let account = serve.account("Acme").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    admin.behave(&channel, "accept", 50).await;
    publish(admin, &channel, 5).await;
    // One of the two leads; each is killed once, with the other there.
    first.kill9();
    publish(admin, &channel, 5).await;
    all_published(admin, 10).await;
    first.restart().await;
    publish(admin, &channel, 2).await;
    second.kill9();
    publish(admin, &channel, 3).await;
    all_published(admin, 15).await;
    let pool = serve.pool().await;
    log_has_no_gaps(&pool).await;
    every_post_is_published_once(&pool, 15).await;
    read_models_equal_a_rebuild(&serve, &pool).await;
    serve.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn a_data_directory_has_one_owner() {
    let mut service = Service::up_private().await;
    let another = service.start_another().await;
    assert_eq!(another.status.code(), Some(1));
    assert!(another.stderr.contains("--data"), "{}", another.stderr);
    // The first has not noticed.
    let account = service.account("Acme").await;
    let body = json!({ "name": "One", "socialNetwork": "FACEBOOK" });
    let position = account.admin().post("/api2/channels/sandbox").json(body).await.ok().position();
    service.stop().await;
    service.restart().await;
    assert_eq!(account.admin().get("/api2/channels").after(position).await.ok().body["count"], 1);
    service.stop().await;
}
