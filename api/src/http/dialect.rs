//! How each surface says an error: one problem, four formats. Which problem it is, is in [`super::problem`].
//!
//! Sources: seed 003 `Error` (and `ValidationError`); seed 002 "Error Handling"; seed 000 "Error Responses". Seed 001
//! names no format; it is answered as seed 003's.

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};
use palaver_domain::FieldErrors;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ApiError, ErrorBody, ErrorCode};
use crate::permissions::Surface;

/// The body of an error under `/api/v1`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MktXError)]
pub struct MktXErrorBody {
    /// Always false.
    pub success: bool,
    /// One sentence for people. May change.
    pub error: String,
    /// Stable, for programs.
    #[schema(pattern = "^[A-Z_]+$", example = "VALIDATION_ERROR")]
    pub code: String,
    /// `field` and `reason` are the first of what is wrong with the input, `errors` is all of it. Operations may say more.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

/// The body of an error under `/v1` and `/spams`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BotsError)]
#[serde(rename_all = "camelCase")]
pub struct BotsErrorBody {
    /// The status once more.
    pub status_code: u16,
    /// One sentence for people. May change.
    pub message: String,
    /// The name of the status.
    #[schema(example = "Bad Request")]
    pub error: &'static str,
    /// Stable, for programs. `palaver explain <code>` tells more.
    #[schema(pattern = "^[a-zA-Z]*$", example = "BadRequestError")]
    pub code: &'static str,
    /// Field path to the codes of what is wrong with it.
    #[serde(skip_serializing_if = "FieldErrors::is_empty")]
    #[schema(required = false)]
    pub errors: FieldErrors,
    /// What a program needs to know beyond the code, where the operation says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub data: Option<Value>,
}

/// Says an error as the surface of the request's path does. Also where no route is, so that a client's parser works on
/// whatever comes from under its prefix.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let surface = Surface::of_path(request.uri().path());
    let mut response = next.run(request).await;
    let Some(error) = response.extensions().get::<ApiError>() else { return response };
    let body = match surface {
        Some(Surface::MktX) => serde_json::to_vec(&mkt_x(error)),
        Some(Surface::Bots) => serde_json::to_vec(&bots(error)),
        // As it came.
        Some(Surface::System | Surface::Socialhub | Surface::BotOpenApi) | None => return response,
    };
    let status = status(surface, error.code);
    match body {
        Ok(body) => {
            *response.status_mut() = status;
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::from(body);
        }
        // Not known to happen. The answer is right all the same, in another format.
        Err(error) => tracing::error!(%error, "an error can not be said as its surface does"),
    }
    response
}

/// The status of a code, which differs in one case.
fn status(surface: Option<Surface>, code: ErrorCode) -> StatusCode {
    match (surface, code) {
        // Source: seed 002, where 400 is for requests that are malformed.
        (Some(Surface::MktX), ErrorCode::ValidationError) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => code.status(),
    }
}

pub(super) fn plain(error: &ApiError) -> ErrorBody {
    ErrorBody {
        code: error.code.as_str(),
        message: error.message.clone(),
        errors: error.errors.clone(),
        data: error.data.as_deref().cloned(),
    }
}

fn mkt_x(error: &ApiError) -> MktXErrorBody {
    let mut details = match error.data.as_deref() {
        Some(Value::Object(members)) => members.clone(),
        Some(other) => Map::from_iter([("data".to_owned(), other.clone())]),
        None => Map::new(),
    };
    if let Some((field, reasons)) = error.errors.first_key_value() {
        details.insert("field".to_owned(), field.as_str().into());
        details.insert("reason".to_owned(), reasons.first().map_or(Value::Null, |reason| reason.as_str().into()));
        let all = error.errors.iter().map(|(field, reasons)| (field.clone(), reasons.clone().into()));
        details.insert("errors".to_owned(), Value::Object(all.collect()));
    }
    MktXErrorBody { success: false, error: error.message.clone(), code: mkt_x_code(error.code), details }
}

fn bots(error: &ApiError) -> BotsErrorBody {
    let status = error.code.status();
    BotsErrorBody {
        status_code: status.as_u16(),
        message: error.message.clone(),
        error: status.canonical_reason().unwrap_or("Error"),
        code: error.code.as_str(),
        errors: error.errors.clone(),
        data: error.data.as_deref().cloned(),
    }
}

/// Seed 002's code where it has one; else ours, written as its are: `ReadModelBehindError` is `READ_MODEL_BEHIND`.
fn mkt_x_code(code: ErrorCode) -> String {
    let named = match code {
        ErrorCode::ValidationError => "VALIDATION_ERROR",
        ErrorCode::NotFoundError => "RESOURCE_NOT_FOUND",
        ErrorCode::AlreadyExistsError => "DUPLICATE_RESOURCE",
        ErrorCode::TooManyRequestsError => "RATE_LIMIT_EXCEEDED",
        ErrorCode::InternalServerError => "INTERNAL_SERVER_ERROR",
        // A client must tell it from the others: it asks for the code, not for another password.
        ErrorCode::SecondFactorRequiredError => "SECOND_FACTOR_REQUIRED",
        other => match other.status() {
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "FORBIDDEN",
            _ => return capitals(other.as_str()),
        },
    };
    named.to_owned()
}

