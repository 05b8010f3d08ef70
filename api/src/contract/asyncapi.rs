//! `/asyncapi.json`: how events leave the house, for those who take them. AsyncAPI 3.0, seen from the consumer's side.
//!
//! The form of an event is that of [`CloudEvent`]; what is in it is said by the schemas of the events, which the document
//! refers to by their address.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use palaver_domain::{AGGREGATE_TYPES, EventSchema, event_types, schema_path, written_schema};
use palaver_eventstore::cloud_event::{CLOUD_EVENT_CONTENT_TYPE, CLOUD_EVENT_TYPE_PREFIX, CloudEvent};
use serde_json::{Map, Value, json};

use super::ContractState;

const DESCRIPTION: &str = "\
All that happens in Palaver is an event in one log. The streams hand every event on as a CloudEvent 1.0 in structured \
JSON, in the order of the log, each at least once; the `id` is the same at every repetition. Operations are the \
consumer's: to `receive` is to take what Palaver sends.

**What may change.** `dataschema` names the JSON Schema of `data`, by event type and version. Within a version, optional \
fields and values of enumerations may be added, and nothing else: ignore fields and values that you do not know. Events \
are sent in the version they were written in, so an old one may come in an older version for ever. A new type of event, \
or a new version, may come with any release: pass over what you do not know.

**Order.** Within a subject, an aggregate's events, `sequence` counts without gaps. `position` rises over all of them.";

const NATS_DESCRIPTION: &str = "\
A JetStream stream that holds every subject below `palaver.`. Use a durable consumer and acknowledge what is done; \
`Nats-Msg-Id` is the event's id.";

const EVENTS_DESCRIPTION: &str = "\
One subject for each aggregate and type of event, so that wildcards choose: `palaver.<tenant>.post.>` for what happens \
to an account's posts, `palaver.*.*.PostPublished.*` for every publication.";

const HTTP_DESCRIPTION: &str = "\
What happens in the account of the credential that asks, which needs the permission `ViewEvents`. `/openapi.json` \
describes parameters and answers.";

/// The streams of a service at `public_url`, with a message for each of these schemas.
pub(super) fn document(public_url: &str, schemas: &[EventSchema]) -> Value {
    let messages: Map<String, Value> =
        schemas.iter().map(|one| (message_name(one), message(public_url, one))).chain([unreadable()]).collect();
    let carried = refer_each("#/components/messages", messages.keys());
    let (protocol, host) = public_url.split_once("://").unwrap_or(("http", public_url));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Palaver's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": CLOUD_EVENT_CONTENT_TYPE,
        "servers": servers(protocol, host),
        "channels": { "events": nats_channel(&carried), "eventStream": http_channel(&carried) },
        "operations": operations(&messages),
        "components": {
            "messages": messages,
            "schemas": { "CloudEvent": cloud_event(), "NatsHeaders": nats_headers() },
            "securitySchemes": security_schemes(),
        },
    })
}

fn servers(protocol: &str, host: &str) -> Value {
    json!({
        "nats": {
            "host": "{host}",
            "protocol": "nats",
            "title": "NATS JetStream",
            "description": NATS_DESCRIPTION,
            "variables": { "host": {
                "default": "localhost:4222",
                "description": "Where NATS is; those who run the service know, and give out credentials.",
            } },
        },
        "http": {
            "host": host,
            "protocol": protocol,
            "title": "HTTP",
            "description": "The service itself.",
            "security": refer_list("#/components/securitySchemes", &["accesstoken", "bearer", "appKey"]),
        },
    })
}

fn nats_channel(messages: &Value) -> Value {
    let names: Vec<&str> = event_types().map(|(_, event)| event.name).collect();
    json!({
        "address": "palaver.{tenant}.{aggregateType}.{eventType}.{aggregateId}",
        "title": "Every event",
        "description": EVENTS_DESCRIPTION,
        "servers": [refer("#/servers", "nats")],
        "messages": messages,
        "parameters": {
            "tenant": { "description": "The id of the account it happened in." },
            "aggregateType": { "description": "What it happened to.", "enum": AGGREGATE_TYPES },
            "eventType": { "description": "What happened.", "enum": names },
            "aggregateId": { "description": "The id of what it happened to." },
        },
    })
}

