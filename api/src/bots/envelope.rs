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
        let path = uri.path_and_query().map_or_else(|| uri.path(), |asked| asked.as_str());
        Ok(Self { path: path.to_owned(), method: parts.method.to_string() })
    }
}

impl Request {
    /// 200 with `data`.
    pub fn ok<T: Serialize>(self, data: T) -> Response {
        let Self { path, method } = self;
        Json(Envelope { data, path, method, message: "success", status_code: StatusCode::OK.as_u16() }).into_response()
    }
}

/// The body of every success.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BotsEnvelope)]
pub(super) struct Envelope<T> {
    data: T,
    /// What was asked for, with the query.
    #[schema(example = "/v1/app?appId=1f6c1d7e-4c0f-4c7a-9a55-0b6b1b1c9c11")]
    path: String,
    #[schema(example = "GET")]
    method: String,
    #[schema(example = "success")]
    message: &'static str,
    /// The status once more.
    status_code: u16,
}
