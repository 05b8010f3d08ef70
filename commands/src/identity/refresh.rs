//! Refresh tokens: what the next access token of a session can be had for, once. Each use gives another one. One that
//! comes a second time is in two hands, and nobody can tell whose are the right ones; so it ends the session.

use chrono::{DateTime, Utc};
use palaver_domain::UserId;
use sqlx::PgConnection;

use super::{Sessions, sessions::hash_of};
use crate::CommandError;

/// How a refresh token begins.
const PREFIX: &str = "prt_";

/// The session that an access token is for next, and what the one after it can be had for.
pub struct Refreshed {
    pub session: [u8; 32],
    pub user: UserId,
    pub refresh_token: String,
}

impl Sessions {
    /// The first refresh token of a session, which lasts as long as the session does. `None` when there is no such
    /// session any more.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn begin_refreshing(&self, session: &[u8; 32]) -> Result<Option<String>, CommandError> {
        let now = self.now();
        let mut db = self.pool().acquire().await?;
        let lasting = sqlx::query!(
            "SELECT tenant_id, expires_at FROM access_tokens
             WHERE token_hash = $1 AND revoked_at IS NULL AND expires_at > $2",
            &session[..],
            now
        )
        .fetch_optional(&mut *db)
        .await?;
        let Some((tenant, end)) = lasting.and_then(|row| Some((row.tenant_id, row.expires_at?))) else {
            return Ok(None);
        };
        Ok(Some(self.add_refresh_token(&mut db, session, &tenant, end).await?))
    }

    /// Takes a refresh token and gives the next one. `None` when it is not valid: unknown, of a session that has ended,
    /// or used before, which ends the session.
    ///
    /// # Errors
    /// When the database refuses; nothing has happened then.
    pub async fn refresh(&self, token: &str) -> Result<Option<Refreshed>, CommandError> {
        let (hash, now) = (hash_of(token), self.now());
        let mut transaction = self.pool().begin().await?;
        let taken = sqlx::query!(
            "UPDATE refresh_tokens r SET used_at = $2
             FROM access_tokens t
             WHERE r.token_hash = $1 AND r.used_at IS NULL AND r.expires_at > $2
               AND t.token_hash = r.session_hash AND t.revoked_at IS NULL AND t.expires_at > $2
             RETURNING r.session_hash, r.tenant_id, r.expires_at, t.user_id",
            &hash[..],
            now
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(taken) = taken else {
            transaction.rollback().await?;
            self.end_family_of_used(&hash).await?;
            return Ok(None);
        };
        let session = session_hash(&taken.session_hash)?;
        let user = taken.user_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let refresh_token =
            self.add_refresh_token(&mut transaction, &session, &taken.tenant_id, taken.expires_at).await?;
        transaction.commit().await?;
        Ok(Some(Refreshed { session, user, refresh_token }))
    }

    async fn end_family_of_used(&self, hash: &[u8; 32]) -> Result<(), CommandError> {
        let used = sqlx::query!(
            "SELECT session_hash, tenant_id FROM refresh_tokens WHERE token_hash = $1 AND used_at IS NOT NULL",
            &hash[..]
        );
        let Some(used) = used.fetch_optional(self.pool()).await? else { return Ok(()) };
        self.close(&session_hash(&used.session_hash)?).await?;
        tracing::warn!(tenant = used.tenant_id, "a refresh token came a second time; its session has been ended");
        metrics::counter!("palaver_refresh_tokens_reused_total").increment(1);
        Ok(())
    }

    async fn add_refresh_token(
        &self,
        db: &mut PgConnection,
        session: &[u8; 32],
        tenant: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<String, sqlx::Error> {
        let token = format!("{PREFIX}{}", self.commander().ids().secret());
        sqlx::query!(
            "INSERT INTO refresh_tokens (token_hash, session_hash, tenant_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
            &hash_of(&token)[..],
            &session[..],
            tenant,
            self.now(),
            expires_at,
        )
        .execute(db)
        .await?;
        Ok(token)
    }
}

fn session_hash(bytes: &[u8]) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
