//! What the HTTP interface promises, asked of the real binary. Laid out like its paths; what holds for all of them is in
//! `conventions`, `permissions` and `bad_input`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod accounts;
mod apps;
mod audit;
mod bad_input;
mod bot_open_api;
mod bots;
mod channels;
mod contacts;
mod contract;
mod conventions;
mod cp;
mod events;
mod mkt_x;
mod ops;
mod permissions;
mod rate_limits;
mod sandbox;
mod secrets;
mod settings;
mod system;
mod teams;
mod tenancy;
mod users;
mod visibility;
mod whoami;

use std::sync::{Arc, Weak};

use chrono::{DateTime, Utc};
use palaver_eventstore::clock::{Clock, SystemClock};
use palaver_tests::{Service, ServiceOptions};
use tokio::sync::Mutex;

/// One service for all tests that need nothing of their own; each has an account of its own in it. It ends with the
/// last test that holds it, so that no process is left behind.
async fn shared() -> Arc<Service> {
    static SHARED: Mutex<Weak<Service>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(service) = shared.upgrade() {
        return service;
    }
    let service = Arc::new(ServiceOptions::new("up").setting("read-wait-ms", "1500").start().await);
    *shared = Arc::downgrade(&service);
    service
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// A time that many hours from now, as the API takes it.
fn hours_from_now(hours: i64) -> String {
    let time = now() + chrono::TimeDelta::hours(hours);
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
