//! What is published of events, and whether a real log keeps to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use jsonschema::Validator;
use palaver_domain::{event_schemas, event_types, schema_path};
use palaver_tests::{Client, ServiceOptions, fresh_database};
use serde_json::{Value, json};

use crate::shared;

/// Events of one page.
const PAGE: usize = 1_000;

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

#[tokio::test]
async fn every_event_type_is_listed_and_every_version_described() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let list = anonymous.get("/schemas").await.ok();
    assert_eq!(list.header("content-type"), Some("application/json"));
    let listed = list.body["eventTypes"].as_array().unwrap();
    assert_eq!(listed.len(), event_types().count());
    let described = event_schemas().unwrap();
    let mut seen = BTreeSet::new();
    for entry in listed {
        let event_type = entry["eventType"].as_str().unwrap();
        assert!(entry["description"].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
        for version in entry["versions"].as_array().unwrap() {
            let number: u32 = version["version"].as_u64().unwrap().try_into().unwrap();
            let path = version["schema"].as_str().unwrap();
            assert_eq!(path, schema_path(event_type, number));
            let expected =
                described.iter().find(|one| (one.event_type, one.version) == (event_type, number)).expect("described");
            assert_eq!(entry["aggregateType"], expected.aggregate_type);
            let schema = anonymous.get(path).await.ok();
            assert_eq!(schema.header("content-type"), Some("application/schema+json"), "{path}");
            assert_eq!(schema.body, expected.schema, "{path}");
            assert!(jsonschema::meta::is_valid(&schema.body), "{path}");
            seen.insert(path.to_owned());
        }
    }
    assert_eq!(seen.len(), described.len(), "each of them, and each once");
}

#[tokio::test]
async fn who_has_a_document_already_is_told_so() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let mut tags = BTreeSet::new();
    let paths = ["/asyncapi.json", "/schemas", "/schemas/UserCreated/v1", "/schemas/UserCreated/v2"];
    for path in paths {
        let first = anonymous.get(path).await.ok();
        let tag = first.header("etag").unwrap().to_owned();
        assert_eq!(first.header("cache-control"), Some("public, max-age=3600"), "{path}");
        let again = anonymous.get(path).header("if-none-match", &tag).await;
        assert_eq!((again.status, again.body.as_str()), (304, Some("")), "{path}");
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
        assert_eq!(anonymous.get(path).header("if-none-match", "\"other\"").await.status, 200, "{path}");
        tags.insert(tag);
    }
    assert_eq!(tags.len(), paths.len(), "each has a tag of its own");
}

#[tokio::test]
async fn what_is_not_described_is_not_found() {
    let service = shared().await;
    let anonymous = service.anonymous();
    for path in [
        "/schemas/Nothing/v1",
        "/schemas/postscheduled/v1",
        "/schemas/PostScheduled/v2",
        "/schemas/PostScheduled/v0",
        "/schemas/PostScheduled/v01",
        "/schemas/PostScheduled/1",
        "/schemas/PostScheduled/V1",
        "/schemas/PostScheduled",
        "/schemas/",
        "/asyncapi",
    ] {
        anonymous.get(path).await.is(404, "NotFoundError");
    }
    anonymous.get("/schemas/%ff/v1").await.is(400, "BadRequestError");
    for path in ["/schemas", "/schemas/PostScheduled/v1", "/asyncapi.json"] {
        anonymous.post(path).await.is(405, "MethodNotAllowedError");
    }
}

