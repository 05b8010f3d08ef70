//! Who asks: the token of a request, and the caller it stands for. What a caller may do is said in
//! [`crate::permissions`]; how tokens come to be is a surface's matter. Here are users and their tokens; [`app`] has
//! applications, [`jwt`] signed tokens, and [`principal`] what each surface takes for credentials.

mod app;
mod jwt;
mod principal;

pub(crate) mod cookie;
pub mod keycloak;
pub(crate) mod ticket;

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Uri, header, request::Parts},
};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use palaver_domain::{
    AccountId, Actor, ChannelId, TeamId, UserId,
    identity::{Permissions, Role},
};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Row};

pub use app::{AppCaller, AppCredential, AppCredentials, DatabaseAppCredentials};
pub use jwt::{ACCESS_TOKEN_SECONDS, AccessTokens};
pub(crate) use principal::identify;
pub use principal::{APP_ID, Principal, X_API_KEY};

use crate::http::{ApiError, ErrorCode, Shell, pairs};

/// The query parameter that carries a token. Source: seed 003, `securityDefinitions`.
pub const ACCESSTOKEN: &str = "accesstoken";
const TOKEN_CHARS_MAX: usize = 512;

/// SHA-256 of a token. Tokens are 256 random bits, so an unsalted, fast hash keeps them safe at rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialHash([u8; 32]);

impl CredentialHash {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// As `access_tokens.token_hash` holds it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialHash(..)")
    }
}

/// An authenticated user. Also an extractor, on every route that is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub tenant: AccountId,
    pub user: UserId,
    pub user_name: String,
    pub role: Role,
    /// What the role grants, or what was chosen for a `CUSTOM` user.
    pub permissions: Permissions,
    pub team_ids: Vec<TeamId>,
    /// Channels that the caller may look at and not change, whatever else they may.
    pub read_only_channel_ids: Vec<ChannelId>,
    pub credential: CredentialHash,
    /// The operator who acts as this user.
    pub masked_by: Option<UserId>,
}

impl Caller {
    pub fn actor(&self) -> Actor {
        Actor::User(self.user)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a handler asks for the caller on a public route")]
struct NoCaller;

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal(&NoCaller))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The token is good, and whose it is may not work any more.
    #[error("the account has come to its end; whoever runs the service can reactivate it")]
    AccountEnded,
    #[error("the user of a token has a malformed {column}")]
    Malformed { column: &'static str },
}

/// Where tokens are looked up. Asked for every request: an answer that is kept would outlive a revocation.
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// The caller of a token that is known and, at `now`, neither expired nor revoked.
    fn find(
        &self,
        token: CredentialHash,
        now: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<Caller>, CredentialsError>>;
}

/// Tokens in `access_tokens`, their users in the read model `users`.
#[derive(Clone, Debug)]
pub struct DatabaseCredentials {
    pool: PgPool,
}

impl DatabaseCredentials {
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

const FIND: &str = "
    SELECT u.tenant_id, u.id, u.user_name, u.role, u.permissions, u.team_ids, u.read_only_channel_ids,
           t.masked_by, coalesce(a.expires_at <= $2, false) AS account_ended
    FROM access_tokens t
    JOIN users u ON u.tenant_id = t.tenant_id AND u.id = t.user_id
    LEFT JOIN accounts a ON a.id = t.tenant_id
    WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)";

impl Credentials for DatabaseCredentials {
    fn find(
        &self,
        token: CredentialHash,
        now: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<Caller>, CredentialsError>> {
        Box::pin(async move {
            let row = sqlx::query(FIND).bind(token.as_bytes().as_slice()).bind(now).fetch_optional(&self.pool).await?;
            let Some(row) = row else { return Ok(None) };
            let malformed = |column| CredentialsError::Malformed { column };
            let chosen: Option<Vec<String>> = row.try_get("permissions")?;
            let team_ids: Vec<String> = row.try_get("team_ids")?;
            let read_only: Vec<String> = row.try_get("read_only_channel_ids")?;
            let masked_by: Option<&str> = row.try_get("masked_by")?;
            let role: Role = row.try_get::<&str, _>("role")?.parse().map_err(|_| malformed("role"))?;
            // Those who run the service are let in, or an ended account of theirs could not be opened again.
            if row.try_get("account_ended")? && !role.is_operator() {
                return Err(CredentialsError::AccountEnded);
            }
            Ok(Some(Caller {
                tenant: row.try_get::<&str, _>("tenant_id")?.parse().map_err(|_| malformed("tenant_id"))?,
                user: row.try_get::<&str, _>("id")?.parse().map_err(|_| malformed("id"))?,
                user_name: row.try_get("user_name")?,
                role,
                permissions: match (role, chosen) {
                    (Role::Custom, Some(chosen)) => all(&chosen).ok_or_else(|| malformed("permissions"))?,
                    _ => role.permissions(),
                },
                team_ids: all(&team_ids).ok_or_else(|| malformed("team_ids"))?,
                read_only_channel_ids: all(&read_only).ok_or_else(|| malformed("read_only_channel_ids"))?,
                credential: token,
                masked_by: masked_by.map(|id| id.parse()).transpose().map_err(|_| malformed("masked_by"))?,
            }))
        })
    }
}

/// Each text as what it means, unless one of them means nothing.
fn all<T: FromStr, C: FromIterator<T>>(texts: &[String]) -> Option<C> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// # Errors
/// 400 when two different tokens are sent, 401 when none is valid, 503 or 500 when the lookup fails.
pub(crate) async fn authenticate(shell: &Arc<Shell>, headers: &HeaderMap, uri: &Uri) -> Result<Caller, ApiError> {
    let token = token(headers, uri)?.ok_or_else(|| {
        invalid(
            "this needs an access token, as query parameter `accesstoken`, as `Authorization: Bearer`, or as cookie",
        )
    })?;
    match shell.credentials.find(CredentialHash::of(&token), shell.clock.now()).await {
        Ok(Some(caller)) => Ok(caller),
        Ok(None) => Err(invalid("the access token is not, or no longer, valid")),
        Err(error) => Err(principal::failed(error)),
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::AccessTokenInvalidError, message)
}

/// The one token that a request presents, wherever and however often. A browser sends its cookie unasked, so what else
/// is sent goes before it.
fn token(headers: &HeaderMap, uri: &Uri) -> Result<Option<String>, ApiError> {
    let mut tokens: Vec<String> = Vec::new();
    for value in headers.get_all(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid("Authorization must be `Bearer <token>`"));
        }
        tokens.push(token.trim().to_owned());
    }
    let in_query = pairs(uri.query().unwrap_or_default())?.into_iter().filter(|(name, _)| name == ACCESSTOKEN);
    tokens.extend(in_query.map(|(_, token)| token));
    tokens.dedup();
    match tokens.as_slice() {
        [] => match cookie::given(headers) {
            Some(token) if token.len() > TOKEN_CHARS_MAX => Err(invalid("the access token is malformed")),
            token => Ok(token.map(str::to_owned)),
        },
        [token] if token.is_empty() || token.len() > TOKEN_CHARS_MAX => Err(invalid("the access token is malformed")),
        [token] => Ok(Some(token.clone())),
        _ => Err(ApiError::bad_request("the request carries two different access tokens; send one")),
    }
}
