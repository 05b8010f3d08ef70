//! How an error is answered: one body, one table of codes, and the rule that nobody outside reads our internals.
//!
//! Source: seed 003, `Error`, `ValidationError` and the reusable responses; the codes that the seed lacks
//! (405, 413, 422, 503, 504) follow its naming.

use std::{error::Error, fmt::Write as _};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use palaver_domain::{Failure, FailureKind, FieldErrors};
use serde::Serialize;
use serde_json::Value;

use super::{dialect, request_id};

/// Seconds after which a client may try again when nothing better is known.
const RETRY_AFTER_S: u32 = 1;

macro_rules! error_codes {
    ($($name:ident = $status:ident),+ $(,)?) => {
        /// A stable code. Each has one status and one page under `docs/errors`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($name),+ }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// The page that explains the code, as Markdown.
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../docs/errors/", stringify!($name), ".md"))),+
                }
            }
        }
    };
}

error_codes! {
    BadRequestError = BAD_REQUEST,
    ValidationError = BAD_REQUEST,
    AppCredentialsInvalidError = BAD_REQUEST,
    AccessTokenInvalidError = UNAUTHORIZED,
    LoginFailedError = UNAUTHORIZED,
    SecondFactorRequiredError = UNAUTHORIZED,
    AccessDenied = FORBIDDEN,
    InsufficientPermissions = FORBIDDEN,
    NotFoundError = NOT_FOUND,
    MethodNotAllowedError = METHOD_NOT_ALLOWED,
    NotAcceptableError = NOT_ACCEPTABLE,
    ConflictError = CONFLICT,
    AlreadyExistsError = CONFLICT,
    PreconditionFailedError = PRECONDITION_FAILED,
    PayloadTooLargeError = PAYLOAD_TOO_LARGE,
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE,
    IdempotencyKeyInUseError = CONFLICT,
    IdempotencyKeyReusedError = UNPROCESSABLE_ENTITY,
    TooManyRequestsError = TOO_MANY_REQUESTS,
    TooManyStreamsError = TOO_MANY_REQUESTS,
    InternalServerError = INTERNAL_SERVER_ERROR,
    ServiceUnavailableError = SERVICE_UNAVAILABLE,
    ReadModelBehindError = SERVICE_UNAVAILABLE,
    RequestTimeoutError = GATEWAY_TIMEOUT,
    TokenExpired = FORBIDDEN,
    PasswordCriteriaMismatch = BAD_REQUEST,
    PasswordIdentical = BAD_REQUEST,
    InvalidUserUpdate = CONFLICT,
    ForkIsReadOnly = FORBIDDEN,
}

impl ErrorCode {
    /// The code of that name; letter case does not matter.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }

    /// What a refusal of this kind is called when its own code is not one of ours.
    const fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Invalid => Self::ValidationError,
            FailureKind::NotFound => Self::NotFoundError,
            FailureKind::Conflict => Self::ConflictError,
            FailureKind::Forbidden => Self::AccessDenied,
        }
    }
}

/// The body of an error answer, on the surfaces that have no format of their own (see [`super::dialect`]).
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// Stable, for programs. `palaver explain <code>` tells more.
    #[schema(pattern = "^[a-zA-Z]*$", example = "ValidationError")]
    pub code: &'static str,
    /// One sentence for people. May change.
    pub message: String,
    /// Field path to the codes of what is wrong with it.
    #[serde(skip_serializing_if = "FieldErrors::is_empty")]
    #[schema(required = false)]
    pub errors: FieldErrors,
    /// What a program needs to know beyond the code, where the operation says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// An error on its way to the client. It travels in the extensions of its answer, so that one layer can say it as the
