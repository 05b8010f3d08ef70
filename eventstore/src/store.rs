//! The log as cqrs-es knows it: one aggregate type's `EventStore`, for code written against that framework.

use std::{collections::HashMap, marker::PhantomData, sync::Arc};

use cqrs_es::{Aggregate, AggregateContext, AggregateError, DomainEvent, EventEnvelope, EventStore};
use palaver_domain::AccountId;

use crate::{
    Append, AppendError, EventLog, LoadError, Loaded, LogError, Metadata, NewEvent, READ_PAGE_EVENTS_MAX,
    RecordedEvent, StreamAppend, StreamId, aggregates::decode, ids::Ids,
};

/// One tenant's aggregates of one type.
#[derive(Clone, Debug)]
pub struct AggregateStore<A> {
    log: EventLog,
    ids: Arc<dyn Ids>,
    tenant: AccountId,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> AggregateStore<A> {
    pub fn new(log: EventLog, ids: Arc<dyn Ids>, tenant: AccountId) -> Self {
        Self { log, ids, tenant, aggregate: PhantomData }
    }
}

/// An aggregate on its way through a command.
#[derive(Debug)]
pub struct StoreContext<A: Aggregate> {
    aggregate_id: String,
    loaded: Loaded<A>,
}

impl<A: Aggregate> AggregateContext<A> for StoreContext<A> {
    fn aggregate(&mut self) -> &mut A {
        &mut self.loaded.aggregate
    }
}

impl<A: Aggregate + Clone + 'static> EventStore<A> for AggregateStore<A> {
    type AC = StoreContext<A>;

    async fn load_events(&self, aggregate_id: &str) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stream = StreamId::of::<A>(aggregate_id);
        let mut envelopes = Vec::new();
        loop {
            let after = envelopes.len() as i64;
            let events = self.log.read_stream(&stream, after, READ_PAGE_EVENTS_MAX).await.map_err(unreadable)?;
            let ended = events.is_empty();
            for event in &events {
                envelopes.push(envelope(event)?);
            }
            if ended {
                return Ok(envelopes);
            }
        }
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<StoreContext<A>, AggregateError<A::Error>> {
        let loaded = self.log.load::<A>(&StreamId::of::<A>(aggregate_id)).await.map_err(|error| match error {
            LoadError::Log(error) => unreadable(error),
            LoadError::Decode(error) => AggregateError::DeserializationError(Box::new(error)),
        })?;
        Ok(StoreContext { aggregate_id: aggregate_id.to_owned(), loaded: (*loaded).clone() })
    }

    /// `metadata` must hold what [`Metadata`] asks for; more is kept as it is.
    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: StoreContext<A>,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let unwritable = |error: serde_json::Error| AggregateError::UnexpectedError(Box::new(error));
        let stream = StreamId::of::<A>(&context.aggregate_id);
        let parsed: Metadata = serde_json::to_value(&metadata).and_then(serde_json::from_value).map_err(unwritable)?;
        let expected = context.loaded.sequence;
        let encoded = events.iter().map(|event| NewEvent::encode(event, &parsed, self.ids.uuid()));
        let append = Append {
            tenant: self.tenant,
            streams: vec![StreamAppend {
                stream: stream.clone(),
                expected,
                events: encoded.collect::<Result<_, _>>().map_err(unwritable)?,
            }],
            receipt: None,
        };
        self.log.append(append).await.map_err(|error| match error {
            AppendError::Conflict { .. } | AppendError::Duplicate => AggregateError::AggregateConflict,
            error => AggregateError::DatabaseConnectionError(Box::new(error)),
        })?;
        let envelopes = (expected + 1..).zip(events).map(|(sequence, payload)| EventEnvelope {
            aggregate_id: context.aggregate_id.clone(),
            sequence: usize::try_from(sequence).unwrap_or_default(),
            payload,
            metadata: metadata.clone(),
        });
        Ok(envelopes.collect())
    }
}

fn unreadable<E: std::error::Error>(error: LogError) -> AggregateError<E> {
    AggregateError::DatabaseConnectionError(Box::new(error))
}

fn envelope<A: Aggregate>(event: &RecordedEvent) -> Result<EventEnvelope<A>, AggregateError<A::Error>> {
    let payload: A::Event = decode(event).map_err(|error| AggregateError::DeserializationError(Box::new(error)))?;
    debug_assert_eq!(payload.event_type(), event.event_type);
    let metadata = serde_json::to_value(&event.metadata)
        .and_then(serde_json::from_value)
        .map_err(|error| AggregateError::DeserializationError(Box::new(error)))?;
    Ok(EventEnvelope {
        aggregate_id: event.stream.aggregate_id.clone(),
        sequence: usize::try_from(event.sequence).unwrap_or_default(),
        payload,
        metadata,
    })
}
