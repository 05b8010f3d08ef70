//! Callers that are applications: what they present, and where that is looked up.

use std::fmt;

use axum::{extract::FromRequestParts, http::request::Parts};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use palaver_domain::{AccountId, Actor, AppId, identity::Permissions};
use sqlx::{PgPool, Row, types::Uuid};

use super::{CredentialHash, CredentialsError, NoCaller};
use crate::http::ApiError;

/// Who calls an API whose requests are for an application: the application itself by a credential of its own, or a user
/// of its account. Also an extractor, on the surfaces of applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppCaller {
    pub tenant: AccountId,
    /// The application that the request is for.
    pub app: AppId,
    /// Who acts.
    pub actor: Actor,
    pub permissions: Permissions,
    pub credential: CredentialHash,
}

impl<S: Sync> FromRequestParts<S> for AppCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal(&NoCaller))
    }
}

/// Credentials that stand for an application by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppCredential {
    Key,
    /// What the application's secret was exchanged for.
    Token,
}

impl AppCredential {
    /// As `app_credentials.kind` holds it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "api_key",
            Self::Token => "app_token",
        }
    }
}

/// Where credentials of applications are looked up, for every request.
pub trait AppCredentials: fmt::Debug + Send + Sync + 'static {
    /// The application of a credential of that kind that is known and, at `now`, neither expired nor revoked.
    fn find(
        &self,
        credential: CredentialHash,
        kind: AppCredential,
        now: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<(AccountId, AppId)>, CredentialsError>>;

    /// Whether the account has this application.
    fn has(&self, tenant: AccountId, app: AppId) -> BoxFuture<'_, Result<bool, CredentialsError>>;
}

/// Credentials in `app_credentials`.
#[derive(Clone, Debug)]
pub struct DatabaseAppCredentials {
    pool: PgPool,
}

impl DatabaseAppCredentials {
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

const FIND: &str = "
    SELECT c.tenant_id, c.app_id, coalesce(account.expires_at <= $3, false) AS account_ended
    FROM app_credentials c
    JOIN app_access a USING (app_id)
    LEFT JOIN accounts account ON account.id = c.tenant_id
    WHERE c.credential_hash = $1 AND c.kind = $2 AND c.revoked_at IS NULL
      AND (c.expires_at IS NULL OR c.expires_at > $3) AND a.closed_at IS NULL";

const HAS: &str = "
    SELECT EXISTS (SELECT 1 FROM app_access WHERE app_id = $1 AND tenant_id = $2 AND closed_at IS NULL)";

impl AppCredentials for DatabaseAppCredentials {
    fn find(
        &self,
        credential: CredentialHash,
        kind: AppCredential,
        now: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<(AccountId, AppId)>, CredentialsError>> {
        Box::pin(async move {
            let row = sqlx::query(FIND)
                .bind(credential.as_bytes().as_slice())
                .bind(kind.as_str())
                .bind(now)
                .fetch_optional(&self.pool)
                .await?;
            let Some(row) = row else { return Ok(None) };
            if row.try_get("account_ended")? {
                return Err(CredentialsError::AccountEnded);
            }
            let malformed = |_| CredentialsError::Malformed { column: "tenant_id" };
            let tenant = row.try_get::<&str, _>("tenant_id")?.parse().map_err(malformed)?;
            Ok(Some((tenant, AppId::from_uuid(row.try_get::<Uuid, _>("app_id")?))))
        })
    }

    fn has(&self, tenant: AccountId, app: AppId) -> BoxFuture<'_, Result<bool, CredentialsError>> {
        Box::pin(async move {
            let row = sqlx::query(HAS).bind(app.uuid()).bind(tenant.to_string()).fetch_one(&self.pool).await?;
            Ok(row.try_get(0)?)
        })
    }
}
