//! The log as messages, read and written as JSON ahead of being published, in a task of its own.

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    CHUNK_EVENTS_MAX, CHUNKS_AHEAD_MAX, RelayError,
    message::{Encoder, Outgoing},
};
use crate::{EventFilter, EventLog, Position, READ_PAGE_EVENTS_MAX, RecordedEvent};

pub(super) struct Feed {
    chunks: mpsc::Receiver<Result<Vec<Outgoing>, RelayError>>,
    _reading: AbortOnDropHandle<()>,
}

impl Feed {
    /// Every event behind the encoder's place, as it comes.
    pub fn start(log: EventLog, encoder: Encoder) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD_MAX);
        let reading = tokio::spawn(async move {
            if let Err(error) = read(&log, &encoder, &sender).await {
                // When nobody listens any more, nobody misses it.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { chunks, _reading: AbortOnDropHandle::new(reading) }
    }

    /// The next events. Safe to be dropped while it waits.
    pub async fn next(&mut self) -> Result<Vec<Outgoing>, RelayError> {
        // The task ends by an error, which it sends, or with this.
        self.chunks.recv().await.unwrap_or(Ok(Vec::new()))
    }
}

async fn read(
    log: &EventLog,
    encoder: &Encoder,
    sender: &mpsc::Sender<Result<Vec<Outgoing>, RelayError>>,
) -> Result<(), RelayError> {
    let all = EventFilter::default();
    let mut position = encoder.position;
    let mut before = None;
    let mut head = log.watch();
    loop {
        // The sender lives in the log, so it can not be gone.
        let _ = head.wait_for(|head| *head > position).await;
        let to = (*head.borrow()).min(position + READ_PAGE_EVENTS_MAX);
        let events = log.read_range(position, to, &all).await?;
        ensure_gapless(&events, position, to)?;
        position = to;
        for chunk in events.chunks(CHUNK_EVENTS_MAX) {
            let encode = |event: &RecordedEvent| encoder.encode(event, before.replace(event.event_id));
            let chunk: Result<Vec<_>, _> = chunk.iter().map(encode).collect();
            if sender.send(Ok(chunk?)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Places in the stream are counted from positions, so none may be missing.
fn ensure_gapless(events: &[RecordedEvent], after: Position, to: Position) -> Result<(), RelayError> {
    let in_order = (after + 1..).zip(events).all(|(position, event)| event.position == position);
    let expected = to - after;
    if in_order && i64::try_from(events.len()).is_ok_and(|found| found == expected) {
        Ok(())
    } else {
        Err(RelayError::LogGap { after, expected, found: events.len() })
    }
}
