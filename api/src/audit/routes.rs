//! The handlers: read the past of one thing, put on record that it was looked at, show it.

use std::collections::BTreeSet;

use axum::{extract::State, response::IntoResponse};
use palaver_domain::{UserId, audit::AuditView};
use palaver_eventstore::{
    EventLog, LogError, Sequence, StreamId,
    timeline::{Moment, Timeline, UnknownAggregateType},
};
use palaver_projections::users;

use super::{
    AuditState,
    asked::{AskedPast, AuditedId, AuditedType, Auditor, Past, Range},
    shown::{self, Happened},
};
use crate::http::{ApiError, ErrorBody, Json, PathIds, Query};

/// Tell how a thing came to be, or what it was at a moment.
///
/// Pages of the time line: who did what, when and why, and what each event has changed. With `at`, the state at that
/// moment. The thing is named as in the log: its type, such as `post`, `post_group` or `channel`, and its id. It may have
/// been deleted since. Each call is itself put into the log (`AuditAccessRecorded`), before it is answered.
#[utoipa::path(get, path = "/audit/{type}/{id}", tag = "audit", operation_id = "getAuditPast",
    params(("type" = String, Path, description = "The thing's type in the log, such as `post`."),
        ("id" = String, Path, description = "The thing's id."),
        Past),
    responses((status = 200, description = "A page of the time line, or with `at` the state.", body = shown::Past),
        (status = 400, description = "There is no such type, or the moment or the page is not understood.", body = ErrorBody),
        (status = 404, description = "The account never had such a thing.", body = ErrorBody)))]
pub(super) async fn past(
    State(state): State<AuditState>,
    auditor: Auditor,
    PathIds(kind, id): PathIds<AuditedType, AuditedId>,
    Query(asked): Query<Past>,
) -> Result<impl IntoResponse, ApiError> {
    let subject = StreamId::new(kind.0, id.0);
    let timeline = timeline(state.commander.log(), &auditor, &subject)?;
    let shown = match asked.asked()? {
        AskedPast::Timeline { after, limit } => {
            let page = page(timeline, after, limit).await?;
            let view = AuditView::Timeline { after, limit };
            let (happened, more) = state.answer(&auditor, &subject, &view, page).await?;
            let users: BTreeSet<UserId> = happened.iter().filter_map(Happened::user).collect();
            let users: Vec<UserId> = users.into_iter().collect();
            let names = users::names(&state.pool, auditor.context.tenant, &users).await?;
            let happened = happened.into_iter().map(|one| one.named(&names)).collect();
            shown::Past::Timeline(shown::Timeline::new(&subject, happened, more))
        }
        AskedPast::State { at } => {
            let found = timeline.states_at([at]).await.map_err(unreadable)?;
            let view = AuditView::State { at: at.to_string() };
            let [then] = state.answer(&auditor, &subject, &view, found).await?;
            shown::Past::State(shown::StateThen::new(&subject, &then))
        }
    };
    Ok(Json(shown))
}

/// Tell what differs between two moments of a thing.
///
/// Each call is itself put into the log (`AuditAccessRecorded`), before it is answered.
#[utoipa::path(get, path = "/audit/{type}/{id}/diff", tag = "audit", operation_id = "getAuditDifferences",
    params(("type" = String, Path, description = "The thing's type in the log, such as `post`."),
        ("id" = String, Path, description = "The thing's id."),
        Range),
    responses((status = 200, description = "What differs.", body = shown::Differences),
        (status = 400, description = "There is no such type, or a moment is not understood.", body = ErrorBody),
        (status = 404, description = "The account never had such a thing.", body = ErrorBody)))]
pub(super) async fn differences(
    State(state): State<AuditState>,
    auditor: Auditor,
    PathIds(kind, id): PathIds<AuditedType, AuditedId>,
    Query(asked): Query<Range>,
) -> Result<impl IntoResponse, ApiError> {
    let subject = StreamId::new(kind.0, id.0);
    let moments = asked.asked()?;
    let found = timeline(state.commander.log(), &auditor, &subject)?.states_at(moments).await.map_err(unreadable)?;
    let [from, to] = moments.map(|moment: Moment| moment.to_string());
    let states = state.answer(&auditor, &subject, &AuditView::Differences { from, to }, found).await?;
    Ok(Json(shown::Differences::new(&subject, &states)))
}

fn timeline(log: &EventLog, auditor: &Auditor, subject: &StreamId) -> Result<Timeline, ApiError> {
    // Of the types that may be asked for, each has its aggregate.
    let timeline = log.timeline(subject.clone()).map_err(|error: UnknownAggregateType| ApiError::internal(&error))?;
    Ok(timeline.of(auditor.context.tenant))
}

/// At most `limit` events behind `after`, and whether there are more; `None` when there are none at all.
async fn page(mut timeline: Timeline, after: Sequence, limit: i64) -> Result<Option<(Vec<Happened>, bool)>, ApiError> {
    timeline.skip_to(after).await.map_err(unreadable)?;
    let mut happened = Vec::new();
    while let Some(step) = timeline.next().await.map_err(unreadable)? {
        if happened.len() as i64 == limit {
            return Ok(Some((happened, true)));
        }
        happened.push(Happened::of(&step));
    }
    Ok((timeline.sequence() > 0).then_some((happened, false)))
}

fn unreadable(error: LogError) -> ApiError {
    match error {
        LogError::Database(error) => error.into(),
    }
}
