//! Read your writes: where in the log a mutation ended, and how far a read model must have come before it answers.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    response::{IntoResponseParts, ResponseParts},
};
use moka::sync::Cache;
use palaver_eventstore::Position;

use super::{ApiError, idempotency::IDEMPOTENT_REPLAY, single_header};
use crate::auth::CredentialHash;

pub const PALAVER_POSITION: HeaderName = HeaderName::from_static("palaver-position");
pub const PALAVER_MIN_POSITION: HeaderName = HeaderName::from_static("palaver-min-position");
/// Where the next page of events begins.
pub const PALAVER_NEXT: HeaderName = HeaderName::from_static("palaver-next");
/// Where the log ended when a page of events was read.
pub const PALAVER_HEAD: HeaderName = HeaderName::from_static("palaver-head");

/// Credentials whose last write is remembered. One that falls out merely reads without waiting.
const CREDENTIALS_MAX: u64 = 100_000;
/// By then every read model that is not broken has long caught up.
const CREDENTIAL_IDLE: Duration = Duration::from_secs(600);

/// The last position written with each credential by this process.
#[derive(Clone, Debug)]
pub struct LastWrites(Cache<CredentialHash, Position>);

impl Default for LastWrites {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CREDENTIALS_MAX).time_to_idle(CREDENTIAL_IDLE).build())
    }
}

impl LastWrites {
    /// Remembers the furthest position; answers of concurrent requests may come in any order.
    pub fn wrote(&self, credential: CredentialHash, position: Position) {
        self.0
            .entry(credential)
            .and_upsert_with(|known| known.map_or(position, |known| known.into_value().max(position)));
    }

    pub fn last(&self, credential: &CredentialHash) -> Position {
        self.0.get(credential).unwrap_or(0)
    }

    /// Takes note of an answer's `Palaver-Position`.
    pub(super) fn note(&self, credential: CredentialHash, answered: &HeaderMap) {
        if let Some(position) = answered.get(PALAVER_POSITION).and_then(|value| value.to_str().ok()?.parse().ok()) {
            self.wrote(credential, position);
        }
    }
}

/// Sets `Palaver-Position`, and `Idempotent-Replay` on an answer that repeats an earlier one. Put it into the tuple
/// of every mutation's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub position: Position,
    pub replayed: bool,
}

impl IntoResponseParts for Written {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Self::Error> {
        response.headers_mut().insert(PALAVER_POSITION, HeaderValue::from(self.position));
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENT_REPLAY, HeaderValue::from_static("true"));
        }
        Ok(response)
    }
}

/// The position that a read's model must have reached. `Palaver-Min-Position` decides when it is sent (0 asks not to
/// wait), else the credential's own last write through this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAfter {
    pub minimum: Position,
    /// Whether the client named it.
    pub explicit: bool,
}

impl<S: Sync> FromRequestParts<S> for ReadAfter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(text) = single_header(&parts.headers, &PALAVER_MIN_POSITION)? {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let minimum = text.parse().ok().filter(|_| digits).ok_or_else(|| {
                ApiError::bad_request("Palaver-Min-Position must be a position: a whole number, 0 or greater")
            })?;
            return Ok(Self { minimum, explicit: true });
        }
        let own = match (parts.extensions.get::<Arc<super::Shell>>(), parts.extensions.get::<CredentialHash>()) {
            (Some(shell), Some(credential)) => shell.last_writes.last(credential),
            _ => 0,
        };
        Ok(Self { minimum: own, explicit: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_furthest_write_counts_and_each_credential_has_its_own() {
        let writes = LastWrites::default();
        let (one, other) = (CredentialHash::of("one"), CredentialHash::of("other"));
        writes.wrote(one, 7);
        writes.wrote(one, 5);
        assert_eq!((writes.last(&one), writes.last(&other)), (7, 0));
    }
}
