//! Rebuilding: the next generation of a projection is filled from the beginning beside the live one, and takes its
//! place in one transaction. Readers see the old tables or the new, never an error, never a gap.
//!
//! Locks are taken in the order checkpoint, then tables, as everywhere in the engine. Readers know no order, so the
//! takeover asks for the tables with a short timeout, and gives way rather than letting a reader run into a deadlock.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use palaver_eventstore::Position;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Context, EngineError, Generation, Projector, QUARANTINE_ERROR_CHARS_MAX, REBUILD_BATCH_EVENTS_MAX,
    REBUILD_PROGRESS_INTERVAL, TAKEOVER_EVENTS_MAX, TAKEOVER_LOCK_TIMEOUT, TAKEOVER_LOCK_TIMEOUT_MAX,
    TAKEOVER_RETRY_INTERVAL, TAKEOVER_TRIES_MAX,
    apply::{self, Care},
    checkpoint::{self, Checkpoint},
    error::{is_data_error, is_lock_timeout},
    session::{self, Lease},
    worker,
};

/// What a rebuild has done.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildReport {
    /// Events of the types that the projection follows.
    pub events: u64,
    /// Where in the log it took over.
    pub position: Position,
    pub seconds: f64,
    /// How many streams ended in quarantine.
    pub quarantined: usize,
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// Events of the types that the projection follows.
    pub events: u64,
    pub position: Position,
    /// Where the log ends, and the rebuild with it.
    pub head: Position,
}

/// A rebuild that nobody else is at: it holds the lease, and has empty tables. When it ends early, they stay behind for
/// the next one to drop.
pub struct Rebuild {
    db: PgConnection,
    course: Course,
}

struct Course {
    context: Context,
    projector: Arc<dyn Projector>,
    began: Instant,
    told: Instant,
    events: u64,
    quarantined: usize,
}

impl Rebuild {
    pub(super) async fn begin(context: Context, projector: Arc<dyn Projector>) -> Result<Self, EngineError> {
        let application_name = format!("palaver rebuild {}", projector.name());
        let mut db = session::open(&context, &application_name, Generation::Next).await?;
        let began = Instant::now();
        let course = Course { context, projector, began, told: began, events: 0, quarantined: 0 };
        match course.begin(&mut db).await {
            Ok(()) => Ok(Self { db, course }),
            Err(error) => {
                session::close(db).await;
                Err(error)
            }
        }
    }

    /// Fills the tables and lets them take over; `told` hears how far it is after every batch.
    ///
    /// # Errors
    /// `Stopped` on shutdown, `TakeoverBlocked` when readers never let go of the old tables, and whatever the log and the
    /// database say. The old tables are then still in use.
    pub async fn run(
        self,
        shutdown: &CancellationToken,
        told: impl FnMut(RebuildProgress) + Send,
    ) -> Result<RebuildReport, EngineError> {
        let Self { mut db, mut course } = self;
        let report = course.run(&mut db, shutdown, told).await;
        if let Err(error) = &report {
            course.note(&mut db, error).await;
        }
        session::close(db).await;
        report
    }
}

impl Course {
    async fn run(
        &mut self,
        db: &mut PgConnection,
        shutdown: &CancellationToken,
        mut told: impl FnMut(RebuildProgress) + Send,
    ) -> Result<RebuildReport, EngineError> {
        let projection = self.projector.name();
        let mut position = self.fill(db, 0, shutdown, &mut told).await?;
        self.analyze(db).await?;
        for attempt in 1..=TAKEOVER_TRIES_MAX {
            position = self.fill(db, position, shutdown, &mut told).await?;
            if let Some(position) = self.take_over(db, attempt).await? {
                let seconds = self.began.elapsed().as_secs_f64();
                let report = RebuildReport { events: self.events, position, seconds, quarantined: self.quarantined };
                told(RebuildProgress { events: self.events, position, head: position });
                tracing::info!(projection, ?report, "rebuilt projection took over");
                metrics::counter!("palaver_projection_rebuilds_total", "projection" => projection).increment(1);
                return Ok(report);
            }
            tracing::debug!(projection, position, "readers hold the old tables; trying to take over again");
            sleep(TAKEOVER_RETRY_INTERVAL).await;
        }
        Err(EngineError::TakeoverBlocked { projection: projection.to_owned(), position })
    }

