//! `/api2/users/login`, `/logout`, `/activate`: sessions, and the ways they do not come about.

use chrono::{DateTime, TimeDelta, Utc};
use palaver_commands::{
    CommandContext,
    identity::{NewUser, Password, Purpose},
};
use palaver_domain::{
    UserId,
    identity::{Account as Tenant, AccountChanges, AccountCommand, Role, SalesChanges, User, UserCommand},
};
use palaver_tests::{Account, Answer, Client, Service};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};

use super::{PASSWORD, let_in, login, one_time, user, works};
use crate::{now, shared};

#[tokio::test]
async fn a_session_is_told_by_header_and_cookie_and_works_in_three_places() {
    let service = shared().await;
    let account = service.account("Sessions").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let anonymous = service.anonymous();
    let answer = login(&anonymous, &person.name, PASSWORD).await;
    let session = let_in(&anonymous, &answer);
    let cookie = answer.header("set-cookie").unwrap();
    let token = session.token().unwrap();
    assert_eq!(cookie, format!("accesstoken={token}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"));
    assert_eq!(token.len(), 64);
    assert_ne!(Some(token), person.client.token());

    let path = "/api2/channels";
    let other = "0".repeat(64);
    let in_cookie = |token: &str| anonymous.get(path).header("cookie", &format!("theme=dark; accesstoken={token}"));
    session.get(path).await.ok();
    in_cookie(token).await.ok();
    anonymous.get(&format!("{path}?accesstoken={token}")).await.ok();
    // A browser sends its cookie unasked; what is sent on purpose decides.
    session.get(path).header("cookie", &format!("accesstoken={other}")).await.ok();
    anonymous.get(&format!("{path}?accesstoken={token}")).header("cookie", "accesstoken=old").await.ok();
    session.get(&format!("{path}?accesstoken={other}")).await.is(400, "BadRequestError");
    in_cookie(&other).await.is(401, "AccessTokenInvalidError");
    in_cookie(&"x".repeat(600)).await.is(401, "AccessTokenInvalidError");
    in_cookie("").await.is(401, "AccessTokenInvalidError");
    // The name is one in whatever letter case.
    let shouted = login(&anonymous, &format!(" {} ", person.name.to_uppercase()), PASSWORD).await;
    assert!(works(&let_in(&anonymous, &shouted)).await);
}

#[tokio::test]
async fn a_cookie_of_a_service_behind_https_goes_no_other_way() {
    let service =
        palaver_tests::ServiceOptions::new("up").setting("public-url", "https://palaver.example").start().await;
    let account = service.account("Secure").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let answer = login(&service.anonymous(), &person.name, PASSWORD).await;
    let session = let_in(&service.anonymous(), &answer);
    assert!(answer.header("set-cookie").unwrap().ends_with("; HttpOnly; SameSite=Strict; Secure"), "{answer:?}");
    let gone = session.get("/api2/users/logout").await;
    assert_eq!(gone.header("set-cookie"), Some("accesstoken=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"));
}

#[tokio::test]
async fn how_long_a_session_lasts_depends_on_what_uses_it() {
    let service = shared().await;
    let account = service.account("Lifetimes").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let anonymous = service.anonymous();
    let pool = service.pool().await;
    for (query, days) in [
        ("", 0.5),
        ("?type=default", 0.5),
        ("?type=mobile&deviceId=phone", 90.0),
        ("?type=storyPublisher&deviceId=wall", 90.0),
    ] {
        let body = json!({ "username": person.name, "password": PASSWORD });
        let session = let_in(&anonymous, &anonymous.post(&format!("/api2/users/login{query}")).json(body).await);
        let row = sqlx::query("SELECT created_at, expires_at FROM access_tokens WHERE token_hash = sha256($1::bytea)")
            .bind(session.token().unwrap().as_bytes())
            .fetch_one(&pool)
            .await
            .unwrap();
        let (created, expires): (DateTime<Utc>, DateTime<Utc>) = (row.get(0), row.get(1));
        assert_eq!((expires - created).num_seconds() as f64, days * 86_400.0, "{query}");
        assert!(works(&session).await);
        sqlx::query("UPDATE access_tokens SET expires_at = $1 WHERE created_at = $2")
            .bind(now())
            .bind(created)
            .execute(&pool)
            .await
            .unwrap();
        assert!(!works(&session).await, "{query}: it has expired");
    }
}

