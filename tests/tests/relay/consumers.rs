//! A consumer is killed and started again at random under load, and ends with the log.

use std::time::Duration;

use palaver_tests::{ConsumerProcess, NatsServer, consume, eventually_within, fresh_database};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{SETTLING, STREAM, consumed_is_the_log, lag_returns_to_zero, load::Load, stream_is_the_log, up};

const SEED: u64 = 42;
const KILLS: usize = 20;
/// The ignored test below.
pub const CONSUMER: &str = "consumers::consumer";

#[tokio::test]
#[ignore = "the body of a process that other tests start and kill"]
async fn consumer() {
    consume(STREAM).await;
}

/// Waits until a consumer has consumed more than before.
pub async fn goes_on(consumer: &ConsumerProcess) {
    let before = consumer.consumed().len();
    eventually_within(SETTLING, "the consumer goes on", || async {
        (consumer.consumed().len() > before).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_killed_again_and_again_ends_with_the_log() {
    let (database, nats) = (fresh_database().await, NatsServer::start().await);
    let servers = [nats.url()];
    let mut service = up(&database, &servers, 1).await;
    let (load, pool) = (Load::start(&database.options).await, database.pool().await);
    let mut consumer = ConsumerProcess::start(CONSUMER, &servers);
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..KILLS {
        goes_on(&consumer).await;
        tokio::time::sleep(Duration::from_millis(random.gen_range(0..300))).await;
        consumer.kill9();
        consumer.restart();
    }
    println!("{} commands while the consumer was killed {KILLS} times", load.stop().await);
    lag_returns_to_zero(&service, &pool).await;
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    service.stop().await;
}
