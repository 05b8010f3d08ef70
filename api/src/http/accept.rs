//! What a client that sends `Accept` can take: JSON, which is nearly all that the API answers with, or one of several.
//! RFC 9110, 12.5.1.

use axum::http::{HeaderMap, header};

use super::{ApiError, ErrorCode};

/// # Errors
/// `NotAcceptableError` when the header leaves no room for `application/json`.
pub(super) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    preferred(headers, &["application/json"]).map(drop)
}

/// The one of `offered` that a client likes best; of several, the first.
///
/// # Errors
/// `NotAcceptableError` when `Accept` leaves no room for any.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, ApiError> {
    let sent = headers.get_all(header::ACCEPT).iter().any(|value| !value.is_empty());
    let mut best: Option<(&str, f32)> = None;
    for one in offered {
        let quality = if sent { quality(headers, one) } else { 1.0 };
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((one, quality));
        }
    }
    best.map(|(one, _)| one).ok_or_else(|| {
        let message = format!("this answers with {}, which Accept excludes", offered.join(" or "));
        ApiError::new(ErrorCode::NotAcceptableError, message)
    })
}

/// How much a media type is wanted, by the range that names it most exactly.
fn quality(headers: &HeaderMap, media_type: &str) -> f32 {
    let mut best: Option<(u8, f32)> = None;
    for value in headers.get_all(header::ACCEPT) {
        // A value that is not text asks for nothing we know.
        for range in value.to_str().unwrap_or("?").split(',') {
            let Some((specificity, quality)) = weigh(range, media_type) else { continue };
            if best.is_none_or(|(most_specific, _)| specificity >= most_specific) {
                best = Some((specificity, quality));
            }
        }
    }
    best.map_or(0.0, |(_, quality)| quality)
}

/// How exactly a range names a media type, and how much it wants it. `None` when it speaks of something else.
fn weigh(range: &str, media_type: &str) -> Option<(u8, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let named = parts.next()?.to_ascii_lowercase();
    let main_type = media_type.split('/').next().unwrap_or_default();
    let specificity = match named.as_str() {
        "*/*" | "*" => 0,
        named if named == media_type => 2,
        named if named.strip_suffix("/*") == Some(main_type) => 1,
        _ => return None,
    };
    let mut weights = parts
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
        .filter_map(|(_, value)| value.trim().parse::<f32>().ok().filter(|weight| weight.is_finite()));
    Some((specificity, weights.next().unwrap_or(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        check(&headers).is_ok()
    }

    #[test]
    fn the_most_specific_range_decides() {
        assert!(check(&HeaderMap::new()).is_ok());
        for value in ["", "*/*", "application/*", "Application/JSON; charset=utf-8", "text/html, */*;q=0.1"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["text/html", "application/xml", "*/*, application/json;q=0", "application/*;q=0.0, */*"] {
            assert!(!accepts(value), "{value}");
        }
    }

    #[test]
    fn of_several_the_one_that_is_wanted_most_is_answered() {
        let offered = ["text/event-stream", "application/x-ndjson"];
        let preferred = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, value.parse().unwrap());
            preferred(&headers, &offered).ok()
        };
        assert_eq!(super::preferred(&HeaderMap::new(), &offered).ok(), Some(offered[0]));
        for (value, expected) in [
            ("*/*", Some(offered[0])),
            ("text/event-stream", Some(offered[0])),
            ("application/x-ndjson", Some(offered[1])),
            ("application/x-ndjson, */*", Some(offered[0])),
            ("application/x-ndjson, */*;q=0.5", Some(offered[1])),
            ("text/*;q=0.2, application/*;q=0.3", Some(offered[1])),
            ("text/event-stream;q=0, */*", Some(offered[1])),
            ("application/json", None),
            ("text/html, application/xml;q=0.9", None),
        ] {
            assert_eq!(preferred(value), expected, "{value}");
        }
    }
}
