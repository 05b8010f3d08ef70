//! An application's secret for a token, and what the token opens.

use palaver_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::{apps, now, shared};

async fn login(client: &Client, path: &str, app: &str, secret: &str) -> Answer {
    client.post(path).json(json!({ "appId": app, "appSecret": secret })).await
}

async fn opened(client: &Client, authorization: &str) -> Answer {
    client.get("/bot-api/v1/app").header("authorization", authorization).await
}

const PATHS: [&str; 2] = ["/bot-api/v1/login", "/bot-api/v1/token"];

#[tokio::test]
async fn a_secret_is_exchanged_for_a_token_that_is_taken_raw_or_as_bearer() {
    let service = shared().await;
    let account = service.account("Open API").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let secret = apps::secret(admin, &app).await;
    for path in PATHS {
        let got = login(&anonymous, path, &app, &secret).await;
        assert_eq!((got.status, got.header("cache-control")), (200, Some("no-store")), "{}", got.body);
        assert_eq!(got.body["expireAt"], got.body["expiresAt"]);
        let end: chrono::DateTime<chrono::Utc> = got.text("expireAt").parse().unwrap();
        assert!(end > now() + chrono::TimeDelta::hours(23), "{end}");
        let token = got.text("authToken");
        for authorization in [token.clone(), format!("Bearer {token}"), format!("bearer {token}")] {
            let found = opened(&anonymous, &authorization).await.ok().body;
            assert_eq!((&found["appId"], &found["name"]), (&json!(app), &json!("Concierge")));
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_and_a_bad_body_are_refused() {
    let service = shared().await;
    let (account, other) = (service.account("Open API").await, service.account("Others").await);
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let (_, key) = apps::key(admin, &app, None).await;
    // It has none yet.
    login(&anonymous, PATHS[0], &app, "pas_").await.is(400, "AppCredentialsInvalidError");
    let secret = apps::secret(admin, &app).await;
    let theirs = apps::registered(other.admin(), "Theirs").await;
    let their_secret = apps::secret(other.admin(), &theirs).await;
    for path in PATHS {
        for (app, secret) in [
            (app.as_str(), "wrong"),
            (&app, ""),
            (&app, &key),
            (&app, &their_secret),
            (&theirs, &secret),
            (&app, &"x".repeat(10_000)),
            ("00000000-0000-4000-8000-000000000000", &secret),
        ] {
            login(&anonymous, path, app, secret).await.is(400, "AppCredentialsInvalidError");
        }
        for body in [
            json!({}),
            json!({ "appId": app }),
            json!({ "appId": "abc", "appSecret": secret }),
            json!({ "appId": app, "appSecret": 7 }),
        ] {
            anonymous.post(path).json(body).await.is(400, "BadRequestError");
        }
    }
}

#[tokio::test]
async fn a_new_secret_takes_the_place_of_the_old_one_and_of_its_tokens() {
    let service = shared().await;
    let account = service.account("Rotation").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let old = apps::secret(admin, &app).await;
    let old_token = login(&anonymous, PATHS[0], &app, &old).await.ok().text("authToken");
    opened(&anonymous, &old_token).await.ok();
    let new = apps::secret(admin, &app).await;
    login(&anonymous, PATHS[0], &app, &old).await.is(409, "ConflictError");
    opened(&anonymous, &old_token).await.is(401, "AccessTokenInvalidError");
    let token = login(&anonymous, PATHS[0], &app, &new).await.ok().text("authToken");
    opened(&anonymous, &token).await.ok();
    admin.delete(&format!("/api2/apps/{app}")).await.ok();
    opened(&anonymous, &token).await.is(401, "AccessTokenInvalidError");
    login(&anonymous, PATHS[0], &app, &new).await.is(400, "AppCredentialsInvalidError");
}

#[tokio::test]
async fn only_a_token_of_an_application_opens_the_api() {
    let service = shared().await;
    let account = service.account("Tokens").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Concierge").await;
    let (_, key) = apps::key(admin, &app, None).await;
    let secret = apps::secret(admin, &app).await;
    let token = login(&anonymous, PATHS[0], &app, &secret).await.ok().text("authToken");
    opened(&anonymous, &token).await.ok();
    let missing = anonymous.get("/bot-api/v1/app").await.is(401, "AccessTokenInvalidError");
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    for wrong in ["wrong", "Bearer wrong", "Bearer", &key, &secret, admin.token().unwrap(), &token[..token.len() - 1]] {
        opened(&anonymous, wrong).await.is(401, "AccessTokenInvalidError");
    }
    anonymous.get("/bot-api/v1/app").header("x-api-key", &key).await.is(401, "AccessTokenInvalidError");
    let pool = service.pool().await;
    let expired =
        sqlx::query("UPDATE app_credentials SET expires_at = $1 WHERE app_id::text = $2 AND kind = 'app_token'")
            .bind(now() - chrono::TimeDelta::seconds(1))
            .bind(&app)
            .execute(&pool)
            .await
            .unwrap();
    assert_eq!(expired.rows_affected(), 1);
    opened(&anonymous, &token).await.is(401, "AccessTokenInvalidError");
    // The next login clears away what has expired.
    login(&anonymous, PATHS[0], &app, &secret).await.ok();
    let left: Value = sqlx::query_scalar(
        "SELECT to_jsonb(count(*)) FROM app_credentials WHERE app_id::text = $1 AND kind = 'app_token'",
    )
    .bind(&app)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(left, json!(1));
}
