//! Lists of posts, by query and by body, and the sidebar's counts.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_domain::{
    ChannelId, PUBLISH_TIME_YEARS, PostGroupId, PostId, TagId, UserId,
    posts::{ContentType, Status},
};
use palaver_projections::posts::{self, Grouping, Page, PostFilter, SortBy, Viewer};
use serde::{Deserialize, Serialize};

use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, Paging, Query, ReadAfter, one_or_many},
    socialhub::{SocialhubState, context::AskedOrder, schemas},
};

/// The read models that lists of posts stand on: the posts, and the channels and teams that say whether they are seen.
pub(super) const MODELS: [&str; 3] = ["posts", "channels", "users"];

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum AskedTime {
    CreatedTime,
    PublishTime,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum AskedGrouping {
    PostGroup,
}

/// Which posts. A filter that is left out does not filter.
#[derive(Debug, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[derive(Default)]
#[into_params(parameter_in = Query)]
#[schema(as = PostFilter)]
pub(in crate::socialhub) struct Asking {
    /// Entries to skip, at most 100,000.
    offset: Option<i64>,
    /// Entries to return, 0 to 500; 50 when left out.
    count: Option<i64>,
    /// Posts of this group, whatever channel they are for.
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    post_group_id: Option<PostGroupId>,
    /// `preDraft`, `draft`, `needsApproval`, `scheduled`, `publishing`, `published`, `failedToPublish`.
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    status: Vec<Status>,
    needs_attention: Option<bool>,
    imported: Option<bool>,
    via_publisher_app: Option<bool>,
    promoted: Option<bool>,
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    channel_ids: Vec<ChannelId>,
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    assignees: Vec<UserId>,
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    tags: Vec<TagId>,
    /// For each word, a post has a word that begins with it.
    search: Option<String>,
    /// From this moment on, of the time that is sorted by.
    since: Option<DateTime<Utc>>,
    /// Before this moment, of the time that is sorted by.
    until: Option<DateTime<Utc>>,
    /// `createdTime` (default) or `publishTime`.
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    sort_by: Option<AskedTime>,
    /// `desc` (default) or `asc`.
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    order: Option<AskedOrder>,
    /// This post comes first. Only together with `postGroupId`.
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    selected_post_id: Option<PostId>,
    /// `postGroup`: an entry is `{_id, posts}`, and groups are counted, at most 100 of them returned. Not together with
    /// `selectedPostId`.
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    group_by: Option<AskedGrouping>,
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<String>)]
    story_workaround_publisher: Option<UserId>,
    /// `POST`, `CAROUSEL`, `SLIDESHOW`, `TWEET`, `MEDIA`, `STORY`, `IGTV`, `STORY_WORKAROUND`, `REEL`.
    #[serde(rename = "type", deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    #[schema(value_type = Vec<String>)]
    kinds: Vec<ContentType>,
    /// Posts with all of `tags` instead of any of them.
    use_and_filter: Option<bool>,
}

/// Groups of one page; each may hold as many posts as a group can.
const GROUPS_MAX: i64 = 100;
/// Characters of a search.
const SEARCH_CHARS_MAX: usize = 500;
/// Ids in one filter. Source: seed 003, `POST /cp/posts/aggregates/day`.
pub(super) const FILTER_IDS_MAX: usize = 10_000;

/// A search that costs no more than it may.
pub(in crate::socialhub) fn check_search(search: Option<&str>) -> Result<(), ApiError> {
    if search.is_some_and(|search| search.chars().count() > SEARCH_CHARS_MAX) {
        return Err(ApiError::bad_request(format!("`search` takes at most {SEARCH_CHARS_MAX} characters")));
    }
    Ok(())
}

/// Statuses that a post can be found in. Source: seed 003, `status` of the lists, which leaves `deleted` out.
pub(super) fn check_statuses(statuses: &[Status]) -> Result<(), ApiError> {
    if statuses.contains(&Status::Deleted) {
        return Err(ApiError::bad_request("`status` can not be `deleted`: what is deleted is in no list"));
    }
    Ok(())
}

