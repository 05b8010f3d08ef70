//! Replaying: a projection is made of the log once more, in temporary tables beside the live ones, and the two are
//! compared. Nothing that others see is touched: no table, no checkpoint, no quarantine.
//!
//! The live tables move on meanwhile. So the last steps are made under a snapshot that holds tables and checkpoint of
//! one moment, up to that very checkpoint.

mod compare;
mod fields;

use std::collections::{BTreeSet, HashSet};

use palaver_eventstore::{Position, Sequence, StreamId};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::compare::Comparison;
pub use self::{
    compare::{DifferentRow, TableComparison},
    fields::FieldDifference,
};
use super::{
    Context, EngineError, Generation, Poison, Projector, REBUILD_BATCH_EVENTS_MAX, TAKEOVER_EVENTS_MAX,
    apply::{self, Care},
    checkpoint,
    error::is_data_error,
    session, worker,
};

/// What to replay, and how much of what differs to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayOptions {
    /// The first position; 1 for the whole log. Of streams that began before it, the state before is not known, and
    /// their rows are not compared.
    pub from: Position,
    /// The last position; `None` for where the live tables are. Rows of streams that have gone on since are not
    /// compared.
    pub until: Option<Position>,
    /// Rows to show of each kind of difference in each table. All are counted.
    pub shown_max: u32,
}

/// How far a replay has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    pub position: Position,
    pub until: Position,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayReport {
    pub projection: String,
    pub version: i32,
    pub from: Position,
    pub until: Position,
    /// Where the live tables were when they were compared.
    pub live_position: Position,
    /// Events of the types that the projection follows.
    pub events: u64,
    pub seconds: f64,
    /// Whether all that was compared is the same.
    pub same: bool,
    pub left_out: LeftOut,
    /// Events that could not be applied, each the end of its stream; as many of them as were to be shown.
    pub poison: Vec<PoisonEvent>,
    pub tables: Vec<TableComparison>,
}

/// Streams whose rows were not compared, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// They began before the range.
    pub began_before: u64,
    /// They went on after the range.
    pub went_on_after: u64,
    /// An event could not be applied in the replay.
    pub poisoned: u64,
    /// They are in quarantine for the live tables, and went well in the replay.
    pub quarantined: u64,
}

impl LeftOut {
    const fn outside_range(self) -> u64 {
        self.began_before + self.went_on_after
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoisonEvent {
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub position: Position,
    pub sequence: Sequence,
    pub event_type: String,
    pub error: String,
}

impl From<Poison> for PoisonEvent {
    fn from(poison: Poison) -> Self {
        let Poison { stream, position, sequence, event_type, error } = poison;
        let StreamId { aggregate_type, aggregate_id } = stream;
        Self { aggregate_type, aggregate_id, position, sequence, event_type, error }
    }
}

/// The table of streams whose rows are not compared. No projection has one of this name.
const LEFT_OUT: &str = "pg_temp.\"left out of the replay\"";

/// What a range of the log came to.
struct Step {
    events: u64,
    poison: Vec<Poison>,
}

struct Replay<'a> {
    context: &'a Context,
    projector: &'a dyn Projector,
    options: ReplayOptions,
    began: Instant,
    events: u64,
    poison: Vec<Poison>,
    /// The streams of `poison`, from which no later event is applied.
    stopped: HashSet<StreamId>,
}

pub(super) async fn run(
    context: &Context,
    projector: &dyn Projector,
    options: ReplayOptions,
    shutdown: &CancellationToken,
    told: &mut (dyn FnMut(ReplayProgress) + Send),
) -> Result<ReplayReport, EngineError> {
    let application_name = format!("palaver replay {}", projector.name());
    let mut db = session::open_scratch(context, &application_name).await?;
    let replay = Replay {
        context,
        projector,
        options,
        began: Instant::now(),
        events: 0,
        poison: Vec::new(),
        stopped: HashSet::new(),
    };
    // Stopped in the middle of a statement, the connection is of no more use, and its tables go with it.
    let report = tokio::select! {
        report = replay.run(&mut db, told) => report,
        () = shutdown.cancelled() => Err(EngineError::Stopped),
    };
    session::close(db).await;
    report
}

impl Replay<'_> {
    async fn run(
        mut self,
        db: &mut PgConnection,
        told: &mut (dyn FnMut(ReplayProgress) + Send),
    ) -> Result<ReplayReport, EngineError> {
        let live = self.live_position(db).await?;
        self.check_reach(self.options.until.unwrap_or(live), live)?;
        session::run(db, self.projector.schema()).await?;
        let position = self.fill(db, told).await?;

        let mut tx = db.begin().await?;
        let live = self.see_one_moment(&mut tx).await?;
        let until = self.options.until.unwrap_or(live);
        self.check_reach(until, live)?;
        if until > position {
            let step = self.step(&mut tx, position, until, Care::Bisect).await?;
            self.note(step);
        }
        told(ReplayProgress { position: until, until });
        let (left_out, whole) = self.leave_out(&mut tx, until, live).await?;
        let mut tables = Vec::new();
        for &table in self.projector.tables() {
            let comparison = Comparison::of(&mut tx, self.projector, table).await?;
            tables.push(comparison.run(&mut tx, whole, self.options.shown_max).await?);
        }
        // There is nothing to keep.
        tx.rollback().await?;
        Ok(self.report(until, live, left_out, tables))
    }

