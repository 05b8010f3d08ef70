//! Following the log: what there was, then what comes, each event once and in order.

use tokio::sync::watch;

use crate::{EventFilter, EventLog, LogError, Position, READ_PAGE_EVENTS_MAX, RecordedEvent};

/// A cursor that waits. Dropping it ends it; [`Subscription::position`] is where to go on from later.
#[derive(Debug)]
pub struct Subscription {
    log: EventLog,
    filter: EventFilter,
    position: Position,
    head: watch::Receiver<Position>,
}

impl Subscription {
    pub(crate) fn new(log: EventLog, after: Position, filter: EventFilter) -> Self {
        let head = log.watch();
        Self { log, filter, position: after, head }
    }

    /// The next events that match, at least one; waits for them as long as it takes.
    ///
    /// # Errors
    /// When the log can not be read; the same call can be made again.
    pub async fn next(&mut self) -> Result<Vec<RecordedEvent>, LogError> {
        loop {
            let page = self.log.read_page(self.position, &self.filter, READ_PAGE_EVENTS_MAX).await?;
            self.position = page.scanned_to;
            if !page.events.is_empty() {
                return Ok(page.events);
            }
            let position = self.position;
            // The sender lives in the log that this subscription holds, so it can not be gone.
            let _ = self.head.wait_for(|head| *head > position).await;
        }
    }

    /// How far this has come: every matching event up to here was returned.
    pub fn position(&self) -> Position {
        self.position
    }
}
