//! The HTTP conventions that every surface shares, one implementation each. No route, and nothing of what one means.

pub(crate) mod accept;
mod client_address;
mod cors;
mod dialect;
mod etag;
mod extract;
mod fork;
mod guard;
mod hang_up;
mod idempotency;
mod paging;
mod position;
mod problem;
mod query;
mod rate_limit;
pub mod request_id;
#[cfg(test)]
mod tests;

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use palaver_eventstore::{Fork, clock::Clock, ids::Ids};
use tower_http::catch_panic::CatchPanicLayer;

pub use client_address::Peer;
pub use cors::{CorsOrigin, NotAnOrigin};
pub use dialect::{BotsErrorBody, MktXErrorBody};
pub use etag::{EntityTag, IfMatch};
pub use extract::{Json, PathId, PathIds, given, parse};
pub(crate) use guard::readmit;
pub use hang_up::HangUp;
pub use idempotency::{Claims, CommandKey, IDEMPOTENCY_KEY, IDEMPOTENT_REPLAY};
pub use paging::{COUNT_DEFAULT, COUNT_MAX, OFFSET_MAX, Paging};
pub use position::{
    LastWrites, PALAVER_HEAD, PALAVER_MIN_POSITION, PALAVER_NEXT, PALAVER_POSITION, ReadAfter, Written,
};
pub use problem::{ApiError, ErrorBody, ErrorCode, chain};
pub(crate) use query::pairs;
pub use query::{Query, one_or_many};
pub use rate_limit::{Meters, RateLimits};
pub use request_id::RequestId;

use crate::{
    app::SigningKey,
    auth::{AccessTokens, AppCredentials, Credentials},
    permissions::RouteTable,
};

/// What the conventions need to know. Handlers have a state of their own.
#[derive(Clone, Debug)]
pub struct Shell {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub credentials: Arc<dyn Credentials>,
    pub app_credentials: Arc<dyn AppCredentials>,
    pub access_tokens: AccessTokens,
    /// What fingerprints of requests are made with.
    pub fingerprint_key: SigningKey,
    pub routes: RouteTable,
    pub last_writes: LastWrites,
    pub meters: Arc<Meters>,
    /// Idempotency keys of the requests in flight.
    pub claims: Claims,
    /// Origins whose pages may call.
    pub cors_origins: Vec<CorsOrigin>,
    pub body_limit_bytes: usize,
    pub request_timeout: Duration,
    /// What is served is a fork of this, and takes no changes.
    pub fork: Option<Fork>,
}

/// Puts the conventions around a complete router. Every route must be in the shell's table.
///
/// From the outside in: note the request; answer a preflight; say an error as its surface does; turn a panic into an
/// answer; bound its time; bound its body; decide whether it may pass; leave out what a reader has already.
pub fn enclose(router: Router, shell: Shell) -> Router {
    let shell = Arc::new(shell);
    let router = router
        .fallback(unknown_route)
        .layer(from_fn(etag::revalidate))
        .layer(from_fn_with_state(Arc::clone(&shell), guard::admit))
        .layer(from_fn_with_state(Arc::clone(&shell), bound_body))
        .layer(DefaultBodyLimit::max(shell.body_limit_bytes))
        .layer(from_fn_with_state(Arc::clone(&shell), bound_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(dialect::render));
    let router = match cors::layer(&shell.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(from_fn_with_state(shell, request_id::observe))
}

async fn unknown_route() -> ApiError {
    ApiError::not_found("there is no such path; /docs lists what there is")
}

/// Refuses a body that announces its size before it is read. The others are counted while they are read.
async fn bound_body(State(shell): State<Arc<Shell>>, request: Request, next: Next) -> Response {
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > shell.body_limit_bytes) {
        return extract::too_large().into_response();
    }
    next.run(request).await
}

/// Gives up on a request that takes too long. Its work is dropped where it stands; a command that was handed to the
/// log may still be carried out.
async fn bound_time(State(shell): State<Arc<Shell>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(shell.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!(
                "no answer within {} ms; a mutation may have happened: repeat it with the same Idempotency-Key",
                shell.request_timeout.as_millis()
            );
            ApiError::new(ErrorCode::RequestTimeoutError, message).into_response()
        }
    }
}

/// The panic's place was logged by the hook of [`crate::telemetry`], inside the request's span.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::internal_unlogged().into_response()
}

/// The text of a header that may be sent once.
pub(crate) fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(ApiError::bad_request(format!("header {name} must be visible ASCII"))),
        },
        (Some(_), Some(_)) => Err(ApiError::bad_request(format!("header {name} is given more than once"))),
    }
}
