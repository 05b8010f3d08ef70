//! `/api2/users/totp`: setting up a second factor, logging in with it, and losing it.

use chrono::TimeDelta;
use palaver_domain::identity::{AccountChanges, AccountCommand, Feature, Role};
use palaver_tests::{Account, Answer, Client, Person};
use serde_json::{Value, json};
use sqlx::PgPool;
use totp_rs::{Algorithm, Secret, TOTP};

use super::{PASSWORD, let_in, login, works};
use crate::{now, shared};

/// The app on a person's telephone.
pub struct App(TOTP);

impl App {
    pub fn new(secret: &str) -> Self {
        let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
        assert_eq!(secret.len(), 20);
        Self(TOTP::new(Algorithm::SHA1, 6, 1, 30, secret, None, String::new()).unwrap())
    }

    pub fn code(&self) -> String {
        self.0.generate(u64::try_from(now().timestamp()).unwrap())
    }

    /// A code of another time.
    pub fn wrong(&self) -> String {
        self.0.generate(u64::try_from((now() - TimeDelta::hours(1)).timestamp()).unwrap())
    }
}

/// Lets so much time pass for a person that their app shows another code.
pub async fn half_a_minute_passes(pool: &PgPool, person: &Person) {
    sqlx::query("UPDATE totp_steps SET last_step = last_step - 10 WHERE user_id = $1")
        .bind(person.id())
        .execute(pool)
        .await
        .unwrap();
}

async fn verify(client: &Client, jwt: &str, code: &str) -> Answer {
    client.post("/api2/users/totp/verify").json(json!({ "jwt": jwt, "code": code })).await
}

async fn by_code(client: &Client, jwt: &str, code: &str) -> Answer {
    by_code_with(client, jwt, json!({ "code": code })).await
}

async fn by_code_with(client: &Client, jwt: &str, body: Value) -> Answer {
    client.with_token(jwt).post("/api2/users/totp/login").json(body).await
}

pub async fn set_up(person: &Person, pool: &PgPool) -> App {
    let generated = person.client.post("/api2/users/totp/generate").await.ok();
    let app = App::new(&generated.text("secret"));
    assert_eq!(verify(&person.client, &generated.text("jwt"), &app.code()).await.status, 204);
    half_a_minute_passes(pool, person).await;
    app
}

/// What the password alone gets.
async fn half(client: &Client, person: &Person) -> Answer {
    let answer = login(client, &person.name, PASSWORD).await.ok();
    assert_eq!(answer.status, 200);
    assert_eq!((answer.header("accesstoken"), answer.header("set-cookie")), (None, None));
    answer
}

fn remove(client: &Client, user: &str, code: &str) -> palaver_tests::Request {
    client.delete(&format!("/api2/users/{user}/totp?code={code}"))
}

#[tokio::test]
async fn a_code_completes_a_login_and_counts_once() {
    let service = shared().await;
    let account = service.account("Second factor").await;
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let person = account.person(Role::Cm, PASSWORD).await;
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);

    let generated = person.client.post("/api2/users/totp/generate").await.ok();
    assert_eq!(generated.header("cache-control"), Some("no-store"));
    assert!(generated.text("image").starts_with("data:image/svg+xml;base64,"), "{}", generated.body);
    let (jwt, app) = (generated.text("jwt"), App::new(&generated.text("secret")));
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
    let wrong = verify(&person.client, &jwt, &app.wrong()).await.is(400, "ValidationError");
    assert_eq!(wrong.body["errors"], json!({ "code": ["invalid"] }));
    let code = app.code();
    assert_eq!(verify(&person.client, &jwt, &code).await.status, 204);
    verify(&person.client, &jwt, &app.code()).await.is(409, "ConflictError");
    person.client.post("/api2/users/totp/generate").await.is(409, "ConflictError");

    let asked = half(&anonymous, &person).await;
    assert_eq!(asked.body, json!({ "jwt": asked.text("jwt"), "status": "TOTP_REQUIRED" }));
    let jwt = asked.text("jwt");
    assert!(!works(&anonymous.with_token(&jwt)).await, "it is no session");
    by_code(&anonymous, &jwt, &code).await.is(401, "AccessTokenInvalidError");
    half_a_minute_passes(&pool, &person).await;
    by_code(&anonymous, &jwt, &app.wrong()).await.is(401, "AccessTokenInvalidError");
    let session = by_code(&anonymous, &jwt, &app.code()).await;
    assert!(works(&let_in(&anonymous, &session)).await);
    assert!(session.header("set-cookie").unwrap().contains("; Max-Age=43200; "));

    half_a_minute_passes(&pool, &person).await;
    let remembered = json!({ "code": app.code(), "remember": true });
    let session = by_code_with(&anonymous, &half(&anonymous, &person).await.text("jwt"), remembered).await;
    let_in(&anonymous, &session);
    assert!(session.header("set-cookie").unwrap().contains("; Max-Age=2592000; "));
}

