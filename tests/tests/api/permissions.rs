//! Who may call what. Generated from the table that the service itself goes by, and held against what it publishes. Whose
//! things they see is in [`crate::tenancy`].

use palaver_api::permissions::{Access, ROUTES, Route, Surface};
use palaver_domain::identity::Role;
use palaver_tests::{Client, Request};
use reqwest::Method;
use serde_json::json;
use sqlx::Row;

use crate::{bad_input::shaped, now, shared};

const UNKNOWN: &str = "0123456789abcdef01234567";

/// Where users' tokens are the credentials, and an answer comes to its end; the others are asked where their own tests are.
fn guarded() -> impl Iterator<Item = &'static Route> {
    let users = |route: &Route| {
        route.surface == Surface::Socialhub || ["/audit/", "/ops/"].iter().any(|below| route.path.starts_with(below))
    };
    ROUTES.iter().filter(move |route| route.access != Access::Public && users(route))
}

fn request(client: &Client, route: &Route, id: &str) -> Request {
    let method: Method = route.method.parse().unwrap();
    let path = ["{id}", "{channelId}", "{userId}", "{keyId}", "{name}", "{projection}", "{type}"]
        .iter()
        .fold(route.path.to_owned(), |path, name| path.replace(name, id));
    client.request(method, &path)
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

#[tokio::test]
async fn every_role_passes_where_the_table_lets_it_and_nowhere_else() {
    let service = shared().await;
    let account = service.account("Roles").await;
    let mut refused = 0;
    for role in Role::ALL {
        let client = account.as_role(role).await;
        // Logging out takes no body that could be wrong: it would end the token that the others need.
        for route in guarded().filter(|route| route.path != "/api2/users/logout") {
            // Sent with what nobody could make sense of: who may not call learns nothing of what is wrong with it.
            let request = request(&client, route, "no-id").header("content-type", "application/json").body("{");
            let answer = request.await;
            let missing = route.access.missing(role.permissions());
            if missing.is_empty() {
                assert!(![401, 403, 500].contains(&answer.status), "{role} {}: {}", name(route), answer.body);
                continue;
            }
            refused += 1;
            let answer = answer.is(403, "InsufficientPermissions");
            shaped(&answer, &name(route));
            for permission in missing {
                assert!(
                    answer.text("message").contains(permission.as_str()),
                    "{role} {}: {}",
                    name(route),
                    answer.body
                );
            }
        }
    }
    assert!(refused > 20, "roles differ: {refused}");
}

#[tokio::test]
async fn only_a_valid_token_opens_a_guarded_route() {
    let service = shared().await;
    let account = service.account("Tokens").await;
    let (anonymous, expired, revoked) =
        (service.anonymous(), account.as_role(Role::Admin).await, account.as_role(Role::Admin).await);
    let pool = service.pool().await;
    expired.get("/api2/channels").await.ok();
    revoked.get("/api2/channels").await.ok();
    for (client, column) in [(&expired, "expires_at"), (&revoked, "revoked_at")] {
        let changed = sqlx::query(&format!("UPDATE access_tokens SET {column} = $1 WHERE user_id = $2"))
            .bind(now() - chrono::TimeDelta::seconds(1))
            .bind(client.user.as_deref().unwrap())
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1);
    }
    // No token is kept that could be stolen from the database.
    let kept: Vec<u8> = sqlx::query("SELECT token_hash FROM access_tokens WHERE user_id = $1")
        .bind(expired.user.as_deref().unwrap())
        .fetch_one(&pool)
        .await
        .unwrap()
        .get(0);
    assert_ne!(kept, expired.token().unwrap().as_bytes());

    let bearer = |token: &str| format!("Bearer {token}");
    for route in guarded() {
        let answers = [
            request(&anonymous, route, UNKNOWN).await,
            request(&anonymous, route, UNKNOWN).header("authorization", &bearer("wrong")).await,
            request(&anonymous, route, UNKNOWN).header("authorization", "Bearer ").await,
            request(&expired, route, UNKNOWN).await,
            request(&revoked, route, UNKNOWN).await,
        ];
        for answer in answers {
            let answer = answer.is(401, "AccessTokenInvalidError");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            shaped(&answer, &name(route));
        }
    }
    let wrong = anonymous.get(&format!("/api2/channels?accesstoken={}", "x".repeat(5_000))).await;
    wrong.is(401, "AccessTokenInvalidError");
    for route in ROUTES.iter().filter(|route| route.access == Access::Public && !route.path.contains('{')) {
        let answer = request(&anonymous, route, "").await;
        // Those to log in by want a body, which is missing.
        let refused = route.surface != Surface::System && answer.status == 415;
        assert!(answer.status < 400 || refused, "{}: {}", name(route), answer.status);
    }
}

#[tokio::test]
async fn the_document_says_what_every_route_needs() {
    let service = shared().await;
    let document = service.anonymous().get("/openapi.json").await.ok().body;
    let mut described = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described += 1;
            let row = ROUTES.iter().find(|row| row.path == path && row.method.eq_ignore_ascii_case(method));
            let row = row.unwrap_or_else(|| panic!("{method} {path} has no row"));
            let names = |permissions: &[palaver_domain::identity::Permission]| {
                permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>()
            };
            let expected = match row.access {
                Access::Public | Access::Authenticated => json!({ "all": [] }),
                Access::Needs(all) => json!({ "all": names(all) }),
                Access::Any(some) => json!({ "any": names(some) }),
            };
            assert_eq!(operation["x-permissions"], expected, "{method} {path}");
            let open = row.access == Access::Public;
            assert_eq!(operation["security"].as_array().unwrap().is_empty(), open, "{method} {path}");
        }
    }
    assert_eq!(described, ROUTES.iter().filter(|row| row.documented).count());
}
