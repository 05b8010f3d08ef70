//! The projection engine: what turns the log into tables, whatever the tables are.
//!
//! A projection is described by a [`Projector`]; everything else happens here. Each batch of events and the checkpoint
//! behind it are written in one transaction, so an event counts exactly once, whoever works and however often it is
//! killed. Nothing here acts on the outside world: a projection has no side effects, or a rebuild would repeat them.

mod apply;
mod checkpoint;
mod error;
mod limits;
mod progress;
mod projector;
mod quarantine;
mod rebuild;
mod replay;
mod rows;
mod session;
mod status;
mod worker;

use std::sync::Arc;

use palaver_eventstore::{Database, EventLog, StreamId, clock::Clock};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use checkpoint::Generation;
pub use error::{EngineError, ProjectionError};
pub use limits::*;
pub use progress::{Projections, Waited};
pub use projector::{Poison, Projector};
pub use quarantine::{Quarantined, QuarantinedCase, QuarantinedPage, Resumed};
pub use rebuild::{Rebuild, RebuildProgress, RebuildReport};
pub use replay::{
    DifferentRow, FieldDifference, LeftOut, PoisonEvent, ReplayOptions, ReplayProgress, ReplayReport, TableComparison,
};
pub use rows::{Change, RowProjector, Rows, json_text};
pub use status::{ProjectionState, ProjectionStatus, RebuildStatus};

/// What every part of the engine works with.
#[derive(Clone)]
struct Context {
    database: Database,
    log: EventLog,
    clock: Arc<dyn Clock>,
}

/// All projections of a process, and what can be done with them. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    context: Context,
    projectors: Arc<[Arc<dyn Projector>]>,
    projections: Projections,
}

impl Engine {
    pub fn new(log: EventLog, clock: Arc<dyn Clock>, projectors: Vec<Arc<dyn Projector>>) -> Self {
        let context = Context { database: log.database().clone(), log, clock };
        let projections = Projections::new(context.clone(), &projectors);
        Self { context, projectors: projectors.into(), projections }
    }

    /// How far each projection has come, for those who wait and those who watch.
    pub fn projections(&self) -> Projections {
        self.projections.clone()
    }

    /// Creates the tables of every projection that has none yet. Safe to run from many processes at once; to be done
    /// before anything reads.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn install(&self) -> Result<(), EngineError> {
        let mut db = session::open(&self.context, "palaver install", Generation::Live).await?;
        for projector in self.projectors.iter() {
            checkpoint::install(&mut db, projector.as_ref(), self.context.clock.now()).await?;
        }
        session::close(db).await;
        Ok(())
    }

    /// Keeps every projection up to date until `shutdown`; returns when the last batch is done and every lease is
    /// given back. A projection that another process leads is stood by for, and one that belongs to a newer version
    /// left alone. When a worker ends badly, the others are stopped in good order, and this returns before `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let stop = shutdown.child_token();
        let mut workers = JoinSet::new();
        for projector in self.projectors.iter() {
            let worker = worker::Worker::new(self.context.clone(), projector.clone(), self.projections.clone());
            workers.spawn(worker.run(stop.clone()));
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a projection's worker ended badly");
                stop.cancel();
            }
        }
        // Nothing left to do, as when every projection belongs to a newer version, is no reason to end.
        stop.cancelled().await;
    }

    /// Takes the lease for building the projection anew beside the live one, and makes empty tables for it.
    ///
    /// # Errors
    /// `UnknownProjection`, `RebuildInProgress` when somebody is at it already, `VersionMismatch` when the tables are of a
    /// newer version, and whatever the database says.
    pub async fn begin_rebuild(&self, projection: &str) -> Result<Rebuild, EngineError> {
        Rebuild::begin(self.context.clone(), self.projector(projection)?.clone()).await
    }

    /// Builds the projection anew beside the live one, and lets it take over. Readers notice nothing.
    ///
    /// # Errors
    /// As [`Engine::begin_rebuild`] and [`Rebuild::run`].
    pub async fn rebuild(&self, projection: &str, shutdown: &CancellationToken) -> Result<RebuildReport, EngineError> {
        self.begin_rebuild(projection).await?.run(shutdown, |_| {}).await
    }

    /// Makes the projection once more of a range of the log, beside the live tables, and compares. Nothing that others see
    /// is touched, and what is made is gone at the end.
    ///
    /// # Errors
    /// `UnknownProjection`, `NotInstalled`, `VersionMismatch`, `OtherColumns`, `NoKey`, `OutOfReach` when the range ends behind
    /// the live tables, `Stopped` on shutdown, and whatever the log and the database say.
    pub async fn replay(
        &self,
        projection: &str,
        options: ReplayOptions,
        shutdown: &CancellationToken,
        mut told: impl FnMut(ReplayProgress) + Send,
    ) -> Result<ReplayReport, EngineError> {
        replay::run(&self.context, self.projector(projection)?.as_ref(), options, shutdown, &mut told).await
    }

    /// The streams that `projection` (or any, when `None`) could not follow, oldest first: at most `limit` of them after
    /// the first `offset`, and how many there are.
    ///
    /// # Errors
    /// `UnknownProjection`, or when the database can not be asked.
    pub async fn quarantined(
        &self,
        projection: Option<&str>,
        offset: i64,
        limit: i64,
    ) -> Result<QuarantinedPage, EngineError> {
        if let Some(projection) = projection {
            self.projector(projection)?;
        }
        quarantine::list(self.context.database.pool(), projection, offset, limit).await
    }

    /// A stream in quarantine, with the event that failed and what waits behind it.
    ///
    /// # Errors
    /// `UnknownProjection`, `NotQuarantined`, and whatever the log and the database say.
    pub async fn quarantined_case(&self, projection: &str, stream: &StreamId) -> Result<QuarantinedCase, EngineError> {
        let projector = self.projector(projection)?;
        quarantine::case(&self.context, projector.name(), stream).await
    }

    /// Tries the stream again from the event that failed, up to where the projection is.
    ///
    /// # Errors
    /// `UnknownProjection`, `NotQuarantined`, `VersionMismatch`, and whatever the log and the database say. That the
    /// event fails again is no error, but [`Resumed::StillFailing`].
    pub async fn retry(&self, projection: &str, stream: &StreamId) -> Result<Resumed, EngineError> {
        let projector = self.projector(projection)?;
        quarantine::resume(&self.context, projector.as_ref(), stream, quarantine::From::FailedEvent).await
    }

    /// Leaves out the one event that failed, and tries the rest of the stream. A rebuild meets the event again.
    ///
    /// # Errors
    /// As [`Engine::retry`].
    pub async fn skip(&self, projection: &str, stream: &StreamId) -> Result<Resumed, EngineError> {
        let projector = self.projector(projection)?;
        quarantine::resume(&self.context, projector.as_ref(), stream, quarantine::From::EventAfter).await
    }

    fn projector(&self, name: &str) -> Result<&Arc<dyn Projector>, EngineError> {
        let found = self.projectors.iter().find(|projector| projector.name() == name);
        found.ok_or_else(|| EngineError::UnknownProjection(name.to_owned()))
    }
}