/// Users who can not log in, each for another reason, by name.
async fn locked_out(account: &Account) -> Vec<(&'static str, String)> {
    let deleted = account.person(Role::Cm, PASSWORD).await;
    let unverified = account.person(Role::Cm, PASSWORD).await;
    let context = CommandContext::system(account.id, "test");
    let new = NewUser { verified: false, ..NewUser::named("new@example.com", Role::Cm) };
    let made: UserId = account
        .act(async |commander| {
            let id = user(&deleted);
            commander
                .run(&context, move |work| {
                    Box::pin(async move { work.handle::<User>(id, UserCommand::Delete).await.map(drop) })
                })
                .await
                .unwrap();
            let made = commander.create_user(&context, new.clone()).await.unwrap().value;
            let password = Password::new(PASSWORD, "").unwrap();
            commander.set_password(account.id, made, &password).await.unwrap();
            made
        })
        .await;
    assert_ne!(made.to_string(), unverified.id());
    let without = account.as_role(Role::Cm).await;
    let without = account
        .act(async |commander| {
            let id: UserId = without.user.as_deref().unwrap().parse().unwrap();
            commander.sessions().user(id).await.unwrap().unwrap().user_name
        })
        .await;
    vec![
        ("unknown", "nobody@example.com".to_owned()),
        ("deleted", deleted.name),
        ("unverified", "new@example.com".to_owned()),
        ("without a password", without),
    ]
}

async fn hashes(service: &Service) -> u64 {
    let metrics = service.anonymous().get("/metrics").await.ok().body;
    let line = metrics.as_str().unwrap().lines().find(|line| line.starts_with("palaver_password_hashes_total "));
    line.map_or(0, |line| line.split(' ').nth(1).unwrap().parse().unwrap())
}

#[tokio::test]
async fn nobody_learns_which_names_there_are() {
    let service = Service::up().await;
    let account = service.account("Names").await;
    let anonymous = service.anonymous();
    let person = account.person(Role::Cm, PASSWORD).await;
    let mut tried = locked_out(&account).await;
    tried.push(("wrong", person.name.clone()));
    let mut answers: Vec<Answer> = Vec::new();
    for (why, name) in &tried {
        let password = if *why == "wrong" { "correct horse bottery" } else { PASSWORD };
        let before = hashes(&service).await;
        answers.push(login(&anonymous, name, password).await.is(401, "AccessTokenInvalidError"));
        assert_eq!(hashes(&service).await - before, 1, "{why}: the work is the same");
    }
    let told = |answer: &Answer| {
        let mut headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        (answer.body.clone(), headers)
    };
    for ((why, _), answer) in tried.iter().zip(&answers) {
        assert_eq!(told(answer), told(&answers[0]), "{why}");
        assert_eq!(answer.header("set-cookie"), None, "{why}");
    }
    let log = service.log();
    assert!(!log.contains("nobody@example.com") && !log.contains(PASSWORD), "no name that was tried is logged");
}

/// Tries until the name is locked, and one more.
async fn lock(client: &Client, name: &str) -> Answer {
    for n in 1..=5 {
        let answer = login(client, name, &format!("wrong password {n}")).await;
        assert_eq!(answer.status, 401, "{n}: {answer:?}");
    }
    login(client, name, PASSWORD).await.is(403, "AccessDenied")
}

#[tokio::test]
async fn the_sixth_try_is_locked_even_with_the_right_password_and_for_unknown_names_alike() {
    let service = shared().await;
    let account = service.account("Locked").await;
    let anonymous = service.anonymous();
    let (person, other) = (account.person(Role::Cm, PASSWORD).await, account.person(Role::Cm, PASSWORD).await);
    let session = let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
    let known = lock(&anonymous, &person.name).await;
    let unknown = lock(&anonymous, "never-heard-of@example.com").await;
    assert_eq!(known.body, unknown.body);
    for answer in [known, unknown] {
        let seconds: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((800..=901).contains(&seconds), "{seconds}");
    }
    login(&anonymous, &person.name.to_uppercase(), PASSWORD).await.is(403, "AccessDenied");
    assert!(works(&session).await, "who is logged in stays so");
    let_in(&anonymous, &login(&anonymous, &other.name, PASSWORD).await);

    // What a quarter of an hour does.
    let pool = service.pool().await;
    age_attempts(&pool, TimeDelta::minutes(14)).await;
    login(&anonymous, &person.name, PASSWORD).await.is(403, "AccessDenied");
    age_attempts(&pool, TimeDelta::minutes(1)).await;
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
}

