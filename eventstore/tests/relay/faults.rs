//! Whatever is cut, killed or lost: the stream ends as the log, each event once, in order.

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    proxy::Proxy,
    world::{World, eventually},
};

#[tokio::test]
async fn nothing_is_missing_or_misplaced_when_connections_are_cut() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    let server = world.nats.address().to_string().replace("nats://", "");
    let proxy = Proxy::start(server.clone()).await;
    let mut options = world.options();
    for address in &mut options.servers {
        *address = address.replace(&server, &proxy.address.to_string());
    }
    let relaying = open.relay(options);
    open.write(200).await;
    open.relayed().await;
    assert!(proxy.cuts() > 10, "only {} connections were cut", proxy.cuts());
    relaying.stop().await;
    world.assert_relayed(&open.log).await;
}

#[tokio::test]
async fn nothing_is_missing_or_misplaced_when_leaders_lose_their_lease_and_servers_are_killed() {
    let world = World::start().await;
    let (one, other) = (world.log("palaver").await, world.log("palaver").await);
    let (first, second) = (one.relay(world.options()), other.relay(world.options()));
    for round in 0..6 {
        one.write(20).await;
        // Whoever leads does not know at once that it does no more, and goes on while the other one begins.
        eventually("somebody leads, and loses the lease", async || {
            let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE $1";
            let lost = sqlx::query_scalar::<_, i64>(lost).bind("palaver relay%").fetch_one(one.database.pool());
            lost.await.unwrap() > 0
        })
        .await;
        if round % 3 == 2 {
            kill_process(Pid::from_raw(world.nats.pid().unwrap()).unwrap(), Signal::KILL).unwrap();
            one.write(5).await;
            eventually("nats-server is back", async || world.nats.pid().is_some()).await;
        }
    }
    one.relayed().await;
    world.assert_relayed(&one.log).await;

    // One is killed, the other goes on.
    first.kill().await;
    one.write(5).await;
    one.relayed().await;
    second.stop().await;
    world.assert_relayed(&one.log).await;
}

#[tokio::test]
async fn while_nats_is_away_nobody_waits_and_nothing_is_lost() {
    let world = World::start().await;
    let open = world.log("palaver").await;
    open.write(2).await;
    let mut options = world.options();
    let server = options.servers.clone();
    options.servers = vec!["nats://127.0.0.1:1".to_owned()];
    let nowhere = open.relay(options.clone());
    eventually("it is said why", async || {
        open.standstill().await.is_some_and(|error| error.contains("NATS can not be reached"))
    })
    .await;
    open.write(2).await;
    nowhere.stop().await;

    options.servers = server;
    let relaying = open.relay(options);
    open.relayed().await;
    world.assert_relayed(&open.log).await;
    assert_eq!(open.standstill().await, None);
    relaying.stop().await;
}
