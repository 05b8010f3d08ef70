//! Reading back in the log for one client: in pages that are small, by queries that are short, a few at a time.

use std::{sync::Arc, time::Duration};

use palaver_eventstore::{EventFilter, EventLog, LogError, Page, Position};
use tokio::{sync::Semaphore, time::Instant};

/// Events of one page: what a client may keep in memory while it does not take it.
pub(super) const PAGE_EVENTS_MAX: i64 = 128;
/// Reads at one time in this process, so that those who are behind leave connections to everybody else.
const READS_MAX: usize = 3;

/// Positions that one query searches, at first, at least and at most.
const WINDOW_START: i64 = 100_000;
const WINDOW_MIN: i64 = 10_000;
const WINDOW_MAX: i64 = 10_000_000;
/// A query that is quicker than this may search further the next time, one that is slower less far.
const QUICK: Duration = Duration::from_millis(25);
const SLOW: Duration = Duration::from_millis(250);

/// Turns at reading, shared by all clients of a process.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READS_MAX)))
    }
}

/// A cursor in the log.
#[derive(Debug)]
pub(super) struct Reader {
    log: EventLog,
    turns: Turns,
    pub filter: EventFilter,
    /// Everything up to here was read or passed over.
    pub position: Position,
    window: i64,
}

impl Reader {
    pub fn new(log: EventLog, turns: Turns, filter: EventFilter, after: Position) -> Self {
        // A stream is found by its name, however long the log is.
        let window = if filter.names_one_stream() { i64::MAX } else { WINDOW_START };
        Self { log, turns, filter, position: after, window }
    }

    /// The next events that match, at most `limit` and a page of them; none when there are none within what one query
    /// searches. Its page's `head` tells whether that was all.
    ///
    /// # Errors
    /// When the log can not be read; the same call can be made again.
    pub async fn read(&mut self, limit: i64) -> Result<Page, LogError> {
        // Nobody closes the semaphore.
        let _turn = self.turns.0.acquire().await;
        let began = Instant::now();
        let page = self.log.read_window(self.position, &self.filter, limit.min(PAGE_EVENTS_MAX), self.window).await?;
        // A full page ended the search early, so its time says nothing.
        if (page.events.len() as i64) < limit.min(PAGE_EVENTS_MAX) {
            self.window = next_window(self.window, began.elapsed());
        }
        self.position = page.scanned_to;
        Ok(page)
    }
}

fn next_window(window: i64, took: Duration) -> i64 {
    match window {
        i64::MAX => window,
        _ if took < QUICK => (window * 2).min(WINDOW_MAX),
        _ if took > SLOW => (window / 2).max(WINDOW_MIN),
        _ => window,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_queries_search_further_and_slow_ones_less_far_within_bounds() {
        let after = |times: usize, took: Duration| (0..times).fold(WINDOW_START, |window, _| next_window(window, took));
        assert_eq!(after(1, Duration::ZERO), 2 * WINDOW_START);
        assert_eq!(after(1, SLOW * 2), WINDOW_START / 2);
        assert_eq!(after(1, (QUICK + SLOW) / 2), WINDOW_START);
        assert_eq!((after(50, Duration::ZERO), after(50, SLOW * 2)), (WINDOW_MAX, WINDOW_MIN));
        assert_eq!(next_window(i64::MAX, SLOW * 2), i64::MAX);
    }
}
