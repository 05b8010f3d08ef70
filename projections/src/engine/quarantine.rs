//! Streams that a projection could not follow: kept out of its way, and brought back by an operator.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use palaver_eventstore::{Position, RecordedEvent, Sequence, StreamId};
use sqlx::{Connection, PgConnection, PgPool};

use super::{
    BATCH_EVENTS_MAX, Context, EngineError, Generation, Poison, Projector, QUARANTINE_PAGE_MAX,
    QUARANTINE_WAITING_SHOWN_MAX,
    apply::{self, Care},
    checkpoint, session,
};

/// A stream in quarantine: from `position` on, its events are not applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    pub projection: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub position: Position,
    pub sequence: Sequence,
    pub event_type: String,
    pub error: String,
    /// How often this event was tried.
    pub attempts: i32,
    pub since: DateTime<Utc>,
}

/// Some streams in quarantine, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedPage {
    pub count: i64,
    pub streams: Vec<Quarantined>,
}

/// A stream in quarantine, and what it is about.
#[derive(Clone, Debug)]
pub struct QuarantinedCase {
    pub stream: Quarantined,
    /// The event that failed; `None` when the log has lost it.
    pub event: Option<RecordedEvent>,
    /// How many events of the stream came after it, and are not applied either.
    pub waiting: i64,
    /// The first of these.
    pub first_waiting: Vec<RecordedEvent>,
}

/// What came of a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// The stream is followed again; so many of its events were made up for.
    Following { events: usize },
    /// It is still in quarantine, by the same event or a later one.
    StillFailing { sequence: Sequence, error: String },
}

/// Where to go on with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    FailedEvent,
    EventAfter,
}

pub(super) async fn list(
    pool: &PgPool,
    projection: Option<&str>,
    offset: i64,
    limit: i64,
) -> Result<QuarantinedPage, EngineError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM projection_quarantine
           WHERE generation = 'live' AND ($1::text IS NULL OR projection = $1)"#,
        projection
    );
    let count = count.fetch_one(pool).await?;
    let streams = sqlx::query_as!(
        Quarantined,
        "SELECT projection, aggregate_type, aggregate_id, position, sequence, event_type, error, attempts, since
         FROM projection_quarantine
         WHERE generation = 'live' AND ($1::text IS NULL OR projection = $1)
         ORDER BY since, position, projection OFFSET $2 LIMIT $3",
        projection,
        offset.max(0),
        limit.clamp(0, QUARANTINE_PAGE_MAX)
    );
    Ok(QuarantinedPage { count, streams: streams.fetch_all(pool).await? })
}

pub(super) async fn case(
    context: &Context,
    projection: &str,
    stream: &StreamId,
) -> Result<QuarantinedCase, EngineError> {
    let pool = context.database.pool();
    let quarantined = sqlx::query_as!(
        Quarantined,
        "SELECT projection, aggregate_type, aggregate_id, position, sequence, event_type, error, attempts, since
         FROM projection_quarantine
         WHERE generation = 'live' AND projection = $1 AND aggregate_type = $2 AND aggregate_id = $3",
        projection,
        stream.aggregate_type,
        stream.aggregate_id
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| EngineError::NotQuarantined { projection: projection.to_owned(), stream: stream.to_string() })?;
    let last = sqlx::query_scalar!(
        r#"SELECT coalesce(max(sequence), 0) AS "last!" FROM events WHERE aggregate_type = $1 AND aggregate_id = $2"#,
        stream.aggregate_type,
        stream.aggregate_id
    );
    let failed = quarantined.sequence;
    let waiting = (last.fetch_one(pool).await? - failed).max(0);
    let mut events = context.log.read_stream(stream, failed - 1, 1 + QUARANTINE_WAITING_SHOWN_MAX).await?;
    let event = match events.first() {
        Some(event) if event.sequence == failed => Some(events.remove(0)),
        _ => None,
    };
    Ok(QuarantinedCase { stream: quarantined, event, waiting, first_waiting: events })
}

