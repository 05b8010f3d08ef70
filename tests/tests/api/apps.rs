//! Applications, their keys and their secret, as their account's administrators see them.

use palaver_domain::identity::Role;
use palaver_tests::Client;
use serde_json::{Value, json};

use crate::{hours_from_now, shared};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// A new application of whoever asks.
pub(crate) async fn registered(admin: &Client, name: &str) -> String {
    admin.post("/api2/apps").json(json!({ "name": name })).await.ok().id()
}

/// A new key of the application: its id, and the key.
pub(crate) async fn key(admin: &Client, app: &str, expiration: Option<String>) -> (String, String) {
    let mut body = json!({ "label": "ci" });
    if let Some(time) = expiration {
        body["expirationTime"] = json!(time);
    }
    let answer = admin.post(&format!("/api2/apps/{app}/keys")).json(body).await.ok();
    (answer.id(), answer.text("secret"))
}

/// A new secret of the application.
pub(crate) async fn secret(admin: &Client, app: &str) -> String {
    admin.post(&format!("/api2/apps/{app}/secret")).await.ok().text("secret")
}

#[tokio::test]
async fn an_application_is_registered_read_listed_and_deleted() {
    let service = shared().await;
    let account = service.account("Apps").await;
    let admin = account.admin();
    let made = admin.post("/api2/apps").json(json!({ "name": "Concierge" })).await;
    assert_eq!((made.status, &made.body["name"], &made.body["keys"]), (201, &json!("Concierge"), &json!([])));
    assert!(made.body.get("secret").is_none() && made.body.get("secretCreatedTime").is_none(), "{}", made.body);
    let (id, path) = (made.id(), format!("/api2/apps/{}", made.id()));
    assert_eq!(admin.get(&path).await.ok().body, made.body);
    let listed = admin.get("/api2/apps").await.ok().body;
    assert_eq!(listed, json!({ "count": 1, "data": [made.body] }));

    let (key_id, key) = key(admin, &id, None).await;
    let secret = secret(admin, &id).await;
    let shown = admin.get(&path).await.ok().body;
    assert_eq!(shown["keys"][0]["_id"], json!(key_id));
    assert!(key.starts_with(shown["keys"][0]["prefix"].as_str().unwrap()), "{shown}");
    assert!(shown["secretCreatedTime"].is_string(), "{shown}");
    let listed = admin.get("/api2/apps").await.ok().body;
    assert_eq!(listed["data"][0], shown);
    for told in [&shown, &listed] {
        assert!(!told.to_string().contains(&key) && !told.to_string().contains(&secret), "{told}");
    }

    let revoke = format!("{path}/keys/{key_id}");
    assert_eq!(admin.delete(&revoke).await.status, 204);
    assert_eq!(admin.delete(&revoke).await.status, 204, "once more makes no difference");
    assert!(admin.get(&path).await.ok().body["keys"][0]["revokedTime"].is_string());

    assert_eq!(admin.delete(&path).await.status, 204);
    admin.get(&path).await.is(404, "NotFoundError");
    admin.delete(&path).await.is(404, "NotFoundError");
    admin.post(&format!("{path}/secret")).await.is(404, "NotFoundError");
    assert_eq!(admin.get("/api2/apps").await.ok().body, json!({ "count": 0, "data": [] }));
}

