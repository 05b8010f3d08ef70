//! `/token`, which live clients call `/login`: an application's secret for a token. Source: seed 001.

use axum::extract::State;
use chrono::{DateTime, Utc};
use palaver_commands::identity::SecretExchange;
use palaver_domain::AppId;
use palaver_projections::times;
use serde::{Deserialize, Serialize};

use super::{BotOpenApi, BotOpenApiState};
use crate::http::{ApiError, ErrorBody, ErrorCode, Json};

/// Characters of a secret; ours are shorter.
const SECRET_CHARS_MAX: usize = 512;

/// An application, and how it proves that it is.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppLogin)]
pub(super) struct AppLogin {
    #[schema(value_type = String)]
    app_id: AppId,
    app_secret: String,
}

/// What to send with every request.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AppToken)]
pub(super) struct Token {
    /// For the header `Authorization`, as it is or behind `Bearer`.
    auth_token: String,
    /// When it ends.
    #[serde(serialize_with = "times::serialize")]
    expire_at: DateTime<Utc>,
    /// The same.
    #[serde(serialize_with = "times::serialize")]
    expires_at: DateTime<Utc>,
}

/// Get a token for an application's secret.
#[utoipa::path(post, path = "/bot-api/v1/token", tag = "bot-open-api", operation_id = "getAppToken",
    request_body = AppLogin,
    responses((status = 200, description = "The token; it lasts 24 hours.", body = Token),
        (status = 400, description = "A field is missing or malformed, or the secret is not the application's.",
            body = ErrorBody),
        (status = 409, description = "The secret was the application's, and another one has taken its place.",
            body = ErrorBody)))]
pub(super) async fn token(
    State(state): State<BotOpenApiState>,
    Json(body): Json<AppLogin>,
) -> Result<Json<Token>, ApiError> {
    exchange(&state, &body).await
}

/// Get a token for an application's secret; the same as `/bot-api/v1/token`.
#[utoipa::path(post, path = "/bot-api/v1/login", tag = "bot-open-api", operation_id = "loginApp",
    request_body = AppLogin,
    responses((status = 200, description = "The token; it lasts 24 hours.", body = Token),
        (status = 400, description = "A field is missing or malformed, or the secret is not the application's.",
            body = ErrorBody),
        (status = 409, description = "The secret was the application's, and another one has taken its place.",
            body = ErrorBody)))]
pub(super) async fn login(
    State(state): State<BotOpenApiState>,
    Json(body): Json<AppLogin>,
) -> Result<Json<Token>, ApiError> {
    exchange(&state, &body).await
}

async fn exchange(state: &BotOpenApi, login: &AppLogin) -> Result<Json<Token>, ApiError> {
    let wrong = || ApiError::new(ErrorCode::AppCredentialsInvalidError, "there is no app with this id and this secret");
    if login.app_secret.len() > SECRET_CHARS_MAX {
        return Err(wrong());
    }
    match state.commander.exchange_app_secret(login.app_id, &login.app_secret).await? {
        SecretExchange::Token(got) => {
            let (auth_token, end) = (got.token.expose().to_owned(), got.expires_at);
            Ok(Json(Token { auth_token, expire_at: end, expires_at: end }))
        }
        SecretExchange::Wrong => Err(wrong()),
        SecretExchange::Replaced => Err(ApiError::new(
            ErrorCode::ConflictError,
            "another secret has taken the place of this one; use the newer one",
        )),
    }
}
