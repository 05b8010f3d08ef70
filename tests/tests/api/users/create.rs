use palaver_domain::identity::{AccountChanges, AccountCommand, Feature, Limits, Role, SalesChanges};
use palaver_tests::Client;
use serde_json::{Value, json};

use super::PASSWORD;
use crate::shared;

fn somebody(user_name: &str) -> Value {
    json!({
        "userName": user_name, "role": "EDITOR", "firstName": "Ann", "lastName": "Example",
        "email": "ann@example.com", "locale": "de", "password": PASSWORD,
    })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn mails_of(pool: &sqlx::PgPool, account: &palaver_tests::Account) -> Vec<(String, String, String)> {
    sqlx::query_as("SELECT kind, recipient, locale FROM mail_outbox WHERE tenant_id = $1 ORDER BY created_at")
        .bind(account.id.to_string())
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_user_has_a_password_or_is_invited_to_choose_one() {
    let service = shared().await;
    let account = service.account("New users").await;
    let admin = account.admin();
    let pool = service.pool().await;
    let team = account.team("Red").await;
    let body = with(somebody(" Ann.New@example.com "), "teams", json!([team]));
    let made = admin.post("/api2/users").json(body).key("new-user").await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!((made.text("userName"), made.text("role")), ("Ann.New@example.com".to_owned(), "EDITOR".to_owned()));
    assert_eq!((made.body["teams"].clone(), made.text("locale")), (json!([team]), "de".to_owned()));
    assert!(account.has_password(&made.id(), PASSWORD).await);
    assert_eq!(mails_of(&pool, &account).await, []);

    // The same request again is the same user.
    let body = with(somebody(" Ann.New@example.com "), "teams", json!([team]));
    let again = admin.post("/api2/users").json(body).key("new-user").await.ok();
    assert!(again.replayed() && again.body == made.body);

    let mut body = somebody("bob.new@example.com");
    body.as_object_mut().unwrap().remove("password");
    let invited = admin.post("/api2/users").json(body.clone()).key("invited").await.ok();
    let mail = [("invitation".to_owned(), "ann@example.com".to_owned(), "de".to_owned())];
    assert_eq!(mails_of(&pool, &account).await, mail);
    assert!(admin.post("/api2/users").json(body).key("invited").await.ok().replayed());
    assert_eq!(mails_of(&pool, &account).await, mail, "one mail for one user");
    let tokens: i64 = sqlx::query_scalar("SELECT count(*) FROM one_time_tokens WHERE user_id = $1 AND used_at IS NULL")
        .bind(invited.id())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(tokens, 1);

    let listed = admin.get("/api2/users").await.ok().body;
    for user in [&made, &invited] {
        assert!(listed.as_array().unwrap().contains(&user.body), "{listed}");
    }
    assert!(!listed.to_string().contains(PASSWORD));
}

#[tokio::test]
async fn a_user_name_is_taken_in_every_account_until_its_user_is_deleted() {
    let service = shared().await;
    let (ours, theirs) = (service.account("First").await, service.account("Second").await);
    let made = ours.admin().post("/api2/users").json(somebody("unique@example.com")).await.ok();
    let again = |client: &Client, name: &str| client.post("/api2/users").json(somebody(name));
    for client in [ours.admin(), theirs.admin()] {
        for name in ["unique@example.com", "Unique@Example.COM", " unique@example.com"] {
            let refused = again(client, name).await.is(409, "ConflictError");
            assert!(refused.text("message").contains("userName"), "{}", refused.body);
        }
    }
    assert_eq!(ours.admin().delete(&format!("/api2/users/{}", made.id())).await.status, 204);
    let anew = again(theirs.admin(), "UNIQUE@example.com").await.ok();
    assert_ne!(anew.id(), made.id());
    again(ours.admin(), "unique@example.com").await.is(409, "ConflictError");
}

#[tokio::test]
async fn nobody_makes_somebody_who_may_do_more() {
    let service = shared().await;
    let (account, other) = (service.account("Ranks").await, service.account("Other ranks").await);
    let operator = account.as_role(Role::SuperAdmin).await;
    let as_role = |name: &str, role: Role| with(somebody(name), "role", json!(role));
    for role in [Role::SuperAdmin, Role::SuperAdminViewer] {
        let refused = account.admin().post("/api2/users").json(as_role("no-operator", role)).await;
        refused.is(403, "AccessDenied");
        let name = format!("operator-{role}");
        operator.post("/api2/users").json(as_role(&name, role)).await.ok();
    }
    let elsewhere = |name: &str| with(somebody(name), "accountId", json!(other.id));
    account.admin().post("/api2/users").json(elsewhere("not-there")).await.is(403, "AccessDenied");
    let made = operator.post("/api2/users").json(elsewhere("sent@example.com")).await.ok();
    assert_eq!(made.body["accountId"], json!(other.id));
    let listed = other.admin().get("/api2/users").after(made.position()).await.ok().body;
    assert!(listed.to_string().contains("sent@example.com"));
    let nowhere = with(somebody("lost"), "accountId", json!("0123456789abcdef01234567"));
    operator.post("/api2/users").json(nowhere).await.is(404, "NotFoundError");
    // One's own account may be named by anybody who may create users in it.
    let here = with(somebody("here@example.com"), "accountId", json!(account.id));
    account.admin().post("/api2/users").json(here).await.ok();
}

#[tokio::test]
async fn an_account_has_room_for_so_many_users_and_for_what_it_has_bought() {
    let service = shared().await;
    let account = service.account("Full").await;
    let admin = account.admin();
    let limits = Some(Limits { users: Some(2), ..Limits::default() });
    let changes = AccountChanges {
        features: [(Feature::CustomPermissions, false)].into(),
        sales: SalesChanges { limits, ..SalesChanges::default() },
        ..AccountChanges::default()
    };
    account.tell(AccountCommand::Change { changes: Box::new(changes), sales: true }).await;
    let custom = with(somebody("custom-new"), "role", json!("CUSTOM"));
    let refused = admin.post("/api2/users").json(custom).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("customPermissions"), "{}", refused.body);
    let second = admin.post("/api2/users").json(somebody("second@full.example")).await.ok();
    let refused = admin.post("/api2/users").json(somebody("third@full.example")).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("may have 2 users"), "{}", refused.body);
    admin.delete(&format!("/api2/users/{}", second.id())).await.ok();
    admin.post("/api2/users").json(somebody("third@full.example")).await.ok();
}

