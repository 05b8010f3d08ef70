//! What an auditor asks: who it is, of which thing, and what of it.

use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};
use palaver_commands::CommandContext;
use palaver_domain::{AGGREGATE_TYPES, AUDITED_NAME_CHARS_MAX};
use palaver_eventstore::{Sequence, timeline::Moment};
use serde::Deserialize;

use crate::{
    auth::Caller,
    http::{ApiError, RequestId},
};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 100;

/// Who asks, as a command needs it. Each time is recorded anew, so there is no idempotency key.
pub(super) struct Auditor {
    pub context: CommandContext,
}

impl<S: Send + Sync> FromRequestParts<S> for Auditor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let context = CommandContext {
            tenant: caller.tenant,
            actor: caller.actor(),
            key: None,
            precondition: None,
            request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
            correlation_id: None,
            causation_id: None,
            masked_by: caller.masked_by,
        };
        Ok(Self { context })
    }
}

/// How the log keeps names unique. Nobody knows a claim by its id, and the events of one may be of several accounts.
const CLAIM: &str = "claim";

/// The type of what is asked about: any but claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AuditedType(pub &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of {all}", all = audited_types().collect::<Vec<_>>().join(", "))]
pub(super) struct NotAudited;

fn audited_types() -> impl Iterator<Item = &'static str> {
    AGGREGATE_TYPES.iter().copied().filter(|known| *known != CLAIM)
}

impl FromStr for AuditedType {
    type Err = NotAudited;

    fn from_str(text: &str) -> Result<Self, NotAudited> {
        audited_types().find(|known| *known == text).map(Self).ok_or(NotAudited)
    }
}

/// An id as some aggregate may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuditedId(pub String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is lower-case hex digits and hyphens, at most {AUDITED_NAME_CHARS_MAX}")]
pub(super) struct NotAnId;

impl FromStr for AuditedId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        let fits = digits && (1..=AUDITED_NAME_CHARS_MAX).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
    }
}

/// A page of the time line, or with `at` the state at a moment.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Past {
    /// Events up to this sequence are left out: 0, or `nextAfter` of the page before.
    #[param(minimum = 0, default = 0)]
    after: Option<i64>,
    /// Events to return.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<i64>,
    /// Ask for the state at this moment instead: a position of the log (`42`), a sequence (`#7`), or a time (RFC 3339).
    /// A time means the state after the last event that was decided by then; one to the millisecond includes all of it.
    at: Option<String>,
}

pub(super) enum AskedPast {
    Timeline { after: Sequence, limit: i64 },
    State { at: Moment },
}

impl Past {
    /// # Errors
    /// `BadRequestError` that names what is wrong.
    pub fn asked(self) -> Result<AskedPast, ApiError> {
        match self {
            Self { at: Some(at), after: None, limit: None } => Ok(AskedPast::State { at: moment("at", &at)? }),
            Self { at: Some(_), .. } => {
                Err(ApiError::bad_request("`at` asks for a state, which has no pages: send no `after` and no `limit`"))
            }
            Self { at: None, after, limit } => {
                let (after, limit) = (after.unwrap_or(0), limit.unwrap_or(LIMIT_DEFAULT));
                if after < 0 {
                    return Err(ApiError::bad_request(format!("`after` must be 0 or greater, is {after}")));
                }
                if !(1..=LIMIT_MAX).contains(&limit) {
                    let message = format!("`limit` must be between 1 and {LIMIT_MAX}, is {limit}");
                    return Err(ApiError::bad_request(message));
                }
                Ok(AskedPast::Timeline { after, limit })
            }
        }
    }
}

/// Two moments, each as `at` of the time line.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Range {
    /// The moment that is compared: a position of the log (`42`), a sequence (`#7`), or a time (RFC 3339). 0 is before
    /// everything.
    from: String,
    /// The moment it is compared with. One before `from` is fine: it tells what would lead back.
    to: String,
}

impl Range {
    /// # Errors
    /// `BadRequestError` that names what is wrong.
    pub fn asked(&self) -> Result<[Moment; 2], ApiError> {
        Ok([moment("from", &self.from)?, moment("to", &self.to)?])
    }
}

fn moment(name: &str, text: &str) -> Result<Moment, ApiError> {
    text.parse().map_err(|error| ApiError::bad_request(format!("`{name}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_but_claims_may_be_asked_about() {
        assert_eq!("post_group".parse(), Ok(AuditedType("post_group")));
        assert_eq!(audited_types().count(), AGGREGATE_TYPES.len() - 1);
        for other in ["claim", "postGroup", "", "Post"] {
            assert_eq!(other.parse::<AuditedType>(), Err(NotAudited), "{other:?}");
        }
        assert!(NotAudited.to_string().starts_with("it must be one of account, app, "));
    }

    #[test]
    fn an_id_is_what_some_aggregate_may_have() {
        for id in ["65f1c0ffee5eed0000000001", "0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c0d", "0"] {
            assert_eq!(id.parse(), Ok(AuditedId(id.to_owned())));
        }
        for other in ["", "ABC", "xyz", "a/b", &"a".repeat(AUDITED_NAME_CHARS_MAX + 1)] {
            assert_eq!(other.parse::<AuditedId>(), Err(NotAnId), "{other:?}");
        }
    }
}
