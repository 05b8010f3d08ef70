//! Aggregates from their events: from memory, a snapshot, or the beginning, and always with the newest events on top.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use palaver_domain::AccountId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{EventLog, LogError, READ_PAGE_EVENTS_MAX, RecordedEvent, SNAPSHOT_EVERY_EVENTS, Sequence, StreamId};

/// An aggregate and the place in its stream that it stands at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Loaded<A: Aggregate> {
    pub aggregate: A,
    /// 0 when the stream is empty.
    pub sequence: Sequence,
    /// Whose it is, as its events say; `None` when there are none.
    pub tenant: Option<AccountId>,
    /// When its first event was decided.
    pub created_at: DateTime<Utc>,
    /// When its last event was decided.
    pub updated_at: DateTime<Utc>,
}

impl<A: Aggregate> Default for Loaded<A> {
    fn default() -> Self {
        Self {
            aggregate: A::default(),
            sequence: 0,
            tenant: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl<A: Aggregate> Loaded<A> {
    /// Notes that the aggregate has applied `events` more of `tenant`'s, decided at `time`.
    pub fn advance(&mut self, events: usize, tenant: AccountId, time: DateTime<Utc>) {
        if events == 0 {
            return;
        }
        if self.sequence == 0 {
            self.created_at = time;
            self.tenant = Some(tenant);
        }
        self.sequence += events as Sequence;
        self.updated_at = time;
    }
}

/// A payload that is not what its type and version promise.
#[derive(Debug, thiserror::Error)]
#[error("{event_type} version {event_version} at position {position} can not be read: {reason}")]
pub struct DecodeError {
    pub event_type: String,
    pub event_version: String,
    pub position: i64,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// The payload as today's type, brought up from whatever version it was written in.
///
/// # Errors
/// When the payload can not be read as its type; nothing is skipped or made up.
pub fn decode<E: DomainEvent>(event: &RecordedEvent) -> Result<E, DecodeError> {
    let fail = |reason: String| DecodeError {
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        position: event.position,
        reason,
    };
    if let Some(fault) = &event.fault {
        return Err(fail(fault.clone()));
    }
    let payload = palaver_domain::upcast(&event.event_type, &event.event_version, event.payload.clone())
        .map_err(|error| fail(error.to_string()))?;
    serde_json::from_value(payload).map_err(|error| fail(error.to_string()))
}

impl EventLog {
    /// The aggregate with every event that is in the log now; empty when there is none.
    ///
    /// # Errors
    /// When the log can not be read, or holds an event that can not.
    pub async fn load<A>(&self, stream: &StreamId) -> Result<Arc<Loaded<A>>, LoadError>
    where
        A: Aggregate + Clone + 'static,
    {
        let kept = match self.load_kept(stream) {
            Some(kept) => kept,
            None => Arc::new(self.snapshot(stream).await?.unwrap_or_default()),
        };
        self.catch_up(stream, kept).await
    }

    /// The aggregate as this process last saw it, if it did. It may be behind; an append that expects its sequence
    /// finds out.
    pub fn load_kept<A: Aggregate + 'static>(&self, stream: &StreamId) -> Option<Arc<Loaded<A>>> {
        self.cache.get(stream)
    }

    async fn catch_up<A>(&self, stream: &StreamId, kept: Arc<Loaded<A>>) -> Result<Arc<Loaded<A>>, LoadError>
    where
        A: Aggregate + Clone + 'static,
    {
        let mut loaded = kept;
        loop {
            let events = self.read_stream(stream, loaded.sequence, READ_PAGE_EVENTS_MAX).await?;
            if events.is_empty() {
                break;
            }
            let full = events.len() as i64 == READ_PAGE_EVENTS_MAX;
            let newer = Arc::make_mut(&mut loaded);
            for event in &events {
                newer.aggregate.apply(decode(event)?);
                newer.advance(1, event.tenant_id, event.metadata.time);
            }
            if !full {
                break;
            }
        }
        if loaded.sequence > 0 {
            self.cache.put(stream, loaded.clone());
        }
        Ok(loaded)
    }

    /// Tells the log what an aggregate has become by an append that succeeded: the next command finds it in memory,
    /// and a stream that has grown long gets a snapshot.
    pub fn remember<A>(&self, stream: &StreamId, before: Sequence, loaded: Arc<Loaded<A>>)
    where
        A: Aggregate + Clone + 'static,
    {
        self.cache.put(stream, loaded.clone());
        if before / SNAPSHOT_EVERY_EVENTS != loaded.sequence / SNAPSHOT_EVERY_EVENTS {
            let (log, stream) = (self.clone(), stream.clone());
            tokio::spawn(async move {
                if let Err(error) = log.take_snapshot(&stream, &loaded).await {
                    // Without it a cold load reads more events; nothing else.
                    tracing::warn!(%error, %stream, "no snapshot was taken");
                }
            });
        }
    }

    async fn snapshot<A: Aggregate>(&self, stream: &StreamId) -> Result<Option<Loaded<A>>, LogError> {
        let payload = sqlx::query_scalar!(
            "SELECT payload FROM aggregate_snapshots
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND schema_version = $3",
            stream.aggregate_type,
            stream.aggregate_id,
            palaver_domain::STATE_VERSION,
        )
        .fetch_optional(self.database().pool())
        .await?;
        Ok(payload.and_then(|payload| read_snapshot(stream, payload)))
    }

    /// # Errors
    /// When the database refuses.
    async fn take_snapshot<A: Aggregate>(&self, stream: &StreamId, loaded: &Loaded<A>) -> Result<(), LogError> {
        let payload = serde_json::to_value(loaded).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query!(
            "INSERT INTO aggregate_snapshots AS kept
                 (aggregate_type, aggregate_id, sequence, schema_version, payload, taken_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
             SET sequence = excluded.sequence, schema_version = excluded.schema_version,
                 payload = excluded.payload, taken_at = excluded.taken_at
             WHERE kept.sequence < excluded.sequence OR kept.schema_version <> excluded.schema_version",
            stream.aggregate_type,
            stream.aggregate_id,
            loaded.sequence,
            palaver_domain::STATE_VERSION,
            payload,
            self.clock.now(),
        )
        .execute(self.database().pool())
        .await?;
        Ok(())
    }
}

/// A snapshot that can not be read is as good as none: the events are the truth.
fn read_snapshot<T: DeserializeOwned>(stream: &StreamId, payload: serde_json::Value) -> Option<T> {
    serde_json::from_value(payload)
        .inspect_err(|error| tracing::warn!(%error, %stream, "a snapshot could not be read; reading all events"))
        .ok()
}
