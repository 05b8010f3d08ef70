//! What a client asks of the event stream: from where on, which events, in what form. Names are checked against what
//! there is, because a misspelt filter would wait for ever.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderName};
use palaver_domain::{AGGREGATE_TYPES, AccountId, event_types};
use palaver_eventstore::{EventFilter, Position};
use serde::Deserialize;

use crate::http::{ApiError, accept, one_or_many, single_header};

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(super) const EVENT_STREAM: &str = "text/event-stream";
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Events of one page.
const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;
const AGGREGATE_ID_CHARS_MAX: usize = 200;
/// Characters of an unknown name that are told.
const NAME_CHARS_SHOWN: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Sse,
    Ndjson,
}

/// Which events, and how.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asking {
    /// `sse` for a stream of Server-Sent Events, `ndjson` for a page with an event on each line. When left out, `Accept`
    /// decides, and without it the answer is a stream.
    #[param(value_type = Option<String>)]
    format: Option<Format>,
    /// The position after which to begin: 0 (default) for all there is, the id of the last event that is known, or `head`
    /// for what comes from now on.
    from: Option<String>,
    /// As the header `Last-Event-ID`, for clients that can not set one. It goes before `from`; the header goes before
    /// both.
    last_event_id: Option<String>,
    /// Types of aggregates, such as `post`; several with commas between them, or by repeating the parameter.
    #[serde(deserialize_with = "one_or_many")]
    aggregate_type: Vec<String>,
    /// Types of events, such as `PostScheduled`; several with commas between them, or by repeating the parameter.
    #[serde(deserialize_with = "one_or_many")]
    event_type: Vec<String>,
    /// The one aggregate whose events are wanted, beside its type.
    aggregate_id: Option<String>,
    /// Events of one page, 1 to 1,000; 100 when left out. A stream has no limit.
    limit: Option<i64>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    After(Position),
    /// After the last event there is.
    Head,
}

/// The same, understood and checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub start: Start,
    pub filter: EventFilter,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Stream,
    Page { limit: i64 },
}

impl Asking {
    /// What is asked of the events of `tenant`.
    ///
    /// # Errors
    /// `BadRequestError` that names what is wrong, `NotAcceptableError` when `Accept` excludes both forms.
    pub fn check(self, headers: &HeaderMap, tenant: AccountId) -> Result<Asked, ApiError> {
        let start = self.start(headers)?;
        let form = self.form(headers)?;
        let there_are = format!("there are {}", AGGREGATE_TYPES.join(", "));
        let aggregate_types = known("aggregateType", self.aggregate_type, AGGREGATE_TYPES, &there_are)?;
        let all: Vec<_> = event_types().map(|(_, event)| event.name).collect();
        let event_types = known("eventType", self.event_type, &all, "/schemas lists what there is")?;
        if let Some(id) = &self.aggregate_id {
            if aggregate_types.len() != 1 {
                return Err(ApiError::bad_request("`aggregateId` needs `aggregateType`, and one alone"));
            }
            if id.is_empty() || id.chars().count() > AGGREGATE_ID_CHARS_MAX {
                let message = format!("`aggregateId` must have 1 to {AGGREGATE_ID_CHARS_MAX} characters");
                return Err(ApiError::bad_request(message));
            }
        }
        let aggregate_id = self.aggregate_id;
        let filter = EventFilter { tenant: Some(tenant), aggregate_types, event_types, aggregate_id };
        Ok(Asked { start, filter, form })
    }

    fn start(&self, headers: &HeaderMap) -> Result<Start, ApiError> {
        // A client that knows of no event sends the header without one, or not at all.
        if let Some(text) = single_header(headers, &LAST_EVENT_ID)?.filter(|text| !text.is_empty()) {
            return position("header Last-Event-ID", text).map(Start::After);
        }
        if let Some(text) = self.last_event_id.as_deref().filter(|text| !text.is_empty()) {
            return position("`lastEventId`", text).map(Start::After);
        }
        match self.from.as_deref() {
            None => Ok(Start::After(0)),
            Some("head") => Ok(Start::Head),
            Some(text) => position("`from`", text).map(Start::After),
        }
    }

    fn form(&self, headers: &HeaderMap) -> Result<Form, ApiError> {
        let format = match self.format {
            Some(format) => format,
            None if accept::preferred(headers, &[EVENT_STREAM, NDJSON])? == NDJSON => Format::Ndjson,
            None => Format::Sse,
        };
        match (format, self.limit) {
            (Format::Sse, None) => Ok(Form::Stream),
            (Format::Sse, Some(_)) => Err(ApiError::bad_request("`limit` is for pages; a stream has none")),
            (Format::Ndjson, limit) => {
                let limit = limit.unwrap_or(LIMIT_DEFAULT);
                if (1..=LIMIT_MAX).contains(&limit) {
                    return Ok(Form::Page { limit });
                }
                Err(ApiError::bad_request(format!("`limit` must be between 1 and {LIMIT_MAX}, is {limit}")))
            }
        }
    }
}

fn position(name: &str, text: &str) -> Result<Position, ApiError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let or_head = if name == "`from`" { ", or `head`" } else { "" };
        ApiError::bad_request(format!("{name} must be a position: a whole number, 0 or greater{or_head}"))
    })
}

