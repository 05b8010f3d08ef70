//! `/auth`: logging in to an access token and a refresh token, getting the next ones, and ending it. Source: seed 002,
//! "Obtaining Token", which names the login alone; the rest is an extension.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_commands::identity::{Client, CodeCheck, Device, LoggedIn, Opened};
use palaver_domain::{
    AccountId, FieldErrors, UserId,
    identity::{Role, UserState},
};
use palaver_projections::users;
use serde::{Deserialize, Serialize};

use super::{MktX, MktXState, Success};
use crate::{
    auth::{ACCESS_TOKEN_SECONDS, Caller, CredentialHash},
    http::{ApiError, ErrorCode, Json, MktXErrorBody},
};

/// Who logs in. What is left out is not valid, rather than malformed.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = MktXLogin)]
pub(super) struct Login {
    /// The user's name; or an email address that one user alone has.
    #[schema(required = true)]
    email: String,
    #[schema(required = true)]
    password: String,
    /// The code of the second factor, for a user who has one.
    code: Option<String>,
}

/// What a program goes on with.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MktXTokens)]
pub(super) struct Tokens {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// For the next access token, once.
    refresh_token: String,
    /// Seconds that the access token lasts.
    expires_in: i64,
}

fn required(fields: &[(&str, &str)]) -> Result<(), ApiError> {
    let missing = fields.iter().filter(|(_, text)| text.is_empty());
    let errors: FieldErrors = missing.map(|(name, _)| ((*name).to_owned(), vec!["required".to_owned()])).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let message = "the request is not valid; details name each field and what is wrong with it";
    Err(ApiError::new(ErrorCode::ValidationError, message).with_fields(errors))
}

fn wrong() -> ApiError {
    ApiError::new(ErrorCode::LoginFailedError, "the email, the password or the code is wrong")
}

impl MktX {
    /// The user name that an email stands for: itself, or that of the one user who has this address.
    async fn user_name(&self, email: &str) -> Result<String, ApiError> {
        if self.commander.sessions().user_named(email).await?.is_some() {
            return Ok(email.to_owned());
        }
        Ok(users::name_by_email(&self.pool, email).await?.unwrap_or_else(|| email.to_owned()))
    }

    /// Checks the second factor of a user whose password was right.
    async fn second_factor(&self, user: &UserState, code: Option<&str>) -> Result<Opened, ApiError> {
        let Some(code) = code.filter(|code| !code.is_empty()) else {
            let message = "this user has a second factor; send its code as `code`";
            return Err(ApiError::new(ErrorCode::SecondFactorRequiredError, message));
        };
        match self.second_factors.check(user, code).await? {
            CodeCheck::Right => Ok(self.commander.sessions().let_in(user, device(), false).await?),
            CodeCheck::Wrong => Err(wrong()),
            CodeCheck::Locked { until } => Err(self.locked(until)),
        }
    }

    fn locked(&self, until: DateTime<Utc>) -> ApiError {
        let seconds = (until - self.commander.clock().now()).num_seconds().clamp(1, i64::from(u32::MAX));
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        ApiError::too_many_requests(format!("too many wrong logins; try again in {seconds} s"), seconds)
    }

    /// The tokens of a session that was opened just now.
    async fn tokens(&self, user: UserId, opened: &Opened) -> Result<Tokens, ApiError> {
        let session = CredentialHash::of(&opened.token);
        let refresh_token = self.commander.sessions().begin_refreshing(session.as_bytes()).await?.ok_or_else(wrong)?;
        self.signed(session, user, refresh_token)
    }

    fn signed(&self, session: CredentialHash, user: UserId, refresh_token: String) -> Result<Tokens, ApiError> {
        let now = self.commander.clock().now();
        let access_token = self.access_tokens.sign(session, user, now).map_err(|error| ApiError::internal(&error))?;
        Ok(Tokens { access_token, refresh_token, expires_in: ACCESS_TOKEN_SECONDS })
    }
}

fn device() -> Device {
    Device { client: Client::MktX, id: None }
}

