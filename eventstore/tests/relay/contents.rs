//! What the stream holds, and what is told of it.

use async_nats::jetstream::{consumer::pull, stream};
use palaver_eventstore::ids::{Ids, SystemIds};
use serde_json::{Value, json};

use crate::world::{STREAM, World, events, eventually, stream as fresh};

/// A row that nobody can read as an event, as a broken restore could leave it.
const UNREADABLE: &str = "
    WITH head AS (UPDATE log_head SET position = position + 1 RETURNING position)
    INSERT INTO events SELECT 'post', 'unreadable', 1, 'PostContentChanged', '1', '{\"PostContentChanged\": {}}',
        '{\"actor\": 5}', position, $1, '64b0c0ffee6150a4de010203', now() FROM head";

#[tokio::test]
async fn the_stream_holds_the_log_as_cloud_events_and_an_odd_one_holds_up_nobody() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(20).await;
    // Whoever runs NATS may set limits of their own.
    let limited = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["palaver.>".to_owned()],
        max_message_size: 100_000,
        ..Default::default()
    };
    world.jetstream().await.create_stream(limited).await.unwrap();
    let relaying = open.relay(world.options());
    // What was there before, and what comes.
    open.write(20).await;
    let odd = [fresh(), fresh()];
    open.append(odd[0].clone(), 0, "x".repeat(200_000)).await;
    sqlx::query(UNREADABLE).bind(SystemIds.uuid()).execute(open.database.pool()).await.unwrap();
    open.append(odd[1].clone(), 0, "after the odd ones").await;
    open.relayed().await;
    world.assert_relayed(&open.log).await;

    let log = events(&open.log).await;
    for (stored, event) in world.stored().await.iter().zip(&log) {
        let shown = &stored.event;
        assert_eq!(stored.sequence, u64::try_from(event.position).unwrap());
        let tokens = (&event.tenant_id, &event.event_type, &event.stream.aggregate_id);
        assert_eq!(stored.subject, format!("palaver.{}.post.{}.{}", tokens.0, tokens.1, tokens.2));
        assert_eq!(shown["position"], format!("{:019}", event.position));
        assert_eq!(shown["subject"], event.stream.to_string());
        if shown["fault"].is_null() {
            assert_eq!(shown["data"], event.payload["PostContentChanged"]);
            assert_eq!(shown["dataschema"], "https://palaver.example.com/schemas/PostContentChanged/v1");
        } else {
            assert_eq!((shown.get("data"), shown.get("dataschema")), (None, None), "{shown}");
        }
    }
    let faults: Vec<Value> = world.stored().await.into_iter().map(|stored| stored.event["fault"].clone()).collect();
    let faults: Vec<String> = faults.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    assert!(faults.len() == 2 && faults[0].contains("GET /events") && faults[1].contains("metadata"), "{faults:?}");

    relaying.stop().await;
}

#[tokio::test]
async fn the_report_says_where_everybody_is() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    let relaying = open.relay(world.options());
    open.write(3).await;
    open.relayed().await;
    let stream = world.jetstream().await.get_stream("PALAVER").await.unwrap();
    let slow = pull::Config { durable_name: Some("slow".to_owned()), ..Default::default() };
    stream.create_consumer(slow).await.unwrap();

    let report = serde_json::to_value(relaying.relay.report().await.unwrap()).unwrap();
    assert_eq!((&report["position"], &report["head"], &report["lagEvents"]), (&json!(21), &json!(21), &json!(0)));
    assert!(report["leader"]["pid"].is_i64() && report["standstill"].is_null(), "{report}");
    assert_eq!(report["state"]["lastPosition"], 21);
    assert_eq!(report["state"]["duplicateWindowSeconds"], 120);
    let consumer = json!({ "name": "slow", "durable": true, "pending": 21, "unacknowledged": 0, "redelivered": 0 });
    assert_eq!(report["consumers"], json!([consumer]));
    assert!(!report.to_string().contains(&world.nats.address().expose()), "{report}");

    let relay = relaying.relay.clone();
    relaying.stop().await;
    assert_eq!(relay.report().await.unwrap().leader, None);
    world.nats.stop().await.unwrap();
    let report = relay.report().await.unwrap();
    assert!(report.unreachable.is_some() && report.state.is_none() && report.position == Some(21), "{report:?}");
}

#[tokio::test]
async fn a_stream_is_changed_to_what_the_settings_say() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(1).await;
    let first = open.relay(world.options());
    open.relayed().await;
    first.stop().await;

    let mut options = world.options();
    options.max_bytes = Some(10_000_000);
    options.max_age = Some(std::time::Duration::from_secs(60));
    let second = open.relay(options);
    let jetstream = world.jetstream().await;
    eventually("the stream is changed", async || {
        let config = jetstream.get_stream("PALAVER").await.unwrap().cached_info().config.clone();
        // No window is longer than what is kept.
        (config.max_bytes, config.max_age.as_secs(), config.duplicate_window.as_secs()) == (10_000_000, 60, 60)
    })
    .await;
    open.write(1).await;
    open.relayed().await;
    world.assert_relayed(&open.log).await;
    second.stop().await;
}
