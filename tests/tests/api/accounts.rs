//! `/api2/accounts`: one's own account, every account for those who run the service, and what links two of them.

use palaver_domain::identity::Role;
use palaver_tests::{Account, Client};
use serde_json::{Value, json};

use crate::{hours_from_now, shared};

const UNKNOWN: &str = "0123456789abcdef01234567";

fn path(account: &Account) -> String {
    format!("/api2/accounts/{}", account.id)
}

fn new_account(name: &str) -> Value {
    json!({
        "name": name,
        "package": "TRIAL",
        "locale": "de",
        "channelLimit": 3,
        "monitoringResultLimit": 1000,
        "products": { "inbox": false, "mlStorageLimit": 5000 },
        "expirationTime": "2999-01-01T00:00:00.123Z",
    })
}

/// The ids of all accounts that a client lists, as of a position.
async fn listed(client: &Client, position: i64) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page =
            client.get(&format!("/api2/accounts?count=500&offset={}", ids.len())).after(position).await.ok().body;
        let page = page.as_array().unwrap();
        ids.extend(page.iter().map(|account| account["_id"].as_str().unwrap().to_owned()));
        if page.len() < 500 {
            return ids;
        }
    }
}

#[tokio::test]
async fn an_account_is_read_and_changed_by_those_who_run_it() {
    let service = shared().await;
    let (account, stranger) = (service.account("Own").await, service.account("Strange").await);
    let admin = account.admin();
    let read = admin.get(&path(&account)).await.ok();
    assert_eq!(
        (read.text("name"), read.text("package"), read.id()),
        ("Own".into(), "ENTERPRISE".into(), account.id.to_string())
    );
    assert_eq!(read.body["features"]["rules"], true);
    assert_eq!(read.body["availableFeatures"]["smartbox"], false);
    assert_eq!(read.body["products"]["ml"], json!({ "enabled": true, "storage": { "limit": 1_073_741_824 } }));

    let changes = json!({
        "name": "Own & Co",
        "locale": "fr",
        "features": { "rules": false, "inboxAlerts": true },
        "shortener": { "mode": "OWN", "url": "https://s.example.com" },
        "privacy": { "enabled": true, "dayRange": 30 },
        "support": { "accessStatus": "temporary", "accessUntil": hours_from_now(1) },
    });
    let changed = admin.patch(&path(&account)).json(changes.clone()).await.ok();
    assert!(changed.position() > 0);
    let again = admin.get(&path(&account)).await.ok().body;
    assert_eq!(again, changed.body);
    for field in ["name", "locale", "shortener", "support"] {
        assert_eq!(again[field], changes[field], "{field}");
    }
    assert_eq!((&again["features"]["rules"], &again["features"]["inboxAlerts"]), (&json!(false), &json!(true)));
    // What a part leaves out stays, and what belonged to another status goes.
    let patch = json!({ "privacy": { "deleteOwn": true }, "support": { "accessStatus": "permanent" } });
    let patched = admin.patch(&path(&account)).json(patch).await.ok().body;
    assert_eq!(patched["support"], json!({ "accessStatus": "permanent" }));
    assert_eq!((&patched["privacy"]["dayRange"], &patched["privacy"]["deleteOwn"]), (&json!(30), &json!(true)));
    // Sent back as it was answered, it changes nothing, though most of it is not an administrator's to change.
    let position = admin.patch(&path(&account)).json(patched.clone()).await.ok();
    assert_eq!(position.body, patched);
    let listed = admin.get("/api2/accounts").await.ok().body;
    assert_eq!(listed, json!([patched]));

    // To anybody else it does not exist.
    for client in [stranger.admin(), &account.as_role(Role::SuperAdminViewer).await] {
        let refused = client.patch(&path(&account)).json(json!({ "name": "Taken" })).await;
        assert!([403, 404].contains(&refused.status), "{}", refused.body);
    }
    stranger.admin().get(&path(&account)).await.is(404, "NotFoundError");
    admin.get(&format!("/api2/accounts/{UNKNOWN}")).await.is(404, "NotFoundError");
    assert_eq!(admin.get(&path(&account)).await.ok().text("name"), "Own & Co");
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_field_by_field() {
    let service = shared().await;
    let account = service.account("Wrong").await;
    let admin = account.admin();
    let patch = json!({
        "name": " ",
        "shortener": { "mode": "OWN" },
        "privacy": { "dayRange": 13 },
        "features": { "smartbox": true },
        "keycloak": { "secret": "s" },
        "linkedAccounts": [account.id],
    });
    let refused = admin.patch(&path(&account)).json(patch).await.is(400, "ValidationError");
    assert_eq!(
        refused.body["errors"],
        json!({
            "features.smartbox": ["notAvailable"],
            "keycloak.realm": ["required"],
            "linkedAccounts": ["ownAccount"],
            "name": ["required"],
            "privacy.dayRange": ["outOfRange"],
            "shortener.url": ["required"],
        })
    );
    for (body, place) in [
        (json!({ "package": "GOLD" }), "package"),
        (json!({ "features": { "unheardOf": true } }), "features"),
        (json!({ "channelLimit": -1 }), "channelLimit"),
        (json!({ "expirationTime": "tomorrow" }), "expirationTime"),
    ] {
        let refused = admin.patch(&path(&account)).json(body).await.is(400, "BadRequestError");
        assert!(refused.text("message").contains(place), "{}", refused.body);
    }
    for body in [
        json!({ "channelLimit": 5 }),
        json!({ "customTags": ["a"] }),
        json!({ "expirationTime": "2999-01-01T00:00:00Z" }),
    ] {
        admin.patch(&path(&account)).json(body).await.is(403, "InsufficientPermissions");
    }
    admin.patch("/api2/accounts/none").json(json!({})).await.is(400, "BadRequestError");
    admin.post("/api2/accounts").json(new_account("Mine")).await.is(403, "InsufficientPermissions");
}

#[tokio::test]
async fn the_secret_of_an_identity_provider_is_kept_and_never_answered() {
    let service = shared().await;
    let account = service.account("Keycloak").await;
    let admin = account.admin();
    let set = json!({ "keycloak": { "realm": "acme", "secret": "hush-hush-1", "pubKey": "MIIB" } });
    let first = admin.patch(&path(&account)).json(set).await.ok();
    assert_eq!(first.body["keycloak"], json!({ "realm": "acme", "pubKey": "MIIB" }));
    let pool = service.pool().await;
    let secrets = || async {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM vault WHERE tenant_id = $1")
            .bind(account.id.to_string())
            .fetch_one(&pool)
            .await
            .unwrap();
        count
    };
    assert_eq!(secrets().await, 1);
    // Another secret takes its place, and what is refused leaves nothing behind.
    let patch = json!({ "keycloak": { "secret": "hush-hush-2" } });
    assert_eq!(admin.patch(&path(&account)).json(patch).await.ok().body["keycloak"]["realm"], "acme");
    let refused = json!({ "name": "", "keycloak": { "secret": "hush-hush-3" } });
    admin.patch(&path(&account)).json(refused).await.is(400, "ValidationError");
    admin.patch(&path(&account)).json(json!({ "keycloak": { "secret": "" } })).await.is(400, "ValidationError");
    assert_eq!(secrets().await, 1);
    let told: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM events WHERE payload::text LIKE '%hush-hush%')")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!told, "no event holds the secret");
    let removed = admin.patch(&path(&account)).json(json!({ "keycloak": null })).await.ok();
    assert_eq!(removed.body.get("keycloak"), None);
}

