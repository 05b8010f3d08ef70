//! Who calls, on whatever surface: what each surface takes for credentials, and whom they stand for.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, Uri, header, request::Parts},
};
use palaver_domain::{
    AccountId, Actor, AppId,
    identity::{AppState, Permissions},
};

use super::{
    ACCESSTOKEN, AppCaller, AppCredential, Caller, CredentialHash, CredentialsError, NoCaller, TOKEN_CHARS_MAX,
    authenticate, invalid,
};
use crate::{
    http::{ApiError, ErrorCode, Shell, pairs},
    permissions::Surface,
};

/// The header that carries an application's key. Source: seed 000.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The query parameter that names the application of a request. Source: seed 000.
pub const APP_ID: &str = "appId";
/// How tokens of applications begin; sessions' have nothing but hex digits.
const APP_TOKEN_PREFIX: &str = "pat_";

/// Whom the credentials of a request stand for. Also an extractor, on every route that is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    User(Caller),
    App(AppCaller),
}

impl Principal {
    pub fn tenant(&self) -> AccountId {
        match self {
            Self::User(caller) => caller.tenant,
            Self::App(caller) => caller.tenant,
        }
    }

    pub fn credential(&self) -> CredentialHash {
        match self {
            Self::User(caller) => caller.credential,
            Self::App(caller) => caller.credential,
        }
    }

    pub fn permissions(&self) -> Permissions {
        match self {
            Self::User(caller) => caller.permissions,
            Self::App(caller) => caller.permissions,
        }
    }

    /// Whoever asks again with the same is the same, whichever credential it is by.
    pub fn identity(&self) -> String {
        match self {
            Self::User(caller) => caller.user.to_string(),
            Self::App(caller) => caller.actor.to_string(),
        }
    }

    /// As the sentence of a refusal begins.
    pub fn title(&self) -> String {
        match self {
            Self::User(caller) => format!("role {}", caller.role),
            Self::App(AppCaller { actor: Actor::App(_), .. }) => "an app".to_owned(),
            Self::App(_) => "this user".to_owned(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal(&NoCaller))
    }
}

/// Whom a request's credentials stand for, by what its surface takes for credentials.
///
/// # Errors
/// 400 when it carries two different credentials, or does not say which application it is for; 401 when none is valid,
/// 503 or 500 when the lookup fails.
pub(crate) async fn identify(
    shell: &Arc<Shell>,
    surface: Surface,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Principal, ApiError> {
    match surface {
        Surface::System => system(shell, headers, uri).await,
        Surface::Socialhub => authenticate(shell, headers, uri).await.map(Principal::User),
        Surface::MktX => mkt_x(shell, headers).await.map(Principal::User),
        Surface::Bots => bots(shell, headers, uri).await.map(Principal::App),
        Surface::BotOpenApi => bot_open_api(shell, headers).await.map(Principal::App),
    }
}

/// A key or token of an application, for itself; else a user's token, wherever it is.
async fn system(shell: &Arc<Shell>, headers: &HeaderMap, uri: &Uri) -> Result<Principal, ApiError> {
    let two = || ApiError::bad_request("the request carries a token and a key; send one of the two");
    let app = match (api_key(headers)?, headers.get(&header::AUTHORIZATION)) {
        (Some(_), Some(_)) => return Err(two()),
        (Some(key), None) => Some((key, AppCredential::Key)),
        (None, Some(_)) => {
            bearer(headers)?.filter(|text| text.starts_with(APP_TOKEN_PREFIX)).map(|text| (text, AppCredential::Token))
        }
        (None, None) => None,
    };
    let Some((text, kind)) = app else { return authenticate(shell, headers, uri).await.map(Principal::User) };
    if pairs(uri.query().unwrap_or_default())?.iter().any(|(name, _)| name == ACCESSTOKEN) {
        return Err(two());
    }
    let found = application(shell, text, kind).await?;
    found.map(Principal::App).ok_or_else(|| invalid("the credentials are not, or no longer, valid"))
}

/// A signed access token, whose session still lasts.
async fn mkt_x(shell: &Arc<Shell>, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let token = bearer(headers)?.ok_or_else(|| {
        invalid("this needs an access token, as `Authorization: Bearer`; log in at /api/v1/auth/login")
    })?;
    let refused = || invalid("the access token is not, or no longer, valid; refresh it or log in");
    let now = shell.clock.now();
    let (session, user) = shell.access_tokens.read(token, now).ok_or_else(refused)?;
    let caller = shell.credentials.find(session, now).await.map_err(failed)?.ok_or_else(refused)?;
    if caller.user == user { Ok(caller) } else { Err(refused()) }
}

/// A key or token of an application, or a session of a user; and which application it is about.
async fn bots(shell: &Arc<Shell>, headers: &HeaderMap, uri: &Uri) -> Result<AppCaller, ApiError> {
    let (bearer, key) = (bearer(headers)?, api_key(headers)?);
    let now = shell.clock.now();
    let refused = || invalid("the credentials are not, or no longer, valid");
    let (text, kind) = match (bearer, key) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request("the request carries a token and a key; send one of the two"));
        }
        (None, None) => {
            return Err(invalid("this needs `Authorization: Bearer` with a token, or `x-api-key` with a key"));
        }
        (Some(token), None) if !token.starts_with(APP_TOKEN_PREFIX) => {
            let credential = CredentialHash::of(token);
            let user = shell.credentials.find(credential, now).await.map_err(failed)?.ok_or_else(refused)?;
            let app = asked_app(uri)?;
            if !shell.app_credentials.has(user.tenant, app).await.map_err(failed)? {
                return Err(other_app());
            }
            let Caller { tenant, permissions, .. } = user;
            return Ok(AppCaller { tenant, app, actor: user.actor(), permissions, credential });
        }
        (Some(token), None) => (token, AppCredential::Token),
        (None, Some(key)) => (key, AppCredential::Key),
    };
    let caller = application(shell, text, kind).await?.ok_or_else(refused)?;
    if asked_app(uri)? == caller.app { Ok(caller) } else { Err(other_app()) }
}

