//! A batch of events meeting its tables: without the streams in quarantine, and taken apart when one event spoils it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use palaver_eventstore::{RecordedEvent, StreamId};
use sqlx::{Connection, PgConnection};

use super::{Generation, Poison, ProjectionError, Projector, error::is_data_error, quarantine};

/// How to apply a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// All at once. An error of the data fails the transaction; the batch is then to be tried with [`Care::Bisect`].
    AllAtOnce,
    /// Under savepoints, halving by stream until the culprit is alone.
    Bisect,
}

/// Applies what can be applied and puts the rest into quarantine.
///
/// # Errors
/// Whatever the database says. With [`Care::Bisect`] never an error that the data is to blame for.
pub(super) async fn batch(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    generation: Generation,
    events: Vec<RecordedEvent>,
    care: Care,
    now: DateTime<Utc>,
) -> Result<Vec<Poison>, sqlx::Error> {
    let events = quarantine::leave_out(tx, projector.name(), generation, events).await?;
    let poison = what_can_be(tx, projector, events, care).await?;
    for poison in &poison {
        tracing::error!(
            projection = projector.name(), stream = %poison.stream, position = poison.position,
            event_type = poison.event_type, error = poison.error, "stream put into quarantine"
        );
    }
    quarantine::put(tx, projector.name(), generation, &poison, now).await?;
    Ok(poison)
}

/// Applies what can be applied and tells the rest.
///
/// # Errors
/// As [`batch`].
pub(super) async fn what_can_be(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    events: Vec<RecordedEvent>,
    care: Care,
) -> Result<Vec<Poison>, sqlx::Error> {
    let (events, mut poison) = unreadable(events);
    if !events.is_empty() {
        poison.extend(match care {
            Care::AllAtOnce => projector.apply(tx, &events).await?,
            Care::Bisect => bisect(tx, projector, events).await?,
        });
    }
    Ok(poison)
}

/// What no projector could read stops its stream before any is asked.
fn unreadable(mut events: Vec<RecordedEvent>) -> (Vec<RecordedEvent>, Vec<Poison>) {
    let mut found: Vec<Poison> = Vec::new();
    events.retain(|event| {
        if found.iter().any(|poison| poison.stream == event.stream) {
            return false;
        }
        if let Some(fault) = &event.fault {
            found.push(Poison::new(event, &ProjectionError::unexpected(fault.clone())));
        }
        event.fault.is_none()
    });
    (events, found)
}

async fn bisect(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    events: Vec<RecordedEvent>,
) -> Result<Vec<Poison>, sqlx::Error> {
    let mut poison = Vec::new();
    let mut pending = vec![events];
    while let Some(events) = pending.pop() {
        match attempt(tx, projector, &events).await? {
            Ok(found) => poison.extend(found),
            Err(_) => match halves(events) {
                Ok((first, second)) => pending.extend([second, first]),
                Err(one_stream) => poison.extend(one_by_one(tx, projector, &one_stream).await?),
            },
        }
    }
    Ok(poison)
}

/// The outer error is the database's, the inner one the data's; after the inner one nothing has changed.
async fn attempt(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    events: &[RecordedEvent],
) -> Result<Result<Vec<Poison>, sqlx::Error>, sqlx::Error> {
    let mut savepoint = tx.begin().await?;
    match projector.apply(&mut savepoint, events).await {
        Ok(found) => {
            savepoint.commit().await?;
            Ok(Ok(found))
        }
        Err(error) if is_data_error(&error) => {
            savepoint.rollback().await?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

/// Two groups of streams, or the events back when they are of one stream.
fn halves(events: Vec<RecordedEvent>) -> Result<(Vec<RecordedEvent>, Vec<RecordedEvent>), Vec<RecordedEvent>> {
    let mut seen = HashSet::new();
    let streams: Vec<&StreamId> =
        events.iter().map(|event| &event.stream).filter(|stream| seen.insert(*stream)).collect();
    if streams.len() < 2 {
        return Err(events);
    }
    let first: HashSet<StreamId> = streams.iter().take(streams.len() / 2).map(|&stream| stream.clone()).collect();
    Ok(events.into_iter().partition(|event| first.contains(&event.stream)))
}

/// The end of the search: one stream, of which everything before the culprit is applied.
async fn one_by_one(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    events: &[RecordedEvent],
) -> Result<Vec<Poison>, sqlx::Error> {
    for event in events {
        match attempt(tx, projector, std::slice::from_ref(event)).await? {
            Ok(found) if found.is_empty() => {}
            Ok(found) => return Ok(found),
            Err(error) => return Ok(vec![Poison::new(event, &error)]),
        }
    }
    // Together they failed, one at a time they did not: that too is done.
    Ok(Vec::new())
}
