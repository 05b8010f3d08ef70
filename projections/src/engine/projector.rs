//! What a projection is: a name, a version, tables, and how events change them.

use futures::future::BoxFuture;
use palaver_eventstore::{Position, RecordedEvent, Sequence, StreamId};
use sqlx::PgConnection;

/// The description of a projection. Most are written as a [`super::RowProjector`], which needs no SQL but one select
/// and a few upserts.
///
/// Events of one stream come in order, each once. Between streams only the positions of a whole batch are in order:
/// when a batch has to be taken apart to find the event that spoils it, streams are applied one after another.
pub trait Projector: Send + Sync + 'static {
    /// Stable: checkpoints and leases go by it.
    fn name(&self) -> &'static str;

    /// Raised whenever the tables, or what events make of them, change; it is then rebuilt. A column whose type
    /// changes must get another name, because readers of the version before go on until the takeover.
    fn version(&self) -> i32;

    /// The aggregate types it follows; never empty.
    fn follows(&self) -> &'static [&'static str];

    /// `CREATE TABLE` and `CREATE INDEX` with unqualified names.
    fn schema(&self) -> &'static str;

    /// The tables that `schema` creates.
    fn tables(&self) -> &'static [&'static str];

    /// Of its tables, those that count over many streams: in a column `n`, where a row of 0 says the same as no row. In
    /// each other table the primary key begins with the id of the aggregate that the row is of.
    fn tallies(&self) -> &'static [&'static str] {
        &[]
    }

    /// Columns that others write, and no event.
    fn notes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Applies `events`, which are not empty, within the transaction of `db`, and tells which of them could not be
    /// applied. Of a stream that has one such event, the later events are not applied either.
    ///
    /// # Errors
    /// Whatever the database says; the transaction is then rolled back, and the batch comes again.
    fn apply<'a>(
        &'a self,
        db: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<Poison>, sqlx::Error>>;
}

/// An event that could not be applied: the end of its stream, for one projection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    pub stream: StreamId,
    pub position: Position,
    pub sequence: Sequence,
    pub event_type: String,
    pub error: String,
}

impl Poison {
    pub fn new(event: &RecordedEvent, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self {
            stream: event.stream.clone(),
            position: event.position,
            sequence: event.sequence,
            event_type: event.event_type.clone(),
            error: text.replace('\0', "\u{fffd}").chars().take(super::QUARANTINE_ERROR_CHARS_MAX).collect(),
        }
    }
}
