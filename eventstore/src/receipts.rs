//! Command receipts: which commands were carried out, and what was answered.

use chrono::{DateTime, Utc};
use palaver_domain::AccountId;

use crate::{EventLog, LogError, Position};

/// A receipt as it was kept.
#[derive(Clone, Debug)]
pub struct KeptReceipt {
    pub fingerprint: String,
    pub outcome: serde_json::Value,
    /// The head of the log when it was written: a read that waits for it sees the command's effects.
    pub position: Position,
}

impl EventLog {
    /// The receipt of a command, if it was carried out.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn receipt(&self, tenant: AccountId, command_id: &str) -> Result<Option<KeptReceipt>, LogError> {
        let kept = sqlx::query_as!(
            KeptReceipt,
            "SELECT fingerprint, outcome, position FROM command_receipts WHERE tenant_id = $1 AND command_id = $2",
            tenant.to_string(),
            command_id,
        )
        .fetch_optional(self.database().pool())
        .await?;
        Ok(kept)
    }

    /// Forgets at most `limit` receipts written before `before`, and tells how many those were.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn forget_receipts(&self, before: DateTime<Utc>, limit: i64) -> Result<u64, LogError> {
        let forgotten = sqlx::query!(
            "DELETE FROM command_receipts WHERE (tenant_id, command_id) IN (
                 SELECT tenant_id, command_id FROM command_receipts WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2)",
            before,
            limit,
        )
        .execute(self.database().pool())
        .await?;
        Ok(forgotten.rows_affected())
    }
}
