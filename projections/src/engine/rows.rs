//! Projections of rows: the engine loads, the projector decides in memory, the engine writes. One select for all keys
//! of a batch, and one statement a table for all changes, however many events there were.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    marker::PhantomData,
};

use cqrs_es::DomainEvent;
use futures::future::BoxFuture;
use palaver_eventstore::{RecordedEvent, decode};
use sqlx::PgConnection;

use super::{Poison, ProjectionError, Projector};

/// A projection that has one row for each stream of one aggregate type, or derives all it keeps from such a row:
/// counters and buckets follow from the same [`Change`]s, so they can not disagree with it.
pub trait RowProjector: Send + Sync + 'static {
    const NAME: &'static str;
    const VERSION: i32;
    const AGGREGATE: &'static [&'static str];
    const SCHEMA: &'static str;
    const TABLES: &'static [&'static str];
    /// See [`Projector::tallies`].
    const TALLIES: &'static [&'static str] = &[];
    /// See [`Projector::notes`].
    const NOTES: &'static [&'static str] = &[];

    type Event: DomainEvent;
    type Row: Clone + PartialEq + Send + Sync + 'static;

    /// What the event makes of the row; `None` means there is none. No I/O.
    ///
    /// # Errors
    /// When the event does not fit the row. What was changed by then is forgotten.
    fn apply(row: &mut Option<Self::Row>, event: Self::Event, recorded: &RecordedEvent) -> Result<(), ProjectionError>;

    /// The rows there are for these streams, by aggregate id.
    fn load(
        db: &mut PgConnection,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<(String, Self::Row)>, sqlx::Error>> + Send;

    /// Writes what has changed; never empty, in order of key.
    fn write(
        db: &mut PgConnection,
        changes: &[Change<Self::Row>],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A row before and after a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<Row> {
    /// The aggregate id.
    pub key: String,
    pub before: Option<Row>,
    pub after: Option<Row>,
}

/// Makes a [`Projector`] of a [`RowProjector`].
pub struct Rows<P>(PhantomData<fn() -> P>);

impl<P> Rows<P> {
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<P> Default for Rows<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: RowProjector> Projector for Rows<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> i32 {
        P::VERSION
    }

    fn follows(&self) -> &'static [&'static str] {
        P::AGGREGATE
    }

    fn schema(&self) -> &'static str {
        P::SCHEMA
    }

    fn tables(&self) -> &'static [&'static str] {
        P::TABLES
    }

    fn tallies(&self) -> &'static [&'static str] {
        P::TALLIES
    }

    fn notes(&self) -> &'static [&'static str] {
        P::NOTES
    }

    fn apply<'a>(
        &'a self,
        db: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, Result<Vec<Poison>, sqlx::Error>> {
        Box::pin(async move {
            let keys: HashSet<&str> = events.iter().map(|event| event.stream.aggregate_id.as_str()).collect();
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            let loaded = P::load(db, &keys).await?.into_iter().collect();
            let (changes, poison) = fold::<P>(loaded, events);
            if !changes.is_empty() {
                P::write(db, &changes).await?;
            }
            Ok(poison)
        })
    }
}

/// The batch in memory: from the rows there were to the rows there are.
fn fold<P: RowProjector>(
    loaded: HashMap<String, P::Row>,
    events: &[RecordedEvent],
) -> (Vec<Change<P::Row>>, Vec<Poison>) {
    let mut rows: BTreeMap<&str, Option<P::Row>> = BTreeMap::new();
    let mut poisoned = HashSet::new();
    let mut found = Vec::new();
    for recorded in events {
        if poisoned.contains(&recorded.stream) {
            continue;
        }
        let key = recorded.stream.aggregate_id.as_str();
        let row = rows.entry(key).or_insert_with(|| loaded.get(key).cloned());
        let mut next = row.clone();
        let applied = decode::<P::Event>(recorded)
            .map_err(ProjectionError::from)
            .and_then(|event| P::apply(&mut next, event, recorded));
        match applied {
            Ok(()) => *row = next,
            Err(error) => {
                poisoned.insert(&recorded.stream);
                found.push(Poison::new(recorded, &error));
            }
        }
    }
    let mut loaded = loaded;
    let changes = rows.into_iter().filter_map(|(key, after)| {
        let before = loaded.remove(key);
        (before != after).then(|| Change { key: key.to_owned(), before, after })
    });
    (changes.collect(), found)
}

/// JSON as text, to be cast to `json` by the statement: as a parameter of its own sqlx would send `jsonb`, which
/// refuses a NUL that a text may well hold.
///
/// # Errors
/// When the value can not be written as JSON, which is a defect of its type.
pub fn json_text<T: serde::Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
