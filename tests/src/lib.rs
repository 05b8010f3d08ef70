//! What the end-to-end tests stand on: a private PostgreSQL with a database for each test, the real binary as a
//! service, NATS servers to kill, and clients by role. The tests themselves are in `tests/`, laid out by what they test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests use this")]

mod accounts;
mod client;
mod cluster;
mod consumer;
mod events;
mod nats;
mod place;
mod planner;
pub mod poison;
mod rows;
mod service;
mod smtp;
mod tables;
mod wait;

pub use accounts::{Account, Person};
pub use client::{Answer, Client, Endpoint, Request};
pub use cluster::{TestDatabase, fresh_database};
pub use consumer::{ConsumerProcess, consume};
pub use events::{EventSource, Received};
pub use nats::{NatsCluster, NatsServer, StreamedEvent, nats_program_directory, streamed};
pub use place::fresh_path;
pub use planner::Group;
pub use rows::{Cell, cells, rows_of_tenant};
pub use service::{Ended, MASTER_KEY, Service, ServiceOptions};
pub use smtp::{Conversation, SmtpBehaviour, SmtpServer};
pub use tables::{READ_MODEL_TABLES, READ_MODELS, dump};
pub use wait::{eventually, eventually_within};
