//! What operators and their tools ask: does the process live, is it ready for traffic, what are its figures.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::future::{BoxFuture, join_all};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{http::Json, telemetry::Metrics};

/// A check that takes longer has failed: a probe must not wait for what it probes.
const CHECK_WAIT: Duration = Duration::from_secs(2);

type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What must hold before this process should get traffic. Cheap to clone.
#[derive(Clone, Default)]
pub struct Readiness {
    checks: Vec<(&'static str, Probe)>,
    draining: Arc<AtomicBool>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.checks.iter().map(|(name, _)| name)).finish()
    }
}

impl Readiness {
    /// Adds a check, such as `database`. Its error is shown to whoever asks, so it names no secrets.
    pub fn with<F, P>(mut self, name: &'static str, probe: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(probe()))));
        self
    }

    /// From now on the process is not ready, so that a load balancer sends no more while it finishes.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    async fn report(&self) -> ReadyReport {
        let results = join_all(self.checks.iter().map(|(name, probe)| async move {
            let problem = match tokio::time::timeout(CHECK_WAIT, probe()).await {
                Ok(result) => result.err(),
                Err(_) => Some(format!("no answer within {} ms", CHECK_WAIT.as_millis())),
            };
            Check { name, ok: problem.is_none(), problem }
        }));
        let mut checks = results.await;
        if self.draining.load(Ordering::SeqCst) {
            checks.push(Check { name: "running", ok: false, problem: Some("shutting down".to_owned()) });
        }
        ReadyReport { ready: checks.iter().all(|check| check.ok), checks }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Alive {
    alive: bool,
    version: &'static str,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ReadyReport {
    ready: bool,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Clone)]
struct SystemState {
    readiness: Readiness,
    metrics: Metrics,
}

pub fn router(readiness: Readiness, metrics: Metrics) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(render_metrics))
        .with_state(SystemState { readiness, metrics })
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "system", operation_id = "getHealth",
    responses((status = 200, description = "It does.", body = Alive)))]
async fn healthz() -> Json<Alive> {
    Json(Alive { alive: true, version: env!("CARGO_PKG_VERSION") })
}

/// The process can do its work.
#[utoipa::path(get, path = "/readyz", tag = "system", operation_id = "getReadiness", responses(
    (status = 200, description = "It can.", body = ReadyReport),
    (status = 503, description = "It can not, and this is why.", body = ReadyReport)))]
async fn readyz(State(state): State<SystemState>) -> Response {
    let report = state.readiness.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "system", operation_id = "getMetrics",
    responses((status = 200, description = "Prometheus text format.", body = String, content_type = "text/plain")))]
async fn render_metrics(State(state): State<SystemState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_failing_or_silent_check_makes_it_unready() {
        let fine = Readiness::default().with("database", || async { Ok(()) });
        assert!(fine.report().await.ready);

        let unready = fine.clone().with("migrations", || async { Err("2 are missing".to_owned()) });
        let report = unready.with("projections", std::future::pending::<Result<(), String>>).report().await;
        assert!(!report.ready);
        let problems: Vec<_> = report.checks.iter().map(|check| (check.name, check.problem.as_deref())).collect();
        assert_eq!(
            problems,
            [
                ("database", None),
                ("migrations", Some("2 are missing")),
                ("projections", Some("no answer within 2000 ms")),
            ]
        );

        fine.drain();
        assert!(!fine.report().await.ready);
    }
}