#[tokio::test]
async fn operators_create_sell_and_reactivate_accounts() {
    let service = shared().await;
    let home = service.account("Operators").await;
    let (operator, viewer) = (home.as_role(Role::SuperAdmin).await, home.as_role(Role::SuperAdminViewer).await);
    let made = operator.post("/api2/accounts").key("make-1").json(new_account("Sold")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let expected = json!({ "enabled": true, "storage": { "limit": 5000 } });
    assert_eq!((&made.body["products"]["ml"], &made.body["products"]["inbox"]["enabled"]), (&expected, &json!(false)));
    assert_eq!(made.text("expirationTime"), "2999-01-01T00:00:00.123Z");
    let again = operator.post("/api2/accounts").key("make-1").json(new_account("Sold")).await;
    assert!(again.replayed() && again.body == made.body, "{}", again.body);
    let url = format!("/api2/accounts/{}", made.id());

    // Both see it; one changes it, and the event names whoever did.
    assert!(listed(&viewer, made.position()).await.contains(&made.id()));
    assert_eq!(viewer.get(&url).await.ok().body, made.body);
    viewer.patch(&url).json(json!({ "name": "Taken" })).await.is(403, "InsufficientPermissions");
    let sale = json!({ "package": "PROFESSIONAL", "userLimit": 7, "customTags": ["fair-7f3", "spring-7f3"],
        "availableFeatures": { "smartbox": true }, "channelLimit": null });
    let sold = operator.patch(&url).json(sale).await.ok();
    assert_eq!((sold.text("package"), &sold.body["userLimit"]), ("PROFESSIONAL".to_owned(), &json!(7)));
    assert_eq!((&sold.body["availableFeatures"]["smartbox"], sold.body.get("channelLimit")), (&json!(true), None));
    let actor: String = sqlx::query_scalar(
        "SELECT metadata->>'actor' FROM events WHERE aggregate_id = $1 AND event_type = 'AccountLimitsChanged'
         ORDER BY position DESC LIMIT 1",
    )
    .bind(made.id())
    .fetch_one(&service.pool().await)
    .await
    .unwrap();
    assert_eq!(actor, format!("user:{}", operator.user.as_deref().unwrap()));
    let tags = operator.get("/api2/accounts/customTags/list").await.ok().body;
    let tags: Vec<&str> =
        tags.as_array().unwrap().iter().filter_map(Value::as_str).filter(|tag| tag.ends_with("-7f3")).collect();
    assert_eq!(tags, ["fair-7f3", "spring-7f3"]);
    viewer.get("/api2/accounts/customTags/list").await.is(403, "InsufficientPermissions");

    operator.put(&format!("{url}/reactivate")).await.is(409, "ConflictError");
    let ended = operator.patch(&url).json(json!({ "expirationTime": hours_from_now(-1) })).await.ok();
    let reactivated = operator.put(&format!("{url}/reactivate")).after(ended.position()).await;
    assert_eq!((reactivated.status, reactivated.body.get("expirationTime")), (201, None));
    operator.put(&format!("/api2/accounts/{UNKNOWN}/reactivate")).await.is(404, "NotFoundError");
    home.admin().put(&format!("{url}/reactivate")).await.is(403, "InsufficientPermissions");
    let mut unnamed = new_account("");
    operator.post("/api2/accounts").json(unnamed.clone()).await.is(400, "ValidationError");
    unnamed.as_object_mut().unwrap().remove("package");
    operator.post("/api2/accounts").json(unnamed).await.is(400, "BadRequestError");
    operator.get("/api2/accounts?count=501").await.is(400, "BadRequestError");
}

#[tokio::test]
async fn tickets_are_archived_for_a_channel_of_the_account() {
    let service = shared().await;
    let (account, other) = (service.account("Archive").await, service.account("Other archive").await);
    let operator = other.as_role(Role::SuperAdmin).await;
    let channel = account.admin().post("/api2/channels/placeholder").json(json!({ "name": "a" })).await.ok().id();
    let archive = |query: String| operator.put(&format!("{}/archive?{query}", path(&account)));
    assert_eq!(archive(format!("channelId={channel}&until=2025-01-01T00:00:00Z")).await.ok().status, 204);
    assert_eq!(archive(String::new()).await.ok().status, 204);
    let until = hours_from_now(1);
    archive(format!("until={until}")).await.is(400, "ValidationError");
    archive(format!("channelId={UNKNOWN}")).await.is(404, "NotFoundError");
    let foreign = operator.put(&format!("{}/archive?channelId={channel}", path(&other))).await;
    foreign.is(404, "NotFoundError");
    operator.put(&format!("/api2/accounts/{UNKNOWN}/archive")).await.is(404, "NotFoundError");
    account.admin().put(&format!("{}/archive", path(&account))).await.is(403, "InsufficientPermissions");
    let orders: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE aggregate_id = $1 AND event_type = 'AccountTicketsArchived'",
    )
    .bind(account.id.to_string())
    .fetch_one(&service.pool().await)
    .await
    .unwrap();
    assert_eq!(orders, 2);
}

