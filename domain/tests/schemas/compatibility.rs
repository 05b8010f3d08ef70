//! How a schema may change without a new version of its event.
//!
//! One schema stands for all events of a version, those in the log and those to come, and for everybody who read it at
//! some time. So what was written must fit what is published today, and what is written today must fit what was
//! published then, as far as was promised: whoever reads ignores fields and values of enumerations that are new. That
//! leaves two changes: another field that may be absent, and another value of an enumeration, be it a text or an object
//! with a tag. Texts for people may change at will. All else needs a new version.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Read by people, not by programs.
const TEXTS: [&str; 5] = ["title", "description", "$comment", "examples", "deprecated"];
/// Compared part by part, below.
const COMPARED: [&str; 13] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "items",
    "oneOf",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "type",
];
/// Whatever they say, they must go on saying.
const FIXED: [&str; 12] = [
    "$id",
    "$schema",
    "default",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "uniqueItems",
];

/// What is wrong with putting `after` in the place of `before`; nothing when it may be done.
pub fn faults(before: &Value, after: &Value) -> Vec<String> {
    let mut comparison = Comparison { before, after, met: BTreeSet::new(), faults: Vec::new() };
    comparison.compare("", before, after);
    comparison.faults
}

struct Comparison<'a> {
    before: &'a Value,
    after: &'a Value,
    /// Definitions that are being compared, or have been.
    met: BTreeSet<(&'a str, &'a str)>,
    faults: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn fault(&mut self, at: &str, what: impl AsRef<str>) {
        let at = if at.is_empty() { "the event" } else { at };
        self.faults.push(format!("{at}: {}", what.as_ref()));
    }

    fn compare(&mut self, at: &str, before: &'a Value, after: &'a Value) {
        let names = (reference(before), reference(after));
        if let (Some(one), Some(other)) = names
            && !self.met.insert((one, other))
        {
            return;
        }
        self.compare_keywords(at, &whole(self.before, before), &whole(self.after, after));
        let (before, after) = (resolve(self.before, before), resolve(self.after, after));
        let (Value::Object(before), Value::Object(after)) = (before, after) else {
            if before != after {
                self.fault(at, "what it may be changed");
            }
            return;
        };
        self.compare_values(at, before, after);
        self.compare_fields(at, before, after);
        for keyword in ["additionalProperties", "items", "propertyNames"] {
            match (before.get(keyword), after.get(keyword)) {
                (Some(one), Some(other)) => self.compare(&format!("{at}/{keyword}"), one, other),
                (None, None) => {}
                _ => self.fault(at, format!("{keyword} changed")),
            }
        }
        let (ones, others) = (list(before, "prefixItems"), list(after, "prefixItems"));
        if ones.len() != others.len() {
            self.fault(at, "the number of items changed");
        }
        for (place, (one, other)) in ones.iter().zip(others).enumerate() {
            self.compare(&format!("{at}/{place}"), one, other);
        }
    }

    fn compare_keywords(&mut self, at: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        let keywords = before.keys().chain(after.keys()).map(String::as_str);
        for keyword in keywords.collect::<BTreeSet<_>>() {
            if !TEXTS.contains(&keyword) && !COMPARED.contains(&keyword) && !FIXED.contains(&keyword) {
                self.fault(at, format!("{keyword} is not understood here"));
            }
            if FIXED.contains(&keyword) && before.get(keyword) != after.get(keyword) {
                self.fault(at, format!("{keyword} changed"));
            }
        }
    }

    /// Types, and enumerations of texts or of alternatives.
    fn compare_values(&mut self, at: &str, before: &'a Map<String, Value>, after: &'a Map<String, Value>) {
        let (ones, others) = (Values::of(self.before, before), Values::of(self.after, after));
        if ones.types != others.types {
            self.fault(at, format!("its type changed from {:?} to {:?}", ones.types, others.types));
        }
        if ones.texts.is_empty() != others.texts.is_empty() {
            self.fault(at, "it became, or ceased to be, an enumeration");
        }
        for gone in ones.texts.difference(&others.texts) {
            self.fault(at, format!("the value {gone} is gone"));
        }
        for (tag, one) in &ones.alternatives {
            match others.alternatives.iter().find(|(other, _)| other == tag) {
                Some((_, other)) => self.compare(&format!("{at}({tag})"), one, other),
                None => self.fault(at, format!("the alternative {tag} is gone")),
            }
        }
        for (tag, _) in &others.alternatives {
            let new = !ones.alternatives.iter().any(|(one, _)| one == tag);
            // Where there were none, the type tells.
            if new && !ones.alternatives.is_empty() && !tag.contains('=') {
                self.fault(at, format!("it may be {tag} now"));
            }
        }
    }

    fn compare_fields(&mut self, at: &str, before: &'a Map<String, Value>, after: &'a Map<String, Value>) {
        let none = Map::new();
        let properties = |schema: &'a Map<String, Value>| schema.get("properties").and_then(Value::as_object);
        let (ones, others) = (properties(before), properties(after));
        for (name, one) in ones.into_iter().flatten() {
            match others.and_then(|others| others.get(name)) {
                Some(other) => self.compare(&format!("{at}/{name}"), one, other),
                None => self.fault(at, format!("the field {name} is gone")),
            }
        }
        let required = |schema: &Map<String, Value>| -> BTreeSet<String> {
            list(schema, "required").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let (ones, others) = (required(before), required(after));
        for name in ones.difference(&others) {
            self.fault(at, format!("the field {name} may be absent now"));
        }
        for name in others.difference(&ones) {
            let known = properties(before).unwrap_or(&none).contains_key(name);
            let what = if known { "was optional and is required now" } else { "is new and required" };
            self.fault(at, format!("the field {name} {what}; events in the log may lack it"));
        }
    }
}

