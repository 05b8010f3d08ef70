//! What operators see and do over HTTP, under `/ops`: how the projections stand, rebuilding one, the quarantine, and
//! the relay. The same as on the command line, and like there over all accounts; so it takes the permissions of those who
//! run the service. Who did what is in the log of the process.

mod projections;
mod quarantine;
mod relay;

use std::sync::Arc;

use palaver_eventstore::{LogError, relay::Relay};
use palaver_projections::engine::{Engine, EngineError, Rebuild};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::Caller,
    http::{ApiError, ErrorCode},
};

/// Seconds after which somebody may ask again a process that is about to end.
const RETRY_AFTER_S: u32 = 5;

/// What the handlers work with.
#[derive(Clone)]
pub struct Ops {
    pub engine: Engine,
    pub rebuilds: Rebuilds,
    /// `None` when this process knows no NATS.
    pub relay: Option<Relay>,
}

pub(crate) type OpsState = Arc<Ops>;

pub fn router(state: Ops) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<OpsState> {
    OpenApiRouter::new()
        .routes(routes!(projections::list))
        .routes(routes!(projections::rebuild))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::show))
        .routes(routes!(quarantine::retry))
        .routes(routes!(quarantine::skip))
        .routes(routes!(relay::show))
}

/// The rebuilds that this process was asked for over HTTP. They outlive their requests, and end with the process. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub struct Rebuilds {
    stop: CancellationToken,
    running: TaskTracker,
}

impl Rebuilds {
    /// Lets one run. How it goes is in the database, for every process to see, and its end in the log.
    fn run(&self, projection: String, rebuild: Rebuild) {
        let stop = self.stop.clone();
        self.running.spawn(async move {
            if let Err(error) = rebuild.run(&stop, |_| {}).await {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(projection, error = %crate::http::chain(error), "a rebuild ended before its end");
            }
        });
    }

    /// Stops them all in good order. The tables in use stay in use.
    pub async fn end(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

/// Leaves word of who did what. Ids alone: names are for the accounts' own lists.
fn note(caller: &Caller, action: &str, projection: &str, stream: Option<&str>) {
    let masked_by = caller.masked_by.map(|operator| operator.to_string());
    tracing::info!(actor = %caller.actor(), account = %caller.tenant, masked_by, action, projection, stream, "operator acts");
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            // A projection of ours that is made wrongly.
            EngineError::NoKey { .. } => Self::internal(&error),
            EngineError::Database(error) | EngineError::Log(LogError::Database(error)) => error.into(),
            EngineError::UnknownProjection(_) | EngineError::NotQuarantined { .. } => Self::not_found(message),
            EngineError::NotInstalled { .. }
            | EngineError::VersionMismatch { .. }
            | EngineError::RebuildInProgress { .. }
            | EngineError::OtherColumns { .. }
            | EngineError::OutOfReach { .. }
            | EngineError::TakeoverBlocked { .. } => Self::new(ErrorCode::ConflictError, message),
            EngineError::Stopped => Self::unavailable("the process is about to end", RETRY_AFTER_S),
        }
    }
}
