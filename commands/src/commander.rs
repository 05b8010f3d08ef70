//! Carrying out a command: once for each id, and again from the start when somebody else was faster.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use palaver_domain::{AccountId, Actor, Circumstances, UserId};
use palaver_eventstore::{AppendError, EventLog, KeptReceipt, Position, Receipt, clock::Clock, ids::Ids};
use serde::{Serialize, de::DeserializeOwned};

use crate::{CommandError, Precondition, Work};

/// How often a command starts over because its streams have moved on.
const TRIES_MAX: u32 = 20;
/// How long a command waits at most before its second try, and as much longer before each other.
const GIVE_WAY_MS: u32 = 2;

/// An idempotency key, and what the request that carried it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandKey {
    pub key: String,
    /// Two requests with one key and different fingerprints are a mistake of the caller.
    pub fingerprint: String,
}

/// Who asks, for which account, and why.
#[derive(Clone, Debug)]
pub struct CommandContext {
    pub tenant: AccountId,
    pub actor: Actor,
    /// `None`: the command gets an id of its own and can not be repeated by it.
    pub key: Option<CommandKey>,
    /// What must hold beside the rules of the domain.
    pub precondition: Option<Precondition>,
    pub request_id: Option<String>,
    /// Shared by everything that follows from one cause; `None`: this command is the cause.
    pub correlation_id: Option<String>,
    /// The event that led to this command.
    pub causation_id: Option<String>,
    /// The operator who acts as the actor.
    pub masked_by: Option<UserId>,
}

impl CommandContext {
    /// A command of Palaver's own.
    pub fn system(tenant: AccountId, name: &str) -> Self {
        Self {
            tenant,
            actor: Actor::system(name),
            key: None,
            precondition: None,
            request_id: None,
            correlation_id: None,
            causation_id: None,
            masked_by: None,
        }
    }
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    pub value: T,
    /// A read that waits for this position sees what the command did.
    pub position: Position,
    /// The command had been carried out before, and this is the first answer again.
    pub replayed: bool,
}

/// Carries out commands on one log.
#[derive(Clone, Debug)]
pub struct Commander {
    log: EventLog,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Commander {
    pub fn new(log: EventLog, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { log, clock, ids }
    }

    pub fn log(&self) -> &EventLog {
        &self.log
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub fn ids(&self) -> &dyn Ids {
        &*self.ids
    }

    pub(crate) fn ids_shared(&self) -> Arc<dyn Ids> {
        self.ids.clone()
    }

    /// Runs `read` on the newest there is. Whatever it decides is dropped.
    ///
    /// # Errors
    /// What `read` refuses, or when the log can not be read.
    pub async fn look<T, F>(&self, context: &CommandContext, read: F) -> Result<T, CommandError>
    where
        F: for<'a> Fn(&'a mut Work) -> BoxFuture<'a, Result<T, CommandError>>,
    {
        let circumstances = Circumstances { now: self.clock.now(), actor: context.actor.clone() };
        read(&mut Work::new(self, context, "", circumstances, true)).await
    }

    /// Runs `decide` on a unit of work and writes what it decided, all or nothing.
    ///
    /// `decide` may run several times; it must not act on anything but the work.
    ///
    /// # Errors
    /// What `decide` refuses, or what [`CommandError`] tells of writing.
    pub async fn run<T, F>(&self, context: &CommandContext, decide: F) -> Result<Outcome<T>, CommandError>
    where
        T: Serialize + DeserializeOwned,
        F: for<'a> Fn(&'a mut Work) -> BoxFuture<'a, Result<T, CommandError>>,
    {
        if let Some(key) = &context.key
            && let Some(kept) = self.log.receipt(context.tenant, &key.key).await?
        {
            return replay(key, kept);
        }
        let command_id = context.key.as_ref().map_or_else(|| self.ids.uuid().to_string(), |key| key.key.clone());
        // What is in memory usually is the newest, and the append checks it. A refusal does not get that far, so
        // it is only believed of what was read just now.
        let mut fresh = false;
        for attempt in 1..=TRIES_MAX {
            let circumstances = Circumstances { now: self.clock.now(), actor: context.actor.clone() };
            let mut work = Work::new(self, context, &command_id, circumstances, fresh);
            let decided = decide(&mut work).await;
            let decided = match &context.precondition {
                Some(precondition) => precondition.judge(&work, decided),
                None => decided,
            };
            let value = match decided {
                Ok(value) => value,
                Err(CommandError::Refused(_) | CommandError::PreconditionFailed) if !fresh => {
                    fresh = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !fresh && context.key.is_none() && !work.has_events() {
                // Nothing to write means that nothing would be checked either.
                fresh = true;
                continue;
            }
            let receipt = match &context.key {
                Some(key) => Some(Receipt {
                    command_id: key.key.clone(),
                    fingerprint: key.fingerprint.clone(),
                    outcome: serde_json::to_string(&value).map_err(unwritable)?,
                }),
                None => None,
            };
            if receipt.is_none() && !work.has_events() {
                // Decided on what the log held just now; so a read that waits for its end sees all of it.
                return Ok(Outcome { value, position: self.log.head().await?, replayed: false });
            }
            match work.write(receipt).await {
                Ok(position) => return Ok(Outcome { value, position, replayed: false }),
                Err(AppendError::Conflict { stream, expected, actual }) => {
                    tracing::debug!(%stream, expected, actual, attempt, "starting a command over");
                    metrics::counter!("palaver_command_retries_total").increment(1);
                    fresh = true;
                    self.give_way(attempt).await;
                }
                Err(AppendError::Duplicate) => {
                    // Somebody sent the same command at the same time, and was first.
                    let Some(key) = &context.key else { return Err(AppendError::Duplicate.into()) };
                    let kept = self.log.receipt(context.tenant, &key.key).await?;
                    return kept.map_or(Err(CommandError::Contended), |kept| replay(key, kept));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommandError::Contended)
    }
}

impl Commander {
    /// Lets others go first, by a chance that keeps those who collided from colliding again.
    async fn give_way(&self, attempt: u32) {
        let mut chance = [0];
        self.ids.fill(&mut chance);
        let wait_us = u64::from(GIVE_WAY_MS * attempt) * 1_000 * u64::from(chance[0]) / 255;
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
    }
}

fn replay<T: DeserializeOwned>(key: &CommandKey, kept: KeptReceipt) -> Result<Outcome<T>, CommandError> {
    if key.fingerprint != kept.fingerprint {
        return Err(CommandError::KeyReused);
    }
    let value = serde_json::from_value(kept.outcome).map_err(unwritable)?;
    Ok(Outcome { value, position: kept.position, replayed: true })
}

pub(crate) fn unwritable(error: serde_json::Error) -> CommandError {
    CommandError::Unwritable(Box::new(error))
}