impl Asking {
    fn read(self) -> Result<(PostFilter, Page), ApiError> {
        let paging = Paging::new(self.offset, self.count)?;
        if self.selected_post_id.is_some() && self.post_group_id.is_none() {
            return Err(ApiError::bad_request("`selectedPostId` needs `postGroupId`"));
        }
        if self.selected_post_id.is_some() && self.group_by.is_some() {
            return Err(ApiError::bad_request("`groupBy` and `selectedPostId` do not go together"));
        }
        if self.group_by.is_some() && paging.count > GROUPS_MAX {
            let message = format!("`count` must be between 0 and {GROUPS_MAX} with `groupBy`, is {}", paging.count);
            return Err(ApiError::bad_request(message));
        }
        check_search(self.search.as_deref())?;
        check_statuses(&self.status)?;
        for (name, length) in [
            ("channelIds", self.channel_ids.len()),
            ("assignees", self.assignees.len()),
            ("tags", self.tags.len()),
            ("status", self.status.len()),
            ("type", self.kinds.len()),
        ] {
            if length > FILTER_IDS_MAX {
                return Err(ApiError::bad_request(format!("`{name}` takes at most {FILTER_IDS_MAX} values")));
            }
        }
        check_range(self.since, self.until)?;
        let filter = PostFilter {
            group: self.post_group_id,
            statuses: self.status,
            needs_attention: self.needs_attention,
            imported: self.imported,
            via_publisher_app: self.via_publisher_app,
            promoted: self.promoted,
            channels: self.channel_ids,
            assignees: self.assignees,
            tags: self.tags,
            all_tags: self.use_and_filter.unwrap_or_default(),
            search: self.search,
            since: self.since,
            until: self.until,
            story_publisher: self.story_workaround_publisher,
            types: self.kinds,
            sort_by: match self.sort_by {
                Some(AskedTime::PublishTime) => SortBy::PublishTime,
                Some(AskedTime::CreatedTime) | None => SortBy::CreatedTime,
            },
        };
        let page = Page {
            offset: paging.offset,
            count: paging.count,
            order: self.order.unwrap_or_default().into(),
            selected: self.selected_post_id,
            grouping: match self.group_by {
                Some(AskedGrouping::PostGroup) => Grouping::PostGroup,
                None => Grouping::None,
            },
        };
        Ok((filter, page))
    }
}

/// A range of time that runs forward, within reason.
pub(super) fn check_range(since: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> Result<(), ApiError> {
    use chrono::Datelike;
    for (name, time) in [("since", since), ("until", until)] {
        if time.is_some_and(|time| !PUBLISH_TIME_YEARS.contains(&time.year())) {
            let (first, last) = (PUBLISH_TIME_YEARS.start(), PUBLISH_TIME_YEARS.end());
            return Err(ApiError::bad_request(format!("`{name}` must lie between the years {first} and {last}")));
        }
    }
    match (since, until) {
        (Some(since), Some(until)) if until < since => Err(ApiError::bad_request("`until` lies before `since`")),
        _ => Ok(()),
    }
}

async fn answer(
    state: SocialhubState,
    caller: Caller,
    after: ReadAfter,
    asking: Asking,
) -> Result<impl IntoResponse, ApiError> {
    let (filter, page) = asking.read()?;
    state.caught_up(&MODELS, after).await?;
    let channels = state.channels_of(&caller).await?;
    let viewer = Viewer { tenant: caller.tenant, user: caller.user, channels };
    let listed = posts::list(&state.pool, &viewer, &filter, &page).await?;
    Ok(Json(schemas::Listed { count: listed.count, data: listed.data }))
}

/// List posts.
#[utoipa::path(get, path = "/api2/cp/posts", tag = "posts", operation_id = "listPosts", params(Asking),
    responses((status = 200, description = "A page of posts, and how many match in all.", body = schemas::PostList),
        (status = 400, description = "A filter is not understood.", body = ErrorBody)))]
pub(in crate::socialhub) async fn by_query(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Query(asking): Query<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    answer(state, caller, after, asking).await
}

/// List posts, with filters too long for a query.
#[utoipa::path(post, path = "/api2/cp/posts", tag = "posts", operation_id = "searchPosts", request_body = Asking,
    responses((status = 200, description = "A page of posts, and how many match in all.", body = schemas::PostList),
        (status = 400, description = "A filter is not understood.", body = ErrorBody)))]
pub(in crate::socialhub) async fn by_body(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Json(asking): Json<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    answer(state, caller, after, asking).await
}

/// Count posts by status, for a sidebar. What somebody is composing is not counted.
#[utoipa::path(get, path = "/api2/cp/posts/counts", tag = "posts", operation_id = "countPosts",
    responses((status = 200, description = "How many posts stand where.", body = schemas::PostCounts)))]
pub(in crate::socialhub) async fn counts(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&MODELS, after).await?;
    let channels = state.channels_of(&caller).await?;
    let viewer = Viewer { tenant: caller.tenant, user: caller.user, channels };
    Ok(Json(posts::counts(&state.pool, &viewer).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_groups_is_smaller_than_one_of_posts() {
        let read = |query: &str| Query::<Asking>::parse(query).unwrap().read();
        assert_eq!(read("count=500").unwrap().1.count, 500);
        assert_eq!(read("groupBy=postGroup&count=100").unwrap().1.count, 100);
        assert_eq!(read("groupBy=postGroup").unwrap().1.count, 50);
        let refused = read("groupBy=postGroup&count=101").unwrap_err();
        assert_eq!(refused.message, "`count` must be between 0 and 100 with `groupBy`, is 101");
    }
}
