//! Logging in to marketing on X: signed tokens, the next ones, and their end.

use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::{
    now, shared,
    users::{
        PASSWORD,
        totp::{half_a_minute_passes, set_up},
    },
};

async fn login(client: &Client, email: &str, password: &str) -> Answer {
    client.post("/api/v1/auth/login").json(json!({ "email": email, "password": password })).await
}

async fn refresh(client: &Client, token: &str) -> Answer {
    client.post("/api/v1/auth/refresh").json(json!({ "refreshToken": token })).await
}

async fn me(client: &Client, token: &str) -> Answer {
    client.with_token(token).get("/api/v1/auth/me").await
}

/// The access token and the refresh token of an answer.
#[track_caller]
fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let data = &answer.body["data"];
    assert_eq!(data["expiresIn"], 3_600);
    let text = |name: &str| data[name].as_str().unwrap().to_owned();
    (text("accessToken"), text("refreshToken"))
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let body = &answer.body;
    assert_eq!((answer.status, &body["success"], &body["code"]), (status, &json!(false), &json!(code)), "{body}");
    assert!(body["error"].is_string() && body["details"].is_object(), "{body}");
}

#[track_caller]
fn unauthorized(answer: &Answer) {
    refused(answer, 401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_name_or_an_address_and_a_password_get_tokens() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let anonymous = service.anonymous();
    let (person, other) = (account.person(Role::Smm, PASSWORD).await, account.person(Role::Cm, PASSWORD).await);
    let (access, _) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let found = me(&anonymous, &access).await.ok().body;
    let data = &found["data"];
    assert_eq!(
        (&found["success"], &data["id"], &data["userName"], &data["role"], &data["merchant"]),
        (
            &json!(true),
            &json!(person.id()),
            &json!(person.name),
            &json!("SMM"),
            &json!({ "id": account.id, "name": "Merchant" })
        )
    );
    assert!(data["permissions"].as_array().unwrap().contains(&json!("PublishPosts")), "{found}");

    // By an address, as long as it is one user's.
    let address = format!("shared-{}@mail.example.com", person.id());
    let set = async |person: &palaver_tests::Person| {
        let path = format!("/api2/users/{}", person.id());
        person.client.patch(&path).json(json!({ "email": address })).await.ok();
        person.client.get("/api2/users").await.ok();
    };
    unauthorized(&login(&anonymous, &address, PASSWORD).await);
    set(&person).await;
    let (access, _) = tokens(&login(&anonymous, &address.to_uppercase(), PASSWORD).await);
    assert_eq!(me(&anonymous, &access).await.ok().body["data"]["id"], json!(person.id()));
    set(&other).await;
    unauthorized(&login(&anonymous, &address, PASSWORD).await);
}

#[tokio::test]
async fn wrong_and_missing_input_is_refused() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, person) = (service.anonymous(), account.person(Role::Smm, PASSWORD).await);
    let wrong = login(&anonymous, &person.name, "wrong horse battery").await;
    unauthorized(&wrong);
    let nobody = login(&anonymous, "nobody@example.org", PASSWORD).await;
    unauthorized(&nobody);
    assert_eq!(wrong.body, nobody.body, "nobody is told which of the two was wrong");
    for (body, field) in [
        (json!({}), "email"),
        (json!({ "email": person.name }), "password"),
        (json!({ "email": "", "password": PASSWORD }), "email"),
    ] {
        let answer = anonymous.post("/api/v1/auth/login").json(body).await;
        refused(&answer, 422, "VALIDATION_ERROR");
        assert_eq!(
            (&answer.body["details"]["field"], &answer.body["details"]["reason"]),
            (&json!(field), &json!("required"))
        );
    }
    refused(&anonymous.post("/api/v1/auth/refresh").json(json!({})).await, 422, "VALIDATION_ERROR");
    refused(
        &anonymous.post("/api/v1/auth/login").json(json!({ "email": 7, "password": PASSWORD })).await,
        400,
        "BAD_REQUEST",
    );
    unauthorized(&refresh(&anonymous, "prt_wrong").await);
    for _ in 0..4 {
        unauthorized(&login(&anonymous, &person.name, "wrong horse battery").await);
    }
    let locked = login(&anonymous, &person.name, PASSWORD).await;
    refused(&locked, 429, "RATE_LIMIT_EXCEEDED");
    assert!(locked.header("retry-after").is_some());
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_counts_once() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let person = account.person(Role::Smm, PASSWORD).await;
    let app = set_up(&person, &pool).await;
    let with = async |code: &str| {
        let body = json!({ "email": person.name, "password": PASSWORD, "code": code });
        anonymous.post("/api/v1/auth/login").json(body).await
    };
    refused(&login(&anonymous, &person.name, PASSWORD).await, 401, "SECOND_FACTOR_REQUIRED");
    unauthorized(&login(&anonymous, &person.name, "wrong horse battery").await);
    unauthorized(&with(&app.wrong()).await);
    let code = app.code();
    let (access, _) = tokens(&with(&code).await);
    me(&anonymous, &access).await.ok();
    unauthorized(&with(&code).await);
    half_a_minute_passes(&pool, &person).await;
    tokens(&with(&app.code()).await);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_a_second_time_ends_the_login() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, person) = (service.anonymous(), account.person(Role::Smm, PASSWORD).await);
    let (first_access, first) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let (elsewhere, _) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let (access, second) = tokens(&refresh(&anonymous, &first).await);
    assert_ne!(first, second);
    me(&anonymous, &first_access).await.ok();
    me(&anonymous, &access).await.ok();
    unauthorized(&refresh(&anonymous, &first).await);
    for ended in [&first_access, &access] {
        unauthorized(&me(&anonymous, ended).await);
    }
    unauthorized(&refresh(&anonymous, &second).await);
    me(&anonymous, &elsewhere).await.ok();
    unauthorized(&me(&anonymous, &second).await);
    // No token is kept that could be stolen from the database.
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM refresh_tokens WHERE encode(token_hash, 'escape') LIKE 'prt_%'")
            .fetch_one(&service.pool().await)
            .await
            .unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn of_many_uses_at_once_at_most_one_succeeds() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, person) = (service.anonymous(), account.person(Role::Smm, PASSWORD).await);
    let (access, token) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let answers = futures::future::join_all((0..8).map(|_| refresh(&anonymous, &token))).await;
    let succeeded = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(succeeded <= 1, "{succeeded}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        unauthorized(answer);
    }
    unauthorized(&me(&anonymous, &access).await);
}

