//! How a thing came to be: a stream's events in order, the state after each, and what each has changed; whatever its type
//! is. It is for looking back. Decisions load their aggregates (`aggregates.rs`).
//!
//! States are made from the first event on, never from a snapshot, so they are what today's code makes of the events. One
//! page of events and one state are in memory at a time.

mod changes;
mod condition;
mod moment;

use std::{array, sync::Arc, vec};

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::{AGGREGATE_TYPES, AccountId, AggregateVisitor, visit_aggregate};
use serde_json::Value;

pub use changes::{Change, ChangeOp, changes};
pub use condition::{Condition, InvalidPath};
pub use moment::{InvalidMoment, Moment};

use crate::{
    DecodeError, EventLog, LogError, Position, RecordedEvent, Sequence, StreamId, TIMELINE_PAGE_EVENTS, decode,
};

/// No aggregate has this type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no aggregate type `{0}`; types are {types}", types = AGGREGATE_TYPES.join(", "))]
pub struct UnknownAggregateType(pub String);

/// An event can not be read, so nobody can tell what the state is from there on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state is not known from sequence {sequence} on: {reason}")]
pub struct Unreadable {
    /// The event's.
    pub sequence: Sequence,
    pub reason: String,
}

/// What a stream has come to: its aggregate as JSON, null before the first event.
pub type State = Result<Arc<Value>, Unreadable>;

/// An event, and the state before and after it.
#[derive(Clone, Debug)]
pub struct Step {
    pub event: RecordedEvent,
    pub before: State,
    pub after: State,
}

impl Step {
    /// What the event has changed; nothing when one of the two states is not known.
    ///
    /// # Errors
    /// When one of the states is not known.
    pub fn changes(&self) -> Result<Vec<Change>, &Unreadable> {
        Ok(changes(self.before.as_deref()?, self.after.as_deref()?))
    }

    /// Why this very event can not be read, if it can not.
    pub fn fault(&self) -> Option<&str> {
        self.after.as_ref().err().filter(|error| error.sequence == self.event.sequence).map(|error| &*error.reason)
    }
}

/// The state at some moment, and the event that it is due to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateAt {
    /// 0 when the moment lies before the first event; `position` then is 0 as well.
    pub sequence: Sequence,
    pub position: Position,
    pub time: Option<DateTime<Utc>>,
    pub state: State,
}

/// What makes the state at one moment of the state at another.
///
/// # Errors
/// When one of the states is not known.
pub fn changes_between<'a>(from: &'a StateAt, to: &'a StateAt) -> Result<Vec<Change>, &'a Unreadable> {
    Ok(changes(from.state.as_deref()?, to.state.as_deref()?))
}

/// A stream, read from its first event on.
pub struct Timeline {
    log: EventLog,
    stream: StreamId,
    tenant: Option<AccountId>,
    folded: Result<Box<dyn Fold>, Unreadable>,
    /// The state as JSON, once somebody has asked for it.
    state: Option<State>,
    page: vec::IntoIter<RecordedEvent>,
    sequence: Sequence,
    ended: bool,
}

/// An aggregate of whatever type.
trait Fold: Send + Sync {
    fn fold(&mut self, event: &RecordedEvent) -> Result<(), DecodeError>;
    fn state(&self) -> Result<Value, serde_json::Error>;
}

impl<A: Aggregate> Fold for A {
    fn fold(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        self.apply(decode(event)?);
        Ok(())
    }

    fn state(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

struct Empty;

impl AggregateVisitor for Empty {
    type Output = Box<dyn Fold>;

    fn visit<A: Aggregate + Clone + 'static>(self) -> Box<dyn Fold> {
        Box::new(A::default())
    }
}

impl EventLog {
    /// The life of one stream, from before its first event.
    ///
    /// # Errors
    /// When no aggregate has the stream's type.
    pub fn timeline(&self, stream: StreamId) -> Result<Timeline, UnknownAggregateType> {
        let empty = visit_aggregate(&stream.aggregate_type, Empty)
            .ok_or_else(|| UnknownAggregateType(stream.aggregate_type.clone()))?;
        Ok(Timeline {
            log: self.clone(),
            stream,
            tenant: None,
            folded: Ok(empty),
            state: None,
            page: Vec::new().into_iter(),
            sequence: 0,
            ended: false,
        })
    }
}

impl Timeline {
    /// Shows what is of this tenant alone: it ends before the first event of another. What belongs to another from the
    /// beginning has no events.
    #[must_use]
    pub fn of(mut self, tenant: AccountId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// The sequence of the last event that was read; 0 before the first.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// The next event with the states around it; `None` at the end.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn next(&mut self) -> Result<Option<Step>, LogError> {
        let before = self.state();
        let Some(event) = self.read().await? else { return Ok(None) };
        self.apply(&event);
        Ok(Some(Step { event, before, after: self.state() }))
    }

