//! Reading the log: by stream, by range, by filter; in pages, so that memory stays bounded however long the log is.

use std::fmt;

use futures::{Stream, stream};
use palaver_domain::AccountId;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{Metadata, Position, READ_PAGE_EVENTS_MAX, RecordedEvent, Sequence, StreamId};

/// What one wants of the log. Empty lists and `None` mean all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub tenant: Option<AccountId>,
    pub aggregate_types: Vec<String>,
    pub event_types: Vec<String>,
    /// Beside a single aggregate type it names one stream, which is read along its own sequence.
    pub aggregate_id: Option<String>,
}

impl EventFilter {
    /// Whether it lets an event through, for whoever has read it already. The database's answer to the same question is
    /// `push_filter`.
    pub fn matches(&self, tenant: AccountId, stream: &StreamId, event_type: &str) -> bool {
        let among = |wanted: &[String], one: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == one);
        self.tenant.is_none_or(|wanted| wanted == tenant)
            && among(&self.aggregate_types, &stream.aggregate_type)
            && among(&self.event_types, event_type)
            && self.aggregate_id.as_ref().is_none_or(|wanted| *wanted == stream.aggregate_id)
    }

    /// Whether it is for a single stream, whose events are found without searching the log.
    pub fn names_one_stream(&self) -> bool {
        self.aggregate_types.len() == 1 && self.aggregate_id.is_some()
    }

    /// In a stream, sequence and position rise together; the planner does not know, and would sort or walk the log.
    fn order(&self) -> &'static str {
        if self.names_one_stream() { "sequence" } else { "position" }
    }
}

/// Some events, and how far the log was searched for them: the cursor for the next page.
#[derive(Clone, Debug)]
pub struct Page {
    pub events: Vec<RecordedEvent>,
    pub scanned_to: Position,
    /// The end of the log when it was asked.
    pub head: Position,
}

/// The log could not be read. It never means that the log has ended.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log could not be read")]
    Database(#[from] sqlx::Error),
}

pub(crate) const COLUMNS: &str = "SELECT position, event_id, tenant_id, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload::text AS payload, metadata::text AS metadata, recorded_at FROM events";

impl FromRow<'_, PgRow> for RecordedEvent {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let recorded_at = row.try_get("recorded_at")?;
        let mut faults = Vec::new();
        let mut note = |name: &str, error: &dyn fmt::Display| faults.push(format!("{name}: {error}"));
        let tenant_id = row.try_get::<&str, _>("tenant_id")?.parse();
        let tenant_id = tenant_id.inspect_err(|error| note("tenant_id", error)).unwrap_or_default();
        let payload = serde_json::from_str(row.try_get("payload")?);
        let payload = payload.inspect_err(|error| note("payload", error)).unwrap_or_default();
        let metadata = serde_json::from_str(row.try_get("metadata")?);
        let metadata = metadata.inspect_err(|error| note("metadata", error));
        Ok(Self {
            position: row.try_get("position")?,
            event_id: row.try_get("event_id")?,
            tenant_id,
            stream: StreamId {
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
            },
            sequence: row.try_get("sequence")?,
            event_type: row.try_get("event_type")?,
            event_version: row.try_get("event_version")?,
            payload,
            metadata: metadata.unwrap_or_else(|_| Metadata::unreadable(recorded_at)),
            recorded_at,
            fault: (!faults.is_empty()).then(|| faults.join("; ")),
        })
    }
}

async fn fetch(mut query: QueryBuilder<'_, Postgres>, pool: &PgPool) -> Result<Vec<RecordedEvent>, LogError> {
    Ok(query.build_query_as().fetch_all(pool).await?)
}

