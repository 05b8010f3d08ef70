//! Who may call the bots' API: an application by its key or its token, or a user of its account; for that application.

use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client};
use serde_json::json;

use crate::{apps, hours_from_now, now, shared};

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let body = &answer.body;
    assert_eq!((answer.status, &body["statusCode"], &body["code"]), (status, &json!(status), &json!(code)), "{body}");
    assert!(body["message"].is_string() && body["error"].is_string(), "{body}");
}

#[track_caller]
fn unauthorized(answer: &Answer) {
    refused(answer, 401, "AccessTokenInvalidError");
}

fn path(app: &str) -> String {
    format!("/v1/app?appId={app}")
}

async fn by_key(client: &Client, app: &str, key: &str) -> Answer {
    client.get(&path(app)).header("x-api-key", key).await
}

#[tokio::test]
async fn a_key_a_token_and_a_user_open_their_application() {
    let service = shared().await;
    let account = service.account("Bots").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let (_, key) = apps::key(admin, &app, Some(hours_from_now(1))).await;
    let found = by_key(&anonymous, &app, &key).await.ok().body;
    let data = &found["data"];
    assert_eq!(
        (&data["id"], &data["name"], &data["actor"]),
        (&json!(app), &json!("Concierge"), &json!(format!("app:{app}")))
    );
    assert_eq!(data["accountId"], json!(account.id));
    assert_eq!(
        (&found["path"], &found["method"], &found["statusCode"]),
        (&json!(path(&app)), &json!("GET"), &json!(200)),
        "{found}"
    );
    assert_eq!(found["message"], "success");

    let login = json!({ "appId": app, "appSecret": apps::secret(admin, &app).await });
    let token = anonymous.post("/bot-api/v1/login").json(login).await.ok().text("authToken");
    let by_token = anonymous.get(&path(&app)).header("authorization", &format!("Bearer {token}")).await.ok();
    assert_eq!(by_token.body, found);

    let editor = account.as_role(Role::Editor).await;
    let by_user = editor.get(&path(&app)).await.ok();
    assert_eq!(by_user.body["data"]["actor"], json!(format!("user:{}", editor.user.as_deref().unwrap())));
}

#[tokio::test]
async fn whatever_else_is_refused() {
    let service = shared().await;
    let (account, other) = (service.account("Bots").await, service.account("Others").await);
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let (_, key) = apps::key(admin, &app, None).await;
    by_key(&anonymous, &app, &key).await.ok();

    unauthorized(&anonymous.get(&path(&app)).await);
    let secret = apps::secret(admin, &app).await;
    let mut changed = key.clone();
    let last = if changed.pop() == Some('0') { '1' } else { '0' };
    changed.push(last);
    for wrong in ["wrong", "pak_", &changed, &secret, admin.token().unwrap()] {
        unauthorized(&by_key(&anonymous, &app, wrong).await);
    }
    for wrong in [&key, &secret, "pat_wrong"] {
        unauthorized(&anonymous.get(&path(&app)).header("authorization", &format!("Bearer {wrong}")).await);
    }
    for wrong in ["Basic YTpi", "Bearer", "Bearer ", admin.token().unwrap()] {
        unauthorized(&anonymous.get(&path(&app)).header("authorization", wrong).await);
    }
    unauthorized(&anonymous.get(&format!("{}&accesstoken={}", path(&app), admin.token().unwrap())).await);

    // Nothing of an application opens the planner.
    for wrong in [&key, &secret] {
        let answer = anonymous.get("/api2/apps").header("authorization", &format!("Bearer {wrong}")).await;
        answer.is(401, "AccessTokenInvalidError");
    }
    // Not for another application: of the same account, of another, or of none.
    let (sibling, theirs) = (apps::registered(admin, "Sibling").await, apps::registered(other.admin(), "Theirs").await);
    for app in [sibling.as_str(), &theirs, "00000000-0000-4000-8000-000000000000"] {
        unauthorized(&by_key(&anonymous, app, &key).await);
    }
    unauthorized(&admin.get(&path(&theirs)).await);
    other.admin().get(&path(&theirs)).await.ok();

    let no_app = anonymous.get("/v1/app").header("x-api-key", &key).await;
    refused(&no_app, 400, "BadRequestError");
    refused(&by_key(&anonymous, "abc", &key).await, 400, "BadRequestError");
    refused(&by_key(&anonymous, &format!("{app}&appId={app}"), &key).await, 400, "BadRequestError");
    refused(&admin.get(&path(&app)).header("x-api-key", &key).await, 400, "BadRequestError");
}

#[tokio::test]
async fn a_key_ends_when_it_is_revoked_expires_or_loses_its_application() {
    let service = shared().await;
    let account = service.account("Ends").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let (revoked_id, revoked) = apps::key(admin, &app, None).await;
    let (expired_id, expired) = apps::key(admin, &app, Some(hours_from_now(1))).await;
    let (_, kept) = apps::key(admin, &app, None).await;
    for key in [&revoked, &expired, &kept] {
        by_key(&anonymous, &app, key).await.ok();
    }
    admin.delete(&format!("/api2/apps/{app}/keys/{revoked_id}")).await.ok();
    let changed = sqlx::query("UPDATE app_credentials SET expires_at = $1 WHERE key_id::text = $2")
        .bind(now() - chrono::TimeDelta::seconds(1))
        .bind(&expired_id)
        .execute(&service.pool().await)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    for key in [&revoked, &expired] {
        unauthorized(&by_key(&anonymous, &app, key).await);
    }
    by_key(&anonymous, &app, &kept).await.ok();
    admin.get(&path(&app)).await.ok();
    admin.delete(&format!("/api2/apps/{app}")).await.ok();
    unauthorized(&by_key(&anonymous, &app, &kept).await);
    unauthorized(&admin.get(&path(&app)).await);
}
