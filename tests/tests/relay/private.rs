//! The private nats-server of `palaver up`: there when nothing is said, started again when it is killed, and not missed
//! when there is none.

use std::fs;

use palaver_tests::{ConsumerProcess, Service, ServiceOptions, eventually, fresh_database, nats_program_directory};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    consumed_is_the_log,
    consumers::{CONSUMER, goes_on},
    figure, lag_returns_to_zero,
    load::Load,
    stream_is_the_log,
};

const KILLS: usize = 3;

/// Its address with its password, as who may read the data directory finds it.
fn address(service: &Service) -> String {
    fs::read_to_string(service.data().join("nats/url")).unwrap().trim().to_owned()
}

fn pid(service: &Service) -> Option<Pid> {
    fs::read_to_string(service.data().join("nats/nats.pid")).ok()?.trim().parse().ok().and_then(Pid::from_raw)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_nats_server_that_is_killed_comes_back_and_the_relay_goes_on() {
    let mut service = Service::up_private().await;
    let url = address(&service);
    let place = url.rsplit_once('@').unwrap().1.to_owned();
    assert_eq!(service.ready()["nats"].as_str(), Some(format!("nats://{place}").as_str()));
    let servers = [url.clone()];
    let (load, pool) = (Load::start(&service.connect_options().await).await, service.pool().await);
    let consumer = ConsumerProcess::start(CONSUMER, &servers);
    for _ in 0..KILLS {
        goes_on(&consumer).await;
        let killed = pid(&service).unwrap();
        kill_process(killed, Signal::KILL).unwrap();
        eventually("another nats-server", || async { pid(&service).filter(|pid| *pid != killed) }).await;
        goes_on(&consumer).await;
    }
    load.stop().await;
    lag_returns_to_zero(&service, &pool).await;
    consumed_is_the_log(&consumer, &pool).await;
    stream_is_the_log(&servers, &pool).await;
    let password = url.strip_prefix("nats://palaver:").unwrap().split_once('@').unwrap().0;
    assert!(!service.log().contains(password), "the log tells the password");

    // After a stop it is where it was, with all that it held.
    pool.close().await;
    service.stop().await;
    service.restart().await;
    assert_eq!(address(&service), url);
    let pool = service.pool().await;
    stream_is_the_log(&servers, &pool).await;
    pool.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_has_one_owner_of_its_nats_server() {
    let mut service = Service::up_private().await;
    let another = service.start_another().await;
    assert_eq!(another.status.code(), Some(1));
    assert!(another.stderr.contains("--data"), "{}", another.stderr);
    // The first has not noticed.
    let load = Load::start(&service.connect_options().await).await;
    load.more(10).await;
    load.stop().await;
    let pool = service.pool().await;
    lag_returns_to_zero(&service, &pool).await;
    stream_is_the_log(&[address(&service)], &pool).await;
    pool.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_nats_server_all_but_the_relay_works_and_the_log_says_so() {
    let nowhere = tempfile::tempdir().unwrap();
    let unset = ServiceOptions::new("up").private();
    let found_none = unset
        .without_variable("PALAVER_NATS_SERVER")
        .variable("PALAVER_NATS_SKIP_SYSTEM", "1")
        .variable("PALAVER_TOOLS", nowhere.path().to_str().unwrap())
        .start()
        .await;
    let unwanted = ServiceOptions::new("up").private().setting("nats-server", "none").start().await;
    for (mut service, expected) in [
        (found_none, ["running without NATS", "no nats-server", "scripts/setup"]),
        (unwanted, ["running without NATS", "as told", "not relayed"]),
    ] {
        assert_eq!(service.ready()["nats"], Value::Null);
        assert!(!service.data().join("nats").exists(), "nothing is made in vain");
        let log = service.log();
        let said = log.lines().find(|line| line.contains("running without NATS")).expect("it says so");
        assert!(expected.iter().all(|words| said.contains(words)), "{said}");
        assert_eq!(figure(&service, "palaver_relay_lag_events").await, None);
        let account = service.account("Acme").await;
        let channel = account.admin().sandbox("One").await;
        account.admin().draft(&channel, "hello").await;
        service.stop().await;
    }
}

/// Somebody who named the database may have no data directory: as on a file system that can only be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_named_database_no_data_directory_is_needed() {
    let database = fresh_database().await;
    let options = ServiceOptions::new("up").on(&database).setting("data", "/proc/nowhere");
    // There is a program, and it was not asked for.
    let path = nats_program_directory().to_str().unwrap();
    let options = options.setting("nats-stream", "PALAVER").without_variable("PALAVER_NATS_SERVER");
    let mut service = options.variable("PATH", path).start().await;
    assert_eq!(service.ready()["nats"], Value::Null);
    let log = service.log();
    let said = log.lines().find(|line| line.contains("running without NATS")).expect("it says so");
    assert!(said.contains("/proc/nowhere"), "{said}");
    service.account("Acme").await;
    service.stop().await;
}
