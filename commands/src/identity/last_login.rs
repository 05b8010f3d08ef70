//! When a user was last here. It is no event: it says nothing of what anybody decided, and is forgotten with its token.

use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, UserId};

use crate::{CommandError, Commander};

impl Commander {
    /// When the user last logged in, by any client, as far as a token still tells. An operator who acts as the user, and
    /// a token that was granted without a login, do not count.
    ///
    /// # Errors
    /// When the database can not answer.
    pub async fn last_login(&self, tenant: AccountId, user: UserId) -> Result<Option<DateTime<Utc>>, CommandError> {
        let found = sqlx::query_scalar!(
            "SELECT max(created_at) FROM access_tokens
             WHERE tenant_id = $1 AND user_id = $2 AND client IS NOT NULL AND masked_by IS NULL",
            tenant.to_string(),
            user.to_string(),
        );
        Ok(found.fetch_one(self.log().database().pool()).await?)
    }
}
