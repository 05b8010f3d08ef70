//! `/ops/quarantine`: what projections could not follow, and what an operator does about it.

use axum::{
    extract::{FromRequestParts, RawPathParams, State},
    http::request::Parts,
    response::IntoResponse,
};
use chrono::{DateTime, Utc};
use palaver_eventstore::{RecordedEvent, StreamId};
use palaver_projections::engine::{QUARANTINE_PAGE_MAX, Quarantined, QuarantinedCase, Resumed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{OpsState, note};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, ErrorCode, Json, Paging, Query},
    run::stream,
};

const _: () = assert!(crate::http::COUNT_MAX <= QUARANTINE_PAGE_MAX);

/// What answers look like, for the document.
#[allow(dead_code, reason = "these types describe what the engine tells")]
mod shown {
    use chrono::{DateTime, Utc};
    use utoipa::ToSchema;

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct QuarantinedStream {
        projection: String,
        aggregate_type: String,
        aggregate_id: String,
        /// Of the event that failed.
        position: i64,
        /// Of the event that failed.
        sequence: i64,
        event_type: String,
        error: String,
        /// How often the event was tried.
        attempts: i32,
        since: DateTime<Utc>,
    }

    #[derive(ToSchema)]
    #[schema(as = QuarantinedStreamList)]
    pub struct List {
        /// How many there are in all.
        count: i64,
        data: Vec<QuarantinedStream>,
    }
}

/// A stream in quarantine, as a path names it.
pub(super) struct Which {
    projection: String,
    stream: StreamId,
}

#[derive(Debug, thiserror::Error)]
#[error("a route of the quarantine names a projection, a type and an id")]
struct WrongParameters;

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad_request("the path is not percent-encoded UTF-8"))?;
        let texts: Vec<&str> = parameters.iter().map(|(_, text)| text).collect();
        let [projection, aggregate_type, aggregate_id] = texts.as_slice() else {
            return Err(ApiError::internal(&WrongParameters));
        };
        if texts.iter().any(|text| text.contains('\0')) {
            return Err(ApiError::bad_request("the path holds the character U+0000"));
        }
        Ok(Self { projection: (*projection).to_owned(), stream: stream::stream(aggregate_type, aggregate_id) })
    }
}

#[derive(Deserialize)]
pub(super) struct Filter {
    projection: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    count: i64,
    data: Vec<Quarantined>,
}

/// List the streams that projections could not follow, oldest first.
#[utoipa::path(get, path = "/ops/quarantine", tag = "operations", operation_id = "listQuarantine",
    params(("projection" = Option<String>, Query, description = "Of this projection only."),
        ("offset" = Option<i64>, Query, description = "Streams to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Streams to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of streams, and how many there are in all.", body = shown::List),
        (status = 400, description = "The page is not understood.", body = ErrorBody),
        (status = 404, description = "There is no such projection.", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<OpsState>,
    Query(filter): Query<Filter>,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    let page = state.engine.quarantined(filter.projection.as_deref(), paging.offset, paging.count).await?;
    Ok(Json(Listed { count: page.count, data: page.streams }))
}

/// An event as the log has it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LoggedEvent {
    position: i64,
    sequence: i64,
    event_id: String,
    /// The account it belongs to.
    tenant_id: String,
    event_type: String,
    event_version: String,
    recorded_at: DateTime<Utc>,
    #[schema(value_type = Object)]
    metadata: Value,
    payload: Value,
    /// Why it can not even be read.
    fault: Option<String>,
}

impl LoggedEvent {
    fn of(event: RecordedEvent) -> Result<Self, serde_json::Error> {
        Ok(Self {
            position: event.position,
            sequence: event.sequence,
            event_id: event.event_id.to_string(),
            tenant_id: event.tenant_id.to_string(),
            event_type: event.event_type,
            event_version: event.event_version,
            recorded_at: event.recorded_at,
            metadata: serde_json::to_value(event.metadata)?,
            payload: event.payload,
            fault: event.fault,
        })
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = QuarantinedStreamDetail)]
#[serde(rename_all = "camelCase")]
struct Case {
    #[serde(flatten)]
    #[schema(value_type = shown::QuarantinedStream)]
    stream: Quarantined,
    /// The event that failed.
    event: Option<LoggedEvent>,
    /// How many later events of the stream wait.
    waiting: i64,
    /// The first twenty of these.
    first_waiting: Vec<LoggedEvent>,
}

