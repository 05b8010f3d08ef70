//! What those who run the service do with accounts.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_commands::CommandContext;
use palaver_domain::{AccountId, ChannelId};
use palaver_projections::accounts;
use serde::Deserialize;

use super::{answer, body::New};
use crate::{
    http::{ApiError, ErrorBody, Json, PathId, Query, ReadAfter},
    socialhub::{
        SocialhubState,
        context::{Asked, gone},
        schemas,
    },
};

/// Create an account.
#[utoipa::path(post, path = "/api2/accounts", tag = "accounts", operation_id = "createAccount", request_body = New,
    responses((status = 201, description = "The account.", body = schemas::Account),
        (status = 400, description = "A value is not valid.", body = ErrorBody)))]
pub(in crate::socialhub) async fn create(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(new): Json<New>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.create_account(&asked.context, new.changes()).await?;
    Ok((StatusCode::CREATED, answer(&outcome)))
}

/// List the custom tags of all accounts, each once.
#[utoipa::path(get, path = "/api2/accounts/customTags/list", tag = "accounts", operation_id = "listCustomTags",
    responses((status = 200, description = "The tags in alphabetical order, at most 10,000.", body = Vec<String>)))]
pub(in crate::socialhub) async fn custom_tags(
    State(state): State<SocialhubState>,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts"], after).await?;
    Ok(Json(accounts::custom_tags(&state.pool).await?))
}

/// The context of an operator's command on an account.
fn on(asked: &Asked, account: AccountId) -> CommandContext {
    CommandContext { tenant: account, ..asked.context.clone() }
}

/// Open an account again that has ended. It then has no end; set `expirationTime` to give it one.
#[utoipa::path(put, path = "/api2/accounts/{id}/reactivate", tag = "accounts", operation_id = "reactivateAccount",
    params(("id" = String, Path, description = "The account's id.")),
    responses((status = 201, description = "The account.", body = schemas::Account),
        (status = 404, description = "There is no such account.", body = ErrorBody),
        (status = 409, description = "It has not ended.", body = ErrorBody)))]
pub(in crate::socialhub) async fn reactivate(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AccountId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.reactivate_account(&on(&asked, id)).await?;
    Ok((StatusCode::CREATED, answer(&outcome)))
}

/// Which tickets are done with.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Archiving {
    /// Those of one channel; of all channels when left out.
    #[param(value_type = Option<String>)]
    channel_id: Option<ChannelId>,
    /// Those that came before; now when left out, and never later than now.
    until: Option<DateTime<Utc>>,
}

/// Archive an account's tickets.
///
/// The order is kept as an event of the account. Palaver holds no tickets yet, so there is none that it could show on.
#[utoipa::path(put, path = "/api2/accounts/{id}/archive", tag = "accounts", operation_id = "archiveTickets",
    params(("id" = String, Path, description = "The account's id."), Archiving),
    responses((status = 204, description = "All tickets until then are archived."),
        (status = 400, description = "The time is in the future, or not understood.", body = ErrorBody),
        (status = 404, description = "There is no such account, or channel in it.", body = ErrorBody)))]
pub(in crate::socialhub) async fn archive(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AccountId>,
    Query(Archiving { channel_id, until }): Query<Archiving>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(gone(&state.commander.archive_tickets(&on(&asked, id), channel_id, until).await?))
}
