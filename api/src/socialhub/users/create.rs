//! New users: with a password that somebody tells them, or invited by mail to choose their own.

use axum::{extract::State, response::IntoResponse};
use palaver_commands::identity::{InvitationError, NewUser, Password};
use palaver_domain::{AccountId, Failure, FieldErrors, Locale, TeamId, identity::Role};
use palaver_projections::users;
use serde::Deserialize;

use super::{check, editor, render, schemas, within, wrong};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, ErrorCode, Json},
    socialhub::{
        Page, SocialhubState,
        context::{Asked, written},
    },
};

/// A user to be. All but `phone`, `password`, `accountId` and `teams` is required.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewUser)]
pub(in super::super) struct Asking {
    /// By which the user logs in. No other user of any account has it, in whatever letter case.
    #[schema(max_length = 254)]
    user_name: Option<String>,
    role: Option<String>,
    #[schema(max_length = 254)]
    first_name: Option<String>,
    #[schema(max_length = 254)]
    last_name: Option<String>,
    email: Option<String>,
    #[schema(max_length = 50)]
    phone: Option<String>,
    /// Left out: the user gets a mail, with a link for choosing one.
    #[schema(min_length = 10, max_length = 128)]
    password: Option<String>,
    /// Another account than one's own; for super administrators.
    #[schema(value_type = Option<String>)]
    account_id: Option<AccountId>,
    /// `en`, `de` or `fr`.
    locale: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    teams: Vec<TeamId>,
}

impl Asking {
    fn read(self) -> Result<NewUser, ApiError> {
        let mut errors = FieldErrors::new();
        let mut required = |field: &str, text: Option<String>| {
            let text = text.filter(|text| !text.trim().is_empty());
            if text.is_none() {
                wrong(&mut errors, field, "required");
            }
            text.unwrap_or_default()
        };
        let user_name = required("userName", self.user_name);
        let first_name = required("firstName", self.first_name);
        let last_name = required("lastName", self.last_name);
        let email = required("email", self.email);
        let (role, locale) = (required("role", self.role), required("locale", self.locale));
        let (asked_role, asked_locale): (Option<Role>, Option<Locale>) = (role.parse().ok(), locale.parse().ok());
        if asked_role.is_none() && !role.is_empty() {
            wrong(&mut errors, "role", "invalidRole");
        }
        if asked_locale.is_none() && !locale.is_empty() {
            wrong(&mut errors, "locale", "invalidLocale");
        }
        check(errors)?;
        Ok(NewUser {
            team_ids: self.teams,
            email: Some(email),
            first_name,
            last_name,
            phone: self.phone,
            locale: asked_locale.unwrap_or_default(),
            // Whoever runs the account vouches for them; and without a password nobody gets in but by the mail.
            verified: true,
            ..NewUser::named(user_name.trim(), asked_role.unwrap_or(Role::Observer))
        })
    }
}

/// Create a user.
#[utoipa::path(post, path = "/api2/users", tag = "users", operation_id = "createUser", request_body = Asking,
    responses((status = 200, description = "The user.", body = schemas::User),
        (status = 400, description = "The user is not valid.", body = ErrorBody),
        (status = 403, description = "The role, or the account, is not the caller's to use.", body = ErrorBody),
        (status = 404, description = "There is no such account.", body = ErrorBody),
        (status = 409, description = "The name is taken, or the account is full.", body = ErrorBody)))]
pub(in super::super) async fn create(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    Json(body): Json<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = body.account_id.unwrap_or(caller.tenant);
    if tenant != caller.tenant && caller.role != Role::SuperAdmin {
        let message = "only super administrators create users of other accounts; leave `accountId` out";
        return Err(ApiError::new(ErrorCode::AccessDenied, message));
    }
    let password = body.password.clone();
    let new = body.read()?;
    let password = match &password {
        Some(text) => Some(Password::new(text, &new.user_name).map_err(Failure::from)?),
        None => None,
    };
    state.users_caught_up().await?;
    let users = u64::try_from(users::count(&state.pool, tenant).await?).unwrap_or_default();
    let context = within(asked, tenant);
    let outcome = state.commander.add_user(&context, &editor(&caller), new, password.as_ref(), users).await?;
    if password.is_none() {
        let link = |token: &str| state.link(Page::SetPassword, token);
        state.commander.invite_user(&state.outbox, &outcome.value, link).await.map_err(|error| match error {
            InvitationError::Command(error) => error.into(),
            InvitationError::Mail(error) => ApiError::internal(&error),
        })?;
    }
    state.took_effect(&outcome).await?;
    Ok((written(&outcome), Json(render(&outcome.value))))
}