#[tokio::test]
async fn the_secret_is_in_the_vault_alone() {
    let service = shared().await;
    let account = service.account("Vault").await;
    let pool = service.pool().await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let generated = person.client.post("/api2/users/totp/generate").await.ok();
    let secret = generated.text("secret");
    assert!(!generated.text("jwt").contains(&secret));
    assert_eq!(verify(&person.client, &generated.text("jwt"), &App::new(&secret).code()).await.status, 204);
    let payload: String = sqlx::query_scalar(
        "SELECT payload::text FROM events WHERE aggregate_id = $1 AND event_type = 'UserTotpEnabled'",
    )
    .bind(person.id())
    .fetch_one(&pool)
    .await
    .unwrap();
    let bytes = Secret::Encoded(secret.clone()).to_bytes().unwrap();
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM vault WHERE $1 LIKE '%' || reference::text || '%'")
        .bind(&payload)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!sealed.windows(bytes.len()).any(|window| window == bytes));
    assert!(!payload.contains(&secret) && !service.log().contains(&secret));
}

#[tokio::test]
async fn wrong_codes_lock_the_name_and_the_password_alone_does_not_make_up_for_them() {
    let service = shared().await;
    let account = service.account("Wrong codes").await;
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let person = account.person(Role::Cm, PASSWORD).await;
    let app = set_up(&person, &pool).await;
    for n in 1..=5 {
        let jwt = half(&anonymous, &person).await.text("jwt");
        let wrong = by_code(&anonymous, &jwt, &app.wrong()).await;
        assert_eq!(wrong.status, 401, "{n}");
        if n == 5 {
            let locked = by_code(&anonymous, &jwt, &app.code()).await.is(403, "AccessDenied");
            assert!(locked.header("retry-after").is_some());
        }
    }
    login(&anonymous, &person.name, PASSWORD).await.is(403, "AccessDenied");
}

#[tokio::test]
async fn a_jwt_opens_nothing_but_what_it_was_made_for() {
    let service = shared().await;
    let account = service.account("Tickets").await;
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let (person, other) = (account.person(Role::Cm, PASSWORD).await, account.person(Role::Cm, PASSWORD).await);
    // Made to confirm a secret: opens no session.
    let generated = person.client.post("/api2/users/totp/generate").await.ok();
    let app = App::new(&generated.text("secret"));
    by_code(&anonymous, &generated.text("jwt"), &app.code()).await.is(401, "AccessTokenInvalidError");
    // Another's: confirms nothing.
    verify(&other.client, &generated.text("jwt"), &app.code()).await.is(400, "BadRequestError");
    verify(&anonymous, &generated.text("jwt"), &app.code()).await.is(401, "AccessTokenInvalidError");
    assert_eq!(verify(&person.client, &generated.text("jwt"), &app.code()).await.status, 204);
    half_a_minute_passes(&pool, &person).await;

    let jwt = half(&anonymous, &person).await.text("jwt");
    let [header, claims, signature] = jwt.split('.').collect::<Vec<_>>()[..] else { panic!("{jwt}") };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for forged in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{}{signature}", claims.replacen('a', "b", 1)),
        generated.text("jwt"),
        person.client.token().unwrap().to_owned(),
        "x".to_owned(),
    ] {
        by_code(&anonymous, &forged, &app.code()).await.is(401, "AccessTokenInvalidError");
    }
    anonymous
        .post("/api2/users/totp/login")
        .json(json!({ "code": app.code() }))
        .await
        .is(401, "AccessTokenInvalidError");
    by_code_with(&anonymous, &jwt, json!({})).await.is(400, "BadRequestError");
    by_code_with(&anonymous, &jwt, json!({ "code": 123_456 })).await.is(400, "BadRequestError");
    verify(&other.client, &jwt, &app.code()).await.is(400, "BadRequestError");

    // A new password makes a login that is under way begin anew.
    let token = super::one_time(&account, async |tokens| {
        let purpose = palaver_commands::identity::Purpose::SetPassword;
        tokens.issue(account.id, super::user(&person), purpose, TimeDelta::minutes(5)).await.unwrap()
    })
    .await;
    let chosen = json!({ "token": token, "password": "another horse entirely" });
    assert_eq!(anonymous.post("/api2/users/password").json(chosen).await.status, 204);
    by_code(&anonymous, &jwt, &app.code()).await.is(401, "AccessTokenInvalidError");
}

