//! Appending: who wants what written, and what can come of it. The work is the [`appender`]'s.

mod appender;
mod batch;
mod queue;
mod statement;

use palaver_domain::AccountId;

pub(crate) use appender::{Appender, AppenderHandle};

use crate::{NewEvent, Position, Sequence, StreamId};

/// One caller's unit of work: all of it is written, or nothing.
#[derive(Clone, Debug)]
pub struct Append {
    pub tenant: AccountId,
    /// Each stream at most once. A stream without events is only checked.
    pub streams: Vec<StreamAppend>,
    pub receipt: Option<Receipt>,
}

/// What goes to the end of one stream, provided that its last sequence is `expected` (0: it is empty).
#[derive(Clone, Debug)]
pub struct StreamAppend {
    pub stream: StreamId,
    pub expected: Sequence,
    pub events: Vec<NewEvent>,
}

/// The proof that a command was carried out, kept with its first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub command_id: String,
    /// Tells one command's content from another's.
    pub fingerprint: String,
    /// JSON text: what to answer again.
    pub outcome: String,
}

/// Where an append ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its last event; the head of the log before it when it had none.
    pub last: Position,
}

#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("{stream} is at sequence {actual}, not {expected}")]
    Conflict { stream: StreamId, expected: Sequence, actual: Sequence },
    #[error("this command was carried out already")]
    Duplicate,
    #[error("the append queue is full")]
    Overloaded,
    #[error("an append takes at most {limit} {unit}")]
    TooLarge { limit: usize, unit: &'static str },
    #[error("the log is shutting down")]
    Closed,
    #[error("the log is a fork, which takes no events")]
    Fork,
    #[error("the database refused the append")]
    Refused(#[source] sqlx::Error),
    #[error("the database can not be reached")]
    Unavailable(#[source] sqlx::Error),
    /// It may have been written or not; the same command id can be sent again without harm.
    #[error("the database went away during the append")]
    OutcomeUnknown(#[source] sqlx::Error),
}

impl Append {
    fn events(&self) -> usize {
        self.streams.iter().map(|stream| stream.events.len()).sum()
    }

    fn kib(&self) -> usize {
        let events = self.streams.iter().flat_map(|stream| &stream.events);
        let bytes: usize = events.map(|event| event.payload.len() + event.metadata.len() + 128).sum();
        (bytes + self.receipt.as_ref().map_or(0, |receipt| receipt.outcome.len())) / 1_024 + 1
    }
}
