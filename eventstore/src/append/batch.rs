//! What one round trip carries: appends of which none writes to a stream that another touches, and which share no
//! command id. Each is answered by itself.

use std::collections::{HashMap, HashSet};

use super::{Append, AppendError, Appended, appender::Request};
use crate::{BATCH_DEFERRED_MAX, BATCH_EVENTS_MAX, Position, Sequence, StreamAppend, StreamId, head::Head};

#[derive(Debug, Default)]
pub(super) struct Batch {
    requests: Vec<Request>,
    events: usize,
    /// Whether somebody in the batch writes to the stream, or it is only checked.
    streams: HashMap<StreamId, bool>,
    commands: HashSet<(palaver_domain::AccountId, String)>,
}

/// What the database said: the position before the batch's first event, and who was refused for what.
#[derive(Debug)]
pub(super) struct Verdict {
    pub before: Position,
    pub refusals: HashMap<usize, Refusal>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// The stream with this number in the batch's order is at another sequence.
    Sequence {
        stream: usize,
        actual: Sequence,
    },
    Receipt,
}

impl Batch {
    /// Takes the request, or gives it back when it must wait for the next batch.
    pub fn offer(&mut self, request: Request) -> Option<Request> {
        let append = &request.append;
        let full = !self.requests.is_empty() && self.events + append.events() > BATCH_EVENTS_MAX;
        let command = append.receipt.as_ref().map(|receipt| (append.tenant, receipt.command_id.clone()));
        let in_the_way = |stream: &StreamAppend| {
            self.streams.get(&stream.stream).is_some_and(|written| *written || !stream.events.is_empty())
        };
        let taken = append.streams.iter().any(in_the_way)
            || command.as_ref().is_some_and(|command| self.commands.contains(command));
        if full || taken {
            return Some(request);
        }
        self.events += append.events();
        for stream in &append.streams {
            *self.streams.entry(stream.stream.clone()).or_default() |= !stream.events.is_empty();
        }
        self.commands.extend(command);
        self.requests.push(request);
        None
    }

    pub fn has_room(&self, deferred: usize) -> bool {
        self.events < BATCH_EVENTS_MAX && deferred < BATCH_DEFERRED_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub fn appends(&self) -> usize {
        self.requests.len()
    }

    pub fn events(&self) -> usize {
        self.events
    }

    pub fn iter(&self) -> impl Iterator<Item = &Append> {
        self.requests.iter().map(|request| &request.append)
    }

    /// One batch for each append.
    pub fn split(self) -> impl Iterator<Item = Self> {
        self.requests.into_iter().map(|request| {
            let mut single = Self::default();
            // An empty batch takes anything.
            let _none = single.offer(request);
            single
        })
    }

    pub fn answer(self, verdict: Verdict, head: &Head) {
        let mut position = verdict.before;
        let mut stream_at = 0;
        let mut answers = Vec::with_capacity(self.appends());
        for (number, request) in self.requests.into_iter().enumerate() {
            let streams = &request.append.streams;
            let answer = match verdict.refusals.get(&number) {
                None => {
                    position += request.append.events() as Position;
                    Ok(Appended { last: position })
                }
                Some(Refusal::Receipt) => Err(AppendError::Duplicate),
                Some(Refusal::Sequence { stream, actual }) => {
                    Err(match stream.checked_sub(stream_at).and_then(|at| streams.get(at)) {
                        Some(refused) => AppendError::Conflict {
                            stream: refused.stream.clone(),
                            expected: refused.expected,
                            actual: *actual,
                        },
                        None => AppendError::Refused(sqlx::Error::Protocol("a refusal names no stream".to_owned())),
                    })
                }
            };
            stream_at += streams.len();
            answers.push((request, answer));
        }
        // Told before anybody is answered: who reads after an answer finds the head moved.
        head.reached(position);
        metrics::counter!("palaver_appended_events_total").increment((position - verdict.before) as u64);
        for (request, answer) in answers {
            // A caller that has gone away needs no answer.
            let _ = request.answer.send(answer);
        }
    }

    /// Answers those whose first event is in the log already, by their number in this batch, and keeps the rest.
    pub fn answer_landed(&mut self, landed: HashMap<usize, Position>, head: &Head) {
        let mut rest = Self::default();
        for (number, request) in std::mem::take(self).requests.into_iter().enumerate() {
            if let Some(first) = landed.get(&number) {
                let last = first + request.append.events() as Position - 1;
                head.reached(last);
                let _ = request.answer.send(Ok(Appended { last }));
            } else {
                // What fitted together once fits together again.
                let _none = rest.offer(request);
            }
        }
        *self = rest;
    }

    pub fn refused(self, error: sqlx::Error) {
        let mut error = Some(error);
        for request in self.requests {
            let error = error.take().unwrap_or(sqlx::Error::WorkerCrashed);
            let _ = request.answer.send(Err(AppendError::Refused(error)));
        }
    }

    /// Where the batch has left, or found, each stream that it was to write to.
    pub fn streams_after(&self, verdict: &Verdict) -> HashMap<StreamId, Sequence> {
        let mut after = HashMap::new();
        let mut stream_at = 0;
        for (number, request) in self.requests.iter().enumerate() {
            for (at, stream) in request.append.streams.iter().enumerate() {
                let sequence = match verdict.refusals.get(&number) {
                    None => Some(stream.expected + stream.events.len() as Sequence),
                    Some(Refusal::Sequence { stream, actual }) if *stream == stream_at + at => Some(*actual),
                    Some(_) => None,
                };
                if let Some(sequence) = sequence {
                    after.insert(stream.stream.clone(), sequence);
                }
            }
            stream_at += request.append.streams.len();
        }
        after
    }

    /// The database was not reached, so nothing of this was written.
    pub fn unavailable(self, error: sqlx::Error) {
        let reason = error.to_string();
        for request in self.requests {
            let error = sqlx::Error::Protocol(reason.clone());
            let _ = request.answer.send(Err(AppendError::Unavailable(error)));
        }
    }

    pub fn outcome_unknown(self, error: sqlx::Error) {
        let reason = error.to_string();
        for request in self.requests {
            let error = sqlx::Error::Protocol(reason.clone());
            let _ = request.answer.send(Err(AppendError::OutcomeUnknown(error)));
        }
    }
}
