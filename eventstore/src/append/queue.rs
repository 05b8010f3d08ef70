//! What waits for the appender, and the batch that forms of it while the one before is written.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{AppendError, appender::Request, batch::Batch};
use crate::{Sequence, StreamId};

#[derive(Debug)]
pub(super) struct Queue {
    requests: mpsc::Receiver<Request>,
    next: Batch,
    /// Left for the batch after the next, because a stream of theirs is in the next one.
    deferred: VecDeque<Request>,
    closing: CancellationToken,
}

impl Queue {
    pub fn new(requests: mpsc::Receiver<Request>, closing: CancellationToken) -> Self {
        Self { requests, next: Batch::default(), deferred: VecDeque::new(), closing }
    }

    /// Whatever has arrived by now, if anything has.
    pub fn take(&mut self) -> Option<Batch> {
        while self.has_room() {
            match self.requests.try_recv() {
                Ok(request) => self.offer(request),
                Err(_) => break,
            }
        }
        if self.next.is_empty() {
            return None;
        }
        let batch = std::mem::take(&mut self.next);
        for request in std::mem::take(&mut self.deferred) {
            self.offer(request);
        }
        metrics::gauge!("palaver_append_queue").set((self.requests.len() + self.deferred.len()) as f64);
        Some(batch)
    }

    /// Like `take`, but waits for the first thing that arrives; `None` when nothing can arrive any more.
    pub async fn wait(&mut self) -> Option<Batch> {
        if self.next.is_empty() {
            let request = tokio::select! {
                request = self.requests.recv() => request,
                () = self.closing.cancelled() => {
                    self.requests.close();
                    self.requests.recv().await
                }
            };
            self.offer(request?);
        }
        self.take()
    }

    /// Takes in what arrives, until dropped.
    pub async fn gather(&mut self) -> Infallible {
        while self.has_room() {
            match self.requests.recv().await {
                Some(request) => self.offer(request),
                None => break,
            }
        }
        std::future::pending().await
    }

    /// Answers those who wait for a stream and expect it where it has been before: the log would only say the
    /// same, one batch after the other.
    pub fn refuse_stale(&mut self, known: &HashMap<StreamId, Sequence>) {
        if self.deferred.is_empty() {
            return;
        }
        for request in std::mem::take(&mut self.deferred) {
            let stale = request.append.streams.iter().find_map(|stream| {
                let actual = *known.get(&stream.stream)?;
                (actual > stream.expected).then(|| AppendError::Conflict {
                    stream: stream.stream.clone(),
                    expected: stream.expected,
                    actual,
                })
            });
            // A repeat is a repeat, whatever became of its streams since: only the log knows.
            match stale.filter(|_| request.append.receipt.is_none()) {
                Some(conflict) => drop(request.answer.send(Err(conflict))),
                None => self.deferred.push_back(request),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.next.has_room(self.deferred.len())
    }

    fn offer(&mut self, request: Request) {
        self.deferred.extend(self.next.offer(request));
    }
}
