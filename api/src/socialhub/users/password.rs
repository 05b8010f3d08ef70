//! `/api2/users/password`: a way back for those who have forgotten theirs.

use axum::{Extension, extract::State, http::StatusCode, response::IntoResponse};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{
    http::{ApiError, ErrorBody, Json, RequestId, chain},
    socialhub::{Page, SocialhubState},
};

/// Resets that are worked on at once. They are short, and each is for one mail.
static RESETS: Semaphore = Semaphore::const_new(16);
const RETRY_AFTER_S: u32 = 1;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct Reset {
    user_name: String,
}

/// Have a mail sent with a link to choose a new password.
///
/// The answer is the same whether anybody has the name or not, and comes before it is looked up. A user gets at most three
/// such mails in an hour.
#[utoipa::path(post, path = "/api2/users/password/reset", tag = "users", operation_id = "resetPassword",
    request_body = Reset,
    responses((status = 204, description = "If anybody has that name, they get a mail.")))]
pub(in crate::socialhub) async fn reset(
    State(state): State<SocialhubState>,
    Json(Reset { user_name }): Json<Reset>,
) -> Result<impl IntoResponse, ApiError> {
    let Ok(place) = RESETS.try_acquire() else {
        return Err(ApiError::unavailable("too many passwords are being reset; try again", RETRY_AFTER_S));
    };
    tokio::spawn(async move {
        let _place = place;
        let link = |token: &str| state.link(Page::SetPassword, token);
        if let Err(error) = state.commander.mail_password_reset(&state.outbox, &user_name, link).await {
            tracing::error!(cause = %chain(&error), "a password reset was not mailed");
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct NewPassword {
    /// From the mail.
    token: String,
    #[schema(format = Password, min_length = 10, max_length = 128)]
    password: String,
}

/// Choose a password by a one-time token. All sessions of the user end.
#[utoipa::path(post, path = "/api2/users/password", tag = "users", operation_id = "setPassword",
    request_body = NewPassword,
    responses((status = 204, description = "The password is set."),
        (status = 400, description = "`PasswordCriteriaMismatch` or `PasswordIdentical`; the token stays good.", body = ErrorBody),
        (status = 403, description = "`TokenExpired`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn set(
    State(state): State<SocialhubState>,
    Extension(request_id): Extension<RequestId>,
    Json(NewPassword { token, password }): Json<NewPassword>,
) -> Result<impl IntoResponse, ApiError> {
    state.commander.choose_password(&token, &password, Some(request_id.to_string())).await?;
    Ok(StatusCode::NO_CONTENT)
}
