//! `ETag`, `If-Match` and `If-None-Match`: the sequence of the aggregate that an answer shows. RFC 9110, 8.8.3 and 13.
//!
//! A handler puts [`EntityTag`] into its answer, and hands [`IfMatch`] on to its command, which is where it is checked.

use axum::{
    body::Body,
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponseParts, Response, ResponseParts},
};
use palaver_commands::Precondition;
use palaver_eventstore::{Sequence, StreamId};
use utoipa::openapi::{
    ObjectBuilder, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

use super::ApiError;

/// Tags of one header. Each is looked at, so there is an end.
const TAGS_MAX: usize = 50;

/// Sets `ETag`. Nothing for 0, as in answers that were kept before they had a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag(pub Sequence);

impl IntoResponseParts for EntityTag {
    type Error = ApiError;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Self::Error> {
        if self.0 != 0 {
            let tag = HeaderValue::from_str(&format!("\"{}\"", self.0)).map_err(|error| ApiError::internal(&error))?;
            response.headers_mut().insert(header::ETAG, tag);
        }
        Ok(response)
    }
}

/// The sequences of `If-Match`. Also an extractor, and the parameter in the OpenAPI document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<Sequence>>);

impl IfMatch {
    /// The condition on one stream; `None` when the client states none. `*` is none either: what does not exist is
    /// refused without condition.
    pub fn on(self, stream: StreamId) -> Option<Precondition> {
        self.0.map(|sequences| Precondition { stream, sequences })
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(match tags(&parts.headers, &header::IF_MATCH)? {
            None | Some(Tags::Any) => Self(None),
            // A weak tag never matches here, and neither does one that is not of ours.
            Some(Tags::These(tags)) => Self(Some(tags.iter().filter_map(Tag::sequence).collect())),
        })
    }
}

impl utoipa::IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let parameter = ParameterBuilder::new()
            .name(header::IF_MATCH.as_str())
            .parameter_in(ParameterIn::Header)
            .description(Some("An `ETag` that was answered before. When it is not today's, nothing is done."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        vec![parameter.build()]
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Tags<'a> {
    Any,
    These(Vec<Tag<'a>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    weak: bool,
    opaque: &'a str,
}

impl Tag<'_> {
    fn sequence(&self) -> Option<Sequence> {
        let canonical = |sequence: &Sequence| sequence.to_string() == self.opaque;
        if self.weak { None } else { self.opaque.parse().ok().filter(canonical) }
    }
}

/// # Errors
/// `BadRequestError` when the header is no list of entity tags.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Tags<'a>>, ApiError> {
    let malformed =
        || ApiError::bad_request(format!("{name} must be entity tags in double quotes, such as \"7\", or *"));
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| malformed())?;
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        let mut rest = text.trim_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            let (weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |quoted| (true, quoted));
            let (opaque, after) = quoted.strip_prefix('"').and_then(|tag| tag.split_once('"')).ok_or_else(malformed)?;
            let next = after.trim_start_matches([' ', '\t']);
            if tags.len() == TAGS_MAX || !(next.is_empty() || next.starts_with(',')) {
                return Err(malformed());
            }
            tags.push(Tag { weak, opaque });
            rest = next.trim_start_matches([' ', '\t', ',']);
        }
    }
    Ok(headers.contains_key(name).then_some(Tags::These(tags)))
}

/// Answers a read whose `If-None-Match` names the very thing that it would show with 304 and nothing to read.
pub(super) async fn revalidate(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.headers().contains_key(header::IF_NONE_MATCH);
    if !reads {
        return next.run(request).await;
    }
    let asked = request.headers().clone();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && known(&asked, response.headers()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

fn known(asked: &HeaderMap, answered: &HeaderMap) -> bool {
    let Some(shown) = answered.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    match tags(asked, &header::IF_NONE_MATCH) {
        Ok(Some(Tags::Any)) => true,
        Ok(Some(Tags::These(tags))) => tags.iter().any(|tag| shown.trim_matches('"') == tag.opaque),
        // Who asks in a way that is not understood gets the whole answer.
        Ok(None) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn if_match(values: &[&str]) -> Result<IfMatch, ApiError> {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append(header::IF_MATCH, value.parse().unwrap());
        }
        IfMatch::from_request_parts(&mut request.into_parts().0, &()).await
    }

    #[tokio::test]
    async fn a_condition_is_a_list_of_tags_of_which_ours_count() {
        for (values, sequences) in [
            (&[][..], None),
            (&["*"], None),
            (&["\"7\""], Some(vec![7])),
            (&["\"7\", \"8\" ,\"x,y\",, "], Some(vec![7, 8])),
            (&["\"7\"", "\"9\""], Some(vec![7, 9])),
            (&["W/\"7\""], Some(vec![])),
            (&["\"07\", \"+7\", \"\""], Some(vec![])),
            (&[""], Some(vec![])),
        ] {
            assert_eq!(if_match(values).await.unwrap(), IfMatch(sequences), "{values:?}");
        }
        let many = vec!["\"1\""; TAGS_MAX + 1].join(",");
        for value in ["7", "\"7", "\"7\"\"8\"", "w/\"7\"", "\"7\" x", many.as_str()] {
            let error = if_match(&[value]).await.unwrap_err();
            assert_eq!(error.message, "if-match must be entity tags in double quotes, such as \"7\", or *", "{value}");
        }
    }

    #[test]
    fn a_reader_knows_what_it_names() {
        let known = |asked: &str, shown: Option<&'static str>| {
            let (mut request, mut response) = (HeaderMap::new(), HeaderMap::new());
            request.insert(header::IF_NONE_MATCH, asked.parse().unwrap());
            if let Some(tag) = shown {
                response.insert(header::ETAG, HeaderValue::from_static(tag));
            }
            known(&request, &response)
        };
        for asked in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(known(asked, Some("\"7\"")), "{asked}");
            assert!(!known(asked, None), "{asked}");
        }
        for asked in ["\"6\"", "7", "", "\"77\""] {
            assert!(!known(asked, Some("\"7\"")), "{asked}");
        }
    }
}
