//! What differs between two rows of one key: the columns, and within a column of JSON the places.

use serde_json::Value;

use crate::engine::{REPLAY_FIELDS_MAX, REPLAY_VALUE_CHARS_MAX};

pub(super) struct Column {
    pub name: String,
    pub is_json: bool,
}

/// One thing that a live row says otherwise than the replay's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDifference {
    pub column: String,
    /// The place within a column of JSON, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// As text, cut when it is long; `None` when there is no value.
    pub live: Option<String>,
    pub replayed: Option<String>,
}

/// Of two rows, as texts in the order of `columns`; the first of many.
pub(super) fn differing(
    columns: &[Column],
    live: Vec<Option<String>>,
    replayed: Vec<Option<String>>,
) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    for (column, (live, replayed)) in columns.iter().zip(live.into_iter().zip(replayed)) {
        if live == replayed {
            continue;
        }
        let before = found.len();
        if column.is_json
            && let (Some(live), Some(replayed)) = (parsed(live.as_deref()), parsed(replayed.as_deref()))
        {
            descend(&column.name, "", Some(&live), Some(&replayed), &mut found);
        }
        // No JSON, or JSON that says the same in other letters.
        if found.len() == before {
            found.push(FieldDifference {
                column: column.name.clone(),
                path: None,
                live: live.map(cut),
                replayed: replayed.map(cut),
            });
        }
    }
    found.truncate(REPLAY_FIELDS_MAX);
    found
}

fn parsed(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}

/// Down to where the two part. Lists are compared as a whole: what moved within one would make all behind it differ.
fn descend(column: &str, path: &str, live: Option<&Value>, replayed: Option<&Value>, found: &mut Vec<FieldDifference>) {
    if live == replayed || found.len() >= REPLAY_FIELDS_MAX {
        return;
    }
    if let (Some(Value::Object(live)), Some(Value::Object(replayed))) = (live, replayed) {
        let new = replayed.keys().filter(|name| !live.contains_key(*name));
        for name in live.keys().chain(new) {
            let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
            descend(column, &path, live.get(name), replayed.get(name), found);
        }
        return;
    }
    let text = |value: Option<&Value>| value.map(|value| cut(value.to_string()));
    found.push(FieldDifference {
        column: column.to_owned(),
        path: Some(path.to_owned()),
        live: text(live),
        replayed: text(replayed),
    });
}

fn cut(text: String) -> String {
    match text.char_indices().nth(REPLAY_VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, is_json: bool) -> Column {
        Column { name: name.to_owned(), is_json }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn found(columns: &[Column], live: &[Option<&str>], replayed: &[Option<&str>]) -> Vec<String> {
        let owned = |texts: &[Option<&str>]| texts.iter().map(|text| text.map(str::to_owned)).collect();
        let found = differing(columns, owned(live), owned(replayed));
        let say = |one: FieldDifference| {
            let path = one.path.map(|path| format!("#{path}")).unwrap_or_default();
            format!("{}{path} {:?} {:?}", one.column, one.live, one.replayed)
        };
        found.into_iter().map(say).collect()
    }

    #[test]
    fn a_difference_is_told_by_column_and_within_json_by_place() {
        let columns = [column("doc", true), column("n", false), column("same", false)];
        let live = [Some(r#"{"a":{"b/c":1,"gone":[1]},"z":0}"#), None, Some("x")];
        let replayed = [Some(r#"{"a":{"b/c":2},"new":null,"z":0}"#), Some("7"), Some("x")];
        assert_eq!(
            found(&columns, &live, &replayed),
            [
                r#"doc#/a/b~1c Some("1") Some("2")"#,
                r#"doc#/a/gone Some("[1]") None"#,
                r#"doc#/new None Some("null")"#,
                r#"n None Some("7")"#,
            ]
        );
    }

    #[test]
    fn json_that_says_the_same_in_other_letters_or_is_none_is_told_whole() {
        let columns = [column("doc", true)];
        assert_eq!(found(&columns, &[Some("[1]")], &[Some("[ 1]")]), [r#"doc Some("[1]") Some("[ 1]")"#]);
        assert_eq!(found(&columns, &[Some("{")], &[Some("{}")]), [r#"doc Some("{") Some("{}")"#]);
        assert_eq!(found(&columns, &[Some("[1]")], &[Some("[2]")]), [r##"doc# Some("[1]") Some("[2]")"##]);
    }

    #[test]
    fn what_is_told_is_bounded() {
        let columns: Vec<Column> = (0..REPLAY_FIELDS_MAX + 5).map(|n| column(&n.to_string(), false)).collect();
        let long = "é".repeat(REPLAY_VALUE_CHARS_MAX + 1);
        let told = differing(&columns, vec![text(&long); columns.len()], vec![text(&long[2..]); columns.len()]);
        assert_eq!(told.len(), REPLAY_FIELDS_MAX);
        assert_eq!(told[0].replayed, text(&long[2..]));
        let cut = told[0].live.clone().unwrap();
        assert!(cut.ends_with(&format!("é… ({} characters)", REPLAY_VALUE_CHARS_MAX + 1)), "{cut}");
    }
}