#[tokio::test]
async fn the_document_of_the_streams_leads_to_this_service() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let document = anonymous.get("/asyncapi.json").await.ok();
    assert_eq!(document.header("content-type"), Some("application/json"));
    let url = service.endpoint().url();
    let http = &document.body["servers"]["http"];
    assert_eq!(format!("{}://{}", http["protocol"].as_str().unwrap(), http["host"].as_str().unwrap()), url);
    let address = document.body["channels"]["events"]["address"].as_str().unwrap();
    assert_eq!(address, "palaver.{tenant}.{aggregateType}.{eventType}.{aggregateId}");
    for (name, message) in document.body["components"]["messages"].as_object().unwrap() {
        let Some(reference) = message.pointer("/payload/allOf/1/properties/data/$ref") else {
            assert_eq!(name, "Unreadable", "{message}");
            continue;
        };
        let path = reference.as_str().unwrap().strip_prefix(&url).unwrap_or_else(|| panic!("{name}: {reference}"));
        let schema = anonymous.get(path).await.ok();
        assert_eq!(format!("{}.v{}", schema.body["title"].as_str().unwrap(), path.rsplit_once("/v").unwrap().1), *name);
    }
}

/// The schemas that CloudEvents name, fetched from where they say.
struct Published {
    anonymous: Client,
    url: String,
    document: Value,
    envelope: Validator,
    by_address: BTreeMap<String, Validator>,
}

impl Published {
    async fn at(anonymous: Client, url: String) -> Self {
        let document = anonymous.get("/asyncapi.json").await.ok().body;
        let envelope = validator(&document["components"]["schemas"]["CloudEvent"]);
        Self { anonymous, url, document, envelope, by_address: BTreeMap::new() }
    }

    /// Whether an event is as all of this says.
    async fn check(&mut self, event: &Value) {
        self.envelope.validate(event).unwrap_or_else(|error| panic!("{error}: {event}"));
        let address = event["dataschema"].as_str().unwrap_or_else(|| panic!("it names no schema: {event}"));
        let path = address.strip_prefix(&self.url).unwrap_or_else(|| panic!("{address} leads away"));
        let version = path.rsplit_once('/').unwrap().1;
        let name = event["type"].as_str().unwrap().strip_prefix("palaver.").unwrap();
        let message = &self.document["components"]["messages"][format!("{name}.{version}")];
        let special = validator(&json!({
            "properties": {
                "type": message["payload"]["allOf"][1]["properties"]["type"],
                "dataschema": message["payload"]["allOf"][1]["properties"]["dataschema"],
            },
            "required": message["payload"]["allOf"][1]["required"],
        }));
        special.validate(event).unwrap_or_else(|error| panic!("{error}: {event}"));
        if !self.by_address.contains_key(address) {
            let schema = self.anonymous.get(path).await.ok().body;
            self.by_address.insert(address.to_owned(), validator(&schema));
        }
        let schema = &self.by_address[address];
        schema.validate(&event["data"]).unwrap_or_else(|error| panic!("{address}: {error}: {event}"));
    }
}

#[tokio::test]
async fn the_events_of_a_real_log_fit_the_schemas_they_name() {
    let (database, data) = (fresh_database().await, tempfile::tempdir().unwrap());
    let folder = data.path().to_str().unwrap();
    let service = ServiceOptions::new("up").on(&database).setting("data", folder).with_demo().start().await;
    let mut published = Published::at(service.anonymous(), service.endpoint().url()).await;
    let demo: Value = serde_json::from_str(&fs::read_to_string(data.path().join("demo.json")).unwrap()).unwrap();
    let admin = demo["users"].as_array().unwrap().iter().find(|user| user["role"] == "ADMIN").unwrap();
    let admin = service.anonymous().with_token(admin["accesstoken"].as_str().unwrap());
    let (mut after, mut count, mut types) = (0, 0, BTreeSet::new());
    loop {
        let page = admin.get(&format!("/events?format=ndjson&from={after}&limit={PAGE}")).await.ok();
        for event in lines(&page.body) {
            published.check(&event).await;
            types.insert(event["type"].as_str().unwrap().to_owned());
            count += 1;
        }
        let next: i64 = page.header("palaver-next").unwrap().parse().unwrap();
        if page.header("palaver-head") == page.header("palaver-next") {
            break;
        }
        assert!(next > after, "it goes on");
        after = next;
    }
    assert!(count > 1_000 && types.len() >= 15, "{count} events of {types:?}");
}

/// NDJSON. The client has read a single line already.
fn lines(body: &Value) -> Vec<Value> {
    match body {
        Value::String(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one.clone()],
    }
}
