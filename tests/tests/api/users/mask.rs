//! `/api2/users/{userId}/mask`: an operator acts as somebody else, and it is told.

use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client};
use sqlx::Row;

use super::{PASSWORD, let_in, works};
use crate::shared;

async fn mask(client: &Client, user: &str) -> Answer {
    client.post(&format!("/api2/users/{user}/mask")).await
}

#[tokio::test]
async fn an_operator_acts_as_a_user_of_another_account_and_every_event_says_so() {
    let service = shared().await;
    let (house, account) = (service.account("House").await, service.account("Customer").await);
    let operator = house.person(Role::SuperAdmin, PASSWORD).await;
    let person = account.person(Role::Admin, PASSWORD).await;
    let answer = mask(&operator.client, person.id()).await;
    let masked = let_in(&service.anonymous(), &answer);
    assert!(answer.header("set-cookie").unwrap().contains("; Max-Age=3600; "));
    let channel = masked.sandbox("By the operator").await;
    assert_eq!(account.admin().get(&format!("/api2/channels/{channel}")).await.status, 200);

    let pool = service.pool().await;
    let event = async |id: &str, kind: &str| {
        let row = sqlx::query(
            "SELECT tenant_id, metadata->>'actor', metadata->>'maskedBy', payload::text FROM events
             WHERE aggregate_id = $1 AND event_type = $2",
        )
        .bind(id)
        .bind(kind)
        .fetch_one(&pool)
        .await
        .unwrap();
        let text = |index: usize| row.get::<Option<String>, _>(index).unwrap_or_default();
        [text(0), text(1), text(2), text(3)]
    };
    let [tenant, actor, by, payload] = event(person.id(), "UserMasked").await;
    assert_eq!((tenant, actor), (account.id.to_string(), format!("user:{}", operator.id())));
    assert!(by.is_empty() && payload.contains(operator.id()), "{payload}");
    let [tenant, actor, by, _] = event(&channel, "ChannelConnected").await;
    assert_eq!((tenant, actor), (account.id.to_string(), format!("user:{}", person.id())));
    assert_eq!(by, operator.id());
    let row = sqlx::query("SELECT masked_by, expires_at - created_at < '2 hours' FROM access_tokens WHERE user_id = $1 AND masked_by IS NOT NULL")
        .bind(person.id())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!((row.get::<String, _>(0).as_str(), row.get::<bool, _>(1)), (operator.id(), true));

    // What is the person's own matter stays so, and nobody hides behind two masks.
    masked.post("/api2/users/totp/generate").await.is(403, "AccessDenied");
    mask(&masked, person.id()).await.is(403, "InsufficientPermissions");
    masked.get("/api2/users/logout").await.ok();
    assert!(!works(&masked).await && works(&person.client).await && works(&operator.client).await);
}

#[tokio::test]
async fn nobody_else_acts_as_somebody_else() {
    let service = shared().await;
    let account = service.account("Masks").await;
    let person = account.person(Role::Cm, PASSWORD).await;
    for role in Role::ALL.into_iter().filter(|role| *role != Role::SuperAdmin) {
        let answer = mask(&account.as_role(role).await, person.id()).await;
        answer.is(403, "InsufficientPermissions");
    }
    mask(&service.anonymous(), person.id()).await.is(401, "AccessTokenInvalidError");
    let operator = account.as_role(Role::SuperAdmin).await;
    for peer in [Role::SuperAdmin, Role::SuperAdminViewer] {
        let peer = account.as_role(peer).await;
        mask(&operator, peer.user.as_deref().unwrap()).await.is(403, "AccessDenied");
    }
    mask(&operator, "0123456789abcdef01234567").await.is(404, "NotFoundError");
    mask(&operator, "me").await.is(400, "BadRequestError");
}
