//! How long a command is remembered by its idempotency key, and who forgets it then.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::{CommandError, Commander};

/// Days after which a command may be forgotten. A client that repeats one later carries it out again.
pub const RECEIPTS_KEPT_DAYS: i64 = 7;
/// Receipts forgotten by one statement, so that none holds its locks for long.
const BATCH_RECEIPTS: i64 = 5_000;
const INTERVAL: Duration = Duration::from_secs(600);

impl Commander {
    /// Forgets old receipts now and then, until told to stop. Any number of processes may do this at once.
    pub async fn forget_old_receipts(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.forget_now(&stop).await {
                tracing::warn!(%error, "old receipts are still there; trying again later");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn forget_now(&self, stop: &CancellationToken) -> Result<(), CommandError> {
        let before = self.clock().now() - TimeDelta::days(RECEIPTS_KEPT_DAYS);
        while !stop.is_cancelled() {
            let forgotten = self.log().forget_receipts(before, BATCH_RECEIPTS).await?;
            if forgotten < BATCH_RECEIPTS as u64 {
                break;
            }
        }
        Ok(())
    }
}
