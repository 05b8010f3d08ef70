//! A unit of work: the aggregates that one command looks at and changes, written together or not at all.

use std::{any::Any, fmt, sync::Arc};

use cqrs_es::{Aggregate, event_sink::EventSink};
use palaver_domain::{
    AccountId, Circumstances, Failure, FailureKind,
    identity::{Claim, ClaimCommand, ClaimKind},
};
use palaver_eventstore::{
    Append, AppendError, EventLog, Loaded, Metadata, NewEvent, Position, Receipt, Sequence, StreamAppend, StreamId,
    ids::Ids,
};
use sha2::{Digest, Sha256};

use crate::{CommandContext, CommandError, Commander, commander::unwritable};

/// Where an event tells of the operator who acted as its actor.
pub const MASKED_BY: &str = "maskedBy";
/// Hex digits of a claim's id: 128 bits, so nobody finds two texts with one id.
const CLAIM_ID_CHARS: usize = 32;

/// See the module. Everything that was looked at is checked again by the append, so a decision never rests on
/// something that has changed meanwhile.
pub struct Work {
    log: EventLog,
    ids: Arc<dyn Ids>,
    tenant: AccountId,
    circumstances: Circumstances,
    metadata: Metadata,
    /// Read the newest events of every stream, rather than trust what is in memory.
    fresh: bool,
    tracked: Vec<Box<dyn Tracked>>,
}

/// Whose events a stream may hold.
#[derive(Clone, Copy)]
enum Owner {
    Tenant,
    Anybody,
}

/// One aggregate in a unit of work, whatever its type.
trait Tracked: Send + Sync {
    fn stream(&self) -> &StreamId;
    fn before(&self) -> Sequence;
    fn has_events(&self) -> bool;
    fn take_append(&mut self) -> StreamAppend;
    fn remember(&self, log: &EventLog);
    fn as_any(&mut self) -> &mut dyn Any;
}

struct TrackedAggregate<A: Aggregate> {
    stream: StreamId,
    /// Where the stream stood before this work.
    before: Sequence,
    loaded: Arc<Loaded<A>>,
    events: Vec<NewEvent>,
}

