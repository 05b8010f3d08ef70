//! `/api2/users/totp`: the second factor, and logging in with it.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use palaver_commands::identity::{CodeCheck, Device, PROPOSAL_LIFETIME, Proposal, SecondFactors};
use palaver_domain::{
    AccountId, FieldErrors, UserId,
    identity::{Permission, UserState},
};
use qrcode::{QrCode, render::svg, types::QrError};
use serde::{Deserialize, Serialize};

use super::session::{closed, locked, wrong};
use crate::{
    auth::{
        Caller,
        ticket::{Purpose, Ticket},
    },
    http::{ApiError, ErrorBody, ErrorCode, Json, PathId, Query},
    socialhub::{
        Socialhub, SocialhubState,
        context::{Asked, gone},
    },
};

/// How long a code may take after the password.
const CODE_WAIT: TimeDelta = TimeDelta::minutes(5);
/// Pixels of a side of the image, at least.
const IMAGE_PIXELS_MIN: u32 = 240;

/// A secret as its user needs it, once.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Shown {
    /// Base32, to be typed.
    secret: String,
    /// A QR code as a data URL, to be scanned.
    image: String,
}

impl Shown {
    fn of(proposal: &Proposal) -> Result<Self, ApiError> {
        let image = image(&proposal.address).map_err(|error| ApiError::internal(&error))?;
        Ok(Self { secret: proposal.secret.to_string(), image })
    }
}

fn image(text: &str) -> Result<String, QrError> {
    let code = QrCode::new(text.as_bytes())?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(IMAGE_PIXELS_MIN, IMAGE_PIXELS_MIN).build();
    let mut url = String::from("data:image/svg+xml;base64,");
    STANDARD.encode_string(svg, &mut url);
    Ok(url)
}

impl Socialhub {
    fn second_factors(&self) -> SecondFactors {
        self.commander.second_factors(self.secrets.vault.clone())
    }

    /// A signed ticket; one to set up a second factor comes with the secret.
    pub(super) async fn ticket(
        &self,
        purpose: Purpose,
        tenant: AccountId,
        user: UserId,
        device: Device,
    ) -> Result<(String, Option<Shown>), ApiError> {
        let proposal = match purpose {
            Purpose::SecondFactor => None,
            Purpose::SetUp | Purpose::Confirm => {
                let user = self.commander.sessions().able_user(tenant, user).await?.ok_or_else(gone_meanwhile)?;
                Some(self.second_factors().propose(&user).await?)
            }
        };
        let lifetime = if proposal.is_some() { PROPOSAL_LIFETIME } else { CODE_WAIT };
        let secret = proposal.as_ref().map(|proposal| proposal.reference);
        let ticket = Ticket { purpose, tenant, user, device, secret, made: self.commander.clock().now() };
        let jwt = ticket.sign(&self.secrets.signing_key, lifetime)?;
        Ok((jwt, proposal.as_ref().map(Shown::of).transpose()?))
    }

    fn read_ticket(&self, jwt: &str) -> Result<Option<Ticket>, ApiError> {
        Ok(Ticket::read(jwt, &self.secrets.signing_key, self.commander.clock().now()))
    }
}

fn gone_meanwhile() -> ApiError {
    wrong("the user is not there any more")
}

/// Whoever acts as somebody else does not decide how they log in.
fn in_person(caller: &Caller) -> Result<(), ApiError> {
    match caller.masked_by {
        None => Ok(()),
        Some(_) => Err(ApiError::new(ErrorCode::AccessDenied, "an operator can not do this as somebody else")),
    }
}

/// A secret that is not in use yet.
#[derive(Serialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Generated {
    /// For `POST /users/totp/verify`, within ten minutes.
    jwt: String,
    #[serde(flatten)]
    secret: Option<Shown>,
}