fn http_channel(messages: &Value) -> Value {
    json!({
        "address": "/events",
        "title": "An account's events",
        "description": HTTP_DESCRIPTION,
        "servers": [refer("#/servers", "http")],
        "messages": messages,
    })
}

fn operations(messages: &Map<String, Value>) -> Value {
    let receive = |channel: &str, summary: &str, bindings: Value| {
        let from = format!("#/channels/{channel}/messages");
        let all: Vec<Value> = messages.keys().map(|name| refer(&from, name)).collect();
        json!({
            "action": "receive",
            "channel": refer("#/channels", channel),
            "summary": summary,
            "bindings": bindings,
            "messages": all,
        })
    };
    let get = |format: &str| {
        json!({ "http": { "method": "GET", "bindingVersion": "0.3.0", "query": {
            "type": "object",
            "properties": { "format": { "type": "string", "const": format } },
        } } })
    };
    json!({
        "followOverNats": receive("events", "Follow events over NATS JetStream.", json!({})),
        "followOverHttp": receive(
            "eventStream",
            "Follow an account's events as Server-Sent Events; each CloudEvent is the data of one.",
            get("sse"),
        ),
        "readPages": receive(
            "eventStream",
            "Read an account's events in pages of NDJSON; each line is a CloudEvent.",
            get("ndjson"),
        ),
    })
}

fn message_name(schema: &EventSchema) -> String {
    format!("{}.v{}", schema.event_type, schema.version)
}

/// An event of one type and version: the envelope, and what is special in it.
fn message(public_url: &str, schema: &EventSchema) -> Value {
    let address = format!("{public_url}{}", schema_path(schema.event_type, schema.version));
    json!({
        "name": schema.event_type,
        "title": format!("{}, version {}", schema.event_type, schema.version),
        "summary": schema.schema.get("description"),
        "contentType": CLOUD_EVENT_CONTENT_TYPE,
        "headers": refer("#/components/schemas", "NatsHeaders"),
        "payload": {
            "allOf": [
                refer("#/components/schemas", "CloudEvent"),
                {
                    "type": "object",
                    "properties": {
                        "type": { "const": format!("{CLOUD_EVENT_TYPE_PREFIX}{}", schema.event_type) },
                        "dataschema": { "const": address },
                        "data": { "$ref": address },
                    },
                    "required": ["datacontenttype", "dataschema", "data"],
                },
            ],
        },
        "tags": [{ "name": schema.aggregate_type }],
    })
}

/// What comes in the place of an event that can not be read.
fn unreadable() -> (String, Value) {
    let message = json!({
        "name": "Unreadable",
        "title": "An event that can not be read",
        "summary": "It stands for an event whose data are damaged, so that its place is not missed.",
        "contentType": CLOUD_EVENT_CONTENT_TYPE,
        "headers": refer("#/components/schemas", "NatsHeaders"),
        "payload": { "allOf": [refer("#/components/schemas", "CloudEvent"), { "type": "object", "required": ["fault"] }] },
    });
    ("Unreadable".to_owned(), message)
}

fn cloud_event() -> Value {
    let mut schema = written_schema::<CloudEvent<'_>>();
    schema["description"] = json!(
        "A CloudEvent 1.0 with Palaver's extensions. `position` and `sequence` have zeros in front, so that they sort as \
         text as they do as numbers."
    );
    schema
}

fn nats_headers() -> Value {
    json!({
        "type": "object",
        "description": "Over NATS alone.",
        "properties": {
            "Nats-Msg-Id": { "type": "string", "format": "uuid", "description": "The event's id, to know a duplicate by." },
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "accesstoken": { "type": "httpApiKey", "in": "query", "name": "accesstoken", "description": "The token of a user." },
        "bearer": { "type": "http", "scheme": "bearer", "description": "The same token, in a header." },
        "appKey": { "type": "httpApiKey", "in": "header", "name": "x-api-key", "description": "A key of an application." },
    })
}

fn refer(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("{place}/{name}") })
}

