use palaver_domain::identity::{AccountChanges, AccountCommand, Feature, Role};
use palaver_tests::eventually;
use serde_json::json;

use super::{PASSWORD, failed, listed, path, reasons};
use crate::shared;

const UNKNOWN: &str = "0123456789abcdef01234567";

#[tokio::test]
async fn everybody_changes_what_is_theirs() {
    let service = shared().await;
    let account = service.account("Oneself").await;
    let user = account.as_role(Role::Observer).await;
    let told = json!({
        "firstName": "Ann", "lastName": "Example", "email": "ann@example.com", "phone": "+49 221 0", "locale": "de",
        "settings": { "theme": { "dark": true } },
    });
    let changed = user.patch(&path(&user)).json(told.clone()).key("me").await.ok();
    for (field, value) in told.as_object().unwrap() {
        assert_eq!(&changed.body[field], value);
    }
    assert!(user.patch(&path(&user)).json(told).key("me").await.ok().replayed());
    // What is left out, or null, stays; settings are replaced.
    let some = json!({ "firstName": "Anna", "lastName": null, "settings": {} });
    let changed = user.patch(&path(&user)).json(some).await.ok();
    assert_eq!((changed.text("firstName"), changed.text("lastName")), ("Anna".to_owned(), "Example".to_owned()));
    assert_eq!(changed.body["settings"], json!({}));
    let unchanged = user.patch(&path(&user)).json(json!({})).await.ok();
    assert_eq!(unchanged.body, changed.body);

    for (body, errors) in [
        (json!({ "email": "ann", "firstName": " " }), json!({ "email": ["invalidEmail"], "firstName": ["required"] })),
        (json!({ "locale": "tlh" }), json!({ "locale": ["invalidLocale"] })),
        (json!({ "role": "KING" }), json!({ "role": ["invalidRole"] })),
        (json!({ "settings": { "a": "a".repeat(20_000) } }), json!({ "settings": ["tooLong"] })),
        (json!({ "oldPassword": PASSWORD }), json!({ "password": ["required"] })),
        (json!({ "mobileDevice": { "id": "", "token": "t" } }), json!({ "mobileDevice.id": ["required"] })),
        (
            json!({ "mobileDevice": { "id": "a", "token": "t".repeat(513) } }),
            json!({ "mobileDevice.token": ["tooLong"] }),
        ),
    ] {
        let refused = user.patch(&path(&user)).json(body).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], errors);
    }
    for body in [json!({ "settings": 7 }), json!({ "teams": ["x"] }), json!({ "mobileDevice": { "id": "a" } })] {
        user.patch(&path(&user)).json(body).await.is(400, "BadRequestError");
    }
    user.patch("/api2/users/me").json(json!({})).await.is(400, "BadRequestError");
    assert_eq!(listed(account.admin(), &user).await, unchanged.body, "nothing that was refused has happened");
}

#[tokio::test]
async fn others_are_changed_by_who_may_and_never_by_who_may_less() {
    let service = shared().await;
    let account = service.account("Others' users").await;
    let (admin, user) = (account.admin(), account.as_role(Role::Cm).await);
    let operator = account.as_role(Role::SuperAdmin).await;
    let name = json!({ "firstName": "Ann" });
    for role in [Role::Observer, Role::Smm, Role::SuperAdminViewer] {
        let colleague = account.as_role(role).await;
        colleague.patch(&path(&user)).json(name.clone()).await.is(403, "InsufficientPermissions");
    }
    admin.patch(&path(&user)).json(name.clone()).await.ok();
    admin.patch(&path(&operator)).json(name.clone()).await.is(403, "AccessDenied");
    let taken = json!({ "password": PASSWORD });
    admin.patch(&path(&operator)).json(taken).await.is(403, "AccessDenied");
    operator.patch(&path(admin)).json(name.clone()).await.ok();
    admin.patch(&format!("/api2/users/{UNKNOWN}")).json(name).await.is(404, "NotFoundError");
    let device = json!({ "mobileDevice": { "id": "a", "token": "t" } });
    let refused = admin.patch(&path(&user)).json(device).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "mobileDevice": ["onlyForOneself"] }));
}

