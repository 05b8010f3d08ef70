use palaver_domain::identity::{AccountChanges, AccountCommand, Feature, Role};
use palaver_tests::{Client, Request};
use serde_json::json;

use super::path;
use crate::shared;

fn choose(by: &Client, user: &Client, permissions: &[&str]) -> Request {
    by.patch(&format!("{}/permissions", path(user))).json(json!({ "permissions": permissions }))
}

#[tokio::test]
async fn chosen_permissions_are_all_that_a_user_has_from_the_next_request_on() {
    let service = shared().await;
    let account = service.account("Chosen").await;
    let admin = account.admin();
    let user = account.as_role(Role::Editor).await;
    let changed = choose(admin, &user, &["ViewPosts", "ViewChannels", "ViewPosts"]).await.ok();
    assert_eq!(changed.text("role"), "CUSTOM");
    assert_eq!(changed.body["permissions"], json!(["ViewPosts", "ViewChannels"]));
    user.get("/api2/cp/posts").await.ok();
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(403, "InsufficientPermissions");
    choose(admin, &user, &["EditPosts"]).await.ok();
    user.get("/api2/cp/posts").await.is(403, "InsufficientPermissions");
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(400, "ValidationError");
    choose(admin, &user, &[]).await.ok();
    user.post("/api2/cp/postGroups").json(json!({ "channelIds": [] })).await.is(403, "InsufficientPermissions");
}

#[tokio::test]
async fn only_what_can_be_chosen_and_what_the_account_has_is_granted() {
    let service = shared().await;
    let account = service.account("Grants").await;
    let admin = account.admin();
    let (user, other) = (account.as_role(Role::Editor).await, account.as_role(Role::Smm).await);
    let operator = account.as_role(Role::SuperAdmin).await;
    choose(&other, &user, &["ViewPosts"]).await.is(403, "InsufficientPermissions");
    choose(admin, admin, &["ViewPosts"]).await.is(403, "AccessDenied");
    choose(admin, &operator, &["ViewPosts"]).await.is(403, "AccessDenied");
    for (permissions, errors) in [
        (&["ViewPosts", "DoAnything"][..], json!({ "permissions.1": ["unknownPermission"] })),
        (&["EditUsers"], json!({ "permissions": ["notCustomizable"] })),
        (&["EditAllAccounts"], json!({ "permissions": ["notCustomizable"] })),
    ] {
        let refused = choose(admin, &user, permissions).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], errors);
    }
    let url = format!("{}/permissions", path(&user));
    for body in [json!({}), json!({ "permissions": "ViewPosts" }), json!({ "permissions": [], "teams": ["x"] })] {
        admin.patch(&url).json(body).await.is(400, "BadRequestError");
    }
    let unknown = json!({ "permissions": ["ViewPosts"], "teams": ["0123456789abcdef01234567"] });
    let refused = admin.patch(&url).json(unknown).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "teams": ["unknownTeam"] }));

    let off = |feature: Feature| {
        let changes = AccountChanges { features: [(feature, false)].into(), ..AccountChanges::default() };
        AccountCommand::Change { changes: Box::new(changes), sales: true }
    };
    choose(admin, &user, &["ViewTemplates"]).await.ok();
    account.tell(off(Feature::Templates)).await;
    let refused = choose(admin, &user, &["ViewPosts", "ViewTemplates"]).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("ViewTemplates"), "{}", refused.body);
    account.tell(off(Feature::CustomPermissions)).await;
    let refused = choose(admin, &user, &["ViewPosts"]).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("customPermissions"), "{}", refused.body);
    assert_eq!(super::listed(admin, &user).await["permissions"], json!(["ViewTemplates"]));
}

#[tokio::test]
async fn who_was_an_administrator_goes_to_a_team_and_one_remains() {
    let service = shared().await;
    let account = service.account("Fallen").await;
    let admin = account.admin();
    let team = account.team("Red").await;
    let user = account.as_role(Role::Admin).await;
    choose(admin, &user, &["ViewPosts"]).await.is(409, "ConflictError");
    let both = json!({ "permissions": ["ViewPosts"], "teams": [team] });
    let changed = admin.patch(&format!("{}/permissions", path(&user))).json(both.clone()).await.ok();
    assert_eq!((changed.text("role"), changed.body["teams"].clone()), ("CUSTOM".to_owned(), json!([team])));
    let operator = account.as_role(Role::SuperAdmin).await;
    let refused = operator.patch(&format!("{}/permissions", path(admin))).json(both).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("administrator"), "{}", refused.body);
    let refused = operator.patch(&path(admin)).json(json!({ "role": "SMM", "teams": [team] })).await;
    refused.is(409, "ConflictError");
}