/// What a schema allows, in whichever of the ways that say the same.
#[derive(Default)]
struct Values<'a> {
    types: BTreeSet<&'a str>,
    texts: BTreeSet<String>,
    /// By the tag that tells them apart: `kind=sandbox`; or by their type.
    alternatives: Vec<(String, &'a Value)>,
}

impl<'a> Values<'a> {
    fn of(root: &'a Value, schema: &'a Map<String, Value>) -> Self {
        let mut values = Self::default();
        match schema.get("type") {
            Some(Value::Array(types)) => values.types.extend(types.iter().filter_map(Value::as_str)),
            one => values.types.extend(one.and_then(Value::as_str)),
        }
        values.texts.extend(list(schema, "enum").iter().chain(schema.get("const")).map(Value::to_string));
        for alternative in list(schema, "oneOf").iter().chain(list(schema, "anyOf")) {
            let Value::Object(parts) = resolve(root, alternative) else {
                values.alternatives.push(("anything".to_owned(), alternative));
                continue;
            };
            let inner = Self::of(root, parts);
            values.types.extend(&inner.types);
            if inner.texts.is_empty() {
                values.alternatives.push((tag_of(parts).unwrap_or_else(|| format!("{:?}", inner.types)), alternative));
            } else {
                values.texts.extend(inner.texts);
            }
        }
        values
    }
}

/// The field that has one value alone, as serde writes internally tagged enumerations.
fn tag_of(alternative: &Map<String, Value>) -> Option<String> {
    let fields = alternative.get("properties")?.as_object()?;
    fields.iter().find_map(|(name, field)| Some(format!("{name}={}", field.get("const")?)))
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> &'a [Value] {
    schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match reference(schema) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads elsewhere"));
            resolve(root, root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")))
        }
        None => schema,
    }
}