/// Each once, if all of them are among `all`. `there_are` tells what there is.
fn known(parameter: &str, asked: Vec<String>, all: &[&str], there_are: &str) -> Result<Vec<String>, ApiError> {
    let asked: BTreeSet<String> = asked.into_iter().collect();
    match asked.iter().find(|name| !all.contains(&name.as_str())) {
        None => Ok(asked.into_iter().collect()),
        Some(name) => {
            let name: String = name.chars().take(NAME_CHARS_SHOWN).collect();
            Err(ApiError::bad_request(format!("query parameter `{parameter}`: there is no `{name}`; {there_are}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;
    use crate::http::Query;

    const TENANT: AccountId = AccountId::from_bytes([7; 12]);

    fn asked(query: &str, headers: &[(HeaderName, &str)]) -> Result<Asked, String> {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let asking: Asking = Query::parse(query).map_err(|error| error.message)?;
        asking.check(&headers, TENANT).map_err(|error| error.message)
    }

    fn start(query: &str, last_event_id: Option<&str>) -> Result<Start, String> {
        let headers: Vec<_> = last_event_id.map(|id| (LAST_EVENT_ID, id)).into_iter().collect();
        asked(query, &headers).map(|asked| asked.start)
    }

    #[test]
    fn a_reconnect_goes_on_where_it_was_whatever_its_address_says() {
        for (query, header, expected) in [
            ("", None, Start::After(0)),
            ("from=17", None, Start::After(17)),
            ("from=head", None, Start::Head),
            ("from=head&lastEventId=17", None, Start::After(17)),
            ("from=3&lastEventId=4", Some("5"), Start::After(5)),
            ("from=3", Some(""), Start::After(3)),
            ("from=3&lastEventId=", None, Start::After(3)),
        ] {
            assert_eq!(start(query, header), Ok(expected), "{query} {header:?}");
        }
        for (query, header, named) in [
            ("from=tail", None, "`from`"),
            ("from=", None, "`from`"),
            ("from=-1", None, "`from`"),
            ("from=%2B1", None, "`from`"),
            ("from=99999999999999999999", None, "`from`"),
            ("lastEventId=head", None, "`lastEventId`"),
            ("from=1", Some("x"), "header Last-Event-ID"),
        ] {
            assert!(start(query, header).unwrap_err().starts_with(named), "{query} {header:?}");
        }
    }

    #[test]
    fn the_form_is_what_the_parameter_or_else_the_header_says() {
        let form = |query, accept: &str| asked(query, &[(header::ACCEPT, accept)]).map(|asked| asked.form);
        for (query, accept, expected) in [
            ("", "*/*", Form::Stream),
            ("", NDJSON, Form::Page { limit: 100 }),
            ("limit=7", NDJSON, Form::Page { limit: 7 }),
            ("format=sse", NDJSON, Form::Stream),
            ("format=ndjson&limit=1000", EVENT_STREAM, Form::Page { limit: 1_000 }),
        ] {
            assert_eq!(form(query, accept), Ok(expected), "{query} {accept}");
        }
        for (query, accept, says) in [
            ("", "application/json", "text/event-stream or application/x-ndjson"),
            ("limit=7", "*/*", "`limit` is for pages"),
            ("format=ndjson&limit=0", "*/*", "between 1 and 1000"),
            ("format=ndjson&limit=1001", "*/*", "between 1 and 1000"),
            ("format=csv", "*/*", "unknown variant `csv`"),
            ("form=ndjson", "*/*", "query parameter `form` is not known here"),
        ] {
            assert!(form(query, accept).unwrap_err().contains(says), "{query} {accept}");
        }
    }

    #[test]
    fn filters_name_what_there_is_and_only_the_own_account() {
        let filter = |query| asked(query, &[]).map(|asked| asked.filter);
        let all = EventFilter { tenant: Some(TENANT), ..EventFilter::default() };
        assert_eq!(filter(""), Ok(all.clone()));
        let both = EventFilter {
            aggregate_types: vec!["post".into(), "user".into()],
            event_types: vec!["PostDeleted".into(), "PostPlanned".into()],
            ..all.clone()
        };
        assert_eq!(filter("aggregateType=user,post,user&eventType=PostPlanned&eventType=PostDeleted"), Ok(both));
        let one = EventFilter { aggregate_types: vec!["post".into()], aggregate_id: Some("x".into()), ..all };
        assert_eq!(filter("aggregateType=post&aggregateId=x"), Ok(one));
        for (query, says) in [
            ("aggregateType=Post", "query parameter `aggregateType`: there is no `Post`; there are account, "),
            ("eventType=PostPlaned", "query parameter `eventType`: there is no `PostPlaned`; /schemas lists"),
            ("aggregateId=x", "`aggregateId` needs `aggregateType`"),
            ("aggregateId=x&aggregateType=post,user", "`aggregateId` needs `aggregateType`"),
            ("aggregateId=&aggregateType=post", "1 to 200 characters"),
        ] {
            let refused = filter(query).unwrap_err();
            assert!(refused.contains(says), "{query}: {refused}");
        }
    }
}
