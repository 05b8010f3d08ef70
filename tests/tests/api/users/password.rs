//! `/api2/users/password`: mails with a way back, and what the way back takes.

use std::sync::Arc;

use chrono::TimeDelta;
use palaver_commands::{
    identity::Purpose,
    mail::{ListedMail, Outbox},
};
use palaver_domain::{UserId, identity::Role};
use palaver_eventstore::{clock::SystemClock, ids::SystemIds};
use palaver_tests::{Account, Answer, Client, MASTER_KEY, Person, Service, eventually};
use serde_json::json;
use sqlx::PgPool;

use super::{PASSWORD, let_in, login, one_time, user, works};
use crate::shared;

const NEW: &str = "another horse entirely";

async fn reset(client: &Client, name: &str) -> Answer {
    client.post("/api2/users/password/reset").json(json!({ "userName": name })).await
}

async fn set(client: &Client, token: &str, password: &str) -> Answer {
    client.post("/api2/users/password").json(json!({ "token": token, "password": password })).await
}

async fn outbox(service: &Service) -> Outbox {
    let key = MASTER_KEY.parse().unwrap();
    Outbox::new(service.pool().await, Some(&key), Arc::new(SystemClock), Arc::new(SystemIds))
}

async fn mails_to(outbox: &Outbox, recipient: &str) -> Vec<ListedMail> {
    let all = outbox.list(None, 1_000).await.unwrap();
    all.into_iter().filter(|mail| mail.recipient == recipient).collect()
}

async fn issue(account: &Account, person: &Person, purpose: Purpose, minutes: i64) -> String {
    let lifetime = TimeDelta::minutes(minutes);
    one_time(account, async |tokens| tokens.issue(account.id, user(person), purpose, lifetime).await.unwrap()).await
}

#[tokio::test]
async fn a_mail_brings_a_link_that_changes_the_password_once() {
    let service = shared().await;
    let account = service.account("Reset").await;
    let anonymous = service.anonymous();
    let person = account.person(Role::Cm, PASSWORD).await;
    let session = let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
    let asked = reset(&anonymous, &person.name).await;
    assert_eq!((asked.status, asked.body.as_str()), (204, Some("")));

    let outbox = outbox(&service).await;
    let mail = eventually("the mail", || async { mails_to(&outbox, &person.name).await.pop() }).await;
    let (_, content) = outbox.show(mail.id).await.unwrap();
    let link = content.text.lines().find(|line| line.contains("/set-password#token=")).unwrap();
    assert!(link.starts_with(&service.endpoint().url()), "{link}");
    let token = link.split_once("#token=").unwrap().1;

    set(&anonymous, token, "short").await.is(400, "PasswordCriteriaMismatch");
    set(&anonymous, token, &person.name.to_uppercase()).await.is(400, "PasswordCriteriaMismatch");
    set(&anonymous, token, PASSWORD).await.is(400, "PasswordIdentical");
    assert!(works(&session).await, "nothing has changed");
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);

    assert_eq!(set(&anonymous, token, NEW).await.status, 204);
    assert!(!works(&session).await && !works(&person.client).await, "every session has ended");
    login(&anonymous, &person.name, PASSWORD).await.is(401, "AccessTokenInvalidError");
    let_in(&anonymous, &login(&anonymous, &person.name, NEW).await);
    set(&anonymous, token, "a third horse").await.is(403, "TokenExpired");

    let pool = service.pool().await;
    assert_eq!(changes(&pool, user(&person)).await, 1);
    for secret in [token, PASSWORD, NEW] {
        let told: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM events WHERE payload::text LIKE $1 OR metadata::text LIKE $1)
                 OR EXISTS (SELECT 1 FROM passwords WHERE hash LIKE $1)",
        )
        .bind(format!("%{secret}%"))
        .fetch_one(&pool)
        .await
        .unwrap();
        assert!(!told && !service.log().contains(secret), "no secret is told");
    }
}