#[tokio::test]
async fn a_role_is_given_by_administrators_and_holds_for_the_next_request() {
    let service = shared().await;
    let account = service.account("Roles given").await;
    let admin = account.admin();
    let team = account.team("Red").await;
    let user = account.user(Role::Observer, vec![team]).await;
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(403, "InsufficientPermissions");
    let changed = admin.patch(&path(&user)).json(json!({ "role": "EDITOR" })).await.ok();
    assert_eq!(changed.body["permissions"], json!(Role::Editor.permissions()));
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(400, "ValidationError");
    admin.patch(&path(&user)).json(json!({ "role": "OBSERVER" })).await.ok();
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(403, "InsufficientPermissions");

    let own = admin.patch(&path(admin)).json(json!({ "role": "SMM" })).await;
    assert_eq!(failed(own), reasons(&[("role", "updatingOwnRole"), ("teams", "nonAdminMustBePartOfTeam")]));
    let own = user.patch(&path(&user)).json(json!({ "role": "ADMIN" })).await;
    let expected = [("role", "invalidRole"), ("role", "updatingOwnRole"), ("role", "updatingRoleAsNonAdmin")];
    assert_eq!(failed(own), reasons(&expected));
    let operator = admin.patch(&path(&user)).json(json!({ "role": "SUPERADMIN" })).await;
    assert_eq!(failed(operator), reasons(&[("role", "invalidRole")]));
    // The role one has is no change.
    user.patch(&path(&user)).json(json!({ "role": "OBSERVER", "firstName": "Ann" })).await.ok();

    let custom = admin.patch(&path(&user)).json(json!({ "role": "CUSTOM" })).await.ok();
    assert_eq!(custom.body["role"], "CUSTOM");
    assert!(custom.body["permissions"].as_array().unwrap().contains(&json!("ViewPosts")), "{}", custom.body);
    let off = AccountChanges { features: [(Feature::CustomPermissions, false)].into(), ..AccountChanges::default() };
    account.tell(AccountCommand::Change { changes: Box::new(off), sales: true }).await;
    let other = account.user(Role::Observer, vec![team]).await;
    let refused = admin.patch(&path(&other)).json(json!({ "role": "CUSTOM" })).await;
    assert_eq!(failed(refused), reasons(&[("role", "invalidRole")]));
}

#[tokio::test]
async fn who_is_no_administrator_is_part_of_a_team() {
    let service = shared().await;
    let account = service.account("Teams needed").await;
    let admin = account.admin();
    let team = account.team("Red").await;
    let user = account.as_role(Role::Admin).await;
    let refused = admin.patch(&path(&user)).json(json!({ "role": "SMM" })).await;
    assert_eq!(failed(refused), reasons(&[("teams", "nonAdminMustBePartOfTeam")]));
    let both = json!({ "role": "SMM", "teams": [team] });
    let changed = admin.patch(&path(&user)).json(both).await.ok();
    assert_eq!((changed.text("role"), changed.body["teams"].clone()), ("SMM".to_owned(), json!([team])));
    let refused = admin.patch(&path(&user)).json(json!({ "teams": [] })).await;
    assert_eq!(failed(refused), reasons(&[("teams", "nonAdminMustBePartOfTeam")]));
    let foreign = service.account("Foreign team").await.team("Blue").await;
    for unknown in [json!(UNKNOWN), json!(foreign)] {
        let refused = admin.patch(&path(&user)).json(json!({ "teams": [team, unknown] })).await;
        assert_eq!(failed(refused), reasons(&[("teams", "teamNotFound")]));
    }
    let own = user.patch(&path(&user)).json(json!({ "teams": [account.team("Green").await] })).await;
    assert_eq!(failed(own), reasons(&[("teams", "cantUpdateOwnPermissions")]));

    let off = AccountChanges { features: [(Feature::Teams, false)].into(), ..AccountChanges::default() };
    account.tell(AccountCommand::Change { changes: Box::new(off), sales: true }).await;
    admin.patch(&path(&user)).json(json!({ "teams": [] })).await.ok();
}

