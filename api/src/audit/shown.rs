//! How the past of a thing looks in answers. Times are told in full, so that they can be asked for again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use palaver_commands::MASKED_BY;
use palaver_domain::{Actor, UserId};
use palaver_eventstore::{
    StreamId,
    cloud_event::fields,
    timeline::{Change, StateAt, Step},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A page of the time line, or the state at a moment.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = AuditPast)]
pub(super) enum Past {
    Timeline(Timeline),
    State(StateThen),
}

/// A page of what happened, in order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditTimeline)]
pub(super) struct Timeline {
    aggregate_type: String,
    aggregate_id: String,
    data: Vec<Happened>,
    /// The `after` of the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<i64>,
}

impl Timeline {
    pub fn new(subject: &StreamId, data: Vec<Happened>, more: bool) -> Self {
        let next_after = data.last().filter(|_| more).map(|last| last.sequence);
        Self {
            aggregate_type: subject.aggregate_type.clone(),
            aggregate_id: subject.aggregate_id.clone(),
            data,
            next_after,
        }
    }
}

/// One event: who did what, when, and why.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEvent)]
pub(super) struct Happened {
    /// The event's place among those of this thing, from 1 on.
    sequence: i64,
    /// The event's place in the log.
    position: i64,
    event_id: String,
    event_type: String,
    event_version: String,
    /// When it was decided.
    time: DateTime<Utc>,
    /// When it was written.
    recorded_at: DateTime<Utc>,
    actor: Who,
    /// The operator who acted as the actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_by: Option<String>,
    /// The command that it was decided by.
    command_id: String,
    /// Shared by everything that one outside cause has led to.
    correlation_id: String,
    /// The event or command directly before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    /// The request that it was decided by, as `X-Request-Id` had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// What the event says.
    #[schema(value_type = Object)]
    payload: Value,
    /// What it has changed; missing when the state before or after it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ChangeShown>>)]
    changes: Option<Vec<Change>>,
    /// Why it can not be read, when it can not: from here on nobody can tell the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<String>,
}

impl Happened {
    /// The actor's name is not known yet.
    pub fn of(step: &Step) -> Self {
        let (event, metadata) = (&step.event, &step.event.metadata);
        Self {
            sequence: event.sequence,
            position: event.position,
            event_id: event.event_id.to_string(),
            event_type: event.event_type.clone(),
            event_version: event.event_version.clone(),
            time: metadata.time,
            recorded_at: event.recorded_at,
            actor: Who::of(&metadata.actor),
            masked_by: metadata.more.get(MASKED_BY).cloned(),
            command_id: metadata.command_id.clone(),
            correlation_id: metadata.correlation_id.clone(),
            causation_id: metadata.causation_id.clone(),
            request_id: metadata.request_id.clone(),
            payload: fields(&event.payload).into_owned(),
            changes: step.changes().ok(),
            unreadable: step.fault().map(str::to_owned),
        }
    }

    /// Whose name is to be looked up.
    pub fn user(&self) -> Option<UserId> {
        self.actor.user
    }

    pub fn named(mut self, names: &HashMap<UserId, String>) -> Self {
        if let Some(user) = self.actor.user {
            self.actor.name = names.get(&user).cloned();
        }
        self
    }
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(super) struct Who {
    #[serde(rename = "type")]
    kind: WhoKind,
    /// Of the user or the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Of the user, as long as the account has them; of a part of the service, what it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip)]
    user: Option<UserId>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActorType)]
enum WhoKind {
    User,
    App,
    /// A part of the service itself.
    System,
}

impl Who {
    fn of(actor: &Actor) -> Self {
        let (kind, id, name) = match actor {
            Actor::User(id) => (WhoKind::User, Some(id.to_string()), None),
            Actor::App(id) => (WhoKind::App, Some(id.to_string()), None),
            Actor::System(name) => (WhoKind::System, None, Some(name.clone())),
        };
        Self { kind, id, name, user: actor.user() }
    }
}

/// A difference between two states, as an operation of JSON Patch (RFC 6902) that also says what was there before.
#[derive(ToSchema)]
#[schema(as = AuditChange)]
#[allow(dead_code, reason = "this type describes what the log's own type renders")]
pub(super) struct ChangeShown {
    /// `add`, `remove` or `replace`.
    op: String,
    /// A JSON Pointer (RFC 6901); empty for the whole.
    path: String,
    /// What was there; missing when something was added.
    #[schema(value_type = Option<Value>)]
    before: Option<Value>,
    /// What is there now; missing when something was removed.
    #[schema(value_type = Option<Value>)]
    after: Option<Value>,
}

/// The moment of a state: right after this event.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditMoment)]
pub(super) struct Then {
    /// The last event that counts; 0 when there was none yet.
    sequence: i64,
    /// Its place in the log; 0 when there was none yet.
    position: i64,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<DateTime<Utc>>,
}

impl Then {
    fn of(at: &StateAt) -> Self {
        Self { sequence: at.sequence, position: at.position, time: at.time }
    }
}

/// What a thing was at a moment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditState)]
pub(super) struct StateThen {
    aggregate_type: String,
    aggregate_id: String,
    #[serde(flatten)]
    then: Then,
    /// Null when it was not there yet, or when it is not known.
    #[schema(value_type = Option<Value>)]
    state: Option<Value>,
    /// Why the state is not known, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

impl StateThen {
    pub fn new(subject: &StreamId, at: &StateAt) -> Self {
        Self {
            aggregate_type: subject.aggregate_type.clone(),
            aggregate_id: subject.aggregate_id.clone(),
            then: Then::of(at),
            state: at.state.as_deref().ok().cloned(),
            unknown: at.state.as_ref().err().map(ToString::to_string),
        }
    }
}

/// What differs between two moments.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditDifferences)]
pub(super) struct Differences {
    aggregate_type: String,
    aggregate_id: String,
    from: Then,
    to: Then,
    /// What makes the second state of the first; missing when one of them is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ChangeShown>>)]
    changes: Option<Vec<Change>>,
    /// Why a state is not known, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

impl Differences {
    pub fn new(subject: &StreamId, [from, to]: &[StateAt; 2]) -> Self {
        let changes = palaver_eventstore::timeline::changes_between(from, to);
        Self {
            aggregate_type: subject.aggregate_type.clone(),
            aggregate_id: subject.aggregate_id.clone(),
            from: Then::of(from),
            to: Then::of(to),
            unknown: changes.as_ref().err().map(ToString::to_string),
            changes: changes.ok(),
        }
    }
}