/// Log in.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "mkt-x authentication", operation_id = "mktXLogin",
    request_body = Login,
    responses((status = 200, description = "The tokens.", body = Success<Tokens>),
        (status = 401, description = "The email, the password or the code is wrong; or, as `SECOND_FACTOR_REQUIRED`, a \
            code is missing.", body = MktXErrorBody),
        (status = 403, description = "The account has ended, or wants a second factor that is not set up.",
            body = MktXErrorBody),
        (status = 422, description = "The email or the password is missing.", body = MktXErrorBody),
        (status = 429, description = "Too many wrong logins, or requests.", body = MktXErrorBody)))]
pub(super) async fn login(
    State(state): State<MktXState>,
    Json(body): Json<Login>,
) -> Result<impl IntoResponse, ApiError> {
    required(&[("email", &body.email), ("password", &body.password)])?;
    let (sessions, name) = (state.commander.sessions(), state.user_name(&body.email).await?);
    let refused = |message| ApiError::new(ErrorCode::AccessDenied, message);
    let (user, opened) = match sessions.log_in(&name, &body.password, device()).await? {
        LoggedIn::Opened(opened) => (sessions.user_named(&name).await?.ok_or_else(wrong)?, opened),
        LoggedIn::SecondFactor { tenant, user } => {
            let user = sessions.able_user(tenant, user).await?.ok_or_else(wrong)?;
            let opened = state.second_factor(&user, body.code.as_deref()).await?;
            (user, opened)
        }
        LoggedIn::SetUp { .. } => {
            return Err(refused("the account wants a second factor of every user; set one up in the planner first"));
        }
        LoggedIn::Wrong => return Err(wrong()),
        LoggedIn::Locked { until } => return Err(state.locked(until)),
        LoggedIn::Closed => return Err(refused("the account has come to its end")),
    };
    Ok(Json(Success::of(state.tokens(user.id, &opened).await?)))
}

/// What the next tokens are had for.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = MktXRefresh)]
pub(super) struct Refresh {
    #[schema(required = true)]
    refresh_token: String,
}

/// Get the next tokens. A refresh token works once; one that comes a second time ends the login.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "mkt-x authentication", operation_id = "mktXRefresh",
    request_body = Refresh,
    responses((status = 200, description = "The tokens.", body = Success<Tokens>),
        (status = 401, description = "The refresh token is not, or no longer, valid.", body = MktXErrorBody),
        (status = 422, description = "The refresh token is missing.", body = MktXErrorBody)))]
pub(super) async fn refresh(
    State(state): State<MktXState>,
    Json(body): Json<Refresh>,
) -> Result<impl IntoResponse, ApiError> {
    required(&[("refreshToken", &body.refresh_token)])?;
    let next = state.commander.sessions().refresh(&body.refresh_token).await?.ok_or_else(|| {
        ApiError::new(ErrorCode::LoginFailedError, "the refresh token is not, or no longer, valid; log in again")
    })?;
    let tokens = state.signed(CredentialHash::from_bytes(next.session), next.user, next.refresh_token)?;
    Ok(Json(Success::of(tokens)))
}

/// Nothing more to say.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MktXNothing)]
pub(super) struct Nothing {}

/// End the login. Its access tokens and its refresh token are no longer valid.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "mkt-x authentication", operation_id = "mktXLogout",
    responses((status = 200, description = "It has ended.", body = Success<Nothing>)))]
pub(super) async fn logout(State(state): State<MktXState>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    state.commander.sessions().close(caller.credential.as_bytes()).await?;
    Ok(Json(Success::of(Nothing {})))
}

/// Whom the access token stands for.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MktXMe)]
pub(super) struct Me {
    #[schema(value_type = String)]
    id: UserId,
    user_name: String,
    #[schema(value_type = String)]
    role: Role,
    permissions: Vec<&'static str>,
    merchant: Merchant,
}

/// An account.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MktXMerchant)]
pub(super) struct Merchant {
    #[schema(value_type = String)]
    id: AccountId,
    name: String,
}

/// Tell whom the access token stands for.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "mkt-x authentication", operation_id = "mktXMe",
    responses((status = 200, description = "The user, the role and the merchant.", body = Success<Me>)))]
pub(super) async fn me(State(state): State<MktXState>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    let name = state.commander.account(caller.tenant).await?.account.name;
    let permissions = caller.permissions.iter().map(|permission| permission.as_str()).collect();
    Ok(Json(Success::of(Me {
        id: caller.user,
        user_name: caller.user_name,
        role: caller.role,
        permissions,
        merchant: Merchant { id: caller.tenant, name },
    })))
}