#[tokio::test]
async fn channels_are_closed_to_others_by_who_may_change_them() {
    let service = shared().await;
    let account = service.account("Closed channels").await;
    let admin = account.admin();
    let team = account.team("Red").await;
    let user = account.user(Role::Smm, vec![team]).await;
    let channel = admin.sandbox("Open").await;
    let closed = json!({ "readOnlyChannelIds": [channel] });
    let changed = admin.patch(&path(&user)).json(closed.clone()).await.ok();
    assert_eq!(changed.body["readOnlyChannelIds"], json!([channel]));
    let foreign = service.account("Foreign channel").await.admin().sandbox("Theirs").await;
    for unknown in [UNKNOWN, &foreign] {
        let refused = admin.patch(&path(&user)).json(json!({ "readOnlyChannelIds": [unknown] })).await;
        assert_eq!(failed(refused), reasons(&[("readOnlyChannelIds", "channelDoesNotExist")]));
    }
    let other = account.as_role(Role::Admin).await;
    let refused = admin.patch(&path(&other)).json(closed).await;
    assert_eq!(failed(refused), reasons(&[("readOnlyChannelIds", "noReadOnlyChannelsForAdmins")]));
    let own = user.patch(&path(&user)).json(json!({ "readOnlyChannelIds": [] })).await;
    let expected =
        [("readOnlyChannelIds", "cantUpdateOwnPermissions"), ("readOnlyChannelIds", "updatingUserMissingWriteAccess")];
    assert_eq!(failed(own), reasons(&expected));
    // Nothing is closed to administrators.
    let promoted = admin.patch(&path(&user)).json(json!({ "role": "ADMIN" })).await.ok();
    assert_eq!(promoted.body["readOnlyChannelIds"], json!([]));
}

#[tokio::test]
async fn a_new_password_takes_the_old_one_and_ends_all_other_sessions() {
    let service = shared().await;
    let account = service.account("Passwords").await;
    let user = account.as_role(Role::Editor).await;
    account.set_password(&user, PASSWORD).await;
    let other = account.session(&user).await;
    other.get("/api2/channels").await.ok();
    let id = user.id().to_string();
    let new = "another horse entirely";
    let change = |old: Option<&str>, password: &str| {
        user.patch(&path(&user)).json(json!({ "oldPassword": old, "password": password, "firstName": "Ann" }))
    };
    for (old, password, expected) in [
        (None, new, &[("oldPassword", "oldPasswordMissing")][..]),
        (Some("wrong horse entirely"), new, &[("oldPassword", "incorrectPassword")]),
        (Some(PASSWORD), PASSWORD, &[("password", "passwordSameAsOldPassword")]),
        (Some(PASSWORD), "short", &[("password", "invalidPassword")]),
        (None, "short", &[("oldPassword", "oldPasswordMissing"), ("password", "invalidPassword")]),
    ] {
        assert_eq!(failed(change(old, password).await), reasons(expected), "{old:?} {password}");
    }
    assert_eq!(listed(account.admin(), &user).await["firstName"], "", "nothing changes when one thing fails");
    assert!(account.has_password(&id, PASSWORD).await);

    change(Some(PASSWORD), new).key("password").await.ok();
    assert!(account.has_password(&id, new).await && !account.has_password(&id, PASSWORD).await);
    other.get("/api2/channels").await.is(401, "AccessTokenInvalidError");
    user.get("/api2/channels").await.ok();
    // The same request again does not set it again.
    account.set_password(&user, "set since by a mail").await;
    assert!(change(Some(PASSWORD), new).key("password").await.ok().replayed());
    assert!(account.has_password(&id, "set since by a mail").await);

    // Whoever runs the account needs no old one, and nobody stays logged in.
    account.admin().patch(&path(&user)).json(json!({ "password": new })).await.ok();
    assert!(account.has_password(&id, new).await);
    user.get("/api2/channels").await.is(401, "AccessTokenInvalidError");
    let short = account.admin().patch(&path(&user)).json(json!({ "password": "short" })).await;
    assert_eq!(failed(short), reasons(&[("password", "invalidPassword")]));
    let events: String = sqlx::query_scalar("SELECT string_agg(payload::text, '') FROM events WHERE tenant_id = $1")
        .bind(account.id.to_string())
        .fetch_one(&service.pool().await)
        .await
        .unwrap();
    assert!(events.contains("PasswordChanged") && !events.contains("horse"));
}

