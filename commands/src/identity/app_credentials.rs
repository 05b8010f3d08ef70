//! What an application presents, as the database knows it: keys, its secret, and the tokens that a secret is exchanged
//! for. Each is 256 random bits, so a fast hash without salt keeps it safe at rest.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{AccountId, AppId, KeyId};
use palaver_eventstore::ids::Ids;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;

use crate::{CommandError, Commander};

/// How long a token lasts that a secret was exchanged for.
pub const APP_TOKEN_HOURS: i64 = 24;
/// Former secrets of an application that are still told from wrong ones.
const FORMER_SECRETS_KNOWN: i64 = 8;

/// What an application presents; whoever holds the text is the application.
pub struct AppSecret(String);

impl AppSecret {
    pub(super) fn draw(prefix: &str, ids: &dyn Ids) -> Self {
        Self(format!("{prefix}{}", ids.secret()))
    }

    /// To be told to whom it belongs, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(..)")
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A credential that is about to be kept.
pub(super) struct NewCredential {
    pub tenant: AccountId,
    pub app: AppId,
    /// As `app_credentials.kind` says it.
    pub kind: &'static str,
    pub key_id: KeyId,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What an application gets for its secret.
#[derive(Debug)]
pub struct AppToken {
    pub token: AppSecret,
    pub expires_at: DateTime<Utc>,
}

/// What came of an exchange.
#[derive(Debug)]
pub enum SecretExchange {
    Token(AppToken),
    /// There is no such application, or it is not its secret.
    Wrong,
    /// It was its secret, until another one took its place.
    Replaced,
}

impl Commander {
    /// A token for an application's secret.
    ///
    /// # Errors
    /// When the database can not answer.
    pub async fn exchange_app_secret(&self, app: AppId, secret: &str) -> Result<SecretExchange, CommandError> {
        let presented = hash(secret);
        let mut transaction = self.log().database().pool().begin().await?;
        // Whoever rotates the secret or closes the application waits, or is waited for.
        let access = sqlx::query!(
            "SELECT tenant_id FROM app_access WHERE app_id = $1 AND closed_at IS NULL FOR SHARE",
            app.uuid()
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let known = sqlx::query!(
            "SELECT credential_hash, key_id, revoked_at FROM app_credentials
             WHERE app_id = $1 AND kind = 'app_secret' ORDER BY created_at DESC LIMIT $2",
            app.uuid(),
            1 + FORMER_SECRETS_KNOWN
        )
        .fetch_all(&mut *transaction)
        .await?;
        let mut found = None;
        // All of them, each in constant time, so that how long it takes tells nothing.
        for secret in known {
            if bool::from(secret.credential_hash.as_slice().ct_eq(&presented)) {
                found = Some((KeyId::from_uuid(secret.key_id), secret.revoked_at));
            }
        }
        let (Some(access), Some((key_id, revoked_at))) = (access, found) else { return Ok(SecretExchange::Wrong) };
        if revoked_at.is_some() {
            return Ok(SecretExchange::Replaced);
        }
        let tenant = access.tenant_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let (token, now) = (AppSecret::draw("pat_", self.ids()), self.clock().now());
        let expires_at = now + TimeDelta::hours(APP_TOKEN_HOURS);
        sqlx::query!(
            "DELETE FROM app_credentials WHERE app_id = $1 AND kind = 'app_token' AND expires_at <= $2",
            app.uuid(),
            now
        )
        .execute(&mut *transaction)
        .await?;
        let new = NewCredential { tenant, app, kind: "app_token", key_id, expires_at: Some(expires_at) };
        self.keep_credential(&mut transaction, &new, &token).await?;
        transaction.commit().await?;
        Ok(SecretExchange::Token(AppToken { token, expires_at }))
    }

    pub(super) async fn keep_credential(
        &self,
        db: &mut PgConnection,
        new: &NewCredential,
        secret: &AppSecret,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO app_credentials (credential_hash, tenant_id, app_id, kind, key_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &hash(secret.expose())[..],
            new.tenant.to_string(),
            new.app.uuid(),
            new.kind,
            new.key_id.uuid(),
            self.clock().now(),
            new.expires_at,
        )
        .execute(db)
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use palaver_eventstore::ids::SystemIds;

    use super::*;

    #[test]
    fn a_secret_is_long_and_does_not_show_itself() {
        let (one, other) = (AppSecret::draw("pas_", &SystemIds), AppSecret::draw("pas_", &SystemIds));
        assert_eq!(one.expose().len(), 4 + 64);
        assert_ne!(one.expose(), other.expose());
        assert_eq!(format!("{one:?}"), "AppSecret(..)");
    }
}
