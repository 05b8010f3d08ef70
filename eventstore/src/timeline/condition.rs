//! What a search through states looks for: that something at a path has a value.

use serde_json::Value;
use serde_json_path::JsonPath;

/// The text is no JSONPath.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} is no JSONPath, such as $.status: {reason}")]
pub struct InvalidPath {
    pub path: String,
    pub reason: String,
}

/// Holds of a state in which at least one of the places that the path leads to has the value.
#[derive(Clone, Debug)]
pub struct Condition {
    path: JsonPath,
    value: Value,
}

impl Condition {
    /// `path` as RFC 9535 has it.
    ///
    /// # Errors
    /// When `path` is none.
    pub fn new(path: &str, value: Value) -> Result<Self, InvalidPath> {
        let parsed =
            JsonPath::parse(path).map_err(|error| InvalidPath { path: path.to_owned(), reason: error.to_string() })?;
        Ok(Self { path: parsed, value })
    }

    /// What one of the places has to be.
    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn holds(&self, state: &Value) -> bool {
        self.path.query(state).iter().any(|found| equal(found, &self.value))
    }
}

/// As RFC 9535 (2.3.5.2.2) compares: 1 and 1.0 are one number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_holds_when_one_of_the_places_has_the_value() {
        let state =
            json!({ "status": "draft", "tags": ["a", "b"], "n": 1.0, "none": null, "at": { "x": [{ "y": 2 }] } });
        for (path, value, holds) in [
            ("$.status", json!("draft"), true),
            ("$.status", json!("scheduled"), false),
            ("$.tags[*]", json!("b"), true),
            ("$.tags", json!(["a", "b"]), true),
            ("$.n", json!(1), true),
            ("$.none", json!(null), true),
            // What is not there is not null.
            ("$.nothing", json!(null), false),
            ("$..y", json!(2), true),
            ("$.at.x[?@.y > 1].y", json!(2), true),
            ("$['status']", json!("draft"), true),
            ("$[?search(@, 'raf')]", json!("draft"), true),
            ("$", json!("draft"), false),
        ] {
            assert_eq!(Condition::new(path, value.clone()).unwrap().holds(&state), holds, "{path} {value}");
        }
        assert!(Condition::new("$", json!("x")).unwrap().holds(&json!("x")));
    }

    #[test]
    fn what_is_no_path_is_said_to_be_none() {
        for path in ["", "status", "$.", "$[", "$.a b", "$[?]"] {
            let error = Condition::new(path, Value::Null).unwrap_err();
            assert_eq!(error.path, path);
            assert!(!error.reason.is_empty());
        }
    }
}
