//! The log taken from one database to another: what a fork, an export and an import share. Events go as their rows have
//! them, JSON text byte for byte, and nothing is decoded: one that this version can not read is taken along like any
//! other. What they are kept in on the way lives elsewhere.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, stream};
use sqlx::{Connection, FromRow, PgConnection, PgPool, Postgres, QueryBuilder, Transaction, postgres::PgCopyIn};
use uuid::Uuid;

use crate::{
    Database, EventFilter, LogError, Position, READ_PAGE_EVENTS_MAX, Sequence, StreamId, TRANSFER_CHUNK_BYTES,
    head::notify,
    read::{self, COLUMNS, push_filter},
};

/// An event as its row has it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RawEvent {
    pub position: Position,
    pub event_id: Uuid,
    pub tenant_id: String,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: Sequence,
    pub event_type: String,
    pub event_version: String,
    /// JSON text, as it was written.
    pub payload: String,
    /// JSON text, as it was written.
    pub metadata: String,
    /// To the microsecond, which is what PostgreSQL keeps.
    pub recorded_at: DateTime<Utc>,
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("the log is not empty, it has events up to position {head}; events can only be taken into an empty one")]
    NotEmpty { head: Position },
    #[error("an event has position {found} where {expected} is due; a log begins at 1 and has no gaps")]
    Gap { expected: Position, found: Position },
    #[error("the event at position {position} has sequence {found} in {stream}, where {expected} is due")]
    Sequence { stream: StreamId, position: Position, expected: Sequence, found: Sequence },
    #[error("the events at positions {first} and {second} have the same id, {id}")]
    DuplicateId { id: Uuid, first: Position, second: Position },
    #[error("the event at position {position} is larger than a row can be")]
    TooLarge { position: Position },
    #[error("events could not be written into the log")]
    Database(#[from] sqlx::Error),
    /// Where the events came from.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
}

/// The position of the last event, 0 when there is none.
///
/// # Errors
/// When the database can not be asked, or has no log.
pub async fn head(database: &Database) -> Result<Position, LogError> {
    read::head(database.pool()).await
}

/// The events after `after` up to `until`, in pages and in order; fewer when the log ends before.
pub fn read_raw(
    database: &Database,
    after: Position,
    until: Position,
) -> impl Stream<Item = Result<Vec<RawEvent>, LogError>> + use<> {
    read_matching(database, EventFilter::default(), after, until)
}

/// As [`read_raw`], the events that match.
pub fn read_matching(
    database: &Database,
    filter: EventFilter,
    after: Position,
    until: Position,
) -> impl Stream<Item = Result<Vec<RawEvent>, LogError>> + use<> {
    let pool = database.pool().clone();
    stream::try_unfold(after, move |after| {
        let (pool, filter) = (pool.clone(), filter.clone());
        async move {
            let events = page(&pool, &filter, after, until).await?;
            let last = events.last().map(|event| event.position);
            Ok(last.map(|last| (events, last)))
        }
    })
}

async fn page(
    pool: &PgPool,
    filter: &EventFilter,
    after: Position,
    until: Position,
) -> Result<Vec<RawEvent>, LogError> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE position > ").push_bind(after).push(" AND position <= ").push_bind(until);
    push_filter(&mut query, filter);
    query.push(" ORDER BY position LIMIT ").push_bind(READ_PAGE_EVENTS_MAX);
    Ok(query.build_query_as().fetch_all(pool).await?)
}

/// Writes events into a log that has none, where they keep their positions, ids and times. All of them or, on any error,
/// nothing; others see them when all are there. `told` hears of the last position after every page.
///
/// Returns the position of the last event. Memory is bounded by a page of the source, whatever the log's length.
///
/// # Errors
/// See [`TransferError`]; the log is as empty as before.
pub async fn write_events<E>(
    database: &Database,
    events: impl Stream<Item = Result<Vec<RawEvent>, E>>,
    told: impl FnMut(Position),
) -> Result<Position, TransferError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut db = database.dedicated("palaver-transfer").await?;
    // When it fails, the transaction ends with the connection, and with it whatever was written.
    let mut tx = db.begin().await?;
    // The head's lock is what appends wait for, so nobody else writes before this is done.
    let head = sqlx::query_scalar!("SELECT position FROM log_head FOR UPDATE").fetch_one(&mut *tx).await?;
    if head > 0 {
        return Err(TransferError::NotEmpty { head });
    }
    let last = copy(&mut tx, events, told).await?;
    check_streams(&mut tx).await?;
    check_ids(&mut tx).await?;
    sqlx::query!("UPDATE log_head SET position = $1", last).execute(&mut *tx).await?;
    // A table that was filled at once has no statistics, and its first readers would get poor plans.
    sqlx::query("ANALYZE events").execute(&mut *tx).await?;
    notify(&mut *tx).await?;
    tx.commit().await?;
    db.close().await?;
    Ok(last)
}

