//! One post: read, change, delete.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, FixedOffset, Offset, Utc};
use palaver_commands::{
    Outcome,
    posts::{PostAnswer, PostPatch},
};
use palaver_domain::{
    CategoryId, PostId, TagId, UserId,
    posts::{Content, Post, PostEdit, StoryWorkaround},
};
use palaver_eventstore::StreamId;
use palaver_projections::posts::render;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    http::{ApiError, EntityTag, ErrorBody, IfMatch, Json, PathId, Query, given},
    socialhub::{
        SocialhubState,
        context::{Asked, gone, written},
        schemas,
    },
};

/// A post as commands leave it, looking as it does in a list, with its tag.
pub(super) fn post(answer: &PostAnswer) -> (EntityTag, Json<Value>) {
    (EntityTag(answer.sequence), Json(render(&answer.post, answer.created_at, answer.updated_at)))
}

pub(super) fn answer(outcome: &Outcome<PostAnswer>) -> impl IntoResponse + use<> {
    let (tag, post) = post(&outcome.value);
    (written(outcome), tag, post)
}

/// A tag is named by its id, or by the whole of it as an answer shows it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum TagName {
    Id(TagId),
    Tag { _id: TagId },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchedFlags {
    needs_attention: Option<bool>,
}

/// Some of a post. Fields that only the service sets are ignored, so an answer can be sent back as it came.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::socialhub) struct Patch {
    content: Option<Map<String, Value>>,
    #[serde(deserialize_with = "given")]
    publish_time: Option<Option<DateTime<FixedOffset>>>,
    #[serde(deserialize_with = "given")]
    publish_time_zone: Option<Option<String>>,
    tags: Option<Vec<TagName>>,
    categories: Option<Vec<CategoryId>>,
    #[serde(deserialize_with = "given")]
    assignee: Option<Option<UserId>>,
    #[serde(deserialize_with = "given")]
    story_workaround: Option<Option<StoryWorkaround>>,
    flags: Option<PatchedFlags>,
}

/// A moment, and the zone that its offset stands for. Source: seed 003, PATCH /cp/posts/{id}: the zone is taken from
/// the offset. Only whole hours have a zone of their own; the names' signs are the wrong way round by POSIX.
pub(in crate::socialhub) fn moment(time: Option<DateTime<FixedOffset>>) -> (Option<DateTime<Utc>>, Option<String>) {
    let Some(time) = time else { return (None, None) };
    let seconds = time.offset().fix().local_minus_utc();
    let zone = match (seconds / 3_600, seconds % 3_600) {
        (hours @ 1..=14, 0) => Some(format!("Etc/GMT-{hours}")),
        (hours @ -12..=-1, 0) => Some(format!("Etc/GMT+{}", -hours)),
        _ => None,
    };
    (Some(time.to_utc()), zone)
}

impl Patch {
    fn read(self) -> Result<PostPatch, ApiError> {
        if let Some(content) = &self.content {
            check_content(content)?;
        }
        let publish_time = self.publish_time.map(moment);
        let from_offset = publish_time.as_ref().and_then(|(_, zone)| zone.clone()).map(Some);
        let tags = self.tags.map(|tags| {
            tags.into_iter()
                .map(|tag| match tag {
                    TagName::Id(id) | TagName::Tag { _id: id } => id,
                })
                .collect()
        });
        let edit = PostEdit {
            content: None,
            publish_time: publish_time.map(|(time, _)| time),
            publish_time_zone: self.publish_time_zone.or(from_offset),
            tags,
            categories: self.categories,
            assignee: self.assignee,
            story_workaround: self.story_workaround,
            needs_attention: self.flags.and_then(|flags| flags.needs_attention),
        };
        Ok(PostPatch { edit, content: self.content })
    }
}

/// What is given must be of the right type; `null` stands for nothing. What can not be kept is refused: who sends it
/// would otherwise find it gone.
fn check_content(content: &Map<String, Value>) -> Result<(), ApiError> {
    let given: Map<_, _> =
        content.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    let given = Value::Object(given);
    serde_path_to_error::deserialize::<_, Content>(&given)
        .map_err(|error| ApiError::bad_request(format!("`content.{}`: {}", error.path(), error.inner())))?;
    let mut unknown = None;
    serde_ignored::deserialize::<_, _, Content>(&given, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    })
    .map_err(|error| ApiError::bad_request(format!("`content`: {error}")))?;
    match unknown {
        Some(path) => Err(ApiError::bad_request(format!("`content.{path}` is not known here, and would not be kept"))),
        None => Ok(()),
    }
}

/// Read a post.
#[utoipa::path(get, path = "/api2/cp/posts/{id}", tag = "posts", operation_id = "getPost",
    params(("id" = String, Path, description = "The post's id.")),
    responses((status = 200, description = "The post.", body = schemas::Post),
        (status = 404, description = "There is no such post.", body = ErrorBody)))]
pub(in crate::socialhub) async fn get(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(post(&state.commander.post(&asked.context, &asked.planner, id).await?))
}

/// Change some of a post. Of `content`, what is given replaces what is there, and `null` empties it.
#[utoipa::path(patch, path = "/api2/cp/posts/{id}", tag = "posts", operation_id = "updatePost",
    params(("id" = String, Path, description = "The post's id."), IfMatch), request_body = schemas::PostPatch,
    responses((status = 200, description = "The post after the change.", body = schemas::Post),
        (status = 400, description = "The change is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "The post's status forbids it.", body = ErrorBody)))]
pub(in crate::socialhub) async fn patch(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
    Json(patch): Json<Patch>,
) -> Result<impl IntoResponse, ApiError> {
    let asked = asked.only_if_unchanged(StreamId::of::<Post>(id));
    let outcome = state.commander.edit_post(&asked.context, asked.planner, id, patch.read()?).await?;
    Ok(answer(&outcome))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Deletion {
    /// Leave the network alone. A `preDraft` is on no network, so this changes nothing.
    #[allow(dead_code, reason = "part of the published API; only preDraft posts can be deleted")]
    force: bool,
}

/// Delete a `preDraft` post; its group goes with the last one.
#[utoipa::path(delete, path = "/api2/cp/posts/{id}", tag = "posts", operation_id = "deletePost",
    params(("id" = String, Path, description = "The post's id."), Deletion, IfMatch),
    responses((status = 204, description = "It is gone."),
        (status = 404, description = "There is no such post.", body = ErrorBody),
        (status = 409, description = "The post is not a `preDraft`.", body = ErrorBody)))]
pub(in crate::socialhub) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<PostId>,
    Query(_): Query<Deletion>,
) -> Result<impl IntoResponse, ApiError> {
    let asked = asked.only_if_unchanged(StreamId::of::<Post>(id));
    let outcome = state.commander.delete_post(&asked.context, asked.planner, id).await?;
    Ok(gone(&outcome))
}
