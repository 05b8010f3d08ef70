//! `/api2/users`: who works in an account and who may change whom, how people log in, and what they log in with.

mod change;
mod create;
mod delete;
mod keycloak;
mod list;
mod login;
mod mask;
mod password;
mod permissions;
pub mod totp;

use palaver_commands::identity::OneTimeTokens;
use palaver_tests::{Account, Answer, Client, Person};
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

pub async fn login(client: &Client, name: &str, password: &str) -> Answer {
    client.post("/api2/users/login").json(json!({ "username": name, "password": password })).await
}

/// The client that a login has let in, which must be told the same way everywhere.
#[track_caller]
pub fn let_in(client: &Client, answer: &Answer) -> Client {
    assert_eq!((answer.status, &answer.body), (204, &Value::from("")), "{answer:?}");
    let token = answer.header("accesstoken").expect("a login tells its token");
    let cookie = answer.header("set-cookie").expect("a login sets its cookie");
    assert!(cookie.starts_with(&format!("accesstoken={token}; ")), "{cookie}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    client.with_token(token)
}

/// Whether the token of this client is worth anything.
pub async fn works(client: &Client) -> bool {
    let answer = client.get("/api2/channels").await;
    assert!([200, 401].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

/// What nobody but the mail's reader gets to see.
pub async fn one_time<T>(account: &Account, act: impl AsyncFnOnce(OneTimeTokens) -> T) -> T {
    account.act(async |commander| act(commander.one_time_tokens()).await).await
}

pub fn user(person: &Person) -> palaver_domain::UserId {
    person.id().parse().unwrap()
}
