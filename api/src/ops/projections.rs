//! `/ops/projections`: how they stand, and building one anew.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use palaver_projections::engine::ProjectionStatus;
use serde::Serialize;

use super::{OpsState, note};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, PathId},
};

const PROJECTIONS: &str = "/ops/projections";

/// What answers look like, for the document.
#[allow(dead_code, reason = "these types describe what the engine tells")]
mod shown {
    use chrono::{DateTime, Utc};
    use utoipa::ToSchema;

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct Projection {
        name: String,
        /// `live`, `catchingUp`, `stopped` (no process moves it), `olderVersion` (to be rebuilt), `newerVersion` (this
        /// process leaves it alone) or `missing`.
        state: String,
        /// The version that this process knows.
        version: i32,
        /// The version of the tables that are read.
        stored_version: Option<i32>,
        position: i64,
        /// Where the log ends.
        head: i64,
        lag_events: i64,
        /// The age of the first event that is not applied yet.
        lag_seconds: f64,
        /// Positions in a second, of late.
        events_per_second: f64,
        /// How many streams are in quarantine.
        quarantined: i64,
        /// Whether the process that answers does the work.
        led_here: bool,
        /// The rebuild that is under way, or that ended early.
        rebuild: Option<ProjectionRebuild>,
    }

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct ProjectionRebuild {
        running: bool,
        version: i32,
        position: i64,
        percent: f64,
        events_per_second: f64,
        began_at: Option<DateTime<Utc>>,
        /// At the rate of late; nothing while it stands still.
        seconds_left: Option<f64>,
        /// What ended it.
        error: Option<String>,
    }

    #[derive(ToSchema)]
    #[schema(as = ProjectionList)]
    pub struct List {
        count: i64,
        data: Vec<Projection>,
    }
}

#[derive(Serialize)]
struct Listed {
    count: usize,
    data: Vec<ProjectionStatus>,
}

/// How every projection stands: position, lag, rate, and how a rebuild goes.
#[utoipa::path(get, path = "/ops/projections", tag = "operations", operation_id = "listProjections",
    responses((status = 200, description = "All of them, in order of name.", body = shown::List)))]
pub(super) async fn list(State(state): State<OpsState>) -> Result<impl IntoResponse, ApiError> {
    let data = state.engine.projections().status().await?;
    Ok(Json(Listed { count: data.len(), data }))
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BegunRebuild)]
struct Begun {
    /// What is being rebuilt; `GET /ops/projections` tells how far it is.
    projection: String,
}

/// Build a projection anew beside the one in use, and swap them when it has caught up.
#[utoipa::path(post, path = "/ops/projections/{name}/rebuild", tag = "operations", operation_id = "rebuildProjection",
    params(("name" = String, Path, description = "The projection's name.")),
    responses((status = 202, description = "It has begun; `Location` tells where its progress is.", body = Begun),
        (status = 404, description = "There is no such projection.", body = ErrorBody),
        (status = 409, description = "It is being rebuilt already, or a newer version owns it.", body = ErrorBody)))]
pub(super) async fn rebuild(
    State(state): State<OpsState>,
    caller: Caller,
    PathId(name): PathId<String>,
) -> Result<impl IntoResponse, ApiError> {
    let rebuild = state.engine.begin_rebuild(&name).await?;
    note(&caller, "rebuild", &name, None);
    state.rebuilds.run(name.clone(), rebuild);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, PROJECTIONS)], Json(Begun { projection: name })))
}