impl<A: Aggregate + Clone + 'static> Tracked for TrackedAggregate<A> {
    fn stream(&self) -> &StreamId {
        &self.stream
    }

    fn before(&self) -> Sequence {
        self.before
    }

    fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    fn take_append(&mut self) -> StreamAppend {
        let events = std::mem::take(&mut self.events);
        StreamAppend { stream: self.stream.clone(), expected: self.before, events }
    }

    fn remember(&self, log: &EventLog) {
        log.remember(&self.stream, self.before, self.loaded.clone());
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl Work {
    pub(crate) fn new(
        commander: &Commander,
        context: &CommandContext,
        command_id: &str,
        circumstances: Circumstances,
        fresh: bool,
    ) -> Self {
        let metadata = Metadata {
            actor: circumstances.actor.clone(),
            command_id: command_id.to_owned(),
            correlation_id: context.correlation_id.clone().unwrap_or_else(|| command_id.to_owned()),
            causation_id: context.causation_id.clone(),
            request_id: context.request_id.clone(),
            time: circumstances.now,
            more: context.masked_by.map(|operator| (MASKED_BY.to_owned(), operator.to_string())).into_iter().collect(),
        };
        Self {
            log: commander.log().clone(),
            ids: commander.ids_shared(),
            tenant: context.tenant,
            circumstances,
            metadata,
            fresh,
            tracked: Vec::new(),
        }
    }

    /// When and by whom this is decided.
    pub fn circumstances(&self) -> &Circumstances {
        &self.circumstances
    }

    /// Whose aggregates these are.
    pub const fn tenant(&self) -> AccountId {
        self.tenant
    }

    /// An aggregate as this work sees it: with what the work has decided so far. One without events is empty.
    ///
    /// # Errors
    /// `NotFound` when it is another account's, or when the log can not be read.
    pub async fn get<A>(&mut self, id: impl fmt::Display) -> Result<Arc<Loaded<A>>, CommandError>
    where
        A: Aggregate + Clone + 'static,
    {
        Ok(self.track::<A>(StreamId::of::<A>(id), Owner::Tenant).await?.loaded.clone())
    }

    /// Hands a command to an aggregate; what it decides becomes part of this work.
    ///
    /// # Errors
    /// What the aggregate refuses, which leaves the work as it was; and as [`Work::get`].
    pub async fn handle<A>(
        &mut self,
        id: impl fmt::Display,
        command: A::Command,
    ) -> Result<Arc<Loaded<A>>, CommandError>
    where
        A: Aggregate<Services = Circumstances> + Clone + 'static,
        A::Command: Send,
        A::Error: Into<Failure>,
    {
        self.decide(StreamId::of::<A>(id), Owner::Tenant, command).await
    }

    /// Claims a text for a holder: a user name or a realm among all accounts, anything else among those of this account. Case and
    /// the white space around it make no difference.
    ///
    /// # Errors
    /// `ConflictError` when another holder has it.
    pub async fn claim(&mut self, kind: ClaimKind, text: &str, holder: impl fmt::Display) -> Result<(), CommandError> {
        let (stream, owner) = self.claim_stream(kind, text);
        self.decide::<Claim>(stream, owner, ClaimCommand::Claim { kind, holder: holder.to_string() }).await.map(drop)
    }

    /// Lets go of what the holder has claimed.
    ///
    /// # Errors
    /// As [`Work::get`].
    pub async fn release(
        &mut self,
        kind: ClaimKind,
        text: &str,
        holder: impl fmt::Display,
    ) -> Result<(), CommandError> {
        let (stream, owner) = self.claim_stream(kind, text);
        self.decide::<Claim>(stream, owner, ClaimCommand::Release { holder: holder.to_string() }).await.map(drop)
    }

    fn claim_stream(&self, kind: ClaimKind, text: &str) -> (StreamId, Owner) {
        match kind {
            ClaimKind::UserName | ClaimKind::KeycloakRealm => (claim_stream(kind, "", text), Owner::Anybody),
            ClaimKind::Contact | ClaimKind::TeamName => {
                (claim_stream(kind, &self.tenant.to_string(), text), Owner::Tenant)
            }
        }
    }

    async fn decide<A>(
        &mut self,
        stream: StreamId,
        owner: Owner,
        command: A::Command,
    ) -> Result<Arc<Loaded<A>>, CommandError>
    where
        A: Aggregate<Services = Circumstances> + Clone + 'static,
        A::Command: Send,
        A::Error: Into<Failure>,
    {
        let (circumstances, metadata) = (self.circumstances.clone(), self.metadata.clone());
        let (ids, tenant) = (self.ids.clone(), self.tenant);
        let tracked = self.track::<A>(stream, owner).await?;
        let sink = EventSink::default();
        // On a copy: an aggregate that refuses halfway has applied events by then that nobody will write.
        let mut loaded = Loaded::clone(&tracked.loaded);
        loaded.aggregate.handle(command, &circumstances, &sink).await.map_err(Into::into)?;
        let events = sink.collect().await;
        loaded.advance(events.len(), tenant, circumstances.now);
        let encoded = events.iter().map(|event| NewEvent::encode(event, &metadata, ids.uuid()));
        let encoded: Vec<_> = encoded.collect::<Result<_, _>>().map_err(unwritable)?;
        tracked.events.extend(encoded);
        tracked.loaded = Arc::new(loaded);
        Ok(tracked.loaded.clone())
    }

    async fn track<A>(&mut self, stream: StreamId, owner: Owner) -> Result<&mut TrackedAggregate<A>, CommandError>
    where
        A: Aggregate + Clone + 'static,
    {
        let at = match self.tracked.iter().position(|tracked| *tracked.stream() == stream) {
            Some(at) => at,
            None => {
                let kept = if self.fresh { None } else { self.log.load_kept::<A>(&stream) };
                let loaded = match kept {
                    Some(kept) => kept,
                    None => self.log.load::<A>(&stream).await?,
                };
                let foreign = loaded.tenant.is_some_and(|tenant| tenant != self.tenant);
                if foreign && matches!(owner, Owner::Tenant) {
                    return Err(not_here(&stream).into());
                }
                self.tracked.push(Box::new(TrackedAggregate {
                    stream,
                    before: loaded.sequence,
                    loaded,
                    events: Vec::new(),
                }));
                self.tracked.len() - 1
            }
        };
        let tracked = self.tracked.get_mut(at).and_then(|tracked| tracked.as_any().downcast_mut());
        // A stream's type is named by its aggregate's type, so another Rust type here is a defect of that type.
        tracked.ok_or_else(|| CommandError::Unwritable("two types for one stream".into()))
    }

    /// Where a stream stood before this work; `None` when it was not looked at.
    pub(crate) fn sequence_before(&self, stream: &StreamId) -> Option<Sequence> {
        self.tracked.iter().find(|tracked| tracked.stream() == stream).map(|tracked| tracked.before())
    }

    /// Whether anything was decided that is to be written.
    pub(crate) fn has_events(&self) -> bool {
        self.tracked.iter().any(|tracked| tracked.has_events())
    }

    /// Writes everything, or finds that something has changed. Without events, a receipt alone is written.
    pub(crate) async fn write(mut self, receipt: Option<Receipt>) -> Result<Position, AppendError> {
        let streams: Vec<_> = self.tracked.iter_mut().map(|tracked| tracked.take_append()).collect();
        let appended = self.log.append(Append { tenant: self.tenant, streams, receipt }).await?;
        for tracked in &self.tracked {
            tracked.remember(&self.log);
        }
        Ok(appended.last)
    }
}

/// Where the claim of a text is kept. `space` is within what it is claimed: an account, or nothing for all of them.
pub(crate) fn claim_stream(kind: ClaimKind, space: &str, text: &str) -> StreamId {
    // No part holds a line break but the last, so no two claims run together into one text.
    let claimed = format!("{}\n{space}\n{}", kind.as_str(), text.trim().to_lowercase());
    let mut id = hex::encode(Sha256::digest(claimed));
    id.truncate(CLAIM_ID_CHARS);
    StreamId::of::<Claim>(id)
}

/// What one account says of what belongs to another.
fn not_here(stream: &StreamId) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        "NotFoundError",
        format!("there is no such {}", stream.aggregate_type.replace('_', " ")),
    )
}