fn refer_list(place: &str, names: &[&str]) -> Value {
    names.iter().map(|name| refer(place, name)).collect()
}

fn refer_each<'a>(place: &str, names: impl Iterator<Item = &'a String>) -> Value {
    names.map(|name| (name.clone(), refer(place, name))).collect::<Map<_, _>>().into()
}

/// How events can be followed.
///
/// The AsyncAPI 3.0 document of the streams that events leave by: NATS JetStream, Server-Sent Events and NDJSON.
#[utoipa::path(get, path = "/asyncapi.json", tag = "events", operation_id = "getAsyncApi",
    responses((status = 200, description = "The document.", content_type = "application/json", body = serde_json::Value)))]
pub(super) async fn show(State(contract): State<ContractState>) -> Response {
    contract.asyncapi.into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use palaver_domain::event_schemas;

    use super::*;

    const URL: &str = "https://palaver.example.com";

    fn references<'a>(part: &'a Value, into: &mut BTreeSet<&'a str>) {
        match part {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, into));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn whatever_it_refers_to_is_there() {
        let schemas = event_schemas().unwrap();
        let document = document(URL, &schemas);
        let published: BTreeSet<String> =
            schemas.iter().map(|one| format!("{URL}{}", schema_path(one.event_type, one.version))).collect();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > published.len());
        for reference in &found {
            let there = match reference.strip_prefix('#') {
                Some(pointer) => document.pointer(pointer).is_some(),
                None => published.contains(*reference),
            };
            assert!(there, "{reference} leads nowhere");
        }
        for address in &published {
            assert!(found.contains(address.as_str()), "no message has {address}");
        }
    }

    #[test]
    fn channels_carry_every_message_and_operations_take_them_from_there() {
        let document = document(URL, &event_schemas().unwrap());
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let messages = names(&document["components"]["messages"]);
        assert!(messages.contains("PostScheduled.v1") && messages.contains("UserCreated.v1"), "{messages:?}");
        for (name, channel) in document["channels"].as_object().unwrap() {
            assert_eq!(names(&channel["messages"]), messages, "{name}");
            let parameters: BTreeSet<_> =
                channel["address"].as_str().unwrap().split(['{', '}']).skip(1).step_by(2).collect();
            let described = channel.get("parameters").map(names).unwrap_or_default();
            assert_eq!(parameters, described.iter().map(String::as_str).collect(), "{name}");
        }
        for (name, operation) in document["operations"].as_object().unwrap() {
            assert_eq!(operation["action"], "receive", "{name}");
            let channel = operation["channel"]["$ref"].as_str().unwrap();
            for message in operation["messages"].as_array().unwrap() {
                // Of its own channel: the specification asks for that.
                let reference = message["$ref"].as_str().unwrap();
                assert!(reference.starts_with(&format!("{channel}/messages/")), "{name}: {reference}");
            }
        }
        assert_eq!(document["servers"]["http"]["host"], "palaver.example.com");
        assert_eq!(document["servers"]["http"]["protocol"], "https");
    }

    #[test]
    fn the_envelope_has_no_definitions_elsewhere() {
        let document = document(URL, &event_schemas().unwrap());
        let envelope = &document["components"]["schemas"]["CloudEvent"];
        assert!(envelope.get("$defs").is_none() && envelope.get("definitions").is_none(), "{envelope}");
        let required = ["specversion", "id", "source", "type", "subject", "time", "position", "sequence", "tenant"];
        for attribute in required {
            assert!(envelope["required"].as_array().unwrap().contains(&json!(attribute)), "{attribute}: {envelope}");
        }
        assert_eq!(envelope["properties"]["specversion"]["const"], "1.0");
        // CloudEvents knows no null.
        assert!(!envelope.to_string().contains("null"), "{envelope}");
    }
}
