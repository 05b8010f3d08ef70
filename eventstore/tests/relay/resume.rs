//! Where the relay goes on, whatever has become of the stream or of the log in the meantime.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::world::{STREAM, World, eventually};

#[tokio::test]
async fn a_stream_that_is_made_anew_gets_the_whole_log_again() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(10).await;
    let relaying = open.relay(world.options());
    open.relayed().await;
    let jetstream = world.jetstream().await;
    jetstream.delete_stream(STREAM).await.unwrap();
    open.write(1).await;
    eventually("the new stream holds the log", async || {
        let stream = jetstream.get_stream(STREAM).await;
        stream.is_ok_and(|stream| stream.cached_info().state.messages == 77)
    })
    .await;
    world.assert_relayed(&open.log).await;
    relaying.stop().await;
}

#[tokio::test]
async fn a_stream_that_was_emptied_goes_on_where_the_log_was() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(3).await;
    let first = open.relay(world.options());
    open.relayed().await;
    first.stop().await;
    world.jetstream().await.get_stream(STREAM).await.unwrap().purge().await.unwrap();

    open.write(1).await;
    let second = open.relay(world.options());
    open.relayed().await;
    let stored = world.stored().await;
    let positions: Vec<_> = stored.iter().map(|stored| stored.event["position"].clone()).collect();
    let expected: Vec<_> = (22..=28).map(|position| json!(format!("{position:019}"))).collect();
    assert_eq!(positions, expected);
    second.stop().await;
}

#[tokio::test]
async fn what_others_publish_is_passed_over() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(1).await;
    let relaying = open.relay(world.options());
    open.relayed().await;
    // While it is at work, and before it begins.
    let jetstream = world.jetstream().await;
    let stray = async || jetstream.publish("palaver.stray", "?".into()).await.unwrap().await.unwrap();
    stray().await;
    open.write(1).await;
    open.relayed().await;
    relaying.stop().await;
    stray().await;
    open.write(1).await;
    let relaying = open.relay(world.options());
    open.relayed().await;
    relaying.stop().await;

    let stored = world.stored().await;
    assert_eq!(stored.len(), 23);
    let ours: Vec<_> = stored.iter().filter(|stored| stored.subject != "palaver.stray").collect();
    let positions: Vec<_> = ours.iter().map(|stored| stored.event["position"].clone()).collect();
    let expected: Vec<_> = (1..=21).map(|position| json!(format!("{position:019}"))).collect();
    assert_eq!(positions, expected);
}

#[tokio::test]
async fn what_others_publish_under_load_costs_no_event_its_place() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    let relaying = open.relay(world.options());
    let jetstream = world.jetstream().await;
    open.write(1).await;
    open.relayed().await;
    let others = async {
        for _ in 0..30 {
            jetstream.publish("palaver.stray", "?".into()).await.unwrap().await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::join!(open.write(149), others);
    open.relayed().await;
    relaying.stop().await;
    let stored = world.stored().await;
    let ours = stored.iter().filter(|stored| stored.subject != "palaver.stray");
    let positions: Vec<_> = ours.map(|stored| stored.event["position"].clone()).collect();
    let expected: Vec<_> = (1..=1_050).map(|position| json!(format!("{position:019}"))).collect();
    assert_eq!(positions, expected);
    assert_eq!(stored.len(), 1_080);
}

#[tokio::test]
async fn the_stream_of_another_log_is_left_alone_until_it_is_deleted() {
    let world = World::start().await;
    let earlier = world.log("earlier").await;
    earlier.write(3).await;
    let relaying = earlier.relay(world.options());
    earlier.relayed().await;
    relaying.stop().await;

    // As after the wrong backup was restored: other events at the same positions, and fewer of them.
    let restored = world.log("restored").await;
    restored.write(2).await;
    let relaying = restored.relay(world.options());
    eventually("it is said what is wrong", async || {
        restored.standstill().await.is_some_and(|error| error.contains("Delete the stream"))
    })
    .await;
    world.assert_relayed(&earlier.log).await;

    world.jetstream().await.delete_stream(STREAM).await.unwrap();
    restored.relayed().await;
    world.assert_relayed(&restored.log).await;
    relaying.stop().await;
}
