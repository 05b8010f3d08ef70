//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// Much longer than anything takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Asks again and again until the answer is `Some`, and fails when it never is.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> impl Future<Output = T> {
    eventually_within(PATIENCE, what, ask)
}

/// The same, with a bound of one's own.
#[track_caller]
pub fn eventually_within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        let since = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(since.elapsed() < patience, "{place}: not within {patience:?}: {what}");
            tokio::time::sleep(POLL).await;
        }
    }
}
