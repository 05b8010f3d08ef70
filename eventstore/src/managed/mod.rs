//! Private servers below the data directory, for running without any that others run: a PostgreSQL and a nats-server,
//! found, made, started, watched and stopped here. They never run as root, and never outlive this process; nobody but
//! the data's owner gets at what they hold. What is stored in them, and servers that others run, are none of this
//! module's business. Linux only.

mod account;
mod child;
mod error;
mod home;
mod nats;
mod postgres;
mod server;
mod tools;

use std::time::Duration;

pub use self::{
    error::ManagedError,
    nats::{ManagedNats, NatsAddress, NatsOptions},
    postgres::{DatabaseAccess, ManagedOptions, ManagedPostgres, POOL_CONNECTIONS_MAX},
    server::Server,
};

/// Between two looks at what a process or a file has come to.
const POLL: Duration = Duration::from_millis(10);

/// Runs work on files and short-lived programs apart from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManagedError> + Send + 'static,
) -> Result<T, ManagedError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ManagedError::Interrupted(error.to_string()))?
}
