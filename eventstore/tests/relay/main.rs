//! The relay against a real nats-server and a real PostgreSQL: what the stream holds in the end is compared with the log,
//! event by event. The servers are found as `palaver up` finds them (PALAVER_NATS_SERVER, PALAVER_PG_BIN).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod contents;
mod faults;
mod proxy;
mod resume;
mod world;
