//! The schemas that are published of events: made of the types, the same as those committed in `domain/schemas`, and fit
//! for every payload that was ever written.
//!
//! A new event type or version: `SCHEMAS=write cargo test -p palaver-domain --test schemas` writes the files that are
//! missing, and those that changed as they may (see `compatibility`). It never changes one in a way that would break a
//! promise, and never one of an earlier version.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod compatibility;

use std::{collections::BTreeSet, fs, path::PathBuf};

use jsonschema::Validator;
use palaver_domain::{EventSchema, event_schemas, event_types, newest_version, schema_path};
use serde_json::{Value, json};

fn folder(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn file_name(schema: &EventSchema) -> String {
    format!("{}.v{}.json", schema.event_type, schema.version)
}

fn as_text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).unwrap())
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
}

/// What was written of this event type in this version, as a CloudEvent shows it.
fn golden(schema: &EventSchema) -> Vec<Value> {
    let text = fs::read_to_string(folder("tests/golden").join(file_name(schema))).unwrap();
    let payloads: Vec<Value> = serde_json::from_str(&text).unwrap();
    payloads.into_iter().map(fields).collect()
}

fn fields(payload: Value) -> Value {
    match payload {
        Value::Object(variant) if variant.len() == 1 => variant.into_iter().next().unwrap().1,
        Value::String(_) => json!({}),
        other => panic!("{other} is no variant"),
    }
}

/// The names of the files in a folder, but those that only tests read.
fn files(below: &str) -> BTreeSet<String> {
    let names = fs::read_dir(folder(below)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".json") && !name.ends_with(".expected.json")).collect()
}

#[test]
fn every_schema_is_the_committed_one() {
    let write = std::env::var("SCHEMAS").is_ok_and(|what| what == "write");
    for schema in event_schemas().unwrap() {
        let (name, today) = (file_name(&schema), schema.version == newest_version(schema.event_type));
        let path = folder("schemas").join(&name);
        let committed: Option<Value> = match fs::read_to_string(&path) {
            Ok(text) => Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))),
            Err(_) => None,
        };
        let faults = committed.as_ref().map(|before| compatibility::faults(before, &schema.schema)).unwrap_or_default();
        assert!(
            faults.is_empty(),
            "{name} would break a promise; that needs a new version and an upcaster:\n{}",
            faults.join("\n")
        );
        if committed.as_ref() != Some(&schema.schema) {
            assert!(write && today, "{name} is missing or has changed: see the head of this file");
            fs::write(&path, as_text(&schema.schema)).unwrap();
        }
    }
}

#[test]
fn every_event_type_has_a_schema_for_every_version_that_was_ever_written() {
    let schemas = event_schemas().unwrap();
    let names: BTreeSet<_> = schemas.iter().map(file_name).collect();
    assert_eq!(names.len(), schemas.len(), "no version twice");
    assert_eq!(names, files("tests/golden"), "one for each golden file");
    assert_eq!(names, files("schemas"), "one for each committed file");
    for (aggregate_type, event) in event_types() {
        let versions: Vec<_> = schemas
            .iter()
            .filter(|schema| (schema.aggregate_type, schema.event_type) == (aggregate_type, event.name))
            .map(|schema| schema.version)
            .collect();
        assert_eq!(versions.last(), Some(&event.version), "{}", event.name);
        assert!(versions.is_sorted(), "{}: oldest first", event.name);
    }
}

#[test]
fn every_payload_ever_written_fits_its_schema() {
    for schema in event_schemas().unwrap() {
        let (name, validator) = (file_name(&schema), validator(&schema.schema));
        for payload in golden(&schema) {
            validator.validate(&payload).unwrap_or_else(|error| panic!("{name}: {error}\n{payload}"));
            // What a later release adds must not make it wrong.
            let mut more = payload.clone();
            more["addedLater"] = json!({ "a": [1] });
            assert!(validator.is_valid(&more), "{name}: {more}");
        }
    }
}

/// A value that no field has, unless it may have any.
fn odd() -> Value {
    json!([{ "odd": true }])
}

#[test]
fn a_payload_that_breaks_a_promise_does_not_fit() {
    let (mut without, mut other) = (0, 0);
    for schema in event_schemas().unwrap() {
        let (name, validator) = (file_name(&schema), validator(&schema.schema));
        for payload in [json!(null), json!("Deleted"), json!([])] {
            assert!(!validator.is_valid(&payload), "{name}: {payload}");
        }
        for payload in golden(&schema) {
            for field in payload.as_object().unwrap().keys() {
                let mut changed = payload.clone();
                changed[field] = odd();
                assert!(!validator.is_valid(&changed), "{name}: {field} may be anything");
                other += 1;
                changed.as_object_mut().unwrap().remove(field);
                let required = schema.schema["required"].as_array().is_some_and(|all| all.contains(&json!(field)));
                assert_eq!(validator.is_valid(&changed), !required, "{name}: without {field}");
                without += usize::from(required);
            }
        }
    }
    assert!(without > 100 && other > without, "{without} and {other} were tried");
}

#[test]
fn every_schema_says_what_it_is_about() {
    for schema in event_schemas().unwrap() {
        let (name, text) = (file_name(&schema), schema.schema.to_string());
        assert!(jsonschema::meta::is_valid(&schema.schema), "{name}");
        assert_eq!(schema.schema["$id"], schema_path(schema.event_type, schema.version), "{name}");
        assert_eq!(schema.schema["title"], schema.event_type, "{name}");
        assert_eq!(schema.schema["type"], "object", "{name}");
        let description = schema.schema["description"].as_str().unwrap_or_default();
        assert!(description.len() > 10 && description.ends_with('.'), "{name}: {description:?}");
        // What is for those who read the code stays there.
        for inside in ["seed", "Source", "[`", "::", "`None`", "\\n"] {
            assert!(!text.contains(inside), "{name} says {inside:?}: {text}");
        }
    }
}
