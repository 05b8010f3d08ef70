//! The real binary relays its log to a real NATS, while everything about them is killed: consumers, servers, members of a
//! cluster, the private nats-server, and the binary itself. What is in the stream, and what a consumer ends with, is the
//! log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "these are tests")]

mod consumers;
mod crash;
mod load;
mod ops;
mod outages;
mod private;

use std::{collections::HashMap, time::Duration};

use palaver_tests::{ConsumerProcess, Service, ServiceOptions, TestDatabase, eventually_within, streamed};
use sqlx::PgPool;

/// The stream's name, when nothing is said of it.
const STREAM: &str = "PALAVER";
/// How long all that is left may take after the last fault, on a busy machine.
const SETTLING: Duration = Duration::from_secs(120);

/// Everything in one process, relaying to these servers.
async fn up(database: &TestDatabase, servers: &[String], replicas: usize) -> Service {
    let options = ServiceOptions::new("up").on(database).setting("nats-url", &servers.join(","));
    options.setting("nats-replicas", &replicas.to_string()).start().await
}

/// An event of the log, as far as a stream repeats it.
#[derive(Debug, PartialEq, Eq)]
struct Logged {
    event_id: String,
    subject: String,
    position: i64,
    aggregate: String,
    sequence: i64,
}

/// The log, in its order.
async fn logged(pool: &PgPool) -> Vec<Logged> {
    let rows: Vec<(String, String, String, String, String, i64, i64)> = sqlx::query_as(
        "SELECT event_id::text, tenant_id, aggregate_type, event_type, aggregate_id, position, sequence
         FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let events =
        rows.into_iter().map(|(event_id, tenant, aggregate_type, event_type, id, position, sequence)| Logged {
            event_id,
            subject: format!("palaver.{tenant}.{aggregate_type}.{event_type}.{id}"),
            position,
            aggregate: format!("{aggregate_type}/{id}"),
            sequence,
        });
    events.collect()
}

/// The stream holds the log: every event, once, in its order, under its subject.
async fn stream_is_the_log(servers: &[String], pool: &PgPool) {
    let log = logged(pool).await;
    let stream = streamed(servers, STREAM).await;
    let number = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().parse::<i64>().unwrap();
    for (log, streamed) in log.iter().zip(&stream) {
        let event = &streamed.event;
        let told = Logged {
            event_id: event["id"].as_str().unwrap().to_owned(),
            subject: streamed.subject.clone(),
            position: number(event, "position"),
            aggregate: event["subject"].as_str().unwrap().to_owned(),
            sequence: number(event, "sequence"),
        };
        assert_eq!(told, *log);
        assert_eq!(streamed.event_id, log.event_id);
    }
    assert_eq!(stream.len(), log.len());
}

/// What the consumer has is the log: every event, and those of each aggregate in its order.
async fn consumed_is_the_log(consumer: &ConsumerProcess, pool: &PgPool) {
    let log = logged(pool).await;
    let consumed = eventually_within(SETTLING, "the consumer has all", || async {
        let consumed = consumer.consumed();
        (consumed.len() >= log.len()).then_some(consumed)
    })
    .await;
    let of_id: HashMap<&str, &Logged> = log.iter().map(|event| (event.event_id.as_str(), event)).collect();
    let mut sequences: HashMap<&str, i64> = HashMap::new();
    for id in &consumed {
        let event = of_id.get(id.as_str()).expect("an event of the log");
        let last = sequences.entry(&event.aggregate).or_default();
        assert_eq!(event.sequence, *last + 1, "{event:?}");
        *last = event.sequence;
    }
    assert_eq!(consumed.len(), log.len());
}

/// A figure that the service tells of its relay.
async fn figure(service: &Service, name: &str) -> Option<f64> {
    let metrics = service.anonymous().get("/metrics").await.ok().body;
    let lines = metrics.as_str().unwrap().lines();
    lines.filter_map(|line| line.strip_prefix(name)?.rsplit_once(' ')?.1.parse().ok()).next()
}

/// Everything is relayed, as the service itself says, and it says so by itself. Nothing may be written meanwhile.
async fn lag_returns_to_zero(service: &Service, pool: &PgPool) {
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.unwrap();
    assert!(head > 0);
    eventually_within(SETTLING, "no lag", || async {
        let lag = figure(service, "palaver_relay_lag_events").await?;
        let position = figure(service, "palaver_relay_position").await?;
        (lag == 0.0 && position == head as f64).then_some(())
    })
    .await;
}
