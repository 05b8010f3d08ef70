//! Which servers there are, and in what they differ for whoever starts and stops them.

use std::{fmt, time::Duration};

use rustix::process::Signal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Postgres,
    Nats,
}

/// A signal that asks for an end, and how long that may take.
pub(super) type ShutdownStep = (Signal, Duration);

impl Server {
    /// Its folder below the data directory, and the name of its log in there.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
        }
    }

    /// What in its folder belongs to the user that it ran as before, if it ever did.
    pub(super) const fn store(self) -> &'static str {
        match self {
            Self::Postgres => "cluster",
            Self::Nats => "jetstream",
        }
    }

    /// The name of its program, as the kernel tells it.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats-server",
        }
    }

    /// How it is asked to end, more and more urgently.
    pub(super) const fn shutdown(self) -> [ShutdownStep; 2] {
        match self {
            Self::Postgres => [
                // A "fast" shutdown: clients are disconnected, their transactions end, a last checkpoint is written.
                (Signal::INT, Duration::from_secs(30)),
                // An "immediate" one: the next start recovers. PostgreSQL itself kills what is left after 5 s.
                (Signal::QUIT, Duration::from_secs(10)),
            ],
            // Clients are disconnected, streams are written. What a killed one has not written yet is in the system's
            // cache, and not lost.
            Self::Nats => [(Signal::TERM, Duration::from_secs(15)), (Signal::KILL, Duration::from_secs(5))],
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Nats => "nats-server",
        })
    }
}
