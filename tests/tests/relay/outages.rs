//! NATS, or a part of it, is killed for ten seconds under load: nothing is lost, the order is kept, and the relay catches
//! up by itself.

use std::time::Duration;

use palaver_tests::{ConsumerProcess, NatsCluster, NatsServer, fresh_database};

use super::{
    STREAM, consumed_is_the_log,
    consumers::{CONSUMER, goes_on},
    lag_returns_to_zero,
    load::Load,
    stream_is_the_log, up,
};

const OUTAGE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_nats_is_killed_for_ten_seconds() {
    let (database, mut nats) = (fresh_database().await, NatsServer::start().await);
    let servers = [nats.url()];
    let mut service = up(&database, &servers, 1).await;
    let (load, pool) = (Load::start(&database.options).await, database.pool().await);
    let consumer = ConsumerProcess::start(CONSUMER, &servers);
    goes_on(&consumer).await;

    nats.kill9();
    let before = load.written();
    tokio::time::sleep(OUTAGE).await;
    assert!(load.written() > before, "somebody waited for NATS");
    // Whoever asks for anything else is answered as ever.
    service.anonymous().get("/readyz").await.ok();
    nats.restart().await;

    goes_on(&consumer).await;
    load.more(100).await;
    println!("{} commands, of these some within the outage", load.stop().await);
    lag_returns_to_zero(&service, &pool).await;
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_a_node_of_a_cluster_is_killed_for_ten_seconds() {
    let (database, mut nats) = (fresh_database().await, NatsCluster::start().await);
    let servers = nats.urls();
    let mut service = up(&database, &servers, nats.nodes.len()).await;
    let (load, pool) = (Load::start(&database.options).await, database.pool().await);
    let consumer = ConsumerProcess::start(CONSUMER, &servers);
    goes_on(&consumer).await;

    // The one that everything goes through.
    let node = nats.leader_of(STREAM).await;
    node.kill9();
    tokio::time::sleep(OUTAGE).await;
    // The other two go on without it.
    goes_on(&consumer).await;
    node.restart().await;

    load.more(100).await;
    println!("{} commands, of these some with two nodes of three", load.stop().await);
    lag_returns_to_zero(&service, &pool).await;
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    service.stop().await;
}