#[tokio::test]
async fn everything_wrong_with_a_new_user_has_the_name_of_its_field() {
    let service = shared().await;
    let account = service.account("Wrong").await;
    let admin = account.admin();
    let nothing = admin.post("/api2/users").json(json!({})).await.is(400, "ValidationError");
    let required: Vec<_> = nothing.body["errors"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(required, ["email", "firstName", "lastName", "locale", "role", "userName"]);
    let valid = || somebody("wrong@example.com");
    for (body, errors) in [
        (with(valid(), "email", json!("ann")), json!({ "email": ["invalidEmail"] })),
        (with(valid(), "role", json!("KING")), json!({ "role": ["invalidRole"] })),
        (with(valid(), "locale", json!("tlh")), json!({ "locale": ["invalidLocale"] })),
        (with(valid(), "firstName", json!("a".repeat(255))), json!({ "firstName": ["tooLong"] })),
        (with(valid(), "phone", json!("1".repeat(51))), json!({ "phone": ["tooLong"] })),
        (with(valid(), "userName", json!("a".repeat(255))), json!({ "userName": ["tooLong"] })),
        (with(valid(), "teams", json!(["0123456789abcdef01234567"])), json!({ "teams": ["unknownTeam"] })),
    ] {
        let refused = admin.post("/api2/users").json(body).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], errors);
    }
    let theirs = service.account("Their team").await.team("Red").await;
    let refused = admin.post("/api2/users").json(with(valid(), "teams", json!([theirs]))).await;
    assert_eq!(refused.is(400, "ValidationError").body["errors"], json!({ "teams": ["unknownTeam"] }));
    for password in ["short", "aaaaaaaaaaaa", "wrong@example.com"] {
        let refused = admin.post("/api2/users").json(with(valid(), "password", json!(password))).await;
        refused.is(400, "PasswordCriteriaMismatch");
    }
    for (field, value) in [("teams", json!(["red"])), ("userName", json!(7)), ("accountId", json!("x"))] {
        let refused = admin.post("/api2/users").json(with(valid(), field, value)).await.is(400, "BadRequestError");
        assert!(refused.text("message").contains(field), "{}", refused.body);
    }
    // And none of it was made.
    admin.post("/api2/users").json(valid()).await.ok();
}