    /// Goes on to behind `sequence`, or to the end.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn skip_to(&mut self, sequence: Sequence) -> Result<(), LogError> {
        while self.sequence < sequence {
            let Some(event) = self.read().await? else { break };
            self.apply(&event);
        }
        Ok(())
    }

    /// The first step after which `holds` is true of the state, be it true ever after or not. Every state is looked at:
    /// halving would find the step only where what has once become true stays true.
    ///
    /// # Errors
    /// When the log can not be read, or an event before any such step can not.
    pub async fn first(&mut self, mut holds: impl FnMut(&Value) -> bool) -> Result<Option<Step>, FirstError> {
        while let Some(step) = self.next().await? {
            match &step.after {
                Ok(state) if holds(state) => return Ok(Some(step)),
                Ok(_) => {}
                Err(unreadable) => return Err(unreadable.clone().into()),
            }
        }
        Ok(None)
    }

    /// The states at these moments; `None` when the stream has no events. To be asked of a timeline at its beginning.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn states_at<const N: usize>(mut self, moments: [Moment; N]) -> Result<Option<[StateAt; N]>, LogError> {
        let mut found: [StateAt; N] =
            array::from_fn(|_| StateAt { sequence: 0, position: 0, time: None, state: Ok(Arc::new(Value::Null)) });
        let mut last: Option<RecordedEvent> = None;
        while let Some(event) = self.read().await? {
            if let Some(last) = &last {
                // Written down only where it may be what is asked for: right before what comes after the moment.
                for (moment, found) in moments.iter().zip(&mut found) {
                    if moment.includes(last) && !moment.includes(&event) {
                        *found = self.at(last);
                    }
                }
            }
            let passed = moments.iter().all(|moment| moment.is_passed_by(&event));
            self.apply(&event);
            last = Some(event);
            if passed {
                break;
            }
        }
        let Some(last) = last else { return Ok(None) };
        for (moment, found) in moments.iter().zip(&mut found) {
            if moment.includes(&last) {
                *found = self.at(&last);
            }
        }
        Ok(Some(found))
    }

    fn at(&mut self, event: &RecordedEvent) -> StateAt {
        StateAt {
            sequence: event.sequence,
            position: event.position,
            time: Some(event.metadata.time),
            state: self.state(),
        }
    }

    async fn read(&mut self) -> Result<Option<RecordedEvent>, LogError> {
        if self.page.len() == 0 && !self.ended {
            let page = self.log.read_stream(&self.stream, self.sequence, TIMELINE_PAGE_EVENTS).await?;
            self.ended = (page.len() as i64) < TIMELINE_PAGE_EVENTS;
            self.page = page.into_iter();
        }
        let Some(event) = self.page.next() else { return Ok(None) };
        if self.tenant.is_some_and(|tenant| tenant != event.tenant_id) {
            self.ended = true;
            self.page = Vec::new().into_iter();
            return Ok(None);
        }
        self.sequence = event.sequence;
        Ok(Some(event))
    }

    fn apply(&mut self, event: &RecordedEvent) {
        self.state = None;
        if let Ok(folded) = &mut self.folded
            && let Err(error) = folded.fold(event)
        {
            self.folded = Err(Unreadable { sequence: event.sequence, reason: error.to_string() });
        }
    }

    fn state(&mut self) -> State {
        let sequence = self.sequence;
        let folded = &self.folded;
        let state = self.state.get_or_insert_with(|| match folded {
            Ok(_) if sequence == 0 => Ok(Arc::new(Value::Null)),
            Ok(folded) => folded.state().map(Arc::new).map_err(|error| Unreadable {
                sequence,
                reason: format!("the state can not be written as JSON: {error}"),
            }),
            Err(unreadable) => Err(unreadable.clone()),
        });
        state.clone()
    }
}

/// Why a search has no result.
#[derive(Debug, thiserror::Error)]
pub enum FirstError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}
