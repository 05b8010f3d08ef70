//! Aggregates kept in memory at the sequence they were last seen at. What is stale is found out by the append, or
//! by asking for newer events; being in here promises nothing.

use std::{any::Any, fmt, sync::Arc};

use cqrs_es::Aggregate;
use moka::sync::Cache;

use crate::{AGGREGATES_CACHED_MAX, Loaded, StreamId};

type Entry = Arc<dyn Any + Send + Sync>;

#[derive(Clone)]
pub(crate) struct AggregateCache(Cache<StreamId, Entry>);

impl AggregateCache {
    pub fn new() -> Self {
        Self(Cache::new(AGGREGATES_CACHED_MAX))
    }

    pub fn get<A: Aggregate + 'static>(&self, stream: &StreamId) -> Option<Arc<Loaded<A>>> {
        self.0.get(stream)?.downcast().ok()
    }

    /// Keeps the newer of what is there and what is given.
    pub fn put<A: Aggregate + 'static>(&self, stream: &StreamId, loaded: Arc<Loaded<A>>) {
        if self.get::<A>(stream).is_none_or(|kept| kept.sequence < loaded.sequence) {
            self.0.insert(stream.clone(), loaded);
        }
    }
}

impl fmt::Debug for AggregateCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AggregateCache({} entries)", self.0.entry_count())
    }
}
