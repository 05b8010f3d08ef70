//! The routes that move a post along its status machine.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::{
    FeedItemId, PostId,
    posts::{Post, PostCommand},
};
use palaver_eventstore::StreamId;
use serde::Deserialize;

use super::single::answer;
use crate::{
    http::{ApiError, ErrorBody, IfMatch, Json, PathId},
    socialhub::{SocialhubState, context::Asked, schemas},
};

async fn moved(
    state: &SocialhubState,
    asked: Asked,
    id: PostId,
    command: PostCommand,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let asked = asked.only_if_unchanged(StreamId::of::<Post>(id));
    let outcome = state.commander.move_post(&asked.context, asked.planner, id, command).await?;
    Ok(answer(&outcome))
}

/// Propose a post for approval.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/suggest", tag = "posts", operation_id = "suggestPost",
    params(("id" = String, Path, description = "The post's id."), IfMatch),
    responses((status = 200, description = "It is `needsApproval` now.", body = schemas::Post),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "Its status forbids it.", body = ErrorBody)))]
pub(in crate::socialhub) async fn suggest(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    moved(&state, asked, id, PostCommand::Suggest).await
}

/// Approve a proposed post; it is scheduled then.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/approve", tag = "posts", operation_id = "approvePost",
    params(("id" = String, Path, description = "The post's id."), IfMatch),
    responses((status = 200, description = "It is `scheduled` now.", body = schemas::Post),
        (status = 400, description = "Its time or content is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "Its status forbids it, or it has no `publishTime`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn approve(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    moved(&state, asked, id, PostCommand::Approve).await
}

/// Why a post was rejected.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
#[schema(as = Rejection)]
pub(in crate::socialhub) struct Rejection {
    /// Becomes a comment in the post's feed.
    #[schema(min_length = 1)]
    message: Option<String>,
}

/// Reject a proposed post; it goes back to whoever proposed it.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/reject", tag = "posts", operation_id = "rejectPost",
    params(("id" = String, Path, description = "The post's id."), IfMatch), request_body = Option<Rejection>,
    responses((status = 200, description = "It is a `draft` that needs attention now.", body = schemas::Post),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "Its status forbids it.", body = ErrorBody)))]
pub(in crate::socialhub) async fn reject(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
    body: Option<Json<Rejection>>,
) -> Result<impl IntoResponse, ApiError> {
    let message = body.and_then(|Json(rejection)| rejection.message);
    let item_id = FeedItemId::from_bytes(state.commander.ids().object_id());
    moved(&state, asked, id, PostCommand::Reject { message, item_id }).await
}

/// Schedule a post at its `publishTime`.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/schedule", tag = "posts", operation_id = "schedulePost",
    params(("id" = String, Path, description = "The post's id."), IfMatch),
    responses((status = 200, description = "It is `scheduled` now.", body = schemas::Post),
        (status = 400, description = "Its time or content is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "Its status forbids it, or it has no `publishTime`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn schedule(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    moved(&state, asked, id, PostCommand::Schedule).await
}

/// Publish a post that has no `publishTime`, as soon as possible.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/publish", tag = "posts", operation_id = "publishPost",
    params(("id" = String, Path, description = "The post's id."), IfMatch),
    responses((status = 200, description = "It is `scheduled` for now.", body = schemas::Post),
        (status = 400, description = "Its content is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "Its status forbids it, or it has a `publishTime`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn publish(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    moved(&state, asked, id, PostCommand::Publish).await
}

/// Take a scheduled post back; it is a draft then.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/unschedule", tag = "posts", operation_id = "unschedulePost",
    params(("id" = String, Path, description = "The post's id."), IfMatch),
    responses((status = 200, description = "It is a `draft` now.", body = schemas::Post),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "It is not `scheduled`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn unschedule(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    moved(&state, asked, id, PostCommand::Unschedule).await
}