/// request's surface does.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: String,
    pub errors: FieldErrors,
    /// Boxed, since most errors have none and all results carry the room.
    pub data: Option<Box<Value>>,
    retry_after_s: Option<u32>,
    allow: Option<HeaderValue>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, errors: FieldErrors::new(), data: None, retry_after_s: None, allow: None }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequestError, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFoundError, message)
    }

    /// Something is overloaded or away; the client may repeat the request after that many seconds.
    pub fn unavailable(message: impl Into<String>, retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(ErrorCode::ServiceUnavailableError, message) }
    }

    /// A limit on requests is used up; one more passes after that many seconds.
    pub fn too_many_requests(message: impl Into<String>, retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(ErrorCode::TooManyRequestsError, message) }
    }

    /// The command of this key is being carried out; its answer may be there after that many seconds.
    pub fn key_in_use(message: impl Into<String>, retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(ErrorCode::IdempotencyKeyInUseError, message) }
    }

    /// The read model did not reach the position that the client's view needs within the wait.
    pub fn read_model_behind(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ReadModelBehindError, message)
    }

    pub(super) fn method_not_allowed(allow: &str) -> Self {
        Self {
            allow: HeaderValue::from_str(allow).ok(),
            ..Self::new(ErrorCode::MethodNotAllowedError, format!("this path answers to {allow} only"))
        }
    }

    /// A fault of ours. The cause and its causes go to the log, with the request's span; the client learns the
    /// request id alone.
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(cause = %chain(cause), "internal error");
        Self::internal_unlogged()
    }

    /// As [`ApiError::internal`], when the log has been told already.
    pub(super) fn internal_unlogged() -> Self {
        let message = request_id::current().map_or_else(
            || "something failed on our side".to_owned(),
            |id| format!("something failed on our side; please report request id {id}"),
        );
        Self::new(ErrorCode::InternalServerError, message)
    }

    /// Tells the client when it may try again.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    pub fn with_fields(mut self, errors: FieldErrors) -> Self {
        self.errors = errors;
        self
    }

    /// Tells a program more than the code does. Nothing secret: it is shown as it is.
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(Box::new(data));
        self
    }
}

/// An error and its causes on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a String does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let code = ErrorCode::named(failure.code).unwrap_or_else(|| {
            tracing::error!(code = failure.code, "a refusal carries a code that has no page");
            ErrorCode::of(failure.kind)
        });
        Self { data: failure.data, ..Self::new(code, failure.message).with_fields(failure.fields) }
    }
}

impl From<sqlx::Error> for ApiError {
    /// A database that is away or has no connection left is a matter of time; everything else is a fault of ours.
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                tracing::warn!(cause = %chain(&error), "database unavailable");
                Self::unavailable("the database does not answer; try again", RETRY_AFTER_S)
            }
            other => Self::internal(&other),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut response = (status, axum::Json(dialect::plain(&self))).into_response();
        let mut set = |name: HeaderName, value: HeaderValue| response.headers_mut().insert(name, value);
        if status == StatusCode::UNAUTHORIZED {
            set(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) =
            self.retry_after_s.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S))
        {
            set(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body stays unread, so nothing can follow it. A client that is not told would lose the
            // next request that it sends on this connection.
            set(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(allow) = self.allow.clone() {
            set(header::ALLOW, allow);
        }
        // For the request's log line, and for the surfaces that say it differently.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        let pages: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let codes: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(pages, codes);
    }

    #[test]
    fn every_page_has_the_same_parts_and_an_example_that_is_true() {
        for code in ErrorCode::ALL {
            let (name, page) = (code.as_str(), code.page());
            assert!(page.starts_with(&format!("# {name}\n\n**Status {}.**", code.status().as_u16())), "{name}: head");
            for part in ["\n## Cause\n", "\n## What to do\n", "\n## Example\n"] {
                assert!(page.contains(part), "{name}: no part {part:?}");
            }
            let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
            let example: serde_json::Value = serde_json::from_str(example).unwrap();
            assert_eq!(example["code"], name, "{name}: example");
            assert!(example["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}: example");
        }
    }

    #[test]
    fn a_failure_keeps_its_code_and_an_unknown_code_falls_back_on_its_kind() {
        let fields = FieldErrors::from([("publishTime".to_owned(), vec!["publishTimeNotInFuture".to_owned()])]);
        let known =
            ApiError::from(Failure::new(FailureKind::Invalid, "ValidationError", "no").with_fields(fields.clone()));
        assert_eq!((known.code, known.errors), (ErrorCode::ValidationError, fields));
        let data = serde_json::json!({ "failed": [{ "key": "name", "reason": "taken" }] });
        let unknown = ApiError::from(Failure::new(FailureKind::Conflict, "Unheard", "no").with_data(data.clone()));
        assert_eq!((unknown.code, unknown.data), (ErrorCode::ConflictError, Some(Box::new(data))));
    }

    #[test]
    fn a_lost_database_is_a_matter_of_time_and_its_details_stay_inside() {
        let lost = ApiError::from(sqlx::Error::PoolTimedOut).into_response();
        assert_eq!(lost.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(lost.headers()["retry-after"], "1");
        let fault = ApiError::from(sqlx::Error::ColumnNotFound("secret_column".to_owned()));
        assert_eq!(fault.code, ErrorCode::InternalServerError);
        assert!(!fault.message.contains("secret_column"));
    }
}
