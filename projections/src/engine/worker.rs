//! The worker: one for each projection of a process. It holds the lease or stands by for it, and while it holds it
//! moves the projection on, a batch at a time, on the very connection that the lease hangs on.

use std::{sync::Arc, time::Duration};

use palaver_eventstore::{EventFilter, Position};
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    BACKOFF_MAX, BACKOFF_MIN, BATCH_EVENTS_MAX, Context, EngineError, Generation, LEASE_RETRY_INTERVAL, POLL_INTERVAL,
    Projections, Projector, Rebuild,
    apply::{self, Care},
    checkpoint,
    error::is_data_error,
    session::{self, Lease},
};

pub(super) struct Worker {
    context: Context,
    projector: Arc<dyn Projector>,
    projections: Projections,
    filter: EventFilter,
    backoff: Duration,
}

/// Why a turn of the worker is over.
enum Turn {
    Shutdown,
    /// The tables are of an older version than the code.
    Outdated,
    /// The tables are of a newer version: another process has been upgraded, and this one has nothing left to do.
    Superseded {
        stored: i32,
    },
}

/// What a batch has done.
struct Batch {
    position: Position,
    events: usize,
    /// How many streams are in quarantine now.
    quarantined: i64,
    /// How long ago the newest of the events was recorded.
    age: Duration,
}

impl Worker {
    pub fn new(context: Context, projector: Arc<dyn Projector>, projections: Projections) -> Self {
        let filter = filter(projector.as_ref());
        Self { context, projector, projections, filter, backoff: BACKOFF_MIN }
    }

