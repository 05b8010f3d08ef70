//! `/cp/postGroups`: composing posts for several channels at once.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, FixedOffset};
use palaver_commands::{
    Outcome,
    posts::{GroupAnswer, NewGroup},
};
use palaver_domain::{ChannelId, PostGroupId};
use serde::Deserialize;

use super::{
    SocialhubState,
    context::{Asked, gone, written},
    posts::single::moment,
    schemas,
};
use crate::http::{ApiError, ErrorBody, Json, PathId};

/// What to compose.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewPostGroup)]
pub(super) struct Body {
    /// A post is planned for each.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100)]
    channel_ids: Vec<ChannelId>,
    publish_time: Option<DateTime<FixedOffset>>,
    /// IANA name, such as `Europe/Berlin`. Taken from the offset of `publishTime` when left out.
    publish_time_zone: Option<String>,
}

fn group(answer: &GroupAnswer) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "_id": answer.id, "accountId": answer.account_id }))
}

fn answer(status: StatusCode, outcome: &Outcome<GroupAnswer>) -> impl IntoResponse + use<> {
    (status, written(outcome), group(&outcome.value))
}

/// Start a post group: one empty `preDraft` post for each channel.
#[utoipa::path(post, path = "/api2/cp/postGroups", tag = "posts", operation_id = "createPostGroup",
    request_body = Body, responses(
        (status = 201, description = "The new group.", body = schemas::PostGroup),
        (status = 404, description = "A channel is unknown, inactive or not the caller's.", body = ErrorBody),
        (status = 409, description = "The caller is composing another group already.", body = ErrorBody)))]
pub(super) async fn create(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(body): Json<Body>,
) -> Result<impl IntoResponse, ApiError> {
    let (publish_time, from_offset) = moment(body.publish_time);
    let new = NewGroup {
        channel_ids: body.channel_ids,
        publish_time,
        publish_time_zone: body.publish_time_zone.or(from_offset),
    };
    let outcome = state.commander.create_group(&asked.context, asked.planner, new).await?;
    Ok(answer(StatusCode::CREATED, &outcome))
}

/// The group that the caller is composing.
#[utoipa::path(get, path = "/api2/cp/postGroups/preDraft", tag = "posts", operation_id = "getPreDraftPostGroup",
    responses((status = 200, description = "The group.", body = schemas::PostGroup),
        (status = 404, description = "The caller is composing none.", body = ErrorBody)))]
pub(super) async fn in_work(State(state): State<SocialhubState>, asked: Asked) -> Result<impl IntoResponse, ApiError> {
    let found = state.commander.group_in_work(&asked.context, &asked.planner).await?;
    Ok(group(&found))
}

/// Delete a group whose posts are all `preDraft` and the caller's own.
#[utoipa::path(delete, path = "/api2/cp/postGroups/{id}", tag = "posts", operation_id = "deletePostGroup",
    params(("id" = String, Path, description = "The group's id.")),
    responses((status = 204, description = "It is gone, with its posts."),
        (status = 404, description = "There is no such group.", body = ErrorBody),
        (status = 409, description = "A post is somebody else's, or no longer `preDraft`.", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostGroupId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.delete_group(&asked.context, asked.planner, id).await?;
    Ok(gone(&outcome))
}

/// Keep every post of the group as a draft.
#[utoipa::path(post, path = "/api2/cp/postGroups/{id}/saveAsDraft", tag = "posts",
    operation_id = "savePostGroupAsDraft", params(("id" = String, Path, description = "The group's id.")),
    responses((status = 200, description = "All are drafts.", body = schemas::PostGroup),
        (status = 404, description = "There is no such group.", body = ErrorBody),
        (status = 409, description = "A post is somebody else's, or no longer `preDraft`.", body = ErrorBody)))]
pub(super) async fn save_as_draft(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostGroupId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.save_group_as_draft(&asked.context, asked.planner, id).await?;
    Ok(answer(StatusCode::OK, &outcome))
}

/// Schedule every post of the group, each at its own `publishTime`.
#[utoipa::path(post, path = "/api2/cp/postGroups/{id}/schedule", tag = "posts", operation_id = "schedulePostGroup",
    params(("id" = String, Path, description = "The group's id.")),
    responses((status = 200, description = "All are scheduled.", body = schemas::PostGroup),
        (status = 400, description = "A network would not take a post.", body = ErrorBody),
        (status = 404, description = "There is no such group.", body = ErrorBody),
        (status = 409, description = "A post has no `publishTime`, or is somebody else's `preDraft`.", body = ErrorBody)))]
pub(super) async fn schedule(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostGroupId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.schedule_group(&asked.context, asked.planner, id).await?;
    Ok(answer(StatusCode::OK, &outcome))
}

/// Publish every post of the group as soon as possible.
#[utoipa::path(post, path = "/api2/cp/postGroups/{id}/publish", tag = "posts", operation_id = "publishPostGroup",
    params(("id" = String, Path, description = "The group's id.")),
    responses((status = 200, description = "All are scheduled for now.", body = schemas::PostGroup),
        (status = 400, description = "A network would not take a post.", body = ErrorBody),
        (status = 404, description = "There is no such group.", body = ErrorBody),
        (status = 409, description = "A post has a `publishTime`, or is somebody else's `preDraft`.", body = ErrorBody)))]
pub(super) async fn publish(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostGroupId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.publish_group(&asked.context, asked.planner, id).await?;
    Ok(answer(StatusCode::OK, &outcome))
}
