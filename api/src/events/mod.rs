//! `/events`: all that happens in an account, as CloudEvents, in the order of the log: as Server-Sent Events for who
//! follows, as NDJSON for who comes by. What leaves the house by other ways is said elsewhere.
//!
//! The end of the log is read once for all who follow it ([`Tail`]), and every event is written once. Who stands further
//! back reads the log in small pages, a few clients at a time, until they have caught up.

mod asked;
mod feed;
mod frame;
mod pages;
mod places;
mod reader;
mod ring;
mod stream;
mod tail;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use palaver_eventstore::{EventLog, LogError, Position};
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

use asked::{Asking, EVENT_STREAM, Form, Start};
use feed::Feed;
use places::Places;
pub use places::StreamLimits;
use reader::{Reader, Turns};
use stream::{Admitted, EventStream};
pub use tail::Tail;

use crate::{
    auth::Principal,
    http::{ApiError, ErrorBody, HangUp, Query, Shell},
    permissions::{Found, Route},
};

const PATH: &str = "/events";
/// Proxies that gather answers before they pass them on are told not to.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How events are streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    pub limits: StreamLimits,
    /// How often something is sent, however little happens.
    pub heartbeat: Duration,
}

/// What the handler works with.
#[derive(Debug)]
pub struct Events {
    log: EventLog,
    tail: Tail,
    turns: Turns,
    places: Places,
    heartbeat: Duration,
    schemas_url: String,
    stop: CancellationToken,
}

type EventsState = Arc<Events>;

impl Events {
    /// Streams end at `stop`. Somebody must run the [`Tail`].
    pub fn new(log: EventLog, settings: StreamSettings, schemas_url: String, stop: CancellationToken) -> Self {
        let tail = Tail::new(log.clone(), schemas_url.clone());
        let (turns, places) = (Turns::default(), Places::new(settings.limits));
        Self { log, tail, turns, places, heartbeat: settings.heartbeat, schemas_url, stop }
    }

    pub fn tail(&self) -> Tail {
        self.tail.clone()
    }

    /// The position to begin after.
    async fn start(&self, start: Start) -> Result<Position, ApiError> {
        let head = self.log.head().await.map_err(|LogError::Database(error)| ApiError::from(error))?;
        match start {
            Start::Head => Ok(head),
            Start::After(position) if position <= head => Ok(position),
            // It would miss whatever comes up to there. Such a position is of another log, or of one that was lost.
            Start::After(position) => {
                let message = format!("the log ends at position {head}, so there is nothing after {position} yet");
                Err(ApiError::bad_request(message))
            }
        }
    }
}

pub fn router(state: Events) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<EventsState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// What of a request a stream needs for as long as it lasts.
struct Origin {
    shell: Arc<Shell>,
    route: Route,
    headers: HeaderMap,
    uri: Uri,
    hang_up: Option<HangUp>,
}

#[derive(Debug, thiserror::Error)]
#[error("{PATH} is served outside of the guard")]
struct Unguarded;

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let unguarded = || ApiError::internal(&Unguarded);
        let shell = parts.extensions.get::<Arc<Shell>>().cloned().ok_or_else(unguarded)?;
        let Found::Route(route) = shell.routes.find(&Method::GET, PATH) else { return Err(unguarded()) };
        let (headers, uri) = (parts.headers.clone(), parts.uri.clone());
        Ok(Self { shell, route, headers, uri, hang_up: parts.extensions.get().cloned() })
    }
}

/// Follow what happens.
///
/// Every event of the account, as a CloudEvent 1.0, in the order of the log. Positions rise, and a client that goes on
/// after the last one it has seen gets each event once.
///
/// **As a stream** (`text/event-stream`): each event has its position as `id`, its type as `event`, and the CloudEvent as
/// `data`. It begins with what there is and goes on with what comes, until the client hangs up. A block with nothing but
/// an `id` is no event: it says how far the log was searched, so that a client with a rare filter need not search it
/// again. One comes first, and then with every heartbeat. When a stream is ended from this side, a comment says why: the
/// process stops, the client takes events too slowly, or its token is no longer valid. Come back with `Last-Event-ID`,
/// as `EventSource` in browsers does by itself.
///
/// **As pages** (`application/x-ndjson`): a CloudEvent on each line. `Palaver-Next` is what to send as `from` for the next
/// page, also when this one is shorter than its limit or empty. There is nothing more for now when it equals
/// `Palaver-Head`.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "followEvents",
    params(Asking, ("last-event-id" = Option<i64>, Header, description = "The `id` that was last seen. Goes before `from`.")),
    responses(
        (status = 200, description = "Events, from the position asked for.",
            content((String = "text/event-stream"), (String = "application/x-ndjson")),
            headers(
                ("Palaver-Next" = i64, description = "Of a page: the position after which the next one begins."),
                ("Palaver-Head" = i64, description = "Of a page: the position at which the log ended when it was read."))),
        (status = 400, description = "A parameter is not understood, or the log does not reach as far as `from` says.", body = ErrorBody),
        (status = 406, description = "`Accept` excludes both forms.", body = ErrorBody),
        (status = 429, description = "The token or its account has as many streams open as it may have.", body = ErrorBody),
        (status = 503, description = "The process has as many streams open as it takes.", body = ErrorBody)))]
async fn events(
    State(state): State<EventsState>,
    principal: Principal,
    origin: Origin,
    Query(asking): Query<Asking>,
) -> Result<Response, ApiError> {
    let asked = asking.check(&origin.headers, principal.tenant())?;
    let start = state.start(asked.start).await?;
    let mut reader = Reader::new(state.log.clone(), state.turns.clone(), asked.filter, start);
    let place = match asked.form {
        Form::Page { limit } => return pages::page(&mut reader, limit, &state.schemas_url).await,
        Form::Stream => state.places.take(&principal)?,
    };
    let Origin { shell, route, headers, uri, hang_up } = origin;
    let stream = EventStream {
        feed: Feed::new(state.tail.follow(), reader, state.schemas_url.clone()),
        start,
        admitted: Admitted { shell, route, tenant: principal.tenant(), headers, uri },
        place,
        heartbeat: state.heartbeat,
        stop: state.stop.clone(),
        hang_up,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
        // What follows on this connection would end with it, should the client be let go.
        (header::CONNECTION, HeaderValue::from_static("close")),
    ];
    Ok((headers, stream.open()).into_response())
}