impl Case {
    fn of(case: QuarantinedCase) -> Result<Self, serde_json::Error> {
        Ok(Self {
            stream: case.stream,
            event: case.event.map(LoggedEvent::of).transpose()?,
            waiting: case.waiting,
            first_waiting: case.first_waiting.into_iter().map(LoggedEvent::of).collect::<Result<_, _>>()?,
        })
    }
}

/// One stream in quarantine: the event that failed, with its payload, and what waits behind it.
#[utoipa::path(get, path = "/ops/quarantine/{projection}/{type}/{id}", tag = "operations",
    operation_id = "getQuarantinedStream",
    params(("projection" = String, Path, description = "The projection that could not follow."),
        ("type" = String, Path, description = "The stream's type, such as `post`."),
        ("id" = String, Path, description = "The stream's id.")),
    responses((status = 200, description = "The stream.", body = Case),
        (status = 404, description = "It is not in quarantine, or there is no such projection.", body = ErrorBody)))]
pub(super) async fn show(State(state): State<OpsState>, which: Which) -> Result<impl IntoResponse, ApiError> {
    let case = state.engine.quarantined_case(&which.projection, &which.stream).await?;
    Ok(Json(Case::of(case).map_err(|error| ApiError::internal(&error))?))
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = FollowedStream)]
struct Followed {
    /// Events of the stream that were made up for.
    events: usize,
}

fn followed(which: &Which, resumed: Resumed) -> Result<Json<Followed>, ApiError> {
    match resumed {
        Resumed::Following { events } => Ok(Json(Followed { events })),
        Resumed::StillFailing { sequence, error } => {
            let Which { projection, stream } = which;
            let message = format!("{projection} still can not follow {stream}, at sequence {sequence}");
            let data = json!({ "sequence": sequence, "error": error });
            Err(ApiError::new(ErrorCode::ConflictError, message).with_data(data))
        }
    }
}

/// Try a stream again, from the event that failed.
#[utoipa::path(post, path = "/ops/quarantine/{projection}/{type}/{id}/retry", tag = "operations",
    operation_id = "retryQuarantinedStream",
    params(("projection" = String, Path, description = "The projection that could not follow."),
        ("type" = String, Path, description = "The stream's type, such as `post`."),
        ("id" = String, Path, description = "The stream's id.")),
    responses((status = 200, description = "The stream is followed again.", body = Followed),
        (status = 404, description = "It is not in quarantine, or there is no such projection.", body = ErrorBody),
        (status = 409, description = "It still fails; `data` has the sequence and the error.", body = ErrorBody)))]
pub(super) async fn retry(
    State(state): State<OpsState>,
    caller: Caller,
    which: Which,
) -> Result<impl IntoResponse, ApiError> {
    note(&caller, "retry", &which.projection, Some(&which.stream.to_string()));
    followed(&which, state.engine.retry(&which.projection, &which.stream).await?)
}

/// Leave out the event that failed, and follow the stream from the one after it. A rebuild meets the event again.
#[utoipa::path(post, path = "/ops/quarantine/{projection}/{type}/{id}/skip", tag = "operations",
    operation_id = "skipQuarantinedEvent",
    params(("projection" = String, Path, description = "The projection that could not follow."),
        ("type" = String, Path, description = "The stream's type, such as `post`."),
        ("id" = String, Path, description = "The stream's id.")),
    responses((status = 200, description = "The stream is followed again.", body = Followed),
        (status = 404, description = "It is not in quarantine, or there is no such projection.", body = ErrorBody),
        (status = 409, description = "A later event fails; `data` has the sequence and the error.", body = ErrorBody)))]
pub(super) async fn skip(
    State(state): State<OpsState>,
    caller: Caller,
    which: Which,
) -> Result<impl IntoResponse, ApiError> {
    note(&caller, "skip", &which.projection, Some(&which.stream.to_string()));
    followed(&which, state.engine.skip(&which.projection, &which.stream).await?)
}
