//! What every success of the surface is wrapped in. Source: seed 000, the success responses.

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::http::{ApiError, Json};

/// What was asked, for the answer to repeat.
pub(super) struct Request {
    path: String,
    method: String,
}

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        // Without the query, which may hold what a log should not.
        Ok(Self { path: uri.path().to_owned(), method: parts.method.to_string() })
    }
}

impl Request {
    /// 200 with `data`.
    pub fn ok<T: Serialize>(self, data: T, message: &'static str) -> Response {
        let Self { path, method } = self;
        Json(Envelope { data, path, method, message, status_code: StatusCode::OK.as_u16() }).into_response()
    }
}

/// The body of every success.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BotsEnvelope)]
pub(super) struct Envelope<T> {
    data: T,
    /// What was asked for, without the query.
    #[schema(example = "/v1/app")]
    path: String,
    #[schema(example = "GET")]
    method: String,
    /// One sentence for people. May change.
    message: &'static str,
    /// The status once more.
    status_code: u16,
}
