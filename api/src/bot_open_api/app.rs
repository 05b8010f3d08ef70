//! `/app`: the application that a token stands for. An extension of the published API.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_commands::CommandContext;
use palaver_domain::AppId;
use palaver_projections::times;
use serde::Serialize;

use super::BotOpenApiState;
use crate::{
    auth::AppCaller,
    http::{ApiError, ErrorBody, Json},
};

/// An application.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BotOpenApiApp)]
pub(super) struct App {
    #[schema(value_type = String)]
    app_id: AppId,
    name: String,
    #[serde(serialize_with = "times::serialize")]
    created_at: DateTime<Utc>,
}

/// Tell which application the token stands for.
#[utoipa::path(get, path = "/bot-api/v1/app", tag = "bot-open-api", operation_id = "getBotOpenApiApp",
    responses((status = 200, description = "The application.", body = App),
        (status = 401, description = "The token is not, or no longer, valid.", body = ErrorBody)))]
pub(super) async fn get(
    State(state): State<BotOpenApiState>,
    caller: AppCaller,
) -> Result<impl IntoResponse, ApiError> {
    let context = CommandContext { actor: caller.actor, ..CommandContext::system(caller.tenant, "bot-open-api") };
    let found = state.commander.app(&context, caller.app).await?;
    Ok(Json(App { app_id: found.app.id, name: found.app.name, created_at: found.created_at }))
}
