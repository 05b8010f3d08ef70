//! The relay: every event of the log into a stream of NATS JetStream, in order, at least once.
//!
//! One process leads, by a lease in the database; the others stand by. If NATS is away nothing is lost and nobody waits:
//! the log is where events are, and the relay goes on where the stream ends. Who reads the stream, and what it is good
//! for, is not known here.

mod checkpoint;
mod connection;
mod error;
mod feed;
mod limits;
mod message;
mod options;
mod progress;
mod report;
mod run;
mod stream;
mod window;

use std::{sync::Arc, time::Duration};

use sqlx::{Executor, PgConnection};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

pub use checkpoint::Standstill;
pub use error::RelayError;
pub use limits::*;
pub use message::{POSITION_HEADER, SUBJECT_PREFIX};
pub use options::RelayOptions;
use progress::Progress;
pub use report::{ConsumerReport, Leader, ReplicaReport, StreamReport, StreamsReport};
use run::Run;

use crate::{EventLog, LEASE_KEEPALIVES, clock::Clock, give_back, try_lease};

/// The relay of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Relay {
    log: EventLog,
    clock: Arc<dyn Clock>,
    options: Arc<RelayOptions>,
    progress: Progress,
}

impl Relay {
    pub fn new(log: EventLog, clock: Arc<dyn Clock>, options: RelayOptions) -> Self {
        let progress = Progress::new(options.stream.clone());
        Self { log, clock, options: Arc::new(options), progress }
    }

    /// Whether this process leads, and has a stream to publish to.
    pub fn is_relaying(&self) -> bool {
        self.progress.is_leading() && self.progress.is_connected()
    }

    /// Relays until `stop`; returns when what was on its way is confirmed and the lease is given back. Whatever goes
    /// wrong is tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = BACKOFF_MIN;
        while !stop.is_cancelled() {
            let mut moved = false;
            let Err(error) = self.turn(&stop, &mut moved).await else { return };
            if moved {
                backoff = BACKOFF_MIN;
            }
            self.tell(&error, backoff).await;
            pause(backoff, &stop).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// To the log of the process, and to whoever asks the database.
    async fn tell(&self, error: &RelayError, retry: Duration) {
        let stream = &self.options.stream;
        self.progress.failed();
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(stream, %error, cause = cause.as_deref(), retry_ms = retry.as_millis(), "the relay was interrupted");
        let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        let noted = checkpoint::note_error(self.log.database().pool(), stream, &text, self.clock.now()).await;
        if let Err(error) = noted {
            tracing::warn!(%error, "why the relay stands still could not be noted");
        }
    }

    /// Stands by until it leads, and leads until something goes wrong. Then another process may lead: perhaps it can
    /// reach NATS where this one can not.
    async fn turn(&self, stop: &CancellationToken, moved: &mut bool) -> Result<(), RelayError> {
        let mut db = self.log.database().dedicated(&self.lease()).await?;
        let turn = self.stand_by_and_lead(&mut db, stop, moved).await;
        give_back(db).await;
        turn
    }

    /// The name of the lease, and of the connection that holds it.
    fn lease(&self) -> String {
        lease(&self.options.stream)
    }

    async fn stand_by_and_lead(
        &self,
        db: &mut PgConnection,
        stop: &CancellationToken,
        moved: &mut bool,
    ) -> Result<(), RelayError> {
        // A checkpoint that a crash of PostgreSQL takes back is made up for by the stream.
        db.execute(format!("SET synchronous_commit = off; {LEASE_KEEPALIVES}").as_str()).await?;
        while !try_lease(db, &self.lease()).await? {
            pause(LEASE_RETRY_INTERVAL, stop).await;
            if stop.is_cancelled() {
                return Ok(());
            }
        }
        let _leading = self.progress.leading();
        self.progress.standing_still(*self.log.watch().borrow());
        let run = Run { log: &self.log, clock: &self.clock, options: &self.options, progress: &self.progress };
        let relayed = run.relay(db, stop).await;
        *moved = self.progress.is_connected();
        relayed
    }
}

fn lease(stream: &str) -> String {
    format!("palaver relay {stream}")
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