/// Lets time pass for all names.
async fn age_attempts(pool: &PgPool, by: TimeDelta) {
    sqlx::query(
        "UPDATE login_attempts SET locked_until = locked_until - $1,
             failures = ARRAY(SELECT f - $1 FROM unnest(failures) AS f)",
    )
    .bind(by)
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_login_forgives_earlier_failures_and_only_recent_ones_count() {
    let service = Service::up().await;
    let account = service.account("Forgiven").await;
    let anonymous = service.anonymous();
    let person = account.person(Role::Cm, PASSWORD).await;
    let pool = service.pool().await;
    for _ in 0..3 {
        for _ in 0..4 {
            login(&anonymous, &person.name, "wrong password").await.is(401, "AccessTokenInvalidError");
        }
        let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
    }
    for _ in 0..3 {
        for _ in 0..4 {
            login(&anonymous, &person.name, "wrong password").await.is(401, "AccessTokenInvalidError");
        }
        age_attempts(&pool, TimeDelta::minutes(15)).await;
    }
    lock(&anonymous, &person.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_get_no_further_than_one_after_the_other() {
    let service = shared().await;
    let account = service.account("Guesses").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let anonymous = service.anonymous();
    let guesses = (0..20).map(|n| {
        let (client, name) = (anonymous.clone(), person.name.clone());
        tokio::spawn(async move { login(&client, &name, &format!("guess number {n}")).await.status })
    });
    let mut answers = [0, 0];
    for guess in futures::future::join_all(guesses).await {
        match guess.unwrap() {
            401 => answers[0] += 1,
            403 => answers[1] += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(answers, [5, 15]);
}

#[tokio::test]
async fn a_token_is_dead_as_soon_as_its_session_ends() {
    let service = shared().await;
    let account = service.account("Logout").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    let anonymous = service.anonymous();
    let open = async |device: &str| {
        let body = json!({ "username": person.name, "password": PASSWORD });
        let path = format!("/api2/users/login?type=mobile&deviceId={device}");
        let_in(&anonymous, &anonymous.post(&path).json(body).await)
    };
    let (one, two, three) = (open("a").await, open("a").await, open("b").await);
    let gone = three.get("/api2/users/logout").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    assert_eq!(gone.header("set-cookie"), Some("accesstoken=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"));
    assert!(!works(&three).await && works(&one).await && works(&two).await);
    three.get("/api2/users/logout").await.is(401, "AccessTokenInvalidError");

    let four = open("c").await;
    // Another's device of the same name is another's.
    let stranger = account.person(Role::Cm, PASSWORD).await;
    let theirs = login(&anonymous, &stranger.name, PASSWORD).await;
    let theirs = let_in(&anonymous, &theirs);
    theirs.get("/api2/users/logout?deviceId=a").await.ok();
    assert!(works(&one).await && works(&two).await);
    four.get("/api2/users/logout?deviceId=a").await.ok();
    assert!(!works(&one).await && !works(&two).await && !works(&four).await);
    assert!(works(&person.client).await);
    person.client.get("/api2/users/logout?deviceId=").await.is(400, "BadRequestError");
    person.client.get(&format!("/api2/users/logout?deviceId={}", "x".repeat(201))).await.is(400, "BadRequestError");
    anonymous.get("/api2/users/logout").await.is(401, "AccessTokenInvalidError");
}

async fn expire(account: &Account, at: DateTime<Utc>) {
    let id = account.id;
    let context = CommandContext::system(id, "test");
    account
        .act(async |commander| {
            let changed = commander.run(&context, move |work| {
                let sales = SalesChanges { expiration_time: Some(Some(at)), ..SalesChanges::default() };
                let changes = Box::new(AccountChanges { sales, ..AccountChanges::default() });
                Box::pin(async move {
                    work.handle::<Tenant>(id, AccountCommand::Change { changes, sales: true }).await.map(drop)
                })
            });
            changed.await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn an_account_that_has_come_to_its_end_lets_nobody_in_but_those_who_run_the_service() {
    let service = shared().await;
    let account = service.account("Ended").await;
    let anonymous = service.anonymous();
    let (person, operator) =
        (account.person(Role::Admin, PASSWORD).await, account.person(Role::SuperAdmin, PASSWORD).await);
    expire(&account, now() - TimeDelta::hours(1)).await;
    login(&anonymous, &person.name, PASSWORD).await.is(403, "AccessDenied");
    // Who does not know the password does not learn it.
    login(&anonymous, &person.name, "wrong password").await.is(401, "AccessTokenInvalidError");
    let_in(&anonymous, &login(&anonymous, &operator.name, PASSWORD).await);
    expire(&account, now() + TimeDelta::hours(1)).await;
    let_in(&anonymous, &login(&anonymous, &person.name, PASSWORD).await);
}

#[tokio::test]
async fn what_is_no_login_is_told_so() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let good = json!({ "username": "a@example.com", "password": "something" });
    for body in [
        json!({}),
        json!({ "username": "a" }),
        json!({ "password": "a" }),
        json!({ "username": 1, "password": "a" }),
        json!({ "username": null, "password": null }),
        json!([]),
        json!({ "username": "a\u{0}", "password": "a" }),
    ] {
        anonymous.post("/api2/users/login").json(body).await.is(400, "BadRequestError");
    }
    for query in ["type=tv", "deviceId=", "deviceID=a", &format!("deviceId={}", "x".repeat(201)), "deviceId=%00"] {
        anonymous.post(&format!("/api2/users/login?{query}")).json(good.clone()).await.is(400, "BadRequestError");
    }
    anonymous.post("/api2/users/login").await.is(415, "UnsupportedMediaType");
    login(&anonymous, "", "").await.is(401, "AccessTokenInvalidError");
    login(&anonymous, &"n".repeat(100_000), &"p".repeat(100_000)).await.is(401, "AccessTokenInvalidError");
}

#[tokio::test]
async fn a_new_user_is_activated_once_and_chooses_a_password() {
    let service = shared().await;
    let account = service.account("Activated").await;
    let anonymous = service.anonymous();
    let context = CommandContext::system(account.id, "test");
    let name = format!("invited-{}@example.com", account.id);
    let new = NewUser { verified: false, ..NewUser::named(name.clone(), Role::Cm) };
    let id = account.act(async |commander| commander.create_user(&context, new.clone()).await.unwrap().value).await;
    let issue = async |purpose, minutes| {
        one_time(&account, async |tokens| {
            tokens.issue(account.id, id, purpose, TimeDelta::minutes(minutes)).await.unwrap()
        })
        .await
    };
    let activate = |name: &str, token: &str| {
        let body = json!({ "username": name, "accountVerifyOneTimeToken": token });
        anonymous.post("/api2/users/activate?type=mobile").json(body)
    };
    let token = issue(Purpose::VerifyAccount, 5).await;
    let other = account.person(Role::Cm, PASSWORD).await;
    activate(&other.name, &token).await.is(403, "TokenExpired");
    activate(&name, &issue(Purpose::SetPassword, 5).await).await.is(403, "TokenExpired");
    activate(&name, &issue(Purpose::VerifyAccount, -1).await).await.is(403, "TokenExpired");
    activate(&name, "").await.is(403, "TokenExpired");
    for body in [json!({ "username": name }), json!({ "accountVerifyOneTimeToken": token })] {
        anonymous.post("/api2/users/activate").json(body).await.is(400, "BadRequestError");
    }
    let story = json!({ "username": name, "accountVerifyOneTimeToken": token });
    anonymous.post("/api2/users/activate?type=storyPublisher").json(story).await.is(400, "BadRequestError");

    let activated = activate(&name, &token).await.ok();
    assert_eq!(activated.body["products"], json!(["cp", "inbox", "ml"]));
    assert_eq!(activated.header("cache-control"), Some("no-store"));
    let session = anonymous.with_token(&activated.text("accessToken"));
    assert!(works(&session).await);
    activate(&name, &token).await.is(403, "TokenExpired");

    let chosen = json!({ "token": activated.text("oneTimeToken"), "password": PASSWORD });
    assert_eq!(anonymous.post("/api2/users/password").json(chosen).await.status, 204);
    let_in(&anonymous, &login(&anonymous, &name, PASSWORD).await);
    let events: Vec<String> =
        sqlx::query_scalar("SELECT event_type FROM events WHERE aggregate_id = $1 ORDER BY sequence")
            .bind(id.to_string())
            .fetch_all(&service.pool().await)
            .await
            .unwrap();
    assert_eq!(events, ["UserCreated", "UserVerified", "UserPasswordChanged"]);
    assert_eq!(Value::from(works(&session).await), false, "a new password ends what was open");
}
