//! `/ops/relay`: how the log's way to NATS JetStream stands.

use axum::{extract::State, response::IntoResponse};
use palaver_eventstore::{LogError, relay::RelayError};

use super::OpsState;
use crate::http::{ApiError, ErrorBody, Json};

/// What the answer looks like, for the document.
#[allow(dead_code, reason = "these types describe what the relay tells")]
mod shown {
    use chrono::{DateTime, Utc};
    use utoipa::ToSchema;

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct Relay {
        /// Hosts and ports of NATS.
        servers: Vec<String>,
        /// Why NATS can not be asked, if it can not; then `state` and `consumers` are missing and empty.
        unreachable: Option<String>,
        /// The stream's name.
        stream: String,
        /// The connection to the database that holds the lease; nothing when nobody relays.
        leader: Option<RelayLeader>,
        /// Every event up to here is known to be in the stream.
        position: Option<i64>,
        checkpoint_at: Option<DateTime<Utc>>,
        /// Where the log ends.
        head: i64,
        lag_events: i64,
        /// Why the relay stands still, if it does.
        #[schema(value_type = Option<Object>)]
        standstill: Option<()>,
        /// The stream as JetStream tells of it.
        #[schema(value_type = Option<Object>)]
        state: Option<()>,
        /// Those who read the stream, as JetStream tells of them.
        #[schema(value_type = Vec<Object>)]
        consumers: Vec<()>,
    }

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct RelayLeader {
        /// The process of PostgreSQL that serves the connection.
        pid: i32,
        address: Option<String>,
        since: Option<DateTime<Utc>>,
    }
}

/// How the relay to NATS JetStream stands: its position, lag, leader, stream and consumers.
#[utoipa::path(get, path = "/ops/relay", tag = "operations", operation_id = "getRelay",
    responses((status = 200, description = "What the database and NATS tell.", body = shown::Relay),
        (status = 404, description = "This process knows no NATS, so it relays nothing.", body = ErrorBody)))]
pub(super) async fn show(State(state): State<OpsState>) -> Result<impl IntoResponse, ApiError> {
    let relay = state.relay.as_ref();
    let relay = relay.ok_or_else(|| ApiError::not_found("this process knows no NATS, so it relays nothing"))?;
    let report = relay.report().await.map_err(|error| match error {
        RelayError::Database(error) | RelayError::Log(LogError::Database(error)) => error.into(),
        other => ApiError::internal(&other),
    })?;
    Ok(Json(report))
}