async fn copy<E>(
    tx: &mut Transaction<'_, Postgres>,
    events: impl Stream<Item = Result<Vec<RawEvent>, E>>,
    mut told: impl FnMut(Position),
) -> Result<Position, TransferError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let into = "COPY events (position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type, \
                event_version, payload, metadata, recorded_at) FROM STDIN (FORMAT binary)";
    let mut copy = tx.copy_in_raw(into).await?;
    let mut rows = Rows::begin();
    let mut last = 0;
    let mut events = pin!(events);
    while let Some(page) = events.next().await {
        for event in page.map_err(|error| TransferError::Source(error.into()))? {
            if event.position != last + 1 {
                return Err(TransferError::Gap { expected: last + 1, found: event.position });
            }
            rows.push(&event)?;
            last = event.position;
            rows.send_when_full(&mut copy).await?;
        }
        told(last);
    }
    rows.end(&mut copy).await?;
    copy.finish().await?;
    Ok(last)
}

/// A stream's sequences are 1, 2, 3 in order of position, or its aggregate could not be loaded.
async fn check_streams(db: &mut PgConnection) -> Result<(), TransferError> {
    let wrong = sqlx::query!(
        r#"SELECT aggregate_type, aggregate_id, position, sequence, due AS "due!"
           FROM (SELECT e.*, row_number() OVER (PARTITION BY aggregate_type, aggregate_id ORDER BY position) AS due
                 FROM events e) numbered
           WHERE sequence <> due ORDER BY position LIMIT 1"#
    )
    .fetch_optional(db)
    .await?;
    wrong.map_or(Ok(()), |wrong| {
        Err(TransferError::Sequence {
            stream: StreamId::new(wrong.aggregate_type, wrong.aggregate_id),
            position: wrong.position,
            expected: wrong.due,
            found: wrong.sequence,
        })
    })
}

/// Whoever reads the log twice, and those it is relayed to, know an event by its id.
async fn check_ids(db: &mut PgConnection) -> Result<(), TransferError> {
    let duplicate = sqlx::query!(
        r#"SELECT event_id, min(position) AS "first!", max(position) AS "second!" FROM events
           GROUP BY event_id HAVING count(*) > 1 ORDER BY 2 LIMIT 1"#
    );
    duplicate.fetch_optional(db).await?.map_or(Ok(()), |twice| {
        Err(TransferError::DuplicateId { id: twice.event_id, first: twice.first, second: twice.second })
    })
}

/// Rows on their way, in the binary format of `COPY`: nothing in a text needs to be escaped, so nothing can be escaped
/// wrongly.
struct Rows(Vec<u8>);

impl Rows {
    const COLUMNS: i16 = 11;
    /// Signature, flags and the length of an extension: none of either.
    const BEGIN: &'static [u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    const END: i16 = -1;
    /// 2000-01-01, where PostgreSQL counts from.
    const EPOCH_UNIX_US: i64 = 946_684_800_000_000;

    fn begin() -> Self {
        Self(Self::BEGIN.to_vec())
    }

    fn push(&mut self, event: &RawEvent) -> Result<(), TransferError> {
        self.0.extend(Self::COLUMNS.to_be_bytes());
        let recorded_at = event.recorded_at.timestamp_micros() - Self::EPOCH_UNIX_US;
        let columns: [&[u8]; Self::COLUMNS as usize] = [
            &event.position.to_be_bytes(),
            event.event_id.as_bytes(),
            event.tenant_id.as_bytes(),
            event.aggregate_type.as_bytes(),
            event.aggregate_id.as_bytes(),
            &event.sequence.to_be_bytes(),
            event.event_type.as_bytes(),
            event.event_version.as_bytes(),
            event.payload.as_bytes(),
            event.metadata.as_bytes(),
            &recorded_at.to_be_bytes(),
        ];
        for column in columns {
            let length =
                i32::try_from(column.len()).map_err(|_| TransferError::TooLarge { position: event.position })?;
            self.0.extend(length.to_be_bytes());
            self.0.extend(column);
        }
        Ok(())
    }

    async fn send_when_full(&mut self, copy: &mut PgCopyIn<&mut PgConnection>) -> Result<(), sqlx::Error> {
        if self.0.len() >= TRANSFER_CHUNK_BYTES {
            copy.send(self.0.as_slice()).await?;
            self.0.clear();
        }
        Ok(())
    }

    async fn end(mut self, copy: &mut PgCopyIn<&mut PgConnection>) -> Result<(), sqlx::Error> {
        self.0.extend(Self::END.to_be_bytes());
        copy.send(self.0.as_slice()).await?;
        Ok(())
    }
}