/// A schema's keywords, those of what it refers to among them.
fn whole(root: &Value, schema: &Value) -> Map<String, Value> {
    let mut keywords = resolve(root, schema).as_object().cloned().unwrap_or_default();
    if reference(schema).is_some() {
        let beside = schema.as_object().into_iter().flatten().filter(|(keyword, _)| *keyword != "$ref");
        keywords.extend(beside.map(|(keyword, value)| (keyword.clone(), value.clone())));
    }
    keywords
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn published() -> Value {
        json!({
            "$id": "/schemas/Made/v1",
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Made",
            "description": "Something was made.",
            "type": "object",
            "properties": {
                "id": { "$ref": "#/$defs/Id" },
                "name": { "type": "string" },
                "size": { "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 },
                "color": { "$ref": "#/$defs/Color" },
                "shade": { "type": "string", "enum": ["dark", "light"] },
                "until": { "type": ["string", "null"], "format": "date-time" },
                "kept": { "anyOf": [{ "$ref": "#/$defs/Box" }, { "type": "null" }] },
                "parts": { "type": "array", "items": { "$ref": "#/$defs/Box" } },
                "pair": { "type": "array", "prefixItems": [{ "type": "string" }, { "$ref": "#/$defs/Id" }],
                          "minItems": 2, "maxItems": 2 },
                "switches": { "type": "object", "propertyNames": { "$ref": "#/$defs/Color" },
                              "additionalProperties": { "type": "boolean" } },
                "place": { "$ref": "#/$defs/Place" },
                "anything": true,
            },
            "required": ["id", "name", "color"],
            "$defs": {
                "Id": { "type": "string", "pattern": "^[0-9a-f]{24}$" },
                "Color": { "oneOf": [
                    { "type": "string", "enum": ["red", "green"] },
                    { "type": "string", "const": "blue", "description": "Like the sky." },
                ] },
                "Box": { "type": "object", "properties": {
                    "width": { "type": "number" },
                    "within": { "anyOf": [{ "$ref": "#/$defs/Box" }, { "type": "null" }] },
                }, "required": ["width"] },
                "Place": { "oneOf": [
                    { "type": "object", "properties": { "kind": { "type": "string", "const": "home" } },
                      "required": ["kind"] },
                    { "type": "object", "properties": { "kind": { "type": "string", "const": "away" },
                      "where": { "type": "string" } }, "required": ["kind", "where"] },
                ] },
            },
        })
    }

    /// The published schema with another value at a place; `null` takes away what is there.
    fn with(pointer: &str, value: Value) -> Value {
        let mut schema = published();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match schema.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} is not there")) {
            Value::Object(fields) if value.is_null() => drop(fields.remove(name).unwrap()),
            Value::Object(fields) => drop(fields.insert(name.to_owned(), value)),
            Value::Array(items) if value.is_null() => drop(items.remove(name.parse().unwrap())),
            Value::Array(items) => items.push(value),
            other => panic!("{other} has no parts"),
        }
        schema
    }

    #[test]
    fn what_may_change_may_change() {
        let another =
            json!({ "type": "object", "properties": { "kind": { "type": "string", "const": "on the way" } } });
        for (pointer, value) in [
            ("/title", json!("Made, at last")),
            ("/description", json!(null)),
            ("/properties/name/description", json!("As it is called.")),
            ("/$defs/Color/oneOf/1/description", json!(null)),
            // A field that may be absent.
            ("/properties/note", json!({ "type": "string" })),
            ("/$defs/Box/properties/note", json!({ "$ref": "#/$defs/Color" })),
            // A value of an enumeration, in whatever way it is written.
            ("/properties/shade/enum", json!(["light", "dull", "dark"])),
            ("/$defs/Color/oneOf/0/enum", json!(["red", "green", "yellow"])),
            ("/$defs/Color/oneOf/-", json!({ "type": "string", "const": "yellow" })),
            ("/$defs/Color", json!({ "type": "string", "enum": ["blue", "green", "red"] })),
            ("/$defs/Place/oneOf/-", another),
            // The same, said in place.
            ("/properties/id", json!({ "type": "string", "pattern": "^[0-9a-f]{24}$" })),
            ("/$defs/Unused", json!({ "type": "null" })),
        ] {
            assert_eq!(faults(&published(), &with(pointer, value.clone())), [""; 0], "{pointer}: {value}");
        }
        assert_eq!(faults(&published(), &published()), [""; 0]);
    }

    #[test]
    fn what_may_not_change_is_found() {
        for (pointer, value, fault) in [
            ("/properties/name", json!(null), "the event: the field name is gone"),
            ("/properties/size", json!(null), "the event: the field size is gone"),
            ("/$defs/Box/properties/width", json!(null), "/kept({\"object\"}): the field width is gone"),
            ("/required/-", json!("size"), "the event: the field size was optional and is required now"),
            ("/required/-", json!("note"), "the event: the field note is new and required"),
            ("/required/1", json!(null), "the event: the field name may be absent now"),
            ("/required", json!(null), "the event: the field id may be absent now"),
            ("/$defs/Box/required/-", json!("within"), "/kept({\"object\"}): the field within was optional"),
            ("/properties/name/type", json!("integer"), "/name: its type changed"),
            ("/properties/name/type", json!(["string", "null"]), "/name: its type changed"),
            ("/properties/name/type", json!(null), "/name: its type changed"),
            ("/properties/until/type", json!("string"), "/until: its type changed"),
            ("/properties/kept", json!({ "$ref": "#/$defs/Box" }), "/kept: its type changed"),
            ("/properties/kept/anyOf/1", json!(null), "/kept: its type changed"),
            ("/properties/kept/anyOf/-", json!({ "type": "string" }), "/kept: it may be {\"string\"} now"),
            ("/properties/kept/anyOf/-", json!(true), "/kept: it may be anything now"),
            ("/properties/name", json!({ "$ref": "#/$defs/Id" }), "/name: pattern changed"),
            ("/properties/name", json!(true), "/name: what it may be changed"),
            ("/properties/anything", json!({ "type": "string" }), "/anything: what it may be changed"),
            ("/properties/shade/enum", json!(["dark"]), "/shade: the value \"light\" is gone"),
            ("/properties/shade/enum", json!(null), "/shade: it became, or ceased to be, an enumeration"),
            ("/properties/name/enum", json!(["a"]), "/name: it became, or ceased to be, an enumeration"),
            ("/$defs/Color/oneOf/0/enum", json!(["red"]), "/color: the value \"green\" is gone"),
            ("/$defs/Color/oneOf/1", json!(null), "/color: the value \"blue\" is gone"),
            ("/$defs/Place/oneOf/0", json!(null), "/place: the alternative kind=\"home\" is gone"),
            (
                "/$defs/Place/oneOf/1/required/1",
                json!(null),
                "/place(kind=\"away\"): the field where may be absent now",
            ),
            ("/$defs/Place/oneOf/0/required/-", json!("since"), "/place(kind=\"home\"): the field since is new"),
            ("/properties/size/maximum", json!(100), "/size: maximum changed"),
            ("/properties/size/maximum", json!(70_000), "/size: maximum changed"),
            ("/properties/size/minimum", json!(null), "/size: minimum changed"),
            ("/properties/until/format", json!("date"), "/until: format changed"),
            ("/properties/size/default", json!(1), "/size: default changed"),
            ("/properties/id/default", json!("x"), "/id: default changed"),
            ("/$defs/Id/pattern", json!("^[0-9a-f]{32}$"), "/id: pattern changed"),
            ("/properties/parts/items", json!({ "type": "string" }), "/parts/items: its type changed"),
            ("/properties/parts/items", json!(null), "/parts: items changed"),
            ("/properties/pair/prefixItems/1", json!(null), "/pair: the number of items changed"),
            ("/properties/pair/prefixItems/0/type", json!("integer"), "/pair/0: its type changed"),
            ("/properties/switches/additionalProperties/type", json!("string"), "/switches/additionalProperties: its"),
            ("/properties/switches/propertyNames", json!(null), "/switches: propertyNames changed"),
            ("/additionalProperties", json!(false), "the event: additionalProperties changed"),
            ("/patternProperties", json!({}), "the event: patternProperties is not understood here"),
            ("/properties/name/not", json!({ "const": "a" }), "/name: not is not understood here"),
            ("/$id", json!("/schemas/Made/v2"), "the event: $id changed"),
        ] {
            let found = faults(&published(), &with(pointer, value.clone()));
            let expected = found.iter().any(|found| found.starts_with(fault));
            assert!(expected, "{pointer}: {value}\nexpected {fault}\nfound {found:#?}");
        }
    }
}
