//! `/api2/`: who asks.

use palaver_domain::identity::Role;
use serde_json::json;

use crate::{channels::deactivate, shared};

#[tokio::test]
async fn a_caller_is_told_who_they_are_and_what_is_theirs() {
    let service = shared().await;
    let account = service.account("Who").await;
    let admin = account.admin();
    let (ours, other) = (admin.team("Ours").await, admin.team("Other").await);
    let mut ids = Vec::new();
    for (name, teams) in [("open", json!([])), ("ours", json!([ours])), ("closed", json!([]))] {
        let body = json!({ "name": name, "socialNetwork": "FACEBOOK", "teamIds": teams });
        ids.push(admin.post("/api2/channels/sandbox").json(body).await.ok().id());
    }
    deactivate(admin, &ids[2]).await;

    let me = admin.get("/api2/").await.ok().body;
    assert_eq!((&me["accountId"], &me["userId"]), (&json!(account.id), &json!(admin.user)));
    assert_eq!(
        (&me["accountName"], &me["role"], &me["package"]),
        (&json!("Who"), &json!("ADMIN"), &json!("ENTERPRISE"))
    );
    assert_eq!((&me["locale"], &me["products"]["cp"]), (&json!("en"), &json!(true)));
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<_> = ids.to_vec();
        ids.sort();
        json!(ids)
    };
    assert_eq!(me["activeChannelIds"], sorted(&[&ids[0], &ids[1]]));
    assert_eq!(me["channelIds"], sorted(&[&ids[0], &ids[1], &ids[2]]));
    let permissions = me["permissions"].as_array().unwrap();
    assert_eq!(permissions.len(), Role::Admin.permissions().iter().count());
    assert!(permissions.contains(&json!("EditAccount")) && !permissions.contains(&json!("EditAllAccounts")));
    assert_eq!((&me["features"]["rules"], &me["features"]["smartbox"]), (&json!(true), &json!(false)));
    assert_eq!(me.get("expirationTime"), None);
    assert_eq!(me.get("lastLoginTime"), None, "a token that was granted is no login");

    // Somebody of another team sees what has no team.
    let observer = account.member(Role::Observer, &[&other]).await;
    let seen = observer.get("/api2/").await.ok().body;
    assert_eq!((&seen["activeChannelIds"], &seen["role"]), (&json!([ids[0]]), &json!("OBSERVER")));
    let stranger = service.account("Who else").await;
    assert_eq!(stranger.admin().get("/api2/").await.ok().body["channelIds"], json!([]));
    account.anonymous().get("/api2/").await.is(401, "AccessTokenInvalidError");
    admin.get("/api2/?verbose=1").await.is(400, "BadRequestError");
}
