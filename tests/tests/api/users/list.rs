use palaver_domain::identity::Role;
use palaver_tests::Client;
use serde_json::{Value, json};

use super::path;
use crate::shared;

fn ids(listed: &Value) -> Vec<String> {
    let mut ids: Vec<_> =
        listed.as_array().unwrap().iter().map(|user| user["_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(users: &[&Client]) -> Vec<String> {
    let mut ids: Vec<_> = users.iter().map(|user| user.id().to_string()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn everybody_sees_their_teams_those_without_one_and_themselves() {
    let service = shared().await;
    let account = service.account("Lists").await;
    let admin = account.admin();
    let (red, blue) = (account.team("Red").await, account.team("Blue").await);
    let in_red = account.user(Role::Editor, vec![red]).await;
    let also_red = account.user(Role::Smm, vec![red, blue]).await;
    let in_blue = account.user(Role::Cm, vec![blue]).await;
    let teamless = account.user(Role::Observer, vec![]).await;
    let all = [admin, &in_red, &also_red, &in_blue, &teamless];
    for (client, expected) in [
        (admin, &all[..]),
        (&in_red, &[admin, &in_red, &also_red, &teamless]),
        (&also_red, &all),
        (&in_blue, &[admin, &also_red, &in_blue, &teamless]),
        (&teamless, &[admin, &teamless]),
    ] {
        for list in ["/api2/users", "/api2/users/summary"] {
            assert_eq!(ids(&client.get(list).await.ok().body), sorted(expected), "{list}");
        }
    }
    let stranger = service.account("Others").await;
    assert_eq!(ids(&stranger.admin().get("/api2/users").await.ok().body), sorted(&[stranger.admin()]));

    // A device makes the difference, within one team or all.
    let device = json!({ "mobileDevice": { "id": "phone", "token": "device-token-canary" } });
    also_red.patch(&path(&also_red)).json(device).await.ok();
    for (query, expected) in [
        ("hasMobileDevice=true", &[&also_red][..]),
        ("hasMobileDevice=false", &[admin, &in_red, &in_blue, &teamless]),
        (&format!("hasMobileDevice=true&teamId={red}"), &[&also_red]),
        (&format!("hasMobileDevice=false&teamId={red}"), &[&in_red]),
        ("hasMobileDevice=true&teamId=0123456789abcdef01234567", &[]),
    ] {
        let found = admin.get(&format!("/api2/users?{query}")).await.ok().body;
        assert_eq!(ids(&found), sorted(expected), "{query}");
        assert!(!found.to_string().contains("canary"));
    }
    for (query, message) in [
        (&*format!("teamId={red}"), "together with `hasMobileDevice`"),
        ("hasMobileDevice=true&teamId=red", "`teamId`"),
        ("hasMobileDevice=perhaps", "`hasMobileDevice`"),
        ("role=ADMIN", "role"),
    ] {
        let refused = admin.get(&format!("/api2/users?{query}")).await.is(400, "BadRequestError");
        assert!(refused.text("message").contains(message), "{query}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_summary_tells_names_and_a_list_all_that_is_known() {
    let service = shared().await;
    let account = service.account("Known").await;
    let admin = account.admin();
    let user = account.as_role(Role::Editor).await;
    let told = json!({ "firstName": "Ann", "lastName": "Example", "email": "ann@example.com", "locale": "fr" });
    let changed = user.patch(&path(&user)).json(told).await.ok().body;
    let summary = admin.get("/api2/users/summary").await.ok().body;
    let expected = json!({ "_id": user.id(), "firstName": "Ann", "lastName": "Example" });
    assert!(summary.as_array().unwrap().contains(&expected), "{summary}");

    let listed = super::listed(admin, &user).await;
    assert_eq!(listed, changed, "a user looks alike wherever they are seen");
    for (field, value) in [
        ("accountId", json!(account.id)),
        ("email", json!("ann@example.com")),
        ("firstName", json!("Ann")),
        ("lastName", json!("Example")),
        ("role", json!("EDITOR")),
        ("locale", json!("fr")),
        ("permissions", json!(Role::Editor.permissions())),
        ("readOnlyChannelIds", json!([])),
        ("teams", json!([])),
        ("settings", json!({})),
        ("verified", json!(true)),
        ("twoFactor", json!(false)),
    ] {
        assert_eq!(listed[field], value, "{field}");
    }
    for time in ["createdTime", "updatedTime"] {
        assert!(listed[time].as_str().unwrap().ends_with('Z'), "{listed}");
    }
}