#[tokio::test]
async fn a_login_ends_by_logging_out_by_its_end_and_by_a_new_password() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, person) = (service.anonymous(), account.person(Role::Smm, PASSWORD).await);
    let (access, token) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let out = anonymous.with_token(&access).post("/api/v1/auth/logout").await.ok();
    assert_eq!(out.body, json!({ "success": true, "data": {} }));
    unauthorized(&me(&anonymous, &access).await);
    unauthorized(&refresh(&anonymous, &token).await);

    let pool = service.pool().await;
    let (access, token) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    sqlx::query("UPDATE access_tokens SET expires_at = $1 WHERE user_id = $2 AND client = 'mktX'")
        .bind(now() - chrono::TimeDelta::seconds(1))
        .bind(person.id())
        .execute(&pool)
        .await
        .unwrap();
    unauthorized(&me(&anonymous, &access).await);
    unauthorized(&refresh(&anonymous, &token).await);

    let (access, token) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let change = json!({ "oldPassword": PASSWORD, "password": "another horse battery" });
    person.client.patch(&format!("/api2/users/{}", person.id())).json(change).await.ok();
    unauthorized(&me(&anonymous, &access).await);
    unauthorized(&refresh(&anonymous, &token).await);
}

#[tokio::test]
async fn only_a_token_that_was_signed_here_opens_the_api() {
    let service = shared().await;
    let account = service.account("Merchant").await;
    let (anonymous, person) = (service.anonymous(), account.person(Role::Admin, PASSWORD).await);
    let other = account.person(Role::Admin, PASSWORD).await;
    let (access, refresh_token) = tokens(&login(&anonymous, &person.name, PASSWORD).await);
    let (theirs, _) = tokens(&login(&anonymous, &other.name, PASSWORD).await);
    let [header, claims, signature] = access.split('.').collect::<Vec<_>>().try_into().unwrap();
    let their_claims = theirs.split('.').nth(1).unwrap();
    let missing = anonymous.get("/api/v1/auth/me").await;
    unauthorized(&missing);
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    for wrong in [
        "wrong",
        "a.b.c",
        // {"alg":"none","typ":"JWT"}
        &format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}."),
        &format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.{signature}"),
        &format!("{header}.{their_claims}.{signature}"),
        &format!("{header}.{claims}."),
        &format!("{header}.{claims}"),
        &refresh_token,
        person.client.token().unwrap(),
    ] {
        unauthorized(&me(&anonymous, wrong).await);
    }
    let in_query = anonymous.get(&format!("/api/v1/auth/me?accesstoken={}", person.client.token().unwrap())).await;
    unauthorized(&in_query);
    unauthorized(&anonymous.get("/api/v1/auth/me").header("authorization", &access).await);
    // Nor does it open anything else.
    anonymous.with_token(&access).get("/api2/channels").await.is(401, "AccessTokenInvalidError");
    assert_eq!(
        anonymous.with_token(&access).get("/v1/app?appId=00000000-0000-4000-8000-000000000000").await.status,
        401
    );
    let document: Value = anonymous.get("/openapi.json").await.ok().body;
    assert_eq!(document["paths"]["/api/v1/auth/me"]["get"]["security"], json!([{ "mktXToken": [] }]));
    assert_eq!(document["components"]["securitySchemes"]["mktXToken"]["bearerFormat"], "JWT");
    assert_eq!(document["components"]["securitySchemes"]["botsKey"]["name"], "x-api-key");
}
