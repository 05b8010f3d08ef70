//! What differs between two states. A JSON Patch (RFC 6902) that also says what was there before.

use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeOp {
    Add,
    Remove,
    Replace,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub op: ChangeOp,
    /// Where, as a JSON Pointer (RFC 6901); empty for the whole state.
    pub path: String,
    /// What was there; nothing when it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now; nothing when it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What makes `after` of `before`, when it is carried out in this order. A state that was null was not there at all.
///
/// Of lists, what their beginnings and their ends have in common is left alone, and what is between is compared place by
/// place: an element that is put in or taken out is one change.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    if before.is_null() && !after.is_null() {
        found.push(added(String::new(), after));
    } else {
        compare(before, after, &mut String::new(), &mut found);
    }
    found
}

fn added(path: String, after: &Value) -> Change {
    Change { op: ChangeOp::Add, path, before: None, after: Some(after.clone()) }
}

fn removed(path: String, before: &Value) -> Change {
    Change { op: ChangeOp::Remove, path, before: Some(before.clone()), after: None }
}

fn compare(before: &Value, after: &Value, path: &mut String, found: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => objects(before, after, path, found),
        (Value::Array(before), Value::Array(after)) => lists(before, after, path, found),
        _ if before == after => {}
        _ => found.push(Change {
            op: ChangeOp::Replace,
            path: path.clone(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn objects(before: &Map<String, Value>, after: &Map<String, Value>, path: &mut String, found: &mut Vec<Change>) {
    for (name, value) in before {
        within(path, name, |path| match after.get(name) {
            Some(after) => compare(value, after, path, found),
            None => found.push(removed(path.clone(), value)),
        });
    }
    for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        within(path, name, |path| found.push(added(path.clone(), value)));
    }
}

fn lists(before: &[Value], after: &[Value], path: &mut String, found: &mut Vec<Change>) {
    let start = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let (before, after) = (before.get(start..).unwrap_or_default(), after.get(start..).unwrap_or_default());
    let end = before.iter().rev().zip(after.iter().rev()).take_while(|(before, after)| before == after).count();
    let (before, after) = (without_end(before, end), without_end(after, end));
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        within(path, &(start + at).to_string(), |path| compare(before, after, path, found));
    }
    // From the last on, so that each stands where its path says when its turn comes.
    for (at, value) in before.iter().enumerate().skip(after.len()).rev() {
        within(path, &(start + at).to_string(), |path| found.push(removed(path.clone(), value)));
    }
    for (at, value) in after.iter().enumerate().skip(before.len()) {
        within(path, &(start + at).to_string(), |path| found.push(added(path.clone(), value)));
    }
}

fn without_end(list: &[Value], end: usize) -> &[Value] {
    list.get(..list.len().saturating_sub(end)).unwrap_or_default()
}

/// With one more step in the path.
fn within(path: &mut String, name: &str, act: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
    act(path);
    path.truncate(length);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Value {
        serde_json::to_value(changes(before, after)).unwrap()
    }

    #[test]
    fn every_difference_is_told_once_with_what_was_there() {
        let before = json!({ "status": "draft", "tags": ["a", "b", "c"], "old/name~": 1, "same": { "x": [1] } });
        let after = json!({ "status": "scheduled", "tags": ["b", "c"], "time": null, "same": { "x": [1] } });
        assert_eq!(
            told(&before, &after),
            json!([
                { "op": "remove", "path": "/old~1name~0", "before": 1 },
                { "op": "replace", "path": "/status", "before": "draft", "after": "scheduled" },
                { "op": "remove", "path": "/tags/0", "before": "a" },
                { "op": "add", "path": "/time", "after": null },
            ])
        );
        assert_eq!(told(&before, &before), json!([]));
    }

    #[test]
    fn what_was_null_as_a_whole_was_not_there() {
        assert_eq!(told(&Value::Null, &json!({ "a": 1 })), json!([{ "op": "add", "path": "", "after": { "a": 1 } }]));
        let gone = json!([{ "op": "replace", "path": "", "before": "x", "after": null }]);
        assert_eq!(told(&json!("x"), &Value::Null), gone);
        assert_eq!(told(&Value::Null, &Value::Null), json!([]));
        let within = json!([{ "op": "replace", "path": "/a", "before": null, "after": 1 }]);
        assert_eq!(told(&json!({ "a": null }), &json!({ "a": 1 })), within);
    }

    #[test]
    fn an_element_put_in_or_taken_out_is_one_change() {
        let place = |op: &str, at: usize| json!({ "op": op, "path": format!("/{at}") });
        let short = |before: &Value, after: &Value| -> Vec<Value> {
            let told = changes(before, after);
            told.iter().map(|change| json!({ "op": change.op, "path": change.path })).collect()
        };
        assert_eq!(short(&json!([1, 2, 3]), &json!([0, 1, 2, 3])), [place("add", 0)]);
        assert_eq!(short(&json!([1, 2, 3]), &json!([1, 3])), [place("remove", 1)]);
        assert_eq!(
            short(&json!([1, 2, 3, 4, 5]), &json!([1, 9, 5])),
            [place("replace", 1), place("remove", 3), place("remove", 2)]
        );
        assert_eq!(short(&json!([1, 1]), &json!([1, 1, 1])), [place("add", 2)]);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[a~/0]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a~/0]{0,2}", inner, 0..5)
                    .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        /// Judged by somebody else's reading of RFC 6902.
        #[test]
        fn carried_out_in_order_the_changes_make_the_one_of_the_other(before in any_json(), after in any_json()) {
            let told = changes(&before, &after);
            let patch: Vec<Value> = told
                .iter()
                .map(|change| json!({ "op": change.op, "path": change.path, "value": change.after }))
                .collect();
            let patch: json_patch::Patch = serde_json::from_value(json!(patch)).unwrap();
            let mut made = before.clone();
            json_patch::patch(&mut made, &patch).unwrap();
            prop_assert_eq!(&made, &after);
            prop_assert_eq!(told.is_empty(), before == after);
        }

        #[test]
        fn what_was_there_before_is_what_a_way_back_needs(before in any_json(), after in any_json()) {
            prop_assume!(!before.is_null() && !after.is_null());
            let back: Vec<Value> = changes(&before, &after)
                .iter()
                .rev()
                .map(|change| {
                    let op = match change.op {
                        ChangeOp::Add => "remove",
                        ChangeOp::Remove => "add",
                        ChangeOp::Replace => "replace",
                    };
                    json!({ "op": op, "path": change.path, "value": change.before })
                })
                .collect();
            let patch: json_patch::Patch = serde_json::from_value(json!(back)).unwrap();
            let mut made = after.clone();
            json_patch::patch(&mut made, &patch).unwrap();
            prop_assert_eq!(made, before);
        }
    }
}