/// Make a secret for a second factor. It is in use once it is verified.
#[utoipa::path(post, path = "/api2/users/totp/generate", tag = "users", operation_id = "generateTotp",
    responses((status = 200, description = "The secret, which is not shown again.", body = Generated),
        (status = 409, description = "The caller has a second factor already.", body = ErrorBody)))]
pub(in crate::socialhub) async fn generate(
    State(state): State<SocialhubState>,
    caller: Caller,
) -> Result<impl IntoResponse, ApiError> {
    in_person(&caller)?;
    let (jwt, secret) = state.ticket(Purpose::Confirm, caller.tenant, caller.user, Device::default()).await?;
    Ok(Json(Generated { jwt, secret }))
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Verification {
    /// From `POST /users/totp/generate`.
    jwt: String,
    /// From the app that was given the secret.
    code: String,
}

/// Take a generated secret into use, by the first code that it makes.
#[utoipa::path(post, path = "/api2/users/totp/verify", tag = "users", operation_id = "verifyTotp",
    request_body = Verification,
    responses((status = 204, description = "The caller has a second factor from now on."),
        (status = 400, description = "The code is not right, or the jwt is not one for this.", body = ErrorBody),
        (status = 403, description = "`TokenExpired`, or too many wrong codes.", body = ErrorBody),
        (status = 409, description = "The caller has a second factor already.", body = ErrorBody)))]
pub(in crate::socialhub) async fn verify(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    Json(Verification { jwt, code }): Json<Verification>,
) -> Result<impl IntoResponse, ApiError> {
    in_person(&caller)?;
    let ticket = state.read_ticket(&jwt)?.filter(|ticket| {
        ticket.purpose == Purpose::Confirm && (ticket.tenant, ticket.user) == (caller.tenant, caller.user)
    });
    let Some(secret) = ticket.and_then(|ticket| ticket.secret) else {
        return Err(ApiError::bad_request("`jwt` is not, or no longer, one that this can be verified by"));
    };
    let user = state.commander.sessions().able_user(caller.tenant, caller.user).await?.ok_or_else(gone_meanwhile)?;
    match state.second_factors().confirm(&asked.context, &user, secret, &code).await? {
        CodeCheck::Right => Ok(StatusCode::NO_CONTENT),
        CodeCheck::Wrong => {
            let fields = FieldErrors::from([("code".to_owned(), vec!["invalid".to_owned()])]);
            Err(ApiError::new(ErrorCode::ValidationError, "the code is not right").with_fields(fields))
        }
        CodeCheck::Locked { until } => Err(locked(until, state.commander.clock().now())),
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Code {
    code: String,
    /// Let the session last for 30 days.
    #[serde(default)]
    remember: bool,
}

/// Log in by a code, after the password.
///
/// The jwt of `POST /users/login` is sent as `Authorization: Bearer`. One that came with a secret to set up takes the secret
/// into use.
#[utoipa::path(post, path = "/api2/users/totp/login", tag = "users", operation_id = "loginByTotp", request_body = Code,
    responses((status = 204, description = "The session's token is in the header `accesstoken`, and in the cookie of that name."),
        (status = 401, description = "The jwt or the code is not right.", body = ErrorBody),
        (status = 403, description = "The name is locked, or the account has come to its end.", body = ErrorBody)))]
