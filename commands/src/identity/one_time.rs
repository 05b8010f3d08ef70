//! Tokens that do one thing, once: what a mail's link carries.

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{AccountId, Failure, FailureKind, UserId};
use sqlx::{PgConnection, PgPool};

use super::sessions::hash_of;
use crate::{CommandError, CommandKey, Commander};

/// What a token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Lets its bearer choose the user's password.
    SetPassword,
    /// Shows that its bearer reads the mail of the user's address.
    VerifyAccount,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SetPassword => "setPassword",
            Self::VerifyAccount => "verifyAccount",
        }
    }
}

/// The tokens of one log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OneTimeTokens {
    commander: Commander,
}

impl Commander {
    pub fn one_time_tokens(&self) -> OneTimeTokens {
        OneTimeTokens { commander: self.clone() }
    }
}

impl OneTimeTokens {
    fn pool(&self) -> &PgPool {
        self.commander.log().database().pool()
    }

    fn now(&self) -> DateTime<Utc> {
        self.commander.clock().now()
    }

    /// Makes a token, and tells it, which nobody can do again.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn issue(
        &self,
        tenant: AccountId,
        user: UserId,
        purpose: Purpose,
        lifetime: TimeDelta,
    ) -> Result<String, CommandError> {
        let mut connection = self.pool().acquire().await?;
        self.issue_in(&mut connection, tenant, user, purpose, lifetime).await
    }

    /// As [`OneTimeTokens::issue`], in the transaction of whatever else belongs to it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn issue_in(
        &self,
        connection: &mut PgConnection,
        tenant: AccountId,
        user: UserId,
        purpose: Purpose,
        lifetime: TimeDelta,
    ) -> Result<String, CommandError> {
        let (token, now) = (self.commander.ids().secret(), self.now());
        sqlx::query!(
            "INSERT INTO one_time_tokens (token_hash, tenant_id, user_id, purpose, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &hash_of(&token)[..],
            tenant.to_string(),
            user.to_string(),
            purpose.as_str(),
            now,
            now + lifetime,
        )
        .execute(connection)
        .await?;
        Ok(token)
    }

    /// As [`OneTimeTokens::issue_in`], unless the user got `max` for this purpose since `since` already; of those who ask
    /// at once, one after the other is served. `None` when there are enough.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn issue_at_most(
        &self,
        transaction: &mut PgConnection,
        (tenant, user): (AccountId, UserId),
        purpose: Purpose,
        lifetime: TimeDelta,
        (max, since): (i64, DateTime<Utc>),
    ) -> Result<Option<String>, CommandError> {
        let lock = format!("one_time_tokens {} {user}", purpose.as_str());
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock).execute(&mut *transaction).await?;
        let issued = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM one_time_tokens
               WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3 AND created_at > $4"#,
            tenant.to_string(),
            user.to_string(),
            purpose.as_str(),
            since,
        );
        if issued.fetch_one(&mut *transaction).await? >= max {
            return Ok(None);
        }
        self.issue_in(transaction, tenant, user, purpose, lifetime).await.map(Some)
    }

    /// Whose token it is, as long as it may be used. It stays usable.
    ///
    /// # Errors
    /// `TokenExpired` when it is not, or no longer, good for this.
    pub async fn bearer(&self, token: &str, purpose: Purpose) -> Result<(AccountId, UserId), CommandError> {
        let found = sqlx::query!(
            "SELECT tenant_id, user_id FROM one_time_tokens
             WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
            &hash_of(token)[..],
            purpose.as_str(),
            self.now(),
        );
        let found = found.fetch_optional(self.pool()).await?.ok_or_else(expired)?;
        read(&found.tenant_id, &found.user_id)
    }

    /// What makes everything that is done by a token one command, however often it is tried.
    pub(super) fn command_key(&self, token: &str) -> CommandKey {
        let hash = hex::encode(hash_of(token));
        CommandKey { key: format!("one-time-token:{hash}"), fingerprint: hash }
    }

    /// Uses a token: of those who try, one succeeds.
    ///
    /// # Errors
    /// `TokenExpired` when it is not, or no longer, good for this.
    pub async fn redeem(&self, token: &str, purpose: Purpose) -> Result<(AccountId, UserId), CommandError> {
        let mut connection = self.pool().acquire().await?;
        self.redeem_in(&mut connection, token, purpose).await
    }

    /// As [`OneTimeTokens::redeem`], in the transaction of what the token allows. The user's other tokens for the same
    /// purpose are used up with it.
    ///
    /// # Errors
    /// `TokenExpired` when it is not, or no longer, good for this.
    pub async fn redeem_in(
        &self,
        connection: &mut PgConnection,
        token: &str,
        purpose: Purpose,
    ) -> Result<(AccountId, UserId), CommandError> {
        let now = self.now();
        let used = sqlx::query!(
            "UPDATE one_time_tokens SET used_at = $3
             WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
             RETURNING tenant_id, user_id",
            &hash_of(token)[..],
            purpose.as_str(),
            now,
        );
        let used = used.fetch_optional(&mut *connection).await?.ok_or_else(expired)?;
        sqlx::query!(
            "UPDATE one_time_tokens SET used_at = $4
             WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3 AND used_at IS NULL",
            used.tenant_id,
            used.user_id,
            purpose.as_str(),
            now,
        )
        .execute(connection)
        .await?;
        read(&used.tenant_id, &used.user_id)
    }
}

fn read(tenant: &str, user: &str) -> Result<(AccountId, UserId), CommandError> {
    let malformed = |error: palaver_domain::InvalidId| CommandError::Credential(error.into());
    Ok((tenant.parse().map_err(malformed)?, user.parse().map_err(malformed)?))
}

/// One answer for a token that never was, was used, or is too old: a guess learns nothing.
pub(super) fn expired() -> CommandError {
    let message = "the token was used, is too old, or never was; ask for a new one";
    CommandError::Refused(Failure::new(FailureKind::Forbidden, "TokenExpired", message))
}
