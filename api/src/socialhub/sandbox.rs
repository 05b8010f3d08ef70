//! `/channels/sandbox`: channels of the built-in sandbox network. An extension of the published API: a place to try
//! publishing, misbehaviour included, without an account anywhere.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use palaver_commands::{
    channels::NewChannel,
    publishing::{Behaviour, SandboxItem},
};
use palaver_domain::{
    ChannelId, TeamId,
    channels::{Connection, Network},
};
use serde::Deserialize;

use super::{
    SocialhubState,
    channels::{self, answer},
    context::Asked,
    schemas,
};
use crate::http::{ApiError, ErrorBody, Json, Paging, PathId};

/// The longest a sandbox takes to answer.
const DELAY_MS_MAX: u32 = 60_000;

/// A channel that plays a network.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewSandboxChannel)]
pub(super) struct NewSandbox {
    #[schema(max_length = 50)]
    name: String,
    unique_name: Option<String>,
    /// `FACEBOOK`, `TWITTER`, `INSTAGRAM_BUSINESS`, `LINKEDIN`, `YOUTUBE`, `PINTEREST`, `TIKTOK` or `WORDPRESS`.
    #[schema(value_type = String)]
    social_network: Network,
    image_url: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    team_ids: Vec<TeamId>,
}

/// Connect a sandbox channel.
#[utoipa::path(post, path = "/api2/channels/sandbox", tag = "channels", operation_id = "connectSandboxChannel",
    request_body = NewSandbox,
    responses((status = 201, description = "The channel.", body = schemas::Channel),
        (status = 400, description = "The channel is not valid.", body = ErrorBody)))]
pub(super) async fn connect(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(body): Json<NewSandbox>,
) -> Result<impl IntoResponse, ApiError> {
    let new = NewChannel {
        network: body.social_network,
        connection: Connection::Sandbox,
        name: body.name,
        unique_name: body.unique_name,
        image_url: body.image_url,
        team_ids: body.team_ids,
    };
    Ok(answer(&state.commander.connect_channel(&asked.context, new).await?))
}

/// How a sandbox channel is to answer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SandboxBehaviour)]
pub(super) struct Told {
    /// `accept`, `refuse`, `unavailable`, `dropAfterAccept`, `dropBeforeAccept` or `forgetful`.
    behaviour: String,
    /// How long it takes to answer once it has accepted or not, at most 60,000.
    #[serde(default)]
    delay_ms: u32,
}

/// A sandbox channel of the caller's account.
async fn sandbox(state: &SocialhubState, asked: &Asked, id: ChannelId) -> Result<(), ApiError> {
    if channels::seen(state, asked, id).await?.channel.connection == Connection::Sandbox {
        return Ok(());
    }
    Err(ApiError::not_found("there is no such sandbox channel"))
}

/// Tell a sandbox channel how to answer from now on.
#[utoipa::path(put, path = "/api2/channels/sandbox/{id}/behaviour", tag = "channels",
    operation_id = "setSandboxBehaviour", params(("id" = String, Path, description = "The channel's id.")),
    request_body = Told,
    responses((status = 204, description = "It will."),
        (status = 400, description = "There is no such behaviour.", body = ErrorBody),
        (status = 404, description = "There is no such sandbox channel.", body = ErrorBody)))]
pub(super) async fn behave(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<ChannelId>,
    Json(told): Json<Told>,
) -> Result<impl IntoResponse, ApiError> {
    let behaviour: Behaviour = told.behaviour.parse().map_err(|_| {
        let all: Vec<_> = Behaviour::ALL.iter().map(|behaviour| behaviour.as_str()).collect();
        ApiError::bad_request(format!("`behaviour` must be one of {}", all.join(", ")))
    })?;
    if told.delay_ms > DELAY_MS_MAX {
        return Err(ApiError::bad_request(format!("`delayMs` must be at most {DELAY_MS_MAX}")));
    }
    sandbox(&state, &asked, id).await?;
    state.sandbox.behave(asked.context.tenant, id, behaviour, told.delay_ms).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn item(item: SandboxItem) -> schemas::SandboxItem {
    schemas::SandboxItem {
        key: item.key,
        item_id: item.item_id,
        url: item.url,
        content: item.content,
        submissions: item.submissions,
        accepted_time: item.accepted_at,
    }
}

/// What a sandbox channel has accepted, newest first.
#[utoipa::path(get, path = "/api2/channels/sandbox/{id}/items", tag = "channels", operation_id = "listSandboxItems",
    params(("id" = String, Path, description = "The channel's id."),
        ("offset" = Option<i64>, Query, description = "Items to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Items to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of items.", body = schemas::SandboxItems),
        (status = 404, description = "There is no such sandbox channel.", body = ErrorBody)))]
pub(super) async fn items(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<ChannelId>,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    sandbox(&state, &asked, id).await?;
    let (count, items) = state.sandbox.items(asked.context.tenant, id, paging.offset, paging.count).await?;
    Ok(Json(schemas::SandboxItems { count, data: items.into_iter().map(item).collect() }))
}
