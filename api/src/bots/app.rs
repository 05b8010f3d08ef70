//! `/app`: the application that a request is for. An extension of the published API, by which a client finds out what
//! its credentials are good for.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_commands::CommandContext;
use palaver_domain::{AccountId, Actor, AppId};
use palaver_projections::times;
use serde::Serialize;

use super::{BotsState, envelope};
use crate::{
    auth::AppCaller,
    http::{ApiError, BotsErrorBody},
};

/// An application.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BotsApp)]
pub(super) struct App {
    #[schema(value_type = String)]
    id: AppId,
    #[schema(value_type = String)]
    account_id: AccountId,
    name: String,
    /// Who asks: `app:<id>` or `user:<id>`.
    #[schema(value_type = String)]
    actor: Actor,
    #[serde(serialize_with = "times::serialize")]
    created_at: DateTime<Utc>,
}

/// Tell which application the request is for.
#[utoipa::path(get, path = "/v1/app", tag = "bots", operation_id = "getBotsApp",
    params(("appId" = String, Query, description = "The application, which must be the credential's.")),
    responses((status = 200, description = "The application.", body = envelope::Envelope<App>),
        (status = 400, description = "`appId` is missing or malformed.", body = BotsErrorBody),
        (status = 401, description = "The credentials are not valid, or not for this application.", body = BotsErrorBody)))]
pub(super) async fn get(
    State(state): State<BotsState>,
    caller: AppCaller,
    request: envelope::Request,
) -> Result<impl IntoResponse, ApiError> {
    let context = CommandContext { actor: caller.actor.clone(), ..CommandContext::system(caller.tenant, "bots") };
    let found = state.commander.app(&context, caller.app).await?;
    let app = App {
        id: found.app.id,
        account_id: found.app.account_id,
        name: found.app.name,
        actor: caller.actor,
        created_at: found.created_at,
    };
    Ok(request.ok(app))
}
