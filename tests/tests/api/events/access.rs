//! Who may follow: whoever has the permission, and their own account alone.

use palaver_domain::identity::{Permission, Role};
use palaver_tests::{Client, ServiceOptions};
use serde_json::json;

use super::{page, position};
use crate::{apps, hours_from_now, now, shared};

#[tokio::test]
async fn a_role_needs_the_permission_and_nothing_else() {
    let service = shared().await;
    let account = service.account("Roles").await;
    for role in Role::ALL {
        let client = account.as_role(role).await;
        let answer = client.get("/events?format=ndjson&limit=1").await;
        if role.permissions().contains(Permission::ViewEvents) {
            answer.ok();
            client.events("", None).await.take(1).await;
        } else {
            let answer = answer.is(403, "InsufficientPermissions");
            assert!(answer.text("message").contains("ViewEvents"), "{role}: {}", answer.body);
            let refused = client.try_events("", None).await.unwrap().unwrap_err();
            refused.is(403, "InsufficientPermissions");
        }
    }
    let custom = account.custom(&[Permission::ViewEvents], &[]).await;
    custom.get("/events?format=ndjson").await.ok();
    custom.events("", None).await.take(1).await;
}

#[tokio::test]
async fn only_valid_credentials_open_it() {
    let service = shared().await;
    let account = service.account("Tokens").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let token = admin.token().unwrap();
    let get = |client: &Client, more: &str| client.get(&format!("/events?format=ndjson&limit=1{more}"));
    get(&anonymous, "").await.is(401, "AccessTokenInvalidError");
    get(&anonymous, "").header("authorization", "Bearer wrong").await.is(401, "AccessTokenInvalidError");
    get(&anonymous, "").header("authorization", "Bearer pat_wrong").await.is(401, "AccessTokenInvalidError");
    get(&anonymous, "").header("authorization", "Basic YTpi").await.is(401, "AccessTokenInvalidError");
    get(&anonymous, "").header("x-api-key", "wrong").await.is(401, "AccessTokenInvalidError");
    get(&anonymous, "").header("x-api-key", token).await.is(401, "AccessTokenInvalidError");
    // As a browser's EventSource, which can set no header, sends it.
    get(&anonymous, &format!("&accesstoken={token}")).await.ok();
    get(&anonymous, "").header("cookie", &format!("accesstoken={token}")).await.ok();
    get(admin, "").header("x-api-key", "any").await.is(400, "BadRequestError");
    for column in ["expires_at", "revoked_at"] {
        let other = account.as_role(Role::Admin).await;
        get(&other, "").await.ok();
        let changed = sqlx::query(&format!("UPDATE access_tokens SET {column} = $1 WHERE user_id = $2"))
            .bind(now() - chrono::TimeDelta::seconds(1))
            .bind(other.user.as_deref().unwrap())
            .execute(&service.pool().await)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1);
        get(&other, "").await.is(401, "AccessTokenInvalidError");
    }
}

/// Its credentials are taken; what it may do is what applications may do.
#[tokio::test]
async fn an_application_is_known_and_goes_by_its_permissions() {
    let service = shared().await;
    let account = service.account("Bots").await;
    let (admin, anonymous) = (account.admin(), service.anonymous());
    let app = apps::registered(admin, "Pipeline").await;
    let (key_id, key) = apps::key(admin, &app, Some(hours_from_now(1))).await;
    let login = json!({ "appId": app, "appSecret": apps::secret(admin, &app).await });
    let token = anonymous.post("/bot-api/v1/login").json(login).await.ok().text("authToken");
    let path = "/events?format=ndjson";
    let by_key = || anonymous.get(path).header("x-api-key", &key);
    for answer in [by_key().await, anonymous.with_token(&token).get(path).await] {
        let answer = answer.is(403, "InsufficientPermissions");
        assert_eq!(answer.text("message"), "an app lacks ViewEvents");
    }
    let both = anonymous.get(&format!("{path}&accesstoken={}", admin.token().unwrap())).header("x-api-key", &key).await;
    both.is(400, "BadRequestError");
    admin.delete(&format!("/api2/apps/{app}/keys/{key_id}")).await.ok();
    by_key().await.is(401, "AccessTokenInvalidError");
}