fn capitals(name: &str) -> String {
    let mut capitals = String::new();
    for letter in name.strip_suffix("Error").unwrap_or(name).chars() {
        if letter.is_ascii_uppercase() && !capitals.is_empty() {
            capitals.push('_');
        }
        capitals.push(letter.to_ascii_uppercase());
    }
    capitals
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_has_a_stable_name_on_mkt_x() {
        for code in ErrorCode::ALL {
            let name = mkt_x_code(*code);
            assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{name}");
        }
        for (code, name) in [
            (ErrorCode::BadRequestError, "BAD_REQUEST"),
            (ErrorCode::ValidationError, "VALIDATION_ERROR"),
            (ErrorCode::AppCredentialsInvalidError, "APP_CREDENTIALS_INVALID"),
            (ErrorCode::AccessTokenInvalidError, "UNAUTHORIZED"),
            (ErrorCode::LoginFailedError, "UNAUTHORIZED"),
            (ErrorCode::SecondFactorRequiredError, "SECOND_FACTOR_REQUIRED"),
            (ErrorCode::AccessDenied, "FORBIDDEN"),
            (ErrorCode::InsufficientPermissions, "FORBIDDEN"),
            (ErrorCode::NotFoundError, "RESOURCE_NOT_FOUND"),
            (ErrorCode::MethodNotAllowedError, "METHOD_NOT_ALLOWED"),
            (ErrorCode::NotAcceptableError, "NOT_ACCEPTABLE"),
            (ErrorCode::ConflictError, "CONFLICT"),
            (ErrorCode::AlreadyExistsError, "DUPLICATE_RESOURCE"),
            (ErrorCode::PreconditionFailedError, "PRECONDITION_FAILED"),
            (ErrorCode::IdempotencyKeyInUseError, "IDEMPOTENCY_KEY_IN_USE"),
            (ErrorCode::PayloadTooLargeError, "PAYLOAD_TOO_LARGE"),
            (ErrorCode::UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE"),
            (ErrorCode::IdempotencyKeyReusedError, "IDEMPOTENCY_KEY_REUSED"),
            (ErrorCode::TooManyRequestsError, "RATE_LIMIT_EXCEEDED"),
            (ErrorCode::InternalServerError, "INTERNAL_SERVER_ERROR"),
            (ErrorCode::ServiceUnavailableError, "SERVICE_UNAVAILABLE"),
            (ErrorCode::ReadModelBehindError, "READ_MODEL_BEHIND"),
            (ErrorCode::RequestTimeoutError, "REQUEST_TIMEOUT"),
        ] {
            assert_eq!(mkt_x_code(code), name);
        }
    }

    #[test]
    fn one_problem_is_said_in_three_ways() {
        let fields = FieldErrors::from([
            ("content.text".to_owned(), vec!["tooLong".to_owned(), "required".to_owned()]),
            ("tags".to_owned(), vec!["notUnique".to_owned()]),
        ]);
        let errors = json!({ "content.text": ["tooLong", "required"], "tags": ["notUnique"] });
        let error = ApiError::new(ErrorCode::ValidationError, "no").with_fields(fields).with_data(json!({ "id": 7 }));
        assert_eq!(
            serde_json::to_value(plain(&error)).unwrap(),
            json!({ "code": "ValidationError", "message": "no", "errors": errors, "data": { "id": 7 } })
        );
        let details = json!({ "field": "content.text", "reason": "tooLong", "errors": errors, "id": 7 });
        assert_eq!(
            serde_json::to_value(mkt_x(&error)).unwrap(),
            json!({ "success": false, "error": "no", "code": "VALIDATION_ERROR", "details": details })
        );
        assert_eq!(
            serde_json::to_value(bots(&error)).unwrap(),
            json!({ "statusCode": 400, "message": "no", "error": "Bad Request", "code": "ValidationError",
                "errors": errors, "data": { "id": 7 } })
        );
        let bare = ApiError::new(ErrorCode::ConflictError, "no").with_data(json!([1]));
        assert_eq!(serde_json::to_value(mkt_x(&bare)).unwrap()["details"], json!({ "data": [1] }));
        let bare = ApiError::not_found("no");
        assert_eq!(serde_json::to_value(plain(&bare)).unwrap(), json!({ "code": "NotFoundError", "message": "no" }));
        assert_eq!(serde_json::to_value(mkt_x(&bare)).unwrap()["details"], json!({}));
    }
}