    /// The lease, and empty tables of the next generation; what an abandoned rebuild left is dropped.
    async fn begin(&self, db: &mut PgConnection) -> Result<(), EngineError> {
        let (projection, known) = (self.projector.name(), self.projector.version());
        if !Lease::Rebuild.try_take(db, projection).await? {
            return Err(EngineError::RebuildInProgress { projection: projection.to_owned() });
        }
        // Who waited for the lease may find the work done, or undone by a newer version.
        if let Some(stored) = checkpoint::live_version(db, projection).await?
            && stored > known
        {
            return Err(EngineError::VersionMismatch { projection: projection.to_owned(), stored, known });
        }
        let mut tx = db.begin().await?;
        checkpoint::create(&mut tx, self.projector.as_ref(), Generation::Next, self.context.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Leaves word of a failure to whoever looks at the half-built tables. That it can not be left is no second failure:
    /// the first one is told to whoever asked for the rebuild, and is in the log.
    async fn note(&self, db: &mut PgConnection, error: &EngineError) {
        let projection = self.projector.name();
        let text = match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let text: String = text.chars().take(QUARANTINE_ERROR_CHARS_MAX).collect();
        if let Err(unnoted) = checkpoint::note_failure(db, projection, &text).await {
            tracing::debug!(projection, error = %unnoted, "why a rebuild ended could not be noted");
        }
    }

    /// Big batches until little is left to catch up with.
    async fn fill(
        &mut self,
        db: &mut PgConnection,
        mut position: Position,
        shutdown: &CancellationToken,
        told: &mut (impl FnMut(RebuildProgress) + Send),
    ) -> Result<Position, EngineError> {
        loop {
            let head = self.context.log.head().await?;
            if shutdown.is_cancelled() {
                return Err(EngineError::Stopped);
            }
            if head - position <= TAKEOVER_EVENTS_MAX {
                return Ok(position);
            }
            let to = head.min(position + REBUILD_BATCH_EVENTS_MAX);
            let mut tx = db.begin().await?;
            if let Err(error) = self.step(&mut tx, position, to, Care::AllAtOnce).await {
                let EngineError::Database(cause) = &error else { return Err(error) };
                if !is_data_error(cause) {
                    return Err(error);
                }
                tx.rollback().await?;
                tx = db.begin().await?;
                self.step(&mut tx, position, to, Care::Bisect).await?;
            }
            tx.commit().await?;
            position = to;
            told(RebuildProgress { events: self.events, position, head });
            self.tell(position, head);
        }
    }

    async fn step(
        &mut self,
        tx: &mut PgConnection,
        after: Position,
        to: Position,
        care: Care,
    ) -> Result<(), EngineError> {
        let events = self.context.log.read_range(after, to, &worker::filter(self.projector.as_ref())).await?;
        let (count, now) = (events.len() as u64, self.context.clock.now());
        let poison = apply::batch(tx, self.projector.as_ref(), Generation::Next, events, care, now).await?;
        checkpoint::advance(tx, self.projector.name(), Generation::Next, to, now).await?;
        self.events += count;
        self.quarantined += poison.len();
        Ok(())
    }

    fn tell(&mut self, position: Position, head: Position) {
        if self.told.elapsed() >= REBUILD_PROGRESS_INTERVAL {
            self.told = Instant::now();
            let per_s = (self.events as f64 / self.began.elapsed().as_secs_f64()).round();
            let projection = self.projector.name();
            tracing::info!(projection, events = self.events, position, total = head, per_s, "rebuilding");
        }
    }

    /// Fresh tables have no statistics, and the first readers would get poor plans.
    async fn analyze(&self, db: &mut PgConnection) -> Result<(), EngineError> {
        for table in self.projector.tables() {
            let analyze = format!("ANALYZE {}", checkpoint::qualified(Generation::Next, table));
            session::run(&mut *db, &analyze).await?;
        }
        Ok(())
    }

    /// Stops the live projection by its checkpoint, catches up with it, and moves the tables. `None` when readers
    /// did not let go of the old tables; nothing has changed then.
    async fn take_over(&mut self, db: &mut PgConnection, attempt: u32) -> Result<Option<Position>, EngineError> {
        let name = self.projector.name();
        let (events, quarantined) = (self.events, self.quarantined);
        let mut tx = db.begin().await?;
        let live = checkpoint::lock(&mut tx, name, Generation::Live).await?;
        let next = checkpoint::lock(&mut tx, name, Generation::Next).await?;
        let Some(next) = next else {
            return Err(EngineError::NotInstalled { projection: name.to_owned() });
        };
        // Never behind what readers have seen.
        let head = self.context.log.head().await?;
        let target = live.as_ref().map_or(0, |live| live.position).max(head);
        if target > next.position {
            self.step(&mut tx, next.position, target, Care::Bisect).await?;
        }
        let old = live.as_ref().map(|live| live.tables.as_slice()).unwrap_or_default();
        let patience = (TAKEOVER_LOCK_TIMEOUT * attempt).min(TAKEOVER_LOCK_TIMEOUT_MAX);
        if !lock_tables(&mut tx, old, patience).await? {
            tx.rollback().await?;
            (self.events, self.quarantined) = (events, quarantined);
            return Ok(None);
        }
        checkpoint::drop_tables(&mut tx, Generation::Live, old.iter().map(String::as_str)).await?;
        for table in self.projector.tables() {
            let from = checkpoint::qualified(Generation::Next, table);
            let moved = format!("ALTER TABLE {from} SET SCHEMA {}", Generation::Live.schema());
            session::run(&mut tx, &moved).await?;
        }
        promote(&mut tx, name, live.is_some(), &next, target, self.context.clock.now()).await?;
        tx.commit().await?;
        Ok(Some(target))
    }
}

/// All old tables for this transaction alone, or `false` when they are not to be had at once: readers queue behind
/// the request, so it must not wait. The transaction is of no use after `false`.
async fn lock_tables(tx: &mut PgConnection, tables: &[String], patience: Duration) -> Result<bool, EngineError> {
    if tables.is_empty() {
        return Ok(true);
    }
    let names: Vec<String> = tables.iter().map(|table| checkpoint::qualified(Generation::Live, table)).collect();
    let lock = format!(
        "SET LOCAL lock_timeout = '{}ms'; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; SET LOCAL lock_timeout TO DEFAULT",
        patience.as_millis(),
        names.join(", ")
    );
    match session::run(tx, &lock).await {
        Ok(_) => Ok(true),
        Err(error) if is_lock_timeout(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The next checkpoint and quarantine become the live ones. The live row is changed in place: a worker of the old
/// version that waits for it must find it, with the new version in it.
async fn promote(
    tx: &mut PgConnection,
    projection: &str,
    live: bool,
    next: &Checkpoint,
    position: Position,
    now: DateTime<Utc>,
) -> Result<(), EngineError> {
    sqlx::query!("DELETE FROM projection_quarantine WHERE projection = $1 AND generation = 'live'", projection)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "UPDATE projection_quarantine SET generation = 'live' WHERE projection = $1 AND generation = 'next'",
        projection
    )
    .execute(&mut *tx)
    .await?;
    if live {
        sqlx::query!(
            "UPDATE projection_checkpoints
             SET version = $2, position = $3, tables = $4, updated_at = $5,
                 measured_from_at = NULL, measured_from_position = NULL
             WHERE projection = $1 AND generation = 'live'",
            projection,
            next.version,
            position,
            &next.tables,
            now
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("DELETE FROM projection_checkpoints WHERE projection = $1 AND generation = 'next'", projection)
            .execute(tx)
            .await?;
    } else {
        sqlx::query!(
            "UPDATE projection_checkpoints
             SET generation = 'live', position = $2, updated_at = $3,
                 measured_from_at = NULL, measured_from_position = NULL, began_at = NULL
             WHERE projection = $1 AND generation = 'next'",
            projection,
            position,
            now
        )
        .execute(tx)
        .await?;
    }
    Ok(())
}
