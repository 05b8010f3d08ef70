//! `/api2/users/login`, `/logout` and `/activate`.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use palaver_commands::identity::{Client, Device, LoggedIn, Purpose};
use palaver_domain::identity::Product;
use serde::{Deserialize, Serialize};

use super::{
    session::{closed, locked, wrong},
    totp,
};
use crate::{
    auth::{Caller, cookie, ticket},
    http::{ApiError, ErrorBody, Json, Query, RequestId},
    socialhub::SocialhubState,
};

/// Characters of a device's id.
const DEVICE_ID_CHARS_MAX: usize = 200;
/// How long whoever has activated an account may choose a password by the token they got for that.
const FIRST_PASSWORD: TimeDelta = TimeDelta::hours(1);

#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum AskedClient {
    Default,
    Mobile,
    StoryPublisher,
}

/// What the session will be used by.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct LoginBy {
    /// How long the session lasts depends on it: 12 hours, or 90 days for `mobile` and `storyPublisher`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    client: Option<AskedClient>,
    /// The device's id, by which its sessions can be ended.
    #[param(max_length = 200)]
    device_id: Option<String>,
}

impl LoginBy {
    fn device(self) -> Result<Device, ApiError> {
        let client = match self.client {
            None | Some(AskedClient::Default) => Client::Default,
            Some(AskedClient::Mobile) => Client::Mobile,
            Some(AskedClient::StoryPublisher) => Client::StoryPublisher,
        };
        Ok(Device { client, id: self.device_id.map(device_id).transpose()? })
    }
}

fn device_id(text: String) -> Result<String, ApiError> {
    if text.is_empty() || text.chars().nth(DEVICE_ID_CHARS_MAX).is_some() {
        return Err(ApiError::bad_request(format!("`deviceId` has 1 to {DEVICE_ID_CHARS_MAX} characters")));
    }
    Ok(text)
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Login {
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// What is missing to a login whose password is right.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct HalfLogin {
    /// For `POST /users/totp/login`, as `Authorization: Bearer`.
    jwt: String,
    status: HalfLoginStatus,
    /// The secret to set up, when `status` is `TOTP_SETUP`.
    #[serde(flatten)]
    secret: Option<totp::Shown>,
}

#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum HalfLoginStatus {
    TotpRequired,
    TotpSetup,
}

/// Log in by name and password.
///
/// After five failures within a quarter of an hour, a name is locked for as long, whether anybody has it or not.
#[utoipa::path(post, path = "/api2/users/login", tag = "users", operation_id = "login",
    params(LoginBy), request_body = Login,
    responses((status = 200, description = "The password is right; a code is needed, too.", body = HalfLogin),
        (status = 204, description = "The session's token is in the header `accesstoken`, and in the cookie of that name."),
        (status = 401, description = "The name or the password is not right.", body = ErrorBody),
        (status = 403, description = "The name is locked, or the account has come to its end.", body = ErrorBody)))]
pub(in crate::socialhub) async fn login(
    State(state): State<SocialhubState>,
    Query(by): Query<LoginBy>,
    Json(login): Json<Login>,
) -> Result<Response, ApiError> {
    let device = by.device()?;
    let sessions = state.commander.sessions();
    let half = |status, purpose| (status, purpose);
    let (tenant, user, (status, purpose)) = match sessions
        .log_in(&login.username, &login.password, device.clone())
        .await?
    {
        LoggedIn::Opened(opened) => return Ok(state.let_in(&opened).await?.into_response()),
        LoggedIn::Wrong => return Err(wrong("the user name or the password is not right")),
        LoggedIn::Locked { until } => return Err(locked(until, state.commander.clock().now())),
        LoggedIn::Closed => return Err(closed()),
        LoggedIn::SecondFactor { tenant, user } => {
            (tenant, user, half(HalfLoginStatus::TotpRequired, ticket::Purpose::SecondFactor))
        }
        LoggedIn::SetUp { tenant, user } => (tenant, user, half(HalfLoginStatus::TotpSetup, ticket::Purpose::SetUp)),
    };
    let (jwt, secret) = state.ticket(purpose, tenant, user, device).await?;
    Ok(Json(HalfLogin { jwt, status, secret }).into_response())
}

/// Whose sessions end.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Logout {
    /// A device; the caller's sessions on it end, too.
    #[param(max_length = 200)]
    device_id: Option<String>,
}

/// Log out. The token is worth nothing from now on.
#[utoipa::path(get, path = "/api2/users/logout", tag = "users", operation_id = "logout", params(Logout),
    responses((status = 204, description = "The session has ended.")))]
pub(in crate::socialhub) async fn logout(
    State(state): State<SocialhubState>,
    caller: Caller,
    Query(logout): Query<Logout>,
) -> Result<impl IntoResponse, ApiError> {
    let sessions = state.commander.sessions();
    if let Some(device) = logout.device_id.map(device_id).transpose()? {
        sessions.close_device(caller.tenant, caller.user, &device).await?;
    }
    sessions.close(caller.credential.as_bytes()).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::drop(state.is_secure())?)], ()))
}

/// What the first session of a new account will be used by.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct ActivateBy {
    /// `default` or `mobile`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    client: Option<AskedClient>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct Activation {
    username: String,
    /// From the mail that asked to verify the account.
    account_verify_one_time_token: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct Activated {
    /// For `POST /users/password`, within an hour.
    one_time_token: String,
    access_token: String,
    /// What the account works with.
    #[schema(value_type = Vec<String>)]
    products: Vec<Product>,
}

/// Activate a user by the token of a mail, and log them in.
#[utoipa::path(post, path = "/api2/users/activate", tag = "users", operation_id = "activateUser",
    params(ActivateBy), request_body = Activation,
    responses((status = 200, description = "The user is verified and has a session.", body = Activated),
        (status = 403, description = "The token was used, is too old, or is not this user's.", body = ErrorBody)))]
pub(in crate::socialhub) async fn activate(
    State(state): State<SocialhubState>,
    Extension(request_id): Extension<RequestId>,
    Query(by): Query<ActivateBy>,
    Json(activation): Json<Activation>,
) -> Result<impl IntoResponse, ApiError> {
    if matches!(by.client, Some(AskedClient::StoryPublisher)) {
        return Err(ApiError::bad_request("`type` is `default` or `mobile`"));
    }
    let device = LoginBy { client: by.client, device_id: None }.device()?;
    let Activation { username, account_verify_one_time_token: token } = activation;
    let sessions = state.commander.sessions();
    let user = state.commander.verify_by_token(&username, &token, Some(request_id.to_string())).await?;
    let account = sessions.open_account(&user).await?.ok_or_else(closed)?;
    let tokens = state.commander.one_time_tokens();
    let one_time_token = tokens.issue(user.account_id, user.id, Purpose::SetPassword, FIRST_PASSWORD).await?;
    let opened = sessions.let_in(&user, device, false).await?;
    let products = [Product::Cp, Product::Inbox, Product::Ml].into_iter().filter(|one| account.products.has(*one));
    let headers = state.handed_over(&opened).await?;
    Ok((headers, Json(Activated { one_time_token, access_token: opened.token, products: products.collect() })))
}