#[tokio::test]
async fn a_secret_is_told_once_and_is_nowhere_else() {
    let service = shared().await;
    let account = service.account("Secrets").await;
    let admin = account.admin();
    let app = registered(admin, "Concierge").await;
    let mut secrets = Vec::new();
    for (path, body) in
        [(format!("/api2/apps/{app}/keys"), json!({ "label": "ci" })), (format!("/api2/apps/{app}/secret"), json!({}))]
    {
        let send = || admin.post(&path).key(&format!("once-{}", path.len())).json(body.clone());
        let first = send().await.ok();
        assert_eq!(first.header("cache-control"), Some("no-store"));
        let again = send().await.ok();
        assert!(again.replayed() && again.body.get("secret").is_none(), "{}", again.body);
        assert_eq!(again.body["_id"], first.body["_id"]);
        secrets.push(first.text("secret"));
    }
    let pool = service.pool().await;
    let columns = [
        ("events", "payload::text || metadata::text"),
        ("command_receipts", "command_receipts::text"),
        ("app_credentials", "app_credentials::text"),
        ("apps", "state::text || doc::text"),
    ];
    for secret in secrets {
        let random = secret.rsplit('_').next().unwrap().to_owned();
        assert_eq!(random.len(), 64, "256 bits");
        for (table, text) in columns {
            let query = format!("SELECT count(*) FROM {table} WHERE strpos({text}, $1) > 0");
            let found: i64 = sqlx::query_scalar(&query).bind(&random).fetch_one(&pool).await.unwrap();
            assert_eq!(found, 0, "{table}");
        }
        assert!(!service.log().contains(&random));
    }
}

#[tokio::test]
async fn what_is_not_valid_is_refused() {
    let service = shared().await;
    let account = service.account("Invalid").await;
    let admin = account.admin();
    let app = registered(admin, "Concierge").await;
    let keys = format!("/api2/apps/{app}/keys");
    for (path, body, field, code) in [
        ("/api2/apps", json!({ "name": " " }), "name", "required"),
        ("/api2/apps", json!({ "name": "a".repeat(255) }), "name", "tooLong"),
        (&keys, json!({ "label": "" }), "label", "required"),
        (
            &keys,
            json!({ "label": "ci", "expirationTime": hours_from_now(-1) }),
            "expirationTime",
            "expirationTimeNotInFuture",
        ),
    ] {
        let refused = admin.post(path).json(body).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"][field], json!([code]), "{}", refused.body);
    }
    for (path, body) in [
        ("/api2/apps", json!({})),
        ("/api2/apps", json!({ "name": 7 })),
        (&keys, json!({ "label": "ci", "expirationTime": "soon" })),
    ] {
        admin.post(path).json(body).await.is(400, "BadRequestError");
    }
    for path in ["/api2/apps/abc", "/api2/apps/0123456789abcdef01234567"] {
        admin.get(path).await.is(400, "BadRequestError");
    }
    admin.delete(&format!("{keys}/abc")).await.is(400, "BadRequestError");
    admin.delete(&format!("{keys}/{UNKNOWN}")).await.is(404, "NotFoundError");
    admin.get(&format!("/api2/apps/{UNKNOWN}")).await.is(404, "NotFoundError");
    admin.get("/api2/apps?count=501").await.is(400, "BadRequestError");
    for _ in 0..20 {
        key(admin, &app, None).await;
    }
    admin.post(&keys).json(json!({ "label": "one more" })).await.is(409, "ConflictError");
}

#[tokio::test]
async fn applications_are_their_accounts_administrators_alone() {
    let service = shared().await;
    let (ours, theirs) = (service.account("Ours").await, service.account("Theirs").await);
    let (us, them) = (ours.admin(), theirs.admin());
    let app = registered(them, "Theirs").await;
    let (key_id, _) = key(them, &app, None).await;
    let path = format!("/api2/apps/{app}");
    let before: Value = them.get(&path).await.ok().body;
    for answer in [
        us.get(&path).await,
        us.delete(&path).await,
        us.post(&format!("{path}/keys")).json(json!({ "label": "mine now" })).await,
        us.delete(&format!("{path}/keys/{key_id}")).await,
        us.post(&format!("{path}/secret")).await,
    ] {
        answer.is(404, "NotFoundError");
    }
    assert_eq!(us.get("/api2/apps").await.ok().body["count"], 0);
    let editor = theirs.as_role(Role::Editor).await;
    editor.get("/api2/apps").await.is(403, "InsufficientPermissions");
    editor.post("/api2/apps").json(json!({ "name": "a" })).await.is(403, "InsufficientPermissions");
    editor.delete(&path).await.is(403, "InsufficientPermissions");
    service.anonymous().get(&path).await.is(401, "AccessTokenInvalidError");
    assert_eq!(them.get(&path).await.ok().body, before, "and nothing has happened to it");
}
