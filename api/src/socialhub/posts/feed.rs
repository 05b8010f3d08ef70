//! The feed of a post: what happened to it, and what its team says.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use palaver_domain::{PostId, UserId};
use palaver_projections::post_feed;
use serde::Deserialize;

use crate::{
    http::{ApiError, ErrorBody, Json, Paging, PathId, ReadAfter},
    socialhub::{
        SocialhubState,
        context::{Asked, written},
        schemas,
    },
};

/// List a post's feed, newest first.
#[utoipa::path(get, path = "/api2/cp/posts/{id}/feed", tag = "feed", operation_id = "listPostFeed",
    params(("id" = String, Path, description = "The post's id."),
        ("offset" = Option<i64>, Query, description = "Items to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Items to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of the feed.", body = schemas::Feed),
        (status = 404, description = "There is no such post.", body = ErrorBody)))]
pub(in crate::socialhub) async fn list(
    State(state): State<SocialhubState>,
    asked: Asked,
    after: ReadAfter,
    PathId(id): PathId<PostId>,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    // Whether the caller may see the post is the post's own matter.
    state.commander.post(&asked.context, &asked.planner, id).await?;
    state.caught_up(&["post_feed"], after).await?;
    let page = post_feed::feed(&state.pool, asked.context.tenant, id, paging.offset, paging.count).await?;
    let (count, data) = page.map_or((0, Vec::new()), |page| (page.count, page.data));
    Ok(Json(schemas::Listed { count, data }))
}

/// What to say.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewComment)]
pub(in crate::socialhub) struct Comment {
    #[schema(min_length = 1, max_length = 10000)]
    message: String,
    /// Users who are meant.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 50)]
    mentions: Vec<UserId>,
}

/// Comment on a post.
#[utoipa::path(post, path = "/api2/cp/posts/{id}/feed", tag = "feed", operation_id = "commentOnPost",
    params(("id" = String, Path, description = "The post's id.")), request_body = Comment,
    responses((status = 201, description = "The new item of the feed.", body = schemas::FeedItem),
        (status = 400, description = "The comment is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such post.", body = ErrorBody)))]
pub(in crate::socialhub) async fn comment(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
    Json(comment): Json<Comment>,
) -> Result<impl IntoResponse, ApiError> {
    let Asked { context, planner, .. } = asked;
    let user = planner.user;
    let outcome = state.commander.comment_on_post(&context, planner, id, comment.message, comment.mentions).await?;
    let said = &outcome.value;
    let place = (said.post.post.account_id, said.post.post.channel.id, said.post.post.id);
    let item = post_feed::comment(place, said.item_id, Some(user), &said.message, &said.mentions, said.created_at);
    Ok((StatusCode::CREATED, written(&outcome), Json(item)))
}
