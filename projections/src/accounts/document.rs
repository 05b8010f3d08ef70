//! An account as the API shows it. Source: seed 003, definition `Account`.

use chrono::{DateTime, Utc};
use palaver_domain::identity::{AccountState, Feature, Products};
use serde_json::{Map, Value, json};

use crate::times;

fn insert(doc: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    doc.extend(value.map(|value| (name.to_owned(), value)));
}

fn switches(state: impl Fn(Feature) -> bool) -> Value {
    Feature::ALL.iter().map(|feature| (feature.as_str().to_owned(), Value::Bool(state(*feature)))).collect()
}

/// All of the account but its secrets. What is not set is left out.
pub fn render(account: &AccountState, created: DateTime<Utc>) -> Value {
    let mut doc = Map::new();
    let mut set = |name: &str, value: Value| insert(&mut doc, name, Some(value));
    set("_id", json!(account.id));
    set("name", json!(account.name));
    set("createdTime", times::json(created));
    set("locale", json!(account.locale));
    set("package", json!(account.package));
    set("products", products(account.products));
    set("features", switches(|feature| account.has(feature)));
    set("availableFeatures", switches(|feature| account.may_use(feature)));
    set("tags", json!(account.tags));
    set("customTags", json!(account.custom_tags));
    set("linkedAccounts", json!(account.linked_accounts));
    // Nobody can register a manifest yet.
    set("manifestIds", json!([]));
    set("shortener", shortener(account));
    set("privacy", json!(account.privacy));
    set("support", support(account));
    insert(&mut doc, "expirationTime", account.expiration_time.map(times::json));
    insert(&mut doc, "channelLimit", account.limits.channels.map(|limit| json!(limit)));
    insert(&mut doc, "userLimit", account.limits.users.map(|limit| json!(limit)));
    insert(&mut doc, "monitoringResultLimit", account.limits.monitoring_results.map(|limit| json!(limit)));
    insert(&mut doc, "salesforceId", account.salesforce_id.as_ref().map(|id| json!(id)));
    insert(&mut doc, "keycloak", keycloak(account));
    Value::Object(doc)
}

fn products(Products { inbox, cp, ml, ml_storage_limit_bytes }: Products) -> Value {
    json!({
        "inbox": { "enabled": inbox },
        "cp": { "enabled": cp },
        "ml": { "enabled": ml, "storage": { "limit": ml_storage_limit_bytes } },
    })
}

fn shortener(account: &AccountState) -> Value {
    let mut doc = Map::new();
    insert(&mut doc, "mode", Some(json!(account.shortener.mode)));
    insert(&mut doc, "url", account.shortener.url.as_ref().map(|url| json!(url)));
    Value::Object(doc)
}

fn support(account: &AccountState) -> Value {
    let mut doc = Map::new();
    insert(&mut doc, "accessStatus", Some(json!(account.support.access_status)));
    insert(&mut doc, "accessUntil", account.support.access_until.map(times::json));
    Value::Object(doc)
}

/// The secret stays in the vault, and so does where it lies there.
fn keycloak(account: &AccountState) -> Option<Value> {
    let keycloak = account.keycloak.as_ref()?;
    let mut doc = Map::new();
    insert(&mut doc, "realm", Some(json!(keycloak.realm)));
    insert(&mut doc, "pubKey", keycloak.pub_key.as_ref().map(|key| json!(key)));
    Some(Value::Object(doc))
}
