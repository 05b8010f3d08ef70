//! `/schemas`: which types of events there are, and what each looks like in each of its versions.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use palaver_domain::{EventSchema, schema_path};
use serde::Serialize;

use super::ContractState;
use crate::http::{ApiError, ErrorBody, PathIds};

/// Every type of event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTypeList {
    event_types: Vec<EventTypeEntry>,
}

/// A type of event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventTypeEntry {
    /// Such as `PostScheduled`. A CloudEvent's `type` has `palaver.` in front of it.
    event_type: &'static str,
    /// What it happens to, such as `post`.
    aggregate_type: &'static str,
    /// What it says, in a sentence.
    description: String,
    /// Every version that there are events of, oldest first. What happens from now on is of the last one.
    versions: Vec<EventTypeVersion>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventTypeVersion {
    version: u32,
    /// Where its schema is, from the root of the service.
    schema: String,
}

pub(super) fn list(all: &[EventSchema]) -> EventTypeList {
    let mut event_types: Vec<EventTypeEntry> = Vec::new();
    for one in all {
        let version = EventTypeVersion { version: one.version, schema: schema_path(one.event_type, one.version) };
        let description = one.schema.get("description").and_then(|text| text.as_str()).unwrap_or_default().to_owned();
        match event_types.last_mut().filter(|last| last.event_type == one.event_type) {
            // What today's version says counts.
            Some(entry) => {
                entry.versions.push(version);
                entry.description = description;
            }
            None => event_types.push(EventTypeEntry {
                event_type: one.event_type,
                aggregate_type: one.aggregate_type,
                description,
                versions: vec![version],
            }),
        }
    }
    EventTypeList { event_types }
}

/// Which events there are.
///
/// Every type of event, what it happens to, and where the JSON Schema of each of its versions is.
#[utoipa::path(get, path = "/schemas", tag = "events", operation_id = "listEventSchemas",
    responses((status = 200, description = "Every type of event.", body = EventTypeList)))]
pub(super) async fn show_list(State(contract): State<ContractState>) -> Response {
    contract.list.into_response()
}

/// What an event looks like.
///
/// The JSON Schema (draft 2020-12) of what a CloudEvent of this type has as `data`; its `dataschema` leads here. Within a
/// version, optional fields and values of enumerations may be added, and nothing else: ignore fields and values that you
/// do not know.
#[utoipa::path(get, path = "/schemas/{eventType}/{version}", tag = "events", operation_id = "getEventSchema",
    params(
        ("eventType" = String, Path, description = "Such as `PostScheduled`; `/schemas` lists them."),
        ("version" = String, Path, description = "Such as `v1`.")),
    responses(
        (status = 200, description = "The schema.", content_type = "application/schema+json", body = serde_json::Value),
        (status = 404, description = "There is no such type of event, or no such version of it.", body = ErrorBody)))]
pub(super) async fn show(
    State(contract): State<ContractState>,
    PathIds(event_type, version): PathIds<String, String>,
) -> Result<Response, ApiError> {
    match contract.schemas.get(&(event_type, version)) {
        Some(schema) => Ok(schema.into_response()),
        None => {
            Err(ApiError::not_found("there is no such version of such an event type; /schemas lists what there is"))
        }
    }
}