#[tokio::test]
async fn accounts_are_linked_when_each_names_the_other() {
    let service = shared().await;
    let (one, two) = (service.account("Link one").await, service.account("Link two").await);
    for name in ["open", "closed"] {
        let made = two.admin().post("/api2/channels/placeholder").json(json!({ "name": name })).await.ok();
        if name == "closed" {
            crate::channels::deactivate(two.admin(), &made.id()).await;
        }
    }
    let linked = || async { one.admin().get("/api2/accounts/linked").await.ok().body };
    let name = |account: &Account, other: &Account| {
        account.admin().patch(&path(account)).json(json!({ "linkedAccounts": [other.id] }))
    };
    name(&one, &two).await.ok();
    assert_eq!(linked().await, json!([]), "one side alone opens nothing");
    let position = name(&two, &one).await.ok().position();
    let found = one.admin().get("/api2/accounts/linked").after(position).await.ok().body;
    assert_eq!((&found[0]["_id"], &found[0]["name"]), (&json!(two.id), &json!("Link two")));
    let channels = found[0]["channels"].as_array().unwrap();
    assert_eq!((found.as_array().unwrap().len(), channels.len()), (1, 1), "the active ones: {found}");
    assert_eq!((&channels[0]["name"], &channels[0]["socialNetwork"]), (&json!("open"), &json!("PLACEHOLDERS")));
    one.as_role(Role::Editor).await.get("/api2/accounts/linked").await.is(403, "InsufficientPermissions");
    let undone = two.admin().patch(&path(&two)).json(json!({ "linkedAccounts": [] })).await.ok().position();
    let found = one.admin().get("/api2/accounts/linked").after(undone).await.ok().body;
    assert_eq!(found, json!([]));
}