#[tokio::test]
async fn a_password_that_was_told_but_not_kept_is_kept_by_the_same_request() {
    let service = shared().await;
    let account = service.account("Cut passwords").await;
    let user = account.as_role(Role::Editor).await;
    account.set_password(&user, PASSWORD).await;
    let new = "another horse entirely";
    let change = || user.patch(&path(&user)).json(json!({ "oldPassword": PASSWORD, "password": new })).key("cut");
    change().await.ok();
    // As a crash between the event and the password leaves it.
    let pool = service.pool().await;
    account.set_password(&user, PASSWORD).await;
    let cut = sqlx::query("UPDATE passwords SET updated_at = '2020-01-01T00:00:00Z' WHERE user_id = $1");
    assert_eq!(cut.bind(user.id().to_string()).execute(&pool).await.unwrap().rows_affected(), 1);
    assert!(change().await.ok().replayed());
    assert!(account.has_password(&user.id().to_string(), new).await);
}

#[tokio::test]
async fn wrong_passwords_are_counted_here_too() {
    let service = shared().await;
    let account = service.account("Guessers").await;
    let user = account.as_role(Role::Editor).await;
    account.set_password(&user, PASSWORD).await;
    let guess =
        |old: &str| user.patch(&path(&user)).json(json!({ "oldPassword": old, "password": "another horse entirely" }));
    for _ in 0..5 {
        assert_eq!(failed(guess("wrong guess").await), reasons(&[("oldPassword", "incorrectPassword")]));
    }
    guess(PASSWORD).await.is(429, "TooManyRequestsError");
    assert!(account.has_password(&user.id().to_string(), PASSWORD).await);
}

#[tokio::test]
async fn a_device_has_one_token_in_the_vault() {
    let service = shared().await;
    let account = service.account("Devices").await;
    let user = account.as_role(Role::Editor).await;
    let pool = service.pool().await;
    let kept = || async {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM vault WHERE tenant_id = $1");
        count.bind(account.id.to_string()).fetch_one(&pool).await.unwrap()
    };
    let device =
        |id: &str, token: &str| user.patch(&path(&user)).json(json!({ "mobileDevice": { "id": id, "token": token } }));
    device("a", "canary-1").await.ok();
    assert_eq!(kept().await, 1);
    device("a", "canary-2").key("device").await.ok();
    assert_eq!(kept().await, 1, "the old token is gone");
    assert!(device("a", "canary-2").key("device").await.ok().replayed());
    device("b", "canary-3").await.ok();
    assert_eq!(kept().await, 2);
    device("", "canary-4").await.is(400, "ValidationError");
    assert_eq!(kept().await, 2, "what is refused leaves nothing");
    let events: String = sqlx::query_scalar("SELECT string_agg(payload::text, '') FROM events WHERE tenant_id = $1")
        .bind(account.id.to_string())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(events.contains("MobileDeviceRegistered") && !events.contains("canary"));
    eventually("the device in the list", || async {
        let listed = account.admin().get("/api2/users?hasMobileDevice=true").await.ok().body;
        (listed.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    account.admin().delete(&path(&user)).await.ok();
    assert_eq!(kept().await, 0);
}