pub(in crate::socialhub) async fn login(
    State(state): State<SocialhubState>,
    headers: HeaderMap,
    Json(Code { code, remember }): Json<Code>,
) -> Result<impl IntoResponse, ApiError> {
    let stale = || wrong("the jwt is not, or no longer, one to log in by; log in by name and password again");
    let ticket = bearer(&headers).map(|jwt| state.read_ticket(jwt)).transpose()?.flatten().ok_or_else(stale)?;
    let sessions = state.commander.sessions();
    let user = sessions.able_user(ticket.tenant, ticket.user).await?.ok_or_else(stale)?;
    // The password that the ticket was given for is not theirs any more.
    if state.commander.password_set_since(ticket.tenant, ticket.user, ticket.made).await? {
        return Err(stale());
    }
    sessions.open_account(&user).await?.ok_or_else(closed)?;
    let checked = match (ticket.purpose, ticket.secret) {
        (Purpose::SecondFactor, _) => state.second_factors().check(&user, &code).await?,
        (Purpose::SetUp, Some(secret)) => {
            let context = palaver_commands::CommandContext {
                actor: palaver_domain::Actor::User(user.id),
                ..palaver_commands::CommandContext::system(user.account_id, "login")
            };
            state.second_factors().confirm(&context, &user, secret, &code).await?
        }
        (Purpose::SetUp | Purpose::Confirm, _) => return Err(stale()),
    };
    match checked {
        CodeCheck::Right => state.let_in(&sessions.let_in(&user, ticket.device, remember).await?).await,
        CodeCheck::Wrong => Err(wrong("the code is not right, or was used already")),
        CodeCheck::Locked { until } => Err(locked(until, state.commander.clock().now())),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, jwt) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| jwt.trim())
}

/// What shows that it is really wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Removal {
    /// The caller's code of this moment. Whoever has no second factor of their own and removes another's may send anything.
    code: String,
}

/// Remove a second factor: one's own, or that of a user who has lost it.
///
/// Another's takes the permissions `EditUsers` and `EditSecuritySettings`.
#[utoipa::path(delete, path = "/api2/users/{userId}/totp", tag = "users", operation_id = "removeTotp",
    params(("userId" = String, Path, description = "The user's id."), Removal),
    responses((status = 204, description = "The user logs in by password alone."),
        (status = 403, description = "The code is not right, or the caller may not.", body = ErrorBody),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        (status = 409, description = "The user has no second factor.", body = ErrorBody)))]
pub(in crate::socialhub) async fn remove(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    PathId(id): PathId<UserId>,
    Query(Removal { code }): Query<Removal>,
) -> Result<impl IntoResponse, ApiError> {
    in_person(&caller)?;
    may_remove(&caller, id)?;
    let sessions = state.commander.sessions();
    let own = sessions.able_user(caller.tenant, caller.user).await?.ok_or_else(gone_meanwhile)?;
    let user = if id == caller.user {
        own.clone()
    } else {
        let user = sessions.user(id).await?.filter(|user| user.account_id == caller.tenant);
        user.ok_or_else(|| ApiError::not_found("there is no such user"))?
    };
    out_of_reach(&own, &user)?;
    if user.totp.is_none() {
        return Err(ApiError::new(ErrorCode::ConflictError, "the user has no second factor"));
    }
    let factors = state.second_factors();
    if own.totp.is_some() {
        match factors.check(&own, &code).await? {
            CodeCheck::Right => {}
            CodeCheck::Wrong => return Err(denied("the code is not right, or was used already")),
            CodeCheck::Locked { until } => return Err(locked(until, state.commander.clock().now())),
        }
    }
    Ok(gone(&factors.remove(&asked.context, &user).await?))
}

fn denied(message: &str) -> ApiError {
    ApiError::new(ErrorCode::AccessDenied, message)
}

fn may_remove(caller: &Caller, user: UserId) -> Result<(), ApiError> {
    if user == caller.user {
        return Ok(());
    }
    let needed = [Permission::EditUsers, Permission::EditSecuritySettings];
    let missing: Vec<_> = needed.into_iter().filter(|needed| !caller.permissions.contains(*needed)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut message = format!("role {} lacks", caller.role);
    for permission in missing {
        // Writing to a String does not fail.
        let _ = write!(message, " {permission}");
    }
    Err(ApiError::new(ErrorCode::InsufficientPermissions, message))
}

/// Who runs the service is protected from those who merely run an account.
fn out_of_reach(own: &UserState, user: &UserState) -> Result<(), ApiError> {
    if user.role.is_operator() && !own.role.is_operator() {
        return Err(denied("only those who run the service may do this to one of them"));
    }
    Ok(())
}