#[tokio::test]
async fn thresholds_are_set_where_a_feature_acts_on_them() {
    let service = shared().await;
    let account = service.account("Thresholds").await;
    let operator = account.as_role(Role::SuperAdmin).await;
    let admin = account.admin();
    let set = |field: &str, value: Value| {
        admin.post("/api2/accounts/updateAiThresholds").json(json!({ "field": field, "value": value }))
    };
    set("smartAutoArchive.archive", json!(0.5)).await.is(409, "ConflictError");
    operator.patch(&path(&account)).json(json!({ "features": { "smartAutoArchive": true } })).await.ok();
    let done = set("smartAutoArchive.archive", json!(0.5)).await.ok();
    assert_eq!(done.status, 204);
    let panel = admin.get("/api2/settings/aiConfigPanel").after(done.position()).await.ok().body;
    let card = panel.as_array().unwrap().iter().find(|card| card["feature"] == "smartAutoArchive").unwrap();
    assert_eq!(card["settings"][0]["value"]["selected"], 0.5);
    for value in [0.1, 1.0] {
        set("smartAutoArchive.archive", json!(value)).await.is(400, "ValidationError");
    }
    set("smartAutoArchive.archive", json!("much")).await.is(400, "BadRequestError");
    set("unheardOf", json!(0.5)).await.is(404, "NotFoundError");
    let editor = account.as_role(Role::Editor).await;
    let body = json!({ "field": "smartAutoArchive.archive", "value": 0.5 });
    editor.post("/api2/accounts/updateAiThresholds").json(body).await.is(403, "InsufficientPermissions");
}

fn registration(user_name: &str) -> Value {
    json!({
        "firstName": "Ada",
        "lastName": "Example",
        "userName": user_name,
        "password": "correct horse battery",
        "email": "ada@example.com",
        "locale": "de",
        "company": "Ada & Co",
        "phone": "+49 221 1",
        "reCaptcha": "token",
        "utm_source": "fair",
    })
}