pub async fn demand_second_factors(account: &Account) {
    for on in [false, true] {
        let features = [(Feature::Security, on)].into();
        let changes = Box::new(AccountChanges { features, ..AccountChanges::default() });
        account.tell(AccountCommand::Change { changes, sales: true }).await;
    }
}

#[tokio::test]
async fn an_account_that_demands_a_second_factor_lets_nobody_in_without() {
    let service = shared().await;
    let account = service.account("Demanding").await;
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let person = account.person(Role::Cm, PASSWORD).await;
    demand_second_factors(&account).await;
    let first = half(&anonymous, &person).await;
    assert_eq!(first.text("status"), "TOTP_SETUP");
    let asked = half(&anonymous, &person).await;
    let (jwt, app) = (asked.text("jwt"), App::new(&asked.text("secret")));
    assert!(asked.text("image").starts_with("data:image/svg+xml;base64,"));
    assert_ne!(first.text("secret"), asked.text("secret"));
    // It confirms no secret for a session that somebody else may have.
    verify(&person.client, &jwt, &app.code()).await.is(400, "BadRequestError");
    by_code(&anonymous, &jwt, &app.wrong()).await.is(401, "AccessTokenInvalidError");
    by_code(&anonymous, &jwt, &App::new(&first.text("secret")).code()).await.is(401, "AccessTokenInvalidError");
    let_in(&anonymous, &by_code(&anonymous, &jwt, &app.code()).await);
    half_a_minute_passes(&pool, &person).await;
    by_code(&anonymous, &jwt, &app.code()).await.is(409, "ConflictError");
    let asked = half(&anonymous, &person).await;
    assert_eq!(asked.text("status"), "TOTP_REQUIRED");
    let_in(&anonymous, &by_code(&anonymous, &asked.text("jwt"), &app.code()).await);
}

#[tokio::test]
async fn a_second_factor_is_removed_by_its_code_or_by_who_may() {
    let service = shared().await;
    let (account, elsewhere) = (service.account("Removal").await, service.account("Elsewhere").await);
    let (anonymous, pool) = (service.anonymous(), service.pool().await);
    let person = account.person(Role::Cm, PASSWORD).await;
    let app = set_up(&person, &pool).await;
    person.client.delete(&format!("/api2/users/{}/totp", person.id())).await.is(400, "BadRequestError");
    remove(&person.client, person.id(), &app.wrong()).await.is(403, "AccessDenied");
    assert_eq!(remove(&person.client, person.id(), &app.code()).await.status, 204);
    remove(&person.client, person.id(), &app.code()).await.is(409, "ConflictError");
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
    let secrets: i64 = sqlx::query_scalar("SELECT count(*) FROM vault WHERE tenant_id = $1")
        .bind(account.id.to_string())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(secrets, 0, "the secret is gone, too");

    half_a_minute_passes(&pool, &person).await;
    let app = set_up(&person, &pool).await;
    let colleague = account.as_role(Role::Smm).await;
    remove(&colleague, person.id(), &app.code()).await.is(403, "InsufficientPermissions");
    remove(elsewhere.admin(), person.id(), &app.code()).await.is(404, "NotFoundError");
    remove(account.admin(), "0123456789abcdef01234567", "1").await.is(404, "NotFoundError");
    remove(&anonymous, person.id(), &app.code()).await.is(401, "AccessTokenInvalidError");
    // An administrator who has a second factor shows it, and not that of the user.
    let admin = account.person(Role::Admin, PASSWORD).await;
    let own = set_up(&admin, &pool).await;
    remove(&admin.client, person.id(), &app.code()).await.is(403, "AccessDenied");
    assert_eq!(remove(&admin.client, person.id(), &own.code()).await.status, 204);
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);

    let operator = account.person(Role::SuperAdmin, PASSWORD).await;
    set_up(&operator, &pool).await;
    remove(account.admin(), operator.id(), "1").await.is(403, "AccessDenied");
}
