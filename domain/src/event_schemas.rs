//! The JSON Schema of every event type, in every version that it was ever written in: what those who follow the log may
//! rely on.
//!
//! A schema describes an event's fields, without the name of the variant that the payload has around them. Today's are
//! made of the types; of earlier versions, whose types are gone, what was published stays. `domain/schemas` holds all of
//! them, and `domain/tests/schemas` says which changes they may see.

use std::collections::BTreeSet;

use cqrs_es::Aggregate;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};

use crate::{AGGREGATE_TYPES, AggregateVisitor, EventType, EventTypes, visit_aggregate};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// In every schema. Source: `domain/tests/schemas/compatibility.rs`, which holds us to it.
const PROMISE: &str = "Within a version, optional fields and values of enumerations may be added, and nothing else: \
                       ignore fields and values that you do not know.";
/// Where a comment begins to say where a rule comes from, which is for those who read the code.
const SOURCE: &str = "Source:";

/// Versions that no type stands for any more. Whoever raises the version of an event adds the schema of the one before.
const EARLIER: &[(&str, u32, &str)] = &[("UserCreated", 1, include_str!("../schemas/UserCreated.v1.json"))];

/// What one version of one event type looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSchema {
    pub aggregate_type: &'static str,
    pub event_type: &'static str,
    pub version: u32,
    /// JSON Schema, draft 2020-12.
    pub schema: Value,
}

/// A schema can not be made: a defect of the types, which a test would find.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFault {
    #[error("the events of {aggregate_type} can not be described: nothing tells of {event_type}")]
    Missing { aggregate_type: &'static str, event_type: &'static str },
    #[error("the schema of {event_type} version {version} is not JSON: {source}")]
    Unreadable { event_type: &'static str, version: u32, source: serde_json::Error },
}

/// Where the schema of an event is published, from the root of the service: its `$id`.
pub fn schema_path(event_type: &str, version: u32) -> String {
    format!("/schemas/{event_type}/v{version}")
}

/// All of them, aggregate by aggregate, an event type's oldest version first. They are made anew at every call.
///
/// # Errors
/// When a type can not be described.
pub fn event_schemas() -> Result<Vec<EventSchema>, SchemaFault> {
    let mut all = Vec::new();
    for aggregate_type in AGGREGATE_TYPES {
        // `None` is no type of an aggregate.
        let today = visit_aggregate(aggregate_type, Today).transpose()?.unwrap_or_default();
        for schema in today {
            all.extend(earlier(&schema)?);
            all.push(schema);
        }
    }
    Ok(all)
}

/// How a type is written, in one piece, for a document that has definitions of its own.
pub fn written_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    as_written(settings).into_root_schema_for::<T>().to_value()
}

fn as_written(settings: SchemaSettings) -> SchemaGenerator {
    settings.for_serialize().with_transform(RecursiveTransform(refine)).into_generator()
}

fn earlier(today: &EventSchema) -> Result<Vec<EventSchema>, SchemaFault> {
    let before = EARLIER.iter().filter(|(event_type, _, _)| *event_type == today.event_type);
    let read = before.map(|&(event_type, version, text)| match serde_json::from_str(text) {
        Ok(schema) => Ok(EventSchema { version, schema, ..*today }),
        Err(source) => Err(SchemaFault::Unreadable { event_type, version, source }),
    });
    read.collect()
}

/// The schemas of an aggregate's events as they are written today.
struct Today;

impl AggregateVisitor for Today {
    type Output = Result<Vec<EventSchema>, SchemaFault>;

    fn visit<A: Aggregate<Event: EventTypes> + Clone + 'static>(self) -> Self::Output {
        let events = as_written(SchemaSettings::draft2020_12()).into_root_schema_for::<A::Event>().to_value();
        let described = A::Event::EVENT_TYPES.iter().map(|of| {
            let fault = || SchemaFault::Missing { aggregate_type: A::TYPE, event_type: of.name };
            let schema = describe(&events, of).ok_or_else(fault)?;
            Ok(EventSchema { aggregate_type: A::TYPE, event_type: of.name, version: of.version, schema })
        });
        described.collect()
    }
}

