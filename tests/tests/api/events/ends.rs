//! How streams end: with those who may follow no longer, those who do not listen, and the process.

use std::time::Duration;

use palaver_domain::identity::{Permission, Role};
use palaver_tests::{Client, Service, ServiceOptions, eventually_within};
use serde_json::json;
use sqlx::PgPool;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

use crate::{now, shared};

/// An end must come within seconds, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Enough to fill all buffers between the service and a client that reads nothing.
const EVENTS: i64 = 8_000;
const EVENT_BYTES: i32 = 4_096;

/// Opens a stream, and reads until it certainly runs.
async fn opened(client: &Client) -> palaver_tests::EventSource {
    let mut stream = client.events("", None).await;
    stream.take(1).await;
    stream
}

#[tokio::test]
async fn a_stream_ends_when_its_token_its_permission_or_its_account_does() {
    let service = shared().await;
    let account = service.account("Losing").await;
    let pool = service.pool().await;
    let [expired, revoked] = [account.as_role(Role::Admin).await, account.as_role(Role::Admin).await];
    let demoted = account.custom(&[Permission::ViewEvents], &[]).await;
    let (faithful, leaving) = (account.as_role(Role::Admin).await, account.as_role(Role::Admin).await);
    let ending = service.account("Ending").await;
    let mut streams = Vec::new();
    for client in [&expired, &revoked, &demoted, &leaving, ending.admin()] {
        streams.push(opened(client).await);
    }
    let mut kept = opened(&faithful).await;

    for (client, column) in [(&expired, "expires_at"), (&revoked, "revoked_at")] {
        sqlx::query(&format!("UPDATE access_tokens SET {column} = $1 WHERE user_id = $2"))
            .bind(now() - chrono::TimeDelta::seconds(1))
            .bind(client.user.as_deref().unwrap())
            .execute(&pool)
            .await
            .unwrap();
    }
    let path = format!("/api2/users/{}/permissions", demoted.user.as_deref().unwrap());
    faithful.patch(&path).json(json!({ "permissions": ["ViewPosts"] })).await.ok();
    leaving.get("/api2/users/logout").await.ok();
    sqlx::query("UPDATE read_model.accounts SET expires_at = $1 WHERE id = $2")
        .bind(now() - chrono::TimeDelta::seconds(1))
        .bind(ending.id.to_string())
        .execute(&pool)
        .await
        .unwrap();

    let reasons = ["no longer, valid", "no longer, valid", "lacks ViewEvents", "no longer, valid", "come to its end"];
    for (mut stream, reason) in streams.into_iter().zip(reasons) {
        // What happened before it was noticed may still come.
        while stream.next().await.is_some() {}
        let said = stream.comments.last().cloned().unwrap_or_default();
        assert!(said.contains(reason), "{reason}: {:?}", stream.comments);
    }
    // The others' streams go on.
    let before = kept.position();
    let made = faithful.post("/api2/contacts").json(json!({ "email": "g@example.org" })).await.ok();
    assert!(kept.until(made.position()).await.iter().any(|event| event.id > before && event.event == "ContactCreated"));
}

/// A log of the account that takes long to send. Nobody follows things of this type.
async fn fill(pool: &PgPool, account: &str) -> i64 {
    let mut transaction = pool.begin().await.unwrap();
    let head: i64 = sqlx::query_scalar("UPDATE log_head SET position = position + $1 RETURNING position")
        .bind(EVENTS)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO events
         SELECT 'thing', n::text, 1, 'ThingHappened', '1', json_build_object('Happened', json_build_object('text',
                repeat('x', $3))), (SELECT metadata FROM events WHERE tenant_id = $4 LIMIT 1), $1 - $2 + n,
                gen_random_uuid(), $4, now()
         FROM generate_series(1, $2) n",
    )
    .bind(head)
    .bind(EVENTS)
    .bind(EVENT_BYTES)
    .bind(account)
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    head
}

async fn figure(service: &Service, line: &str) -> Option<u64> {
    let metrics = service.anonymous().get("/metrics").await.ok().body;
    let found = metrics.as_str().unwrap().lines().find_map(|found| found.strip_prefix(line))?.trim().parse().unwrap();
    Some(found)
}

/// Asks for events and reads nothing of the answer.
async fn deaf(client: &Client, query: &str) -> TcpStream {
    let endpoint = client.address();
    let mut connection = TcpStream::connect(&endpoint).await.unwrap();
    let token = client.token().unwrap();
    let request = format!("GET /events?{query} HTTP/1.1\r\nHost: palaver\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

#[tokio::test]
async fn who_takes_nothing_is_let_go_and_nobody_else_is_harmed() {
    let service = ServiceOptions::new("up").start().await;
    let account = service.account("Slow").await;
    let admin = account.admin();
    let head = fill(&service.pool().await, &account.id.to_string()).await;
    let deaf_ones = [deaf(admin, "from=0").await, deaf(admin, "from=0").await];
    let mut stream = admin.events("", None).await;
    let read = stream.until(head).await;
    assert_eq!(read.iter().filter(|event| event.event == "ThingHappened").count() as i64, EVENTS);

    let slow = "palaver_event_streams_ended_total{why=\"slow\"}";
    eventually_within(PATIENCE, "those who read nothing are let go", || async {
        (figure(&service, slow).await == Some(2)).then_some(())
    })
    .await;
    eventually_within(PATIENCE, "their places are free", || async {
        (figure(&service, "palaver_event_streams_open").await == Some(1)).then_some(())
    })
    .await;
    // The one who listens is told what comes.
    let made = admin.post("/api2/contacts").json(json!({ "email": "h@example.org" })).await.ok();
    assert!(stream.until(made.position()).await.iter().any(|event| event.event == "ContactCreated"));
    // What is still under way to them ends; it is not all that there was.
    for mut connection in deaf_ones {
        let (mut rest, mut bytes) = (vec![0; 1 << 20], 0);
        let ended = tokio::time::timeout(PATIENCE, async {
            while let Ok(read @ 1..) = connection.read(&mut rest).await {
                bytes += read;
            }
        });
        ended.await.expect("the connection is closed");
        assert!(bytes < (EVENTS * i64::from(EVENT_BYTES)) as usize, "{bytes} bytes were waiting");
    }
}

#[tokio::test]
async fn a_process_that_stops_says_so_to_those_who_follow_and_does_not_wait_for_the_deaf() {
    let mut service = ServiceOptions::new("up").setting("shutdown-grace-seconds", "60").start().await;
    let account = service.account("Stops").await;
    let admin = account.admin();
    let head = fill(&service.pool().await, &account.id.to_string()).await;
    let _deaf = [deaf(admin, "from=0").await, deaf(admin, "from=0").await];
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = admin.events("from=head", None).await;
        stream.until(head).await;
        streams.push(stream);
    }
    service.terminate();
    for mut stream in streams {
        let said = stream.end().await;
        assert!(said.contains("this process stops"), "{said}");
        assert_eq!(stream.position(), head, "and where to go on");
    }
    // In good order, and long before the grace period is over: see PATIENCE of the service's end.
    service.ended_well().await;
    assert!(!service.log().contains("GraceOver"), "it waited for nobody");
    service.restart().await;
    let mut stream = admin.events("", Some(&head.to_string())).await;
    let made = admin.post("/api2/contacts").json(json!({ "email": "i@example.org" })).await.ok();
    assert!(stream.until(made.position()).await.iter().any(|event| event.event == "ContactCreated"));
}
