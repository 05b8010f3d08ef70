//! The end of the log, read once for all who follow it. Whoever stands further back reads for themselves, until they
//! have caught up with what is kept here.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use palaver_eventstore::{EventFilter, EventLog, LogError, Position};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    frame::Frame,
    ring::{Found, Ring},
};

/// What is kept for those who follow, whichever is reached first.
const KEPT_EVENTS_MAX: usize = 16_384;
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Events that are read at once.
const READ_EVENTS_MAX: Position = 500;
/// A tail that is further behind than this starts anew at the head: those who follow read what they want of it
/// themselves, and mostly that is less.
const SKIPPED_EVENTS_MIN: Position = KEPT_EVENTS_MAX as Position / 2;
/// Pause after the log could not be read.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tail(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: EventLog,
    schemas_url: String,
    ring: RwLock<Ring>,
    /// Where the ring ends.
    reached: watch::Sender<Position>,
    followers: watch::Sender<usize>,
}

/// Somebody who follows. While there is nobody, nothing is read.
#[derive(Debug)]
pub(super) struct Following {
    tail: Tail,
    reached: watch::Receiver<Position>,
}

impl Tail {
    /// `schemas_url` is where the schemas of events are found.
    pub fn new(log: EventLog, schemas_url: String) -> Self {
        let (reached, followers) = (watch::Sender::new(0), watch::Sender::new(0));
        Self(Arc::new(Shared { log, schemas_url, ring: RwLock::default(), reached, followers }))
    }

    pub(super) fn follow(&self) -> Following {
        self.0.followers.send_modify(|followers| *followers += 1);
        Following { tail: self.clone(), reached: self.0.reached.subscribe() }
    }

    /// Reads what is appended for as long as somebody follows, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut followers = self.0.followers.subscribe();
        let mut head = self.0.log.watch();
        let follow = async {
            loop {
                // The senders live as long as this does, so waiting does not fail.
                let _ = followers.wait_for(|followers| *followers > 0).await;
                let ends = self.ends();
                let known = head.wait_for(|head| *head > ends).await.map_or(ends, |head| *head);
                if let Err(error) = self.advance(ends, known).await {
                    tracing::warn!(%error, "the end of the log can not be followed; trying again");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        };
        stop.run_until_cancelled(follow).await;
    }

    fn ends(&self) -> Position {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner).ends()
    }

    /// Takes what is next into the ring, and tells those who follow.
    async fn advance(&self, ends: Position, head: Position) -> Result<(), LogError> {
        if head - ends > SKIPPED_EVENTS_MIN {
            self.0.ring.write().unwrap_or_else(PoisonError::into_inner).restart(head);
            self.0.reached.send_replace(head);
            return Ok(());
        }
        let to = head.min(ends + READ_EVENTS_MAX);
        let events = self.0.log.read_range(ends, to, &EventFilter::default()).await?;
        // Written before the lock is taken, which everybody waits for.
        let frames: Vec<_> = events.into_iter().map(|event| Frame::of(event, &self.0.schemas_url)).collect();
        {
            let mut ring = self.0.ring.write().unwrap_or_else(PoisonError::into_inner);
            frames.into_iter().for_each(|frame| ring.push(frame, KEPT_EVENTS_MAX, KEPT_BYTES_MAX));
        }
        self.0.reached.send_replace(to);
        Ok(())
    }
}

impl Following {
    /// What is kept after `position`, until it is `bytes_max` or more.
    pub fn after(&self, position: Position, filter: &EventFilter, bytes_max: usize) -> Found {
        self.tail.0.ring.read().unwrap_or_else(PoisonError::into_inner).after(position, filter, bytes_max)
    }

    /// Waits until the tail has come past `position`.
    pub async fn past(&mut self, position: Position) {
        // The sender lives in the tail that this holds.
        let _ = self.reached.wait_for(|reached| *reached > position).await;
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.tail.0.followers.send_modify(|followers| *followers = followers.saturating_sub(1));
    }
}