/// The events without those of streams in quarantine.
pub(super) async fn leave_out(
    tx: &mut PgConnection,
    projection: &str,
    generation: Generation,
    events: Vec<RecordedEvent>,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    if events.is_empty() {
        return Ok(events);
    }
    let ids: HashSet<&str> = events.iter().map(|event| event.stream.aggregate_id.as_str()).collect();
    let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    let rows = sqlx::query!(
        "SELECT aggregate_type, aggregate_id FROM projection_quarantine
         WHERE projection = $1 AND generation = $2 AND aggregate_id = ANY($3)",
        projection,
        generation.as_str(),
        &ids
    );
    let rows = rows.fetch_all(tx).await?;
    let out: HashSet<StreamId> =
        rows.into_iter().map(|row| StreamId::new(row.aggregate_type, row.aggregate_id)).collect();
    if out.is_empty() {
        return Ok(events);
    }
    Ok(events.into_iter().filter(|event| !out.contains(&event.stream)).collect())
}

pub(super) async fn put(
    tx: &mut PgConnection,
    projection: &str,
    generation: Generation,
    found: &[Poison],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for poison in found {
        sqlx::query!(
            "INSERT INTO projection_quarantine (projection, generation, aggregate_type, aggregate_id, position,
                                                sequence, event_type, error, since)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            projection,
            generation.as_str(),
            poison.stream.aggregate_type,
            poison.stream.aggregate_id,
            poison.position,
            poison.sequence,
            poison.event_type,
            poison.error,
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Follows the stream again, from the failed event or the one after it up to the checkpoint, in one transaction that
/// holds the checkpoint: what comes after it is the worker's.
pub(super) async fn resume(
    context: &Context,
    projector: &dyn Projector,
    stream: &StreamId,
    from: From,
) -> Result<Resumed, EngineError> {
    let mut db = session::open(context, "palaver quarantine", Generation::Live).await?;
    let resumed = resume_on(&mut db, context, projector, stream, from).await;
    session::close(db).await;
    resumed
}

async fn resume_on(
    db: &mut PgConnection,
    context: &Context,
    projector: &dyn Projector,
    stream: &StreamId,
    from: From,
) -> Result<Resumed, EngineError> {
    let mut tx = db.begin().await?;
    let checkpoint = checkpoint::lock_live(&mut tx, projector).await?;
    let released = sqlx::query!(
        "DELETE FROM projection_quarantine
         WHERE projection = $1 AND generation = 'live' AND aggregate_type = $2 AND aggregate_id = $3
         RETURNING sequence, attempts, since",
        projector.name(),
        stream.aggregate_type,
        stream.aggregate_id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(released) = released else {
        let projection = projector.name().to_owned();
        return Err(EngineError::NotQuarantined { projection, stream: stream.to_string() });
    };

    let mut after = if from == From::FailedEvent { released.sequence - 1 } else { released.sequence };
    let mut applied = 0;
    loop {
        let mut events = context.log.read_stream(stream, after, BATCH_EVENTS_MAX).await?;
        events.retain(|event| event.position <= checkpoint.position);
        let Some(last) = events.last().map(|event| event.sequence) else { break };
        let count = events.len();
        let now = context.clock.now();
        let found = apply::batch(&mut tx, projector, Generation::Live, events, Care::Bisect, now).await?;
        if let Some(poison) = found.into_iter().next() {
            if poison.sequence == released.sequence {
                sqlx::query!(
                    "UPDATE projection_quarantine SET attempts = $4, since = $5
                     WHERE projection = $1 AND generation = 'live' AND aggregate_type = $2 AND aggregate_id = $3",
                    projector.name(),
                    stream.aggregate_type,
                    stream.aggregate_id,
                    released.attempts.saturating_add(1),
                    released.since
                )
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await?;
            return Ok(Resumed::StillFailing { sequence: poison.sequence, error: poison.error });
        }
        applied += count;
        after = last;
    }
    tx.commit().await?;
    tracing::info!(projection = projector.name(), %stream, events = applied, ?from, "stream followed again");
    Ok(Resumed::Following { events: applied })
}
