//! `POST /accounts/register`: the way in for somebody who has no account.

use axum::{Extension, extract::State, http::StatusCode, response::IntoResponse};
use palaver_commands::identity::{NewUser, Password, Registration};
use palaver_domain::{Failure, FailureKind, FieldErrors, Locale, identity::Role};
use palaver_projections::accounts::render;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    http::{ApiError, ErrorBody, Json, Query, RequestId},
    settings::Secret,
    socialhub::{Page, SocialhubState, context::written, schemas},
};

/// How an account is registered.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Registering {
    /// Becomes a custom tag of the account.
    campaign: Option<String>,
    /// Becomes a custom tag of the account.
    code: Option<String>,
    /// The content planner alone. Company, phone and password may then be left out.
    #[serde(rename = "cp-only")]
    #[param(rename = "cp-only")]
    cp_only: bool,
    /// Taken and ignored: no lead is ever created.
    #[serde(rename = "no-salesforce")]
    #[param(rename = "no-salesforce")]
    _no_salesforce: bool,
}

/// Who registers. What marketing adds to a form (`lead_source`, `utm_source` and the like) is taken and ignored.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Registration)]
pub(in crate::socialhub) struct Body {
    first_name: Option<String>,
    last_name: Option<String>,
    #[schema(value_type = Option<String>, format = Password, min_length = 10, max_length = 128)]
    password: Option<Secret>,
    /// By which the user logs in. No other user of any account has it, in whatever letter case.
    user_name: Option<String>,
    email: Option<String>,
    /// `en`, `de` or `fr`.
    locale: Option<String>,
    /// What the account is called.
    company: Option<String>,
    phone: Option<String>,
    /// Required as of old, and not checked: what protects this route is the limit of requests from one address.
    re_captcha: Option<String>,
}

fn refuse(errors: FieldErrors) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let message = "the registration is not valid; errors names each field and what is wrong with it";
    Err(Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(errors).into())
}

impl Body {
    fn read(self, how: Registering) -> Result<Registration, ApiError> {
        let mut errors = FieldErrors::new();
        let mut text = |field: &str, text: Option<String>, required: bool| {
            let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            if text.is_none() && required {
                errors.insert(field.to_owned(), vec!["required".to_owned()]);
            }
            text
        };
        let everything = !how.cp_only;
        let first_name = text("firstName", self.first_name, true).unwrap_or_default();
        let last_name = text("lastName", self.last_name, true).unwrap_or_default();
        let user_name = text("userName", self.user_name, true).unwrap_or_default();
        let email = text("email", self.email, true);
        let locale = text("locale", self.locale, true);
        let company = text("company", self.company, everything);
        let phone = text("phone", self.phone, everything);
        text("reCaptcha", self.re_captcha, true);
        let asked_locale: Option<Locale> = locale.as_ref().and_then(|locale| locale.parse().ok());
        if locale.is_some() && asked_locale.is_none() {
            errors.insert("locale".to_owned(), vec!["invalidLocale".to_owned()]);
        }
        let given = self.password.as_ref().map(Secret::expose).filter(|password| !password.is_empty());
        if given.is_none() && everything {
            errors.insert("password".to_owned(), vec!["required".to_owned()]);
        }
        refuse(errors)?;
        let password = given.map(|given| Password::new(given, &user_name)).transpose().map_err(Failure::from)?;
        let mut custom_tags: Vec<String> = [how.campaign, how.code].into_iter().flatten().collect();
        custom_tags.dedup();
        Ok(Registration {
            account_name: company.unwrap_or_else(|| format!("{first_name} {last_name}")),
            custom_tags,
            planner_only: how.cp_only,
            user: NewUser {
                email,
                first_name,
                last_name,
                phone,
                locale: asked_locale.unwrap_or_default(),
                verified: false,
                ..NewUser::named(user_name, Role::Admin)
            },
            password,
        })
    }
}

/// Register an account on trial for 30 days, and its administrator.
///
/// The user gets a mail with a link, and can log in once it is followed. `verificationLink` is that link, and is answered
/// only where no mail server is configured: whoever gets it here has shown nothing about the address.
#[utoipa::path(post, path = "/api2/accounts/register", tag = "accounts", operation_id = "registerAccount",
    params(Registering), request_body = Body,
    responses((status = 201, description = "The account.", body = schemas::Account),
        (status = 400, description = "The registration is not valid, or the name is taken.", body = ErrorBody)))]
pub(in crate::socialhub) async fn register(
    State(state): State<SocialhubState>,
    Extension(request_id): Extension<RequestId>,
    Query(how): Query<Registering>,
    Json(body): Json<Body>,
) -> Result<impl IntoResponse, ApiError> {
    let registration = body.read(how)?;
    let link = |token: &str| state.link(Page::Activate, token);
    let request_id = Some(request_id.to_string());
    let (outcome, link) = state.commander.register(registration, request_id, &state.outbox, link).await?;
    let mut account: Value = render(&outcome.value.account.account, outcome.value.account.created_at);
    if let Some(account) = account.as_object_mut().filter(|_| !state.mail_is_sent) {
        account.insert("verificationLink".to_owned(), json!(link));
    }
    Ok((StatusCode::CREATED, written(&outcome), Json(account)))
}
