//! Extractors of bodies and path ids whose refusals speak the API's language.

use std::{fmt::Display, str::FromStr};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request, rejection::BytesRejection},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{ApiError, ErrorCode};

/// Characters of a parser's message that are passed on; it may quote the input at length.
const MESSAGE_CHARS_MAX: usize = 300;

/// What is given, `null` included, as `Some`; what is left out, by `default`, as `None`.
///
/// # Errors
/// When it is given and no `T`.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A JSON body, both ways. As `Option<Json<T>>` it is `None` when the request has no body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        check_media_type(request.headers())?;
        let body = read(request, state).await?;
        parse(&body).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let media_type = check_media_type(request.headers());
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(None);
        }
        media_type?;
        parse(&body).map(|value| Some(Self(value)))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], Body::from(body)).into_response(),
            Err(error) => ApiError::internal(&error).into_response(),
        }
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::UnsupportedMediaType, message));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut parts = text(header::CONTENT_TYPE).unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return refuse("send the body as Content-Type: application/json");
    }
    let mut charsets =
        parts.filter_map(|part| part.split_once('=')).filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
    if charsets.any(|(_, charset)| !charset.trim_matches('"').eq_ignore_ascii_case("utf-8")) {
        return refuse("JSON is sent as UTF-8");
    }
    if text(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return refuse("send the body without a Content-Encoding");
    }
    Ok(())
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| body_error(&rejection))
}

pub(super) fn body_error(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == ErrorCode::PayloadTooLargeError.status() {
        return too_large();
    }
    ApiError::bad_request("the body broke off before its end")
}

pub(super) fn too_large() -> ApiError {
    ApiError::new(ErrorCode::PayloadTooLargeError, "the body is larger than this service takes")
}

/// # Errors
/// `BadRequestError` that names the place: line and column of bad syntax, the path of a bad value.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if let Some((line, column)) = nul_escape(body) {
        let message =
            format!("the body holds the character U+0000 at line {line} column {column}, which can not be stored");
        return Err(ApiError::bad_request(message));
    }
    // Read as a sequence of its fields, an array would pass for an object.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::bad_request("the body must be an object, is an array"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.inner();
        if !cause.is_data() {
            return syntax(cause);
        }
        let place = if path == "." { "the body".to_owned() } else { format!("`{path}`") };
        ApiError::bad_request(format!("{place}: {}", without_types(&shortened(&without_value(&cause.to_string())))))
    })?;
    json.end().map_err(|error| syntax(&error))?;
    Ok(value)
}

fn syntax(error: &serde_json::Error) -> ApiError {
    ApiError::bad_request(format!("the body is not JSON: {}", shortened(error)))
}

/// A value that is not of the type it should be may be a secret all the same: a password of digits, or one in the wrong
/// place. What kind of value it is tells enough.
fn without_value(message: &str) -> String {
    if !["invalid type: ", "invalid value: "].iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    // What is expected stands last, and is ours; the value itself may say anything.
    let (Some(value), Some(expected)) = (message.find(['`', '"']), message.rfind(", expected ")) else {
        return message.to_owned();
    };
    match (message.get(..value), message.get(expected..)) {
        (Some(kind), Some(rest)) if value < expected => format!("{}{rest}", kind.trim_end()),
        _ => message.to_owned(),
    }
}

/// Our names for the shapes of bodies mean nothing to a client.
fn without_types(message: &str) -> String {
    let Some((before, after)) = message.split_once("expected struct ") else { return message.to_owned() };
    let place = after.rfind(" at line ").and_then(|start| after.get(start..)).unwrap_or_default();
    format!("{before}expected an object{place}")
}

fn shortened(message: &dyn Display) -> String {
    let message = message.to_string();
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

/// Line and column of the first `\u0000`. PostgreSQL can not store that character, in text or in JSON; and nothing
/// else in valid JSON can bring it, so one pass over the bytes suffices, whatever type they become.
fn nul_escape(body: &[u8]) -> Option<(usize, usize)> {
    let (mut line, mut column) = (1, 1);
    let mut rest = body;
    while let [byte, after @ ..] = rest {
        let skipped = match byte {
            b'\\' if after.starts_with(b"u0000") => return Some((line, column)),
            b'\\' if !after.is_empty() => 2,
            _ => 1,
        };
        column += skipped;
        if *byte == b'\n' {
            (line, column) = (line + 1, 1);
        }
        rest = rest.get(skipped..).unwrap_or_default();
    }
    None
}

/// The one id in the route's path. A malformed id is a 400, because no resource could ever have it; a well-formed
/// one that names nothing is the handler's 404.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathId<T>(pub T);

/// The two ids in the route's path, in its order; otherwise as [`PathId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathIds<A, B>(pub A, pub B);

#[derive(Debug, thiserror::Error)]
#[error("a handler takes as many path parameters as its route has, not {0}")]
struct WrongParameterCount(usize);

async fn path_parameters<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| ApiError::bad_request("the path is not percent-encoded UTF-8"))
}

fn path_id<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("`{name}` in the path: {error}")))
}

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = path_parameters(parts, state).await?;
        match parameters.iter().collect::<Vec<_>>().as_slice() {
            [(name, text)] => path_id(name, text).map(Self),
            other => Err(ApiError::internal(&WrongParameterCount(other.len()))),
        }
    }
}

impl<A, B, S> FromRequestParts<S> for PathIds<A, B>
where
    A: FromStr<Err: Display>,
    B: FromStr<Err: Display>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = path_parameters(parts, state).await?;
        match parameters.iter().collect::<Vec<_>>().as_slice() {
            [(first, a), (second, b)] => Ok(Self(path_id(first, a)?, path_id(second, b)?)),
            other => Err(ApiError::internal(&WrongParameterCount(other.len()))),
        }
    }
}
