//! Posts by local day, for a calendar.

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use palaver_domain::{
    ChannelId, TagId, TeamId, UserId,
    posts::{ContentType, Status},
};
use palaver_projections::{
    channels::{self, ChannelFilter},
    posts::{self, CALENDAR_DAYS_MAX, PostFilter, Viewer},
};
use serde::Deserialize;

use super::list::{FILTER_IDS_MAX, MODELS, check_range, check_statuses};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, Query, ReadAfter, one_or_many},
    socialhub::{SocialhubState, context::teams_of, schemas},
};

/// Source: seed 003, `tz` of both routes.
const ZONE_DEFAULT: Tz = Tz::Europe__Berlin;

/// Which days, and of which posts.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PostDays)]
pub(in crate::socialhub) struct Asking {
    since: DateTime<Utc>,
    /// At most 400 days after `since`.
    until: DateTime<Utc>,
    /// IANA name; `Europe/Berlin` when left out.
    tz: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 10000)]
    channel_ids: Vec<ChannelId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 10000)]
    assignees: Vec<UserId>,
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 10000)]
    tags: Vec<TagId>,
    #[serde(default, deserialize_with = "one_or_many")]
    #[schema(value_type = Vec<String>)]
    status: Vec<Status>,
    #[serde(default, rename = "type", deserialize_with = "one_or_many")]
    #[schema(value_type = Vec<String>)]
    kinds: Vec<ContentType>,
    needs_attention: Option<bool>,
    via_publisher_app: Option<bool>,
    imported: Option<bool>,
}

/// The range of the other route, in the query.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Range {
    since: DateTime<Utc>,
    /// At most 400 days after `since`.
    until: DateTime<Utc>,
    /// IANA name; `Europe/Berlin` when left out.
    tz: Option<String>,
}

/// The filter of the other route, in the body.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[schema(as = PostDaysFilter)]
pub(in crate::socialhub) struct Of {
    #[schema(value_type = Vec<String>, max_items = 10000)]
    channel_ids: Vec<ChannelId>,
    /// Posts on channels of these teams.
    #[schema(value_type = Vec<String>, max_items = 10000)]
    team_ids: Vec<TeamId>,
    #[schema(value_type = Vec<String>, max_items = 10000)]
    tags: Vec<TagId>,
}

fn zone(name: Option<&str>) -> Result<Tz, ApiError> {
    name.map_or(Ok(ZONE_DEFAULT), |name| {
        name.parse()
            .map_err(|_| ApiError::bad_request("`tz` is not a time zone of the IANA database, such as Europe/Berlin"))
    })
}

fn check_days(since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), ApiError> {
    check_range(Some(since), Some(until))?;
    if (until - since).num_days() > CALENDAR_DAYS_MAX {
        return Err(ApiError::bad_request(format!("`until` lies more than {CALENDAR_DAYS_MAX} days after `since`")));
    }
    Ok(())
}

fn check_lengths(lengths: &[(&str, usize)]) -> Result<(), ApiError> {
    match lengths.iter().find(|(_, length)| *length > FILTER_IDS_MAX) {
        Some((name, _)) => Err(ApiError::bad_request(format!("`{name}` takes at most {FILTER_IDS_MAX} values"))),
        None => Ok(()),
    }
}

/// Count posts by local day and network.
#[utoipa::path(post, path = "/api2/cp/posts/aggregates/day", tag = "posts", operation_id = "aggregatePostsByDay",
    request_body = Asking, responses(
        (status = 200, description = "Every day of the range, the first and the last cut to it.", body = Vec<schemas::PostAggregate>),
        (status = 400, description = "The range or a filter is not understood.", body = ErrorBody)))]
pub(in crate::socialhub) async fn by_body(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Json(asking): Json<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    let zone = zone(asking.tz.as_deref())?;
    check_days(asking.since, asking.until)?;
    check_statuses(&asking.status)?;
    check_lengths(&[
        ("channelIds", asking.channel_ids.len()),
        ("assignees", asking.assignees.len()),
        ("tags", asking.tags.len()),
    ])?;
    state.caught_up(&MODELS, after).await?;
    let channels = state.channels_of(&caller).await?;
    let viewer = Viewer { tenant: caller.tenant, user: caller.user, channels };
    let filter = PostFilter {
        channels: asking.channel_ids,
        assignees: asking.assignees,
        tags: asking.tags,
        statuses: asking.status,
        types: asking.kinds,
        needs_attention: asking.needs_attention,
        via_publisher_app: asking.via_publisher_app,
        imported: asking.imported,
        ..PostFilter::default()
    };
    Ok(Json(posts::calendar_days(&state.pool, &viewer, &filter, asking.since, asking.until, zone).await?))
}

/// Count posts by local day and network, of some channels, teams or tags.
#[utoipa::path(post, path = "/api2/cp/posts/aggregates/day/list", tag = "posts",
    operation_id = "aggregatePostsByDayOfTeams", params(Range), request_body = Of, responses(
        (status = 200, description = "Every day of the range, the first and the last cut to it.", body = Vec<schemas::PostAggregate>),
        (status = 400, description = "The range or a filter is not understood.", body = ErrorBody)))]
pub(in crate::socialhub) async fn by_query(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Query(range): Query<Range>,
    Json(of): Json<Of>,
) -> Result<impl IntoResponse, ApiError> {
    let zone = zone(range.tz.as_deref())?;
    check_days(range.since, range.until)?;
    check_lengths(&[("channelIds", of.channel_ids.len()), ("teamIds", of.team_ids.len()), ("tags", of.tags.len())])?;
    state.caught_up(&MODELS, after).await?;
    let channels = if of.team_ids.is_empty() {
        state.channels_of(&caller).await?
    } else {
        let filter = ChannelFilter {
            visible: teams_of(&caller),
            teams: of.team_ids,
            active_only: true,
            ..ChannelFilter::default()
        };
        channels::ids(&state.pool, caller.tenant, &filter).await?
    };
    let viewer = Viewer { tenant: caller.tenant, user: caller.user, channels };
    let filter = PostFilter { channels: of.channel_ids, tags: of.tags, ..PostFilter::default() };
    Ok(Json(posts::calendar_days(&state.pool, &viewer, &filter, range.since, range.until, zone).await?))
}
