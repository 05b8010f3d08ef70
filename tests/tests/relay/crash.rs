//! The service that relays is killed, again and again, under load; and one of two is, and the other takes over.

use std::time::Duration;

use palaver_tests::{ConsumerProcess, NatsServer, fresh_database};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    consumed_is_the_log,
    consumers::{CONSUMER, goes_on},
    lag_returns_to_zero,
    load::Load,
    stream_is_the_log, up,
};

const SEED: u64 = 42;
const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_service_is_killed() {
    let (database, nats) = (fresh_database().await, NatsServer::start().await);
    let servers = [nats.url()];
    let mut service = up(&database, &servers, 1).await;
    let (load, pool) = (Load::start(&database.options).await, database.pool().await);
    let consumer = ConsumerProcess::start(CONSUMER, &servers);
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..KILLS {
        goes_on(&consumer).await;
        tokio::time::sleep(Duration::from_millis(random.gen_range(0..500))).await;
        service.kill9();
        service.restart().await;
    }
    println!("{} commands while the service was killed {KILLS} times", load.stop().await);
    lag_returns_to_zero(&service, &pool).await;
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_of_two_services_is_killed_the_other_goes_on() {
    let (database, nats) = (fresh_database().await, NatsServer::start().await);
    let servers = [nats.url()];
    let mut services = [up(&database, &servers, 1).await, up(&database, &servers, 1).await];
    let (load, pool) = (Load::start(&database.options).await, database.pool().await);
    let consumer = ConsumerProcess::start(CONSUMER, &servers);
    for service in &mut services {
        goes_on(&consumer).await;
        service.kill9();
        // Whichever of the two it was.
        goes_on(&consumer).await;
        service.restart().await;
    }
    load.stop().await;
    // Who does not lead tells no lag of its own; the consumer waits for all.
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    for service in &mut services {
        service.stop().await;
    }
}
