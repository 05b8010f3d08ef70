//! The cookie that a browser keeps a session's token in. Scripts can not read it, and other sites can not make a browser
//! send it.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::TimeDelta;

use super::ACCESSTOKEN;
use crate::http::ApiError;

/// The token in the request's cookies, the one of the most specific path when there are several.
pub(crate) fn given(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    // A cookie that was taken away may be sent once more, empty.
    pairs.find(|(name, value)| *name == ACCESSTOKEN && !value.is_empty()).map(|(_, value)| value)
}

/// `Set-Cookie` for a session that lasts that long. `secure`: it is sent over HTTPS alone.
///
/// # Errors
/// None in practice: a token is hexadecimal.
pub(crate) fn keep(token: &str, lifetime: TimeDelta, secure: bool) -> Result<HeaderValue, ApiError> {
    cookie(token, lifetime.num_seconds(), secure)
}

/// `Set-Cookie` that takes it away.
///
/// # Errors
/// None in practice.
pub(crate) fn drop(secure: bool) -> Result<HeaderValue, ApiError> {
    cookie("", 0, secure)
}

fn cookie(token: &str, max_age_s: i64, secure: bool) -> Result<HeaderValue, ApiError> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{ACCESSTOKEN}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
    let mut value = HeaderValue::from_str(&text).map_err(|error| ApiError::internal(&error))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::COOKIE, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_is_found_among_other_cookies() {
        for (values, expected) in [
            (&[][..], None),
            (&["theme=dark"], None),
            (&["accesstoken=abc"], Some("abc")),
            (&["theme=dark; accesstoken=abc; lang=en"], Some("abc")),
            (&["theme=dark", "accesstoken=abc"], Some("abc")),
            (&["accesstoken=; accesstoken=abc; accesstoken=def"], Some("abc")),
            (&["xaccesstoken=abc; accesstokens=abc"], None),
            (&["accesstoken"], None),
        ] {
            assert_eq!(given(&headers(values)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
        let open = keep("abc", TimeDelta::hours(12), false).unwrap();
        assert_eq!(open, "accesstoken=abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
        assert!(open.is_sensitive());
        let secure = keep("abc", TimeDelta::hours(1), true).unwrap();
        assert_eq!(secure, "accesstoken=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(drop(false).unwrap(), "accesstoken=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }
}