/// Says what schemars leaves unsaid, and takes back what is nobody's business or goes without saying.
fn refine(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::String(text)) = object.get_mut("description") {
        let told = text.split(SOURCE).next().unwrap_or_default();
        *text = told.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            object.remove("description");
        }
    }
    match object.get("format").and_then(Value::as_str) {
        Some("uint32") => object.insert("maximum".to_owned(), json!(u32::MAX)),
        Some("uint64") => object.insert("maximum".to_owned(), json!(u64::MAX)),
        _ => None,
    };
    let required: Vec<Value> = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, field) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let Some(field) = field.as_object_mut() else { continue };
        if required.iter().any(|one| one == name) {
            // What absence means is of interest where something can be absent.
            field.remove("default");
        } else {
            leave_out_null(field);
        }
    }
}

/// What is left out when there is nothing is never written as `null`.
fn leave_out_null(field: &mut Map<String, Value>) {
    let is_null = |one: &Value| one.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(types)) = field.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            field.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = field.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = field.get_mut("anyOf") {
        alternatives.retain(|one| !is_null(one));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            field.remove("anyOf");
            field.extend(only);
        }
    }
}

/// The schema of one variant, cut out of that of all events of its aggregate.
fn describe(events: &Value, of: &EventType) -> Option<Value> {
    let variants = events.get("oneOf").and_then(Value::as_array).map_or(std::slice::from_ref(events), Vec::as_slice);
    let (variant, fields) = variants.iter().find_map(|variant| Some((variant, fields_of(variant, of.variant)?)))?;
    let mut schema = match fields {
        Fields::These(fields) => resolve(events, fields)?.as_object()?.clone(),
        Fields::None => Map::from_iter([("type".to_owned(), json!("object"))]),
    };
    if let Some(description) = variant.get("description") {
        schema.insert("description".to_owned(), description.clone());
    }
    let definitions = definitions_used(events, &schema)?;
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema.insert("$schema".to_owned(), json!(DRAFT));
    schema.insert("$id".to_owned(), json!(schema_path(of.name, of.version)));
    schema.insert("$comment".to_owned(), json!(PROMISE));
    schema.insert("title".to_owned(), json!(of.name));
    Some(Value::Object(schema))
}

enum Fields<'a> {
    None,
    These(&'a Value),
}

/// What serde writes for a variant: its name alone, or an object with its fields under its name.
fn fields_of<'a>(variant: &'a Value, name: &str) -> Option<Fields<'a>> {
    if let Some(fields) = variant.get("properties").and_then(|properties| properties.get(name)) {
        return Some(Fields::These(fields));
    }
    let named = variant.get("enum").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| one == name));
    (named || variant.get("const").is_some_and(|one| one == name)).then_some(Fields::None)
}

/// What a schema that is nothing but a reference stands for.
fn resolve<'a>(events: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => events.pointer(reference.strip_prefix('#')?),
        None => Some(schema),
    }
}

/// The definitions that a schema leads to, directly or by others.
fn definitions_used(events: &Value, schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut used = Map::new();
    let mut open = BTreeSet::new();
    schema.values().for_each(|part| gather_references(part, &mut open));
    while let Some(reference) = open.pop_first() {
        let name = reference.strip_prefix("#/$defs/")?;
        if !used.contains_key(name) {
            let definition = events.get("$defs")?.get(name)?;
            gather_references(definition, &mut open);
            used.insert(name.to_owned(), definition.clone());
        }
    }
    Some(used)
}

fn gather_references<'a>(part: &'a Value, into: &mut BTreeSet<&'a str>) {
    match part {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| gather_references(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| gather_references(item, into)),
        _ => {}
    }
}
