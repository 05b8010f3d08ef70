//! Who forgets credentials that are worth nothing any more, and when.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::{LOGIN_FAILURES_MINUTES, LOGIN_LOCKED_MINUTES, PROPOSAL_LIFETIME};
use crate::{CommandError, Commander};

/// Days for which a token that has expired or was revoked can still be looked up.
const TOKENS_KEPT_DAYS: i64 = 7;
/// Rows forgotten by one statement, so that none holds its locks for long.
const BATCH_ROWS: i64 = 5_000;
const INTERVAL: Duration = Duration::from_secs(600);

impl Commander {
    /// Forgets old credentials and failed logins now and then, until told to stop. Any number of processes may do this at
    /// once.
    pub async fn forget_old_credentials(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.forget_credentials_now(&stop).await {
                tracing::warn!(%error, "old credentials are still there; trying again later");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// # Errors
    /// When the database refuses.
    pub async fn forget_credentials_now(&self, stop: &CancellationToken) -> Result<(), CommandError> {
        let now = self.clock().now();
        let kept_since = now - TimeDelta::days(TOKENS_KEPT_DAYS);
        let counted_since = now - TimeDelta::minutes(LOGIN_FAILURES_MINUTES + LOGIN_LOCKED_MINUTES);
        let pool = self.log().database().pool();
        while !stop.is_cancelled() {
            let tokens = sqlx::query!(
                "DELETE FROM access_tokens WHERE token_hash IN
                     (SELECT token_hash FROM access_tokens WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)",
                kept_since,
                BATCH_ROWS,
            );
            let one_time = sqlx::query!(
                "DELETE FROM one_time_tokens WHERE token_hash IN
                     (SELECT token_hash FROM one_time_tokens WHERE expires_at < $1 LIMIT $2)",
                kept_since,
                BATCH_ROWS,
            );
            let attempts = sqlx::query!(
                "DELETE FROM login_attempts WHERE name_hash IN
                     (SELECT name_hash FROM login_attempts WHERE updated_at < $1 LIMIT $2) AND updated_at < $1",
                counted_since,
                BATCH_ROWS,
            );
            // A secret that was never confirmed goes with its proposal.
            let proposals = sqlx::query!(
                "WITH old AS (
                     DELETE FROM totp_proposals WHERE secret_ref IN
                         (SELECT secret_ref FROM totp_proposals WHERE created_at < $1 LIMIT $2)
                     RETURNING tenant_id, secret_ref)
                 DELETE FROM vault v USING old WHERE v.tenant_id = old.tenant_id AND v.reference = old.secret_ref",
                now - PROPOSAL_LIFETIME,
                BATCH_ROWS,
            );
            let forgotten = tokens.execute(pool).await?.rows_affected()
                + one_time.execute(pool).await?.rows_affected()
                + attempts.execute(pool).await?.rows_affected()
                + proposals.execute(pool).await?.rows_affected();
            if forgotten < BATCH_ROWS as u64 {
                break;
            }
        }
        Ok(())
    }
}
