//! More to write than the log takes at once.

use palaver_tests::ServiceOptions;
use serde_json::json;
use tokio::task::JoinSet;

const QUEUE: usize = 8;
const REQUESTS: usize = 40;

#[tokio::test]
async fn what_finds_no_place_is_told_to_come_back_and_the_rest_is_written() {
    let service = ServiceOptions::new("up").setting("append-queue-max", &QUEUE.to_string()).start().await;
    let account = service.account("Crowd").await;
    let pool = service.pool().await;
    let mut blocking = pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM log_head FOR UPDATE").execute(&mut *blocking).await.unwrap();

    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let admin = account.admin().clone();
        requests.spawn(async move {
            let body = json!({ "name": format!("Channel {number}"), "socialNetwork": "FACEBOOK" });
            admin.post("/api2/channels/sandbox").json(body).await
        });
    }
    // Nothing is written before the head is free, so whoever is answered by then was sent away.
    for _ in 0..REQUESTS - QUEUE {
        let answer = requests.join_next().await.unwrap().unwrap();
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("ServiceUnavailableError")));
        assert!(answer.header("retry-after").is_some());
    }
    blocking.rollback().await.unwrap();
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.unwrap().status, 201);
    }
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'ChannelConnected'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(written, QUEUE as i64);
}