#[tokio::test]
async fn nothing_of_another_account_is_told_not_even_to_operators() {
    let service = shared().await;
    let (ours, theirs) = (service.account("Ours").await, service.account("Theirs").await);
    let channel = theirs.admin().sandbox("Secretive").await;
    let post = theirs.admin().draft(&channel, "for nobody else").await;
    let operator = ours.as_role(Role::SuperAdmin).await;
    for client in [ours.admin(), &operator] {
        let (events, ..) = page(client, "limit=1000").await;
        assert!(!events.is_empty());
        for event in &events {
            assert_eq!(event["tenant"], ours.id.to_string(), "{event}");
        }
        // Another account's is there as little as nobody's.
        for id in [post.as_str(), "0123456789abcdef01234567"] {
            let (events, next, head) = page(client, &format!("aggregateType=post&aggregateId={id}")).await;
            assert!(events.is_empty() && next == head, "{events:?}");
        }
        let mut stream = client.events(&format!("aggregateType=post&aggregateId={post}"), None).await;
        let mut all = client.events("", None).await;
        let edited = theirs.admin().edit(&post, json!({ "content": { "text": "still for nobody else" } })).await;
        let seen = ours.admin().post("/api2/contacts").json(json!({ "email": "f@example.org" })).await;
        let last = if seen.status == 200 { seen.position() } else { edited.position() - 1 };
        for event in all.until(last).await {
            assert_eq!(event.data["tenant"], ours.id.to_string(), "{event:?}");
        }
        drop(all);
        let mut stream = tokio::spawn(async move { stream.next().await });
        let heard = tokio::time::timeout(std::time::Duration::from_millis(300), &mut stream).await;
        assert!(heard.is_err(), "{heard:?}");
        stream.abort();
    }
    let (events, ..) = page(theirs.admin(), "limit=1000").await;
    assert!(events.iter().any(|event| event["subject"] == format!("post/{post}") && position(event) > 0));
}

#[tokio::test]
async fn streams_are_limited_by_token_account_and_process() {
    let service = ServiceOptions::new("up")
        .setting("event-streams-per-credential", "2")
        .setting("event-streams-per-tenant", "3")
        .setting("event-streams-max", "4")
        .start()
        .await;
    let (account, other) = (service.account("Many").await, service.account("Others").await);
    let (admin, second) = (account.admin(), account.as_role(Role::Admin).await);
    let refused = async |client: &Client| client.try_events("", None).await.unwrap().unwrap_err();
    let mut open = vec![admin.events("", None).await, admin.events("", None).await];
    let answer = refused(admin).await.is(429, "TooManyStreamsError");
    assert!(answer.text("message").contains("this token has 2 streams") && answer.header("retry-after").is_some());
    open.push(second.events("", None).await);
    let answer = refused(&second).await.is(429, "TooManyStreamsError");
    assert!(answer.text("message").contains("this account has 3 streams"), "{}", answer.body);
    open.push(other.admin().events("", None).await);
    let third = service.account("Third").await;
    let answer = refused(third.admin()).await.is(503, "ServiceUnavailableError");
    assert!(answer.header("retry-after").is_some());
    // Pages are not limited.
    admin.get("/events?format=ndjson").await.ok();
    let metrics = admin.get("/metrics").await.ok();
    assert!(metrics.body.as_str().unwrap().contains("\npalaver_event_streams_open 4\n"), "{}", metrics.body);
    // Whoever hangs up makes room.
    drop(open);
    palaver_tests::eventually("room", || async { third.admin().try_events("", None).await.unwrap().ok() }).await;
    palaver_tests::eventually("room", || async { admin.try_events("", None).await.unwrap().ok() }).await;
}