#[tokio::test]
async fn whoever_registers_gets_an_account_on_trial_and_a_mail() {
    let service = shared().await;
    let account = service.account("Registrations").await;
    let (anonymous, operator) = (account.anonymous(), account.as_role(Role::SuperAdmin).await);
    let made = anonymous.post("/api2/accounts/register?campaign=spring&code=x1").json(registration("Ada-1")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        (made.text("name"), made.text("package"), made.text("locale")),
        ("Ada & Co".into(), "TRIAL".into(), "de".into())
    );
    assert_eq!(made.body["customTags"], json!(["spring", "x1"]));
    assert!(made.text("expirationTime") > hours_from_now(29 * 24));
    assert!(!made.body.to_string().contains("correct horse"));
    // No mail server is configured here, so the link is told; the mail waits in the outbox.
    let (_, token) =
        made.text("verificationLink").split_once("#token=").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let pool = service.pool().await;
    let mails: Vec<(String, String, String)> =
        sqlx::query_as("SELECT kind, recipient, locale FROM mail_outbox WHERE tenant_id = $1")
            .bind(made.id())
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(mails, [("accountVerification".to_owned(), "ada@example.com".to_owned(), "de".to_owned())]);
    let purposes: Vec<String> = sqlx::query_scalar("SELECT purpose FROM one_time_tokens WHERE tenant_id = $1")
        .bind(made.id())
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(purposes, ["verifyAccount"]);
    for kept in ["SELECT string_agg(payload::text, '') FROM events", "SELECT string_agg(hash, '') FROM passwords"] {
        let kept: String = sqlx::query_scalar(kept).fetch_one(&pool).await.unwrap();
        assert!(!kept.contains("correct horse") && !kept.contains(&token), "no secret is kept in the clear");
    }
    let read = operator.get(&format!("/api2/accounts/{}", made.id())).await.ok().body;
    assert_eq!((&read["name"], read.get("verificationLink")), (&json!("Ada & Co"), None));

    // The name is taken, however it is written; nothing of the second account is there.
    let again = anonymous.post("/api2/accounts/register").json(registration("ADA-1")).await;
    assert_eq!(again.is(400, "ValidationError").body["errors"], json!({ "userName": ["taken"] }));
    let planner = json!({ "firstName": "Bo", "lastName": "Example", "userName": "bo-1", "email": "bo@example.com",
        "locale": "en", "reCaptcha": "token" });
    let made = anonymous.post("/api2/accounts/register?cp-only=true").json(planner.clone()).await.ok();
    assert_eq!(made.text("name"), "Bo Example");
    let enabled = ["cp", "inbox", "ml"].map(|product| made.body["products"][product]["enabled"].clone());
    assert_eq!(enabled, [json!(true), json!(false), json!(false)]);

    let refused = anonymous.post("/api2/accounts/register").json(planner).await.is(400, "ValidationError");
    assert_eq!(
        refused.body["errors"],
        json!({ "company": ["required"], "password": ["required"], "phone": ["required"] })
    );
    let mut weak = registration("cy-1");
    weak["password"] = json!("short");
    anonymous.post("/api2/accounts/register").json(weak).await.is(400, "PasswordCriteriaMismatch");
    for (field, value, code) in
        [("email", "cy", "invalidEmail"), ("locale", "xx", "invalidLocale"), ("userName", " ", "required")]
    {
        let mut wrong = registration("cy-1");
        wrong[field] = json!(value);
        let refused = anonymous.post("/api2/accounts/register").json(wrong).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"][field], json!([code]), "{}", refused.body);
    }
    anonymous
        .post("/api2/accounts/register?cp-only=perhaps")
        .json(registration("cy-1"))
        .await
        .is(400, "BadRequestError");
}

#[tokio::test]
async fn nobody_works_in_an_account_that_has_ended_but_operators() {
    let service = shared().await;
    let (ended, home) = (service.account("Ended").await, service.account("Home").await);
    let (inside, operator) = (ended.as_role(Role::SuperAdmin).await, home.as_role(Role::SuperAdmin).await);
    ended.admin().get("/api2/").await.ok();
    let end = json!({ "expirationTime": hours_from_now(-1) });
    let position = operator.patch(&path(&ended)).json(end).await.ok().position();
    // The token's lookup follows as the read model does.
    operator.get("/api2/accounts").after(position).await.ok();
    let refused = ended.admin().get("/api2/").await.is(403, "AccessDenied");
    assert!(refused.text("message").contains("end"), "{}", refused.body);
    ended.admin().patch(&path(&ended)).json(json!({ "name": "Free" })).await.is(403, "AccessDenied");
    inside.get("/api2/").await.ok();
    let position = operator.put(&format!("{}/reactivate", path(&ended))).await.ok().position();
    operator.get("/api2/accounts").after(position).await.ok();
    ended.admin().get("/api2/").await.ok();
}

#[tokio::test]
async fn a_change_can_be_bound_to_what_was_read() {
    let service = shared().await;
    let account = service.account("Tagged").await;
    let admin = account.admin();
    let path = path(&account);
    let rename = |name: &str, tag: &str| admin.patch(&path).header("if-match", tag).json(json!({ "name": name }));
    let read = admin.get(&path).await.ok();
    let tag = read.header("etag").expect("an account has a tag").to_owned();
    assert_eq!(admin.get(&path).header("if-none-match", &tag).await.status, 304);

    let changed = rename("Tagged once", &tag).await.ok();
    let newer = changed.header("etag").expect("a change answers the new tag").to_owned();
    assert_ne!(newer, tag);
    rename("Tagged twice", &tag).await.is(412, "PreconditionFailedError");
    let now = admin.get(&path).await.ok();
    assert_eq!((now.text("name"), now.header("etag")), ("Tagged once".to_owned(), Some(newer.as_str())));
    rename("Tagged twice", &newer).await.ok();
}