pub(crate) fn push_filter(query: &mut QueryBuilder<'_, Postgres>, filter: &EventFilter) {
    if let Some(tenant) = filter.tenant {
        query.push(" AND tenant_id = ").push_bind(tenant.to_string());
    }
    for (column, values) in [("aggregate_type", &filter.aggregate_types), ("event_type", &filter.event_types)] {
        match values.as_slice() {
            [] => {}
            // A single value lets PostgreSQL walk that value's index in order of position.
            [one] => drop(query.push(format_args!(" AND {column} = ")).push_bind(one.clone())),
            many => drop(query.push(format_args!(" AND {column} = ANY(")).push_bind(many.to_vec()).push(")")),
        }
    }
    if let Some(id) = &filter.aggregate_id {
        query.push(" AND aggregate_id = ").push_bind(id.clone());
    }
}

/// The position of the last event, 0 when there is none.
pub(crate) async fn head(pool: &PgPool) -> Result<Position, LogError> {
    Ok(sqlx::query_scalar!("SELECT position FROM log_head").fetch_one(pool).await?)
}

/// The id of the event at `position`, if there is one.
pub(crate) async fn event_id(pool: &PgPool, position: Position) -> Result<Option<Uuid>, LogError> {
    Ok(sqlx::query_scalar!("SELECT event_id FROM events WHERE position = $1", position).fetch_optional(pool).await?)
}

/// Events with `after < position <= to` that match. Positions are gapless, so the range bounds the work.
pub(crate) async fn range(
    pool: &PgPool,
    after: Position,
    to: Position,
    filter: &EventFilter,
) -> Result<Vec<RecordedEvent>, LogError> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE position > ").push_bind(after).push(" AND position <= ").push_bind(to);
    push_filter(&mut query, filter);
    query.push(" ORDER BY ").push(filter.order());
    fetch(query, pool).await
}

/// At most `limit` events after `after` that match, however far apart they are.
pub(crate) async fn page(pool: &PgPool, after: Position, filter: &EventFilter, limit: i64) -> Result<Page, LogError> {
    window(pool, after, filter, limit, i64::MAX).await
}

/// The same, searching no more than the next `positions_max` positions. Thereby one query costs a bounded time even where
/// each part of the filter is frequent and all of it together is rare, which no index knows of.
pub(crate) async fn window(
    pool: &PgPool,
    after: Position,
    filter: &EventFilter,
    limit: i64,
    positions_max: i64,
) -> Result<Page, LogError> {
    // Asked first: what is appended in between is found by the next page.
    let head = head(pool).await?;
    let to = after.saturating_add(positions_max).min(head).max(after);
    let limit = limit.clamp(1, READ_PAGE_EVENTS_MAX);
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE position > ").push_bind(after).push(" AND position <= ").push_bind(to);
    push_filter(&mut query, filter);
    query.push(" ORDER BY ").push(filter.order()).push(" LIMIT ").push_bind(limit);
    let events = fetch(query, pool).await?;
    let full = events.len() as i64 == limit;
    let scanned_to = if full { events.last().map_or(to, |event| event.position) } else { to };
    Ok(Page { events, scanned_to, head })
}

/// At most `limit` events of one stream, after sequence `after`.
pub(crate) async fn stream(
    pool: &PgPool,
    stream: &StreamId,
    after: Sequence,
    limit: i64,
) -> Result<Vec<RecordedEvent>, LogError> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" WHERE aggregate_type = ").push_bind(&stream.aggregate_type);
    query.push(" AND aggregate_id = ").push_bind(&stream.aggregate_id);
    query.push(" AND sequence > ").push_bind(after).push(" ORDER BY sequence LIMIT ").push_bind(limit);
    fetch(query, pool).await
}

/// Every matching event up to the head of the log, a page in memory at a time. An error ends it as an error.
pub(crate) fn pages(
    pool: PgPool,
    after: Position,
    filter: EventFilter,
) -> impl Stream<Item = Result<Vec<RecordedEvent>, LogError>> {
    stream::try_unfold(after, move |after| {
        let (pool, filter) = (pool.clone(), filter.clone());
        async move {
            let page = page(&pool, after, &filter, READ_PAGE_EVENTS_MAX).await?;
            let ended = page.events.is_empty();
            Ok((!ended).then_some((page.events, page.scanned_to)))
        }
    })
}