    fn report(
        self,
        until: Position,
        live_position: Position,
        left_out: LeftOut,
        tables: Vec<TableComparison>,
    ) -> ReplayReport {
        let shown = self.options.shown_max as usize;
        ReplayReport {
            projection: self.projector.name().to_owned(),
            version: self.projector.version(),
            from: self.options.from,
            until,
            live_position,
            events: self.events,
            seconds: self.began.elapsed().as_secs_f64(),
            same: tables.iter().all(TableComparison::is_same),
            left_out,
            poison: self.poison.into_iter().take(shown).map(PoisonEvent::from).collect(),
            tables,
        }
    }

    /// Where the live tables are, which must be of the version that this process knows.
    async fn live_position(&self, db: &mut PgConnection) -> Result<Position, EngineError> {
        let projection = self.projector.name();
        let live = sqlx::query!(
            "SELECT version, position FROM projection_checkpoints WHERE projection = $1 AND generation = 'live'",
            projection
        )
        .fetch_optional(db)
        .await?
        .ok_or_else(|| EngineError::NotInstalled { projection: projection.to_owned() })?;
        let known = self.projector.version();
        if live.version == known {
            Ok(live.position)
        } else {
            Err(EngineError::VersionMismatch { projection: projection.to_owned(), stored: live.version, known })
        }
    }

    fn check_reach(&self, until: Position, live: Position) -> Result<(), EngineError> {
        let from = self.options.from;
        // A log without events can be replayed: to nothing.
        if from < 1 || until > live || (from > until && from > 1) {
            return Err(EngineError::OutOfReach { from, until, live });
        }
        Ok(())
    }

    /// Big batches until little is left to catch up with, or the end is reached where one was given.
    async fn fill(
        &mut self,
        db: &mut PgConnection,
        told: &mut (dyn FnMut(ReplayProgress) + Send),
    ) -> Result<Position, EngineError> {
        let mut position = self.options.from - 1;
        loop {
            let (until, enough) = match self.options.until {
                Some(until) => (until, until),
                None => {
                    let live = self.live_position(db).await?;
                    (live, live - TAKEOVER_EVENTS_MAX)
                }
            };
            told(ReplayProgress { position, until });
            if position >= enough {
                return Ok(position);
            }
            let to = until.min(position + REBUILD_BATCH_EVENTS_MAX);
            let mut tx = db.begin().await?;
            let step = match self.step(&mut tx, position, to, Care::AllAtOnce).await {
                Err(EngineError::Database(error)) if is_data_error(&error) => {
                    tx.rollback().await?;
                    tx = db.begin().await?;
                    self.step(&mut tx, position, to, Care::Bisect).await
                }
                done => done,
            }?;
            tx.commit().await?;
            self.note(step);
            position = to;
        }
    }

