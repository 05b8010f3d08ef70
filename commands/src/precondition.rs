//! A condition of the client's on what a command is about: that it is still as the client has seen it.

use palaver_domain::FailureKind;
use palaver_eventstore::{Sequence, StreamId};

use crate::{CommandError, Work};

/// A stream must stand at one of these sequences. It is asked of what the command was decided on, which the append
/// checks once more; so nobody can change the thing in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    pub stream: StreamId,
    pub sequences: Vec<Sequence>,
}

impl Precondition {
    /// What was decided, or that the condition does not hold. What does not exist for the actor, or may not be done by
    /// them, is told as without condition (RFC 9110, 13.2.1). A refusal because of the state or the input gives way:
    /// the client speaks of something older.
    pub(crate) fn judge<T>(&self, work: &Work, decided: Result<T, CommandError>) -> Result<T, CommandError> {
        let gives_way = match &decided {
            Ok(_) => true,
            Err(CommandError::Refused(failure)) => {
                matches!(failure.kind, FailureKind::Conflict | FailureKind::Invalid)
            }
            Err(_) => false,
        };
        if !gives_way {
            return decided;
        }
        match work.sequence_before(&self.stream) {
            Some(sequence) if self.sequences.contains(&sequence) => decided,
            Some(_) => Err(CommandError::PreconditionFailed),
            // The use case is at fault: it would ignore the condition.
            None => {
                decided.and(Err(CommandError::Unwritable("a command did not look at what its condition is on".into())))
            }
        }
    }
}
