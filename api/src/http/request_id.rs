//! What is noted about every request: its id, its span, its log line and its metrics. Outermost of all layers, so
//! that refusals, panics and timeouts are noted like everything else.
//!
//! Nothing here writes a raw path, a query string or a body: tokens travel in queries.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use metrics::{counter, gauge, histogram};
use palaver_eventstore::ids::Ids;
use tracing::Instrument;

use super::{ApiError, Shell, rate_limit::Noted};
use crate::permissions::Surface;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 128;

/// The label of requests that no route took.
const UNMATCHED: &str = "unmatched";

tokio::task_local! {
    static CURRENT: RequestId;
}

/// The id of a request: the client's `X-Request-Id` when well formed, else ours. Also an extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(headers: &HeaderMap, ids: &dyn Ids) -> Self {
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| is_visible(text));
        Self(given.map_or_else(|| ids.uuid().to_string().into(), Into::into))
    }
}

fn is_visible(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::internal_unlogged)
    }
}

/// The id of the request that the running task serves.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Counts a request in, and out again however it ends: a client that hangs up drops the future in the middle.
struct InFlight {
    surface: &'static str,
    answered: bool,
}

impl InFlight {
    fn enter(surface: &'static str) -> Self {
        gauge!("palaver_http_requests_in_flight", "surface" => surface).increment(1);
        Self { surface, answered: false }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("palaver_http_requests_in_flight", "surface" => self.surface).decrement(1);
        if !self.answered {
            counter!("palaver_http_requests_abandoned_total", "surface" => self.surface).increment(1);
        }
    }
}

pub(super) async fn observe(State(shell): State<Arc<Shell>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers(), &*shell.ids);
    let method = method_label(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(UNMATCHED, MatchedPath::as_str).to_owned();
    let surface = shell.routes.surface(&route);
    let label = surface.map_or("none", Surface::as_str);
    let limits = Noted::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(limits.clone());

    let mut in_flight = InFlight::enter(label);
    let span = tracing::info_span!("request", request_id = %id, surface = label, method, route);
    let mut response = CURRENT.scope(id.clone(), next.run(request)).instrument(span.clone()).await;
    in_flight.answered = true;

    let latency = started.elapsed();
    let status = response.status();
    span.in_scope(|| {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let code = response.extensions().get::<ApiError>().map(|error| error.code.as_str());
        match (status.is_server_error(), surface) {
            (true, _) => tracing::warn!(status = status.as_u16(), latency_ms, code, "answered"),
            (false, Some(Surface::System)) => tracing::debug!(status = status.as_u16(), latency_ms, code, "answered"),
            (false, _) => tracing::info!(status = status.as_u16(), latency_ms, code, "answered"),
        }
    });
    counter!("palaver_http_requests_total", "surface" => label, "method" => method, "route" => route.clone(),
        "status" => status.as_str().to_owned())
    .increment(1);
    histogram!("palaver_http_request_duration_seconds", "surface" => label, "method" => method, "route" => route)
        .record(latency.as_secs_f64());

    limits.tell(response.headers_mut(), shell.clock.now());
    finish(response.headers_mut(), &id);
    response
}

/// Headers of every answer. What a handler set itself stays.
fn finish(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(X_REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nobody on the way keeps a copy: answers hold secrets, and what one caller alone may see.
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // An answer is no page: nothing in it is to be loaded or run, whatever a browser takes it for.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Methods are free text, labels must not be.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
