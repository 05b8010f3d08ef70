//! A process that is told to stop finishes what it has begun.

use futures::future::join_all;
use palaver_tests::{Service, eventually};
use serde_json::json;
use sqlx::Executor;

const IN_FLIGHT: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_and_what_is_acknowledged_is_in_the_log() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin().clone(), service.pool().await);
    // Nobody appends while this is held, so that the requests are certainly under way when the signal comes.
    let mut held = pool.begin().await.unwrap();
    held.execute("SELECT * FROM log_head FOR UPDATE").await.unwrap();
    let requests: Vec<_> = (0..IN_FLIGHT)
        .map(|number| {
            let body = json!({ "name": format!("Channel {number}"), "socialNetwork": "FACEBOOK" });
            tokio::spawn(admin.post("/api2/channels/sandbox").json(body).key(&format!("key-{number}")).send())
        })
        .collect();
    let anonymous = service.anonymous();
    eventually("all requests under way", || async {
        let metrics = anonymous.get("/metrics").await.ok().body;
        let line = format!("palaver_http_requests_in_flight{{surface=\"socialhub\"}} {IN_FLIGHT}");
        metrics.as_str().unwrap().lines().any(|found| found == line).then_some(())
    })
    .await;

    service.terminate();
    eventually("no new connections", || async { anonymous.get("/healthz").send().await.is_err().then_some(()) }).await;
    held.rollback().await.unwrap();
    let mut positions = Vec::new();
    for answer in join_all(requests).await {
        let answer = answer.unwrap().expect("a request in flight is answered").ok();
        assert_eq!(answer.status, 201);
        positions.push(answer.position());
    }
    service.ended_well().await;

    positions.sort_unstable();
    let logged: Vec<i64> =
        sqlx::query_scalar("SELECT position FROM events WHERE event_type = 'ChannelConnected' ORDER BY position")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(positions, logged);
    assert_eq!(logged.len(), IN_FLIGHT);
    service.restart().await;
    let listed = admin.get("/api2/channels").after(positions[IN_FLIGHT - 1]).await.ok();
    assert_eq!(listed.body["count"], IN_FLIGHT);
    service.stop().await;
}