    async fn step(
        &self,
        tx: &mut PgConnection,
        after: Position,
        to: Position,
        care: Care,
    ) -> Result<Step, EngineError> {
        let mut events = self.context.log.read_range(after, to, &worker::filter(self.projector)).await?;
        let count = events.len() as u64;
        events.retain(|event| !self.stopped.contains(&event.stream));
        let poison = apply::what_can_be(tx, self.projector, events, care).await?;
        Ok(Step { events: count, poison })
    }

    /// A step was made, and stays made.
    fn note(&mut self, step: Step) {
        self.events += step.events;
        self.stopped.extend(step.poison.iter().map(|poison| poison.stream.clone()));
        self.poison.extend(step.poison);
    }

    /// From here on, the transaction sees tables, checkpoint and quarantine as they are together at one moment. A rebuild
    /// that takes over waits until they have been compared: were the tables moved after the moment, they would look empty.
    async fn see_one_moment(&self, tx: &mut PgConnection) -> Result<Position, EngineError> {
        let tables = self.projector.tables().iter().map(|table| checkpoint::qualified(Generation::Live, table));
        let hold = format!(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; LOCK TABLE {} IN ACCESS SHARE MODE",
            tables.collect::<Vec<_>>().join(", ")
        );
        session::run(tx, &hold).await?;
        self.live_position(tx).await
    }

    /// Notes in a table the streams whose rows can not be compared; and tells whether none is missing on one side alone,
    /// so that what counts over all streams can be compared.
    async fn leave_out(
        &self,
        tx: &mut PgConnection,
        until: Position,
        live: Position,
    ) -> Result<(LeftOut, bool), EngineError> {
        session::run(tx, &format!("CREATE TEMPORARY TABLE {LEFT_OUT} (aggregate_id text PRIMARY KEY)")).await?;
        let follows: Vec<String> = self.projector.follows().iter().map(|&kind| kind.to_owned()).collect();
        let mut left_out = LeftOut::default();
        for (after, to, count) in
            [(0, self.options.from - 1, &mut left_out.began_before), (until, live, &mut left_out.went_on_after)]
        {
            if after < to {
                let note = format!(
                    "INSERT INTO {LEFT_OUT} SELECT DISTINCT aggregate_id FROM events
                     WHERE aggregate_type = ANY($1) AND position > $2 AND position <= $3 ON CONFLICT DO NOTHING"
                );
                let noted = sqlx::query(&note).bind(&follows).bind(after).bind(to).execute(&mut *tx).await?;
                *count = noted.rows_affected();
            }
        }
        let stopped: BTreeSet<(String, Position)> =
            self.poison.iter().map(|poison| (poison.stream.aggregate_id.clone(), poison.position)).collect();
        let quarantined = sqlx::query!(
            "SELECT aggregate_id, position FROM projection_quarantine WHERE projection = $1 AND generation = 'live'",
            self.projector.name()
        );
        let quarantined: BTreeSet<(String, Position)> =
            quarantined.fetch_all(&mut *tx).await?.into_iter().map(|row| (row.aggregate_id, row.position)).collect();
        for (streams, count) in [(&stopped, &mut left_out.poisoned), (&quarantined, &mut left_out.quarantined)] {
            let ids: Vec<String> = streams.iter().map(|(id, _)| id.clone()).collect();
            let note = format!("INSERT INTO {LEFT_OUT} SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING");
            *count = sqlx::query(&note).bind(&ids).execute(&mut *tx).await?.rows_affected();
        }
        // The planner knows nothing of temporary tables.
        session::run(tx, &format!("ANALYZE {LEFT_OUT}")).await?;
        for table in self.projector.tables() {
            session::run(tx, &format!("ANALYZE {}", compare::scratch(table))).await?;
        }
        Ok((left_out, left_out.outside_range() == 0 && stopped == quarantined))
    }
}
