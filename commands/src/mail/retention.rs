//! How long it is remembered what mails said, and to whom they went.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::{calls, outbox::Outbox};

/// Days after a mail was sent, or came to another end, until its content is wiped.
pub const CONTENT_KEPT_DAYS: i64 = 7;
/// Days after a mail was queued until nothing is known of it any more.
pub const MAILS_KEPT_DAYS: i64 = 90;
/// Mails forgotten by one statement, so that none holds its locks for long.
const BATCH: i64 = 1_000;
const INTERVAL: Duration = Duration::from_secs(600);

impl Outbox {
    /// Forgets old mail now and then, until told to stop. Any number of processes may do this at once.
    pub async fn forget_old_mail(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.forget_now(&stop).await {
                tracing::warn!(%error, "old mail is still there; trying again later");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    async fn forget_now(&self, stop: &CancellationToken) -> Result<(), sqlx::Error> {
        let now = self.clock().now();
        let (wipe_before, delete_before) =
            (now - TimeDelta::days(CONTENT_KEPT_DAYS), now - TimeDelta::days(MAILS_KEPT_DAYS));
        while !stop.is_cancelled() && calls::wipe(self.pool(), wipe_before, BATCH).await? == BATCH as u64 {}
        while !stop.is_cancelled() && calls::delete(self.pool(), delete_before, BATCH).await? == BATCH as u64 {}
        Ok(())
    }
}