async fn changes(pool: &PgPool, user: UserId) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE aggregate_id = $1 AND event_type = 'UserPasswordChanged'
             AND metadata->>'actor' = 'user:' || aggregate_id",
    )
    .bind(user.to_string())
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_token_does_what_it_is_for_until_it_expires_or_another_was_used() {
    let service = shared().await;
    let account = service.account("Tokens").await;
    let anonymous = service.anonymous();
    let (person, other) = (account.person(Role::Cm, PASSWORD).await, account.person(Role::Cm, PASSWORD).await);
    for token in [
        issue(&account, &person, Purpose::SetPassword, -1).await,
        issue(&account, &person, Purpose::VerifyAccount, 5).await,
        person.client.token().unwrap().to_owned(),
        String::new(),
        "0".repeat(64),
    ] {
        set(&anonymous, &token, NEW).await.is(403, "TokenExpired");
    }
    let (one, two) = (
        issue(&account, &person, Purpose::SetPassword, 5).await,
        issue(&account, &person, Purpose::SetPassword, 5).await,
    );
    let others = issue(&account, &other, Purpose::SetPassword, 5).await;
    assert_eq!(set(&anonymous, &one, NEW).await.status, 204);
    set(&anonymous, &two, "yet another horse").await.is(403, "TokenExpired");
    assert_eq!(set(&anonymous, &others, NEW).await.status, 204);
    for body in [json!({ "token": two }), json!({ "password": NEW }), json!({ "token": 1, "password": NEW })] {
        anonymous.post("/api2/users/password").json(body).await.is(400, "BadRequestError");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_one_token_at_once_one_succeeds() {
    let service = shared().await;
    let account = service.account("Race").await;
    let anonymous = service.anonymous();
    let person = account.person(Role::Cm, PASSWORD).await;
    let token = issue(&account, &person, Purpose::SetPassword, 5).await;
    let tries = (0..6).map(|n| {
        let (client, token) = (anonymous.clone(), token.clone());
        tokio::spawn(async move { (n, set(&client, &token, &format!("horse number {n}")).await.status) })
    });
    let tried: Vec<(i32, u16)> =
        futures::future::join_all(tries).await.into_iter().map(|tried| tried.unwrap()).collect();
    let won: Vec<i32> = tried.iter().filter(|(_, status)| *status == 204).map(|(n, _)| *n).collect();
    assert_eq!(won.len(), 1, "{tried:?}");
    assert!(tried.iter().all(|(_, status)| [204, 403].contains(status)), "{tried:?}");
    let_in(&anonymous, &login(&anonymous, &person.name, &format!("horse number {}", won[0])).await);
    assert_eq!(changes(&service.pool().await, user(&person)).await, 1);
}

#[tokio::test]
async fn a_reset_tells_nobody_who_is_there_and_floods_nobody() {
    let service = shared().await;
    let account = service.account("Flood").await;
    let anonymous = service.anonymous();
    let person = account.person(Role::Cm, PASSWORD).await;
    let known = reset(&anonymous, &person.name).await;
    let unknown = reset(&anonymous, "nobody-here@example.com").await;
    let told = |answer: &Answer| (answer.status, answer.body.clone(), answer.headers.keys().count());
    assert_eq!(told(&known), told(&unknown));
    assert_eq!(known.status, 204);
    let outbox = outbox(&service).await;
    eventually("the first mail", || async { mails_to(&outbox, &person.name).await.pop() }).await;
    for _ in 0..6 {
        assert_eq!(reset(&anonymous, &person.name).await.status, 204);
    }
    // Resets are worked on in no order; one for somebody else that comes last tells when the others are done.
    eventually("all of them", || async { (mails_to(&outbox, &person.name).await.len() == 3).then_some(()) }).await;
    let last = account.person(Role::Cm, PASSWORD).await;
    reset(&anonymous, &last.name).await.ok();
    eventually("the last mail", || async { mails_to(&outbox, &last.name).await.pop() }).await;
    assert_eq!(mails_to(&outbox, &person.name).await.len(), 3);
    assert!(mails_to(&outbox, "nobody-here@example.com").await.is_empty());
    for body in [json!({}), json!({ "userName": 1 }), json!({ "username": "a" })] {
        anonymous.post("/api2/users/password/reset").json(body).await.is(400, "BadRequestError");
    }
}