/// A token of an application, with or without the word `Bearer`.
async fn bot_open_api(shell: &Arc<Shell>, headers: &HeaderMap) -> Result<AppCaller, ApiError> {
    let missing = || invalid("this needs the token from /bot-api/v1/login in the header Authorization");
    let value = single(headers, &header::AUTHORIZATION)?.ok_or_else(missing)?;
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value,
    };
    application(shell, token, AppCredential::Token)
        .await?
        .ok_or_else(|| invalid("the token is not, or no longer, valid; get another from /bot-api/v1/login"))
}

/// The application that a credential of its own stands for.
async fn application(shell: &Arc<Shell>, text: &str, kind: AppCredential) -> Result<Option<AppCaller>, ApiError> {
    let credential = CredentialHash::of(text);
    let found = shell.app_credentials.find(credential, kind, shell.clock.now()).await.map_err(failed)?;
    Ok(found.map(|(tenant, app)| AppCaller {
        tenant,
        app,
        actor: Actor::App(app),
        permissions: AppState::PERMISSIONS,
        credential,
    }))
}

fn asked_app(uri: &Uri) -> Result<AppId, ApiError> {
    let mut asked = pairs(uri.query().unwrap_or_default())?.into_iter().filter(|(name, _)| name == APP_ID);
    match (asked.next(), asked.next()) {
        (Some((_, text)), None) => {
            text.parse().map_err(|error| ApiError::bad_request(format!("`{APP_ID}` in the query: {error}")))
        }
        (None, _) => Err(ApiError::bad_request(format!("the query must say which app this is for, as `{APP_ID}`"))),
        (Some(_), Some(_)) => Err(ApiError::bad_request(format!("`{APP_ID}` is given more than once"))),
    }
}

fn other_app() -> ApiError {
    invalid("the credentials are not for this app")
}

pub(super) fn failed(error: CredentialsError) -> ApiError {
    match error {
        CredentialsError::Database(error) => error.into(),
        error @ CredentialsError::AccountEnded => ApiError::new(ErrorCode::AccessDenied, error.to_string()),
        error @ CredentialsError::Malformed { .. } => ApiError::internal(&error),
    }
}

fn api_key(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    single(headers, &X_API_KEY)
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => Err(invalid("Authorization must be `Bearer <token>`")),
    }
}

/// A header that carries credentials, once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::bad_request(format!("header {name} is given more than once")));
    }
    let text = value.to_str().map(str::trim).unwrap_or_default();
    if text.is_empty() || text.len() > CREDENTIAL_CHARS_MAX {
        return Err(invalid("the credentials are malformed"));
    }
    Ok(Some(text))
}

/// Characters of a header that carries credentials; a signed token is the longest.
const CREDENTIAL_CHARS_MAX: usize = 2 * TOKEN_CHARS_MAX;
