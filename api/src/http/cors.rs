//! Which web pages of other origins may call the API from a browser. None, unless an operator names them. Their tokens
//! travel in headers or the query; the cookie of a session is for pages of our own, so no credentials of the browser are
//! let in.

use std::{str::FromStr, time::Duration};

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::{IDEMPOTENT_REPLAY, PALAVER_HEAD, PALAVER_NEXT, PALAVER_POSITION, rate_limit, request_id::X_REQUEST_ID};
use crate::auth::ACCESSTOKEN;

/// For how long a browser need not ask again.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3_600);

/// Every method that a route may have.
const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Answer headers that a page's program may read, beyond the few that it always may.
const EXPOSED: [HeaderName; 12] = [
    // A login tells its token by it.
    HeaderName::from_static(ACCESSTOKEN),
    header::ETAG,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    X_REQUEST_ID,
    PALAVER_POSITION,
    PALAVER_NEXT,
    PALAVER_HEAD,
    IDEMPOTENT_REPLAY,
    rate_limit::X_RATELIMIT_LIMIT,
    rate_limit::X_RATELIMIT_REMAINING,
    rate_limit::X_RATELIMIT_RESET,
];

/// `https://planner.example`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsOrigin(HeaderValue);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an origin such as https://planner.example, in lower case and without a path, or *")]
pub struct NotAnOrigin(String);

impl FromStr for CorsOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let origin = text.parse::<Uri>().ok().filter(|uri| {
            let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
            // Browsers send it just so, and it is compared as text.
            matches!(uri.scheme_str(), Some("http" | "https"))
                && !authority.contains('@')
                && uri.scheme_str().is_some_and(|scheme| text == format!("{scheme}://{authority}"))
                && text == text.to_ascii_lowercase()
        });
        match HeaderValue::from_str(text) {
            Ok(value) if text == "*" || origin.is_some() => Ok(Self(value)),
            _ => Err(NotAnOrigin(text.to_owned())),
        }
    }
}

/// `None` when no other origin may call: preflights are then refused like any other unknown method.
pub(super) fn layer(origins: &[CorsOrigin]) -> Option<CorsLayer> {
    let origin = match origins {
        [] => return None,
        some if some.iter().any(|origin| origin.0 == "*") => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().map(|origin| origin.0.clone())),
    };
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(METHODS)
        // Clients of four APIs send headers of their own; which origin may call at all is what protects.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT_AGE);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_just_what_a_browser_sends() {
        for text in ["https://planner.example", "http://localhost:3000", "http://[::1]:3000", "*"] {
            assert!(text.parse::<CorsOrigin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "null",
            "planner.example",
            "https://planner.example/",
            "https://planner.example/x",
            "https://Planner.example",
            "ftp://planner.example",
            "https://u@planner.example",
            "https://planner.example?x",
            "https://*.example ",
        ] {
            assert!(text.parse::<CorsOrigin>().is_err(), "{text}");
        }
    }
}