    /// Works until `shutdown`, or until the projection belongs to a newer version.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let projection = self.projector.name();
        while !shutdown.is_cancelled() {
            match self.turn(&shutdown).await {
                Ok(Turn::Shutdown) | Err(EngineError::Stopped) => break,
                Ok(Turn::Superseded { stored }) => {
                    let known = self.projector.version();
                    tracing::warn!(projection, stored, known, "tables are of a newer version; this worker ends");
                    break;
                }
                Ok(Turn::Outdated) => match self.upgrade(&shutdown).await {
                    Ok(()) => {}
                    Err(EngineError::Stopped) => break,
                    Err(error) => self.back_off(&error, &shutdown).await,
                },
                Err(error) => self.back_off(&error, &shutdown).await,
            }
        }
    }

    async fn back_off(&mut self, error: &EngineError, shutdown: &CancellationToken) {
        let projection = self.projector.name();
        metrics::counter!("palaver_projection_errors_total", "projection" => projection).increment(1);
        tracing::error!(
            projection,
            error = error as &dyn std::error::Error,
            cause = std::error::Error::source(error).map(ToString::to_string),
            retry_ms = self.backoff.as_millis(),
            "projection interrupted"
        );
        pause(self.backoff, shutdown).await;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    /// Rebuilds, or waits while another process does.
    async fn upgrade(&self, shutdown: &CancellationToken) -> Result<(), EngineError> {
        match Rebuild::begin(self.context.clone(), self.projector.clone()).await {
            Ok(rebuild) => rebuild.run(shutdown, |_| {}).await.map(drop),
            Err(EngineError::RebuildInProgress { .. }) => {
                pause(LEASE_RETRY_INTERVAL, shutdown).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn turn(&mut self, shutdown: &CancellationToken) -> Result<Turn, EngineError> {
        let application_name = format!("palaver projection {}", self.projector.name());
        let mut db = session::open(&self.context, &application_name, Generation::Live).await?;
        let turn = self.stand_by_and_lead(&mut db, shutdown).await;
        session::close(db).await;
        turn
    }

    async fn stand_by_and_lead(
        &mut self,
        db: &mut PgConnection,
        shutdown: &CancellationToken,
    ) -> Result<Turn, EngineError> {
        let name = self.projector.name();
        loop {
            match checkpoint::live_version(db, name).await? {
                Some(stored) if stored < self.projector.version() => return Ok(Turn::Outdated),
                Some(stored) if stored > self.projector.version() => return Ok(Turn::Superseded { stored }),
                _ if Lease::Work.try_take(db, name).await? => break,
                _ => self.backoff = BACKOFF_MIN,
            }
            pause(LEASE_RETRY_INTERVAL, shutdown).await;
            if shutdown.is_cancelled() {
                return Ok(Turn::Shutdown);
            }
        }
        let _leading = self.projections.leading(name);
        tracing::info!(projection = name, "leading the projection");
        checkpoint::install(db, self.projector.as_ref(), self.context.clock.now()).await?;
        let turn = self.lead(db, shutdown).await;
        tracing::info!(projection = name, "no longer leading the projection");
        turn
    }

    async fn lead(&mut self, db: &mut PgConnection, shutdown: &CancellationToken) -> Result<Turn, EngineError> {
        let mut known_head = self.context.log.watch();
        let mut head = self.context.log.head().await?;
        loop {
            head = head.max(*known_head.borrow_and_update());
            let position = match self.batch(db, head).await {
                Ok(batch) => {
                    self.report(&batch, head);
                    batch.position
                }
                Err(EngineError::VersionMismatch { stored, known, .. }) if stored < known => return Ok(Turn::Outdated),
                Err(EngineError::VersionMismatch { stored, .. }) => return Ok(Turn::Superseded { stored }),
                Err(error) => return Err(error),
            };
            self.backoff = BACKOFF_MIN;
            if shutdown.is_cancelled() {
                return Ok(Turn::Shutdown);
            }
            if position < head.min(*known_head.borrow()) {
                continue;
            }
            let woken = tokio::select! {
                () = shutdown.cancelled() => return Ok(Turn::Shutdown),
                changed = known_head.changed() => changed.is_ok(),
                () = sleep(POLL_INTERVAL) => false,
            };
            if !woken {
                head = self.context.log.head().await?;
            }
        }
    }

    /// One batch: all at once, and with care when the data makes that impossible.
    async fn batch(&self, db: &mut PgConnection, head: Position) -> Result<Batch, EngineError> {
        let began = Instant::now();
        let batch = match self.batch_with(db, head, Care::AllAtOnce).await {
            Err(EngineError::Database(error)) if is_data_error(&error) => {
                tracing::warn!(projection = self.projector.name(), %error, "searching a batch for what spoils it");
                self.batch_with(db, head, Care::Bisect).await
            }
            batch => batch,
        }?;
        if batch.events > 0 {
            let projection = self.projector.name();
            metrics::histogram!("palaver_projection_batch_seconds", "projection" => projection)
                .record(began.elapsed().as_secs_f64());
            metrics::histogram!("palaver_projection_batch_events", "projection" => projection)
                .record(batch.events as f64);
        }
        Ok(batch)
    }

    async fn batch_with(&self, db: &mut PgConnection, head: Position, care: Care) -> Result<Batch, EngineError> {
        let projector = self.projector.as_ref();
        let mut tx = db.begin().await?;
        let checkpoint = checkpoint::lock_live(&mut tx, projector).await?;
        let to = head.min(checkpoint.head).min(checkpoint.position + BATCH_EVENTS_MAX);
        if to <= checkpoint.position {
            tx.rollback().await?;
            let (position, quarantined) = (checkpoint.position, checkpoint.quarantined);
            return Ok(Batch { position, events: 0, quarantined, age: Duration::ZERO });
        }
        let events = self.context.log.read_range(checkpoint.position, to, &self.filter).await?;
        let now = self.context.clock.now();
        let count = events.len();
        let age = events.last().map_or(Duration::ZERO, |event| (now - event.recorded_at).to_std().unwrap_or_default());
        let poison = apply::batch(&mut tx, projector, Generation::Live, events, care, now).await?;
        checkpoint::advance(&mut tx, projector.name(), Generation::Live, to, now).await?;
        tx.commit().await?;
        Ok(Batch { position: to, events: count, quarantined: checkpoint.quarantined + poison.len() as i64, age })
    }

    fn report(&self, batch: &Batch, head: Position) {
        let projection = self.projector.name();
        self.projections.publish(projection, batch.position);
        let behind = (head - batch.position).max(0);
        let lag_seconds = if behind == 0 { 0.0 } else { batch.age.as_secs_f64() };
        metrics::gauge!("palaver_projection_lag_events", "projection" => projection).set(behind as f64);
        metrics::gauge!("palaver_projection_lag_seconds", "projection" => projection).set(lag_seconds);
        metrics::gauge!("palaver_projection_position", "projection" => projection).set(batch.position as f64);
        metrics::gauge!("palaver_projection_quarantined_streams", "projection" => projection)
            .set(batch.quarantined as f64);
    }
}

/// What of the log a projection wants to see.
pub(super) fn filter(projector: &dyn Projector) -> EventFilter {
    let aggregate_types = projector.follows().iter().map(|&kind| kind.to_owned()).collect();
    EventFilter { aggregate_types, ..EventFilter::default() }
}

async fn pause(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sleep(time) => {}
    }
}
