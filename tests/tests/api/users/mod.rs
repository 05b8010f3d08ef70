//! `/api2/users`: who works in an account, and who may change whom.

mod change;
mod create;
mod delete;
mod list;
mod permissions;

use palaver_tests::{Answer, Client};
use serde_json::{Value, json};

/// Long enough, and nobody's.
pub const PASSWORD: &str = "correct horse battery";

pub fn path(user: &Client) -> String {
    format!("/api2/users/{}", user.id())
}

/// A user as the account's own list shows them.
pub async fn listed(client: &Client, user: &Client) -> Value {
    let users = client.get("/api2/users").await.ok().body;
    let id = json!(user.id());
    users.as_array().unwrap().iter().find(|user| user["_id"] == id).cloned().unwrap_or(Value::Null)
}

/// The reasons of an `InvalidUserUpdate`, in order of key and reason.
#[track_caller]
pub fn failed(answer: Answer) -> Vec<(String, String)> {
    let answer = answer.is(409, "InvalidUserUpdate");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let failed = answer.body["data"]["failed"].as_array().unwrap().iter();
    let mut failed: Vec<_> = failed.map(|one| (text(&one["key"]), text(&one["reason"]))).collect();
    failed.sort();
    failed
}

pub fn reasons(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, reason)| ((*key).to_owned(), (*reason).to_owned())).collect()
}
