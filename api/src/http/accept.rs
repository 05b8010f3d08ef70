//! Whether a client that sends `Accept` can take JSON, which is all that the API answers with. RFC 9110, 12.5.1.

use axum::http::{HeaderMap, header};

use super::{ApiError, ErrorCode};

/// # Errors
/// `NotAcceptableError` when the header leaves no room for `application/json`.
pub(super) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut best: Option<(u8, bool)> = None;
    for value in headers.get_all(header::ACCEPT) {
        // A value that is not text asks for nothing we know.
        for range in value.to_str().unwrap_or("?").split(',') {
            let Some((specificity, wanted)) = weigh(range) else { continue };
            if best.is_none_or(|(most_specific, _)| specificity >= most_specific) {
                best = Some((specificity, wanted));
            }
        }
    }
    let sent = headers.get_all(header::ACCEPT).iter().any(|value| !value.is_empty());
    if best.map_or(!sent, |(_, wanted)| wanted) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::NotAcceptableError, "this answers with application/json, which Accept excludes"))
}

/// How exactly a range names JSON, and whether it wants it. `None` when it speaks of something else.
fn weigh(range: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let specificity = match parts.next()?.to_ascii_lowercase().as_str() {
        "*/*" | "*" => 0,
        "application/*" => 1,
        "application/json" => 2,
        _ => return None,
    };
    let refused = parts.filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
    });
    Some((specificity, !refused))
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
}
