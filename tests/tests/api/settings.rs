//! `/api2/settings`: what can be chosen from, and the features that an account has.

use palaver_domain::identity::Role;
use palaver_tests::Client;
use serde_json::{Value, json};

use crate::shared;

fn named<'a>(list: &'a Value, field: &str, name: &str) -> Option<&'a Value> {
    list.as_array().unwrap().iter().find(|one| one[field] == name)
}

#[tokio::test]
async fn settings_tell_roles_permissions_networks_and_codes() {
    let service = shared().await;
    let account = service.account("Settings").await;
    let admin = account.admin();
    let settings = admin.get("/api2/settings").await.ok().body;
    let roles = &settings["roles"]["roles"];
    assert_eq!(named(roles, "key", "ADMIN").unwrap()["title"], "Administrator");
    assert!(named(roles, "key", "SUPERADMIN").is_none(), "nobody gives away what they are not");
    let granted = named(roles, "key", "EDITOR").unwrap()["permissions"].as_array().unwrap().clone();
    assert!(granted.contains(&json!("EditPosts")) && !granted.contains(&json!("PublishPosts")));
    let permission = named(&settings["roles"]["permissions"], "key", "ReplyTicket").unwrap();
    assert_eq!(
        *permission,
        json!({ "key": "ReplyTicket", "title": "Reply", "description": "Answer tickets.", "type": "inbox", "typeTitle": "Inbox" })
    );
    let languages = settings["searches"]["languageValues"].as_array().unwrap();
    let countries = settings["searches"]["countryValues"].as_array().unwrap();
    assert!(languages.contains(&json!("de")) && countries.contains(&json!("DE")));
    assert_eq!((languages.len(), countries.len()), (183, 249));
    assert_eq!(named(&settings["networks"], "network", "FACEBOOK").unwrap()["type"], "default");

    // What the account has not is not there to be chosen; operators may make operators.
    let operator = account.as_role(Role::SuperAdmin).await;
    let url = format!("/api2/accounts/{}", account.id);
    let sold = operator.patch(&url).json(json!({ "products": { "inbox": { "enabled": false } } })).await.ok();
    let settings = operator.get("/api2/settings").after(sold.position()).await.ok().body;
    assert!(named(&settings["roles"]["permissions"], "key", "ReplyTicket").is_none());
    assert!(named(&settings["roles"]["permissions"], "key", "EditPosts").is_some());
    assert!(named(&settings["roles"]["roles"], "key", "SUPERADMIN").is_some());
    assert_eq!(operator.get("/api2/settings/manifests?all=true").await.ok().body, json!([]));
    admin.get("/api2/settings/manifests?all=maybe").await.is(400, "BadRequestError");
    account.anonymous().get("/api2/settings").await.is(401, "AccessTokenInvalidError");
}

#[tokio::test]
async fn the_panel_tells_which_predictions_are_on_and_how_sure_they_must_be() {
    let service = shared().await;
    let account = service.account("Panel").await;
    let operator = account.as_role(Role::SuperAdmin).await;
    let url = format!("/api2/accounts/{}", account.id);
    let features = json!({ "features": { "smartActions": true, "sentimentBasedLikePrediction": true } });
    let sold = operator.patch(&url).json(features).await.ok();
    let panel = account.admin().get("/api2/settings/aiConfigPanel").after(sold.position()).await.ok().body;
    let card = |feature| named(&panel, "feature", feature).unwrap();
    let actions = card("smartActions");
    assert_eq!(
        (&actions["type"], &actions["isEnabled"], &actions["isBlocked"]),
        (&json!("multi-step"), &json!(true), &json!(false))
    );
    assert_eq!(actions["steps"].as_array().unwrap().len(), 3);
    let setting = &actions["steps"][0]["settingsGroups"][0]["settings"][0];
    assert_eq!(setting["value"]["selected"], 0.9);
    assert_eq!((&setting["value"]["min"], &setting["value"]["max"]), (&json!(0.15), &json!(0.99)));
    // On, but without what it rests on.
    assert_eq!(
        (&card("sentimentBasedLikePrediction")["isEnabled"], &card("sentimentBasedLikePrediction")["isBlocked"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(card("smartCategories")["settings"][0]["isDisabled"], true);
    account.as_role(Role::Editor).await.get("/api2/settings/aiConfigPanel").await.is(403, "InsufficientPermissions");
}

async fn state(client: &Client, key: &str, after: i64) -> Value {
    let groups = client.get("/api2/settings/features").after(after).await.ok().body;
    let items = groups.as_array().unwrap().iter().flat_map(|group| group["items"].as_array().unwrap());
    let item = items.into_iter().find(|item| item["key"] == key);
    item.map(|item| item["state"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_feature_is_asked_for_once() {
    let service = shared().await;
    let account = service.account("Features").await;
    let admin = account.admin();
    let request = |name: &str| admin.post("/api2/settings/features/request").json(json!({ "featureName": name }));
    let asks = json!({ "type": "request", "active": false, "disabled": false });
    assert_eq!(state(admin, "smartbox", 0).await, asks);
    assert_eq!(state(admin, "rules", 0).await, json!({ "type": "toggle", "active": true, "disabled": false }));
    assert_eq!(state(admin, "beta", 0).await, Value::Null, "on no page");
    let asked = request("smartbox").await.ok();
    assert_eq!(asked.status, 200);
    assert_eq!(state(admin, "smartbox", asked.position()).await["type"], "requested");
    request("smartbox").await.is(409, "ConflictError");
    request("rules").await.is(409, "ConflictError");
    request("unheardOf").await.is(404, "NotFoundError");
    request("beta").await.is(404, "NotFoundError");
    admin.post("/api2/settings/features/request").json(json!({})).await.is(400, "BadRequestError");
    let editor = account.as_role(Role::Editor).await;
    editor.get("/api2/settings/features").await.is(403, "InsufficientPermissions");
    let body = json!({ "featureName": "smartbox" });
    editor.post("/api2/settings/features/request").json(body).await.is(403, "InsufficientPermissions");
    // Granted: the account switches it on by itself.
    let operator = account.as_role(Role::SuperAdmin).await;
    let url = format!("/api2/accounts/{}", account.id);
    let granted = operator.patch(&url).json(json!({ "availableFeatures": { "smartbox": true } })).await.ok();
    assert_eq!(
        state(admin, "smartbox", granted.position()).await,
        json!({ "type": "toggle", "active": false, "disabled": false })
    );
}
