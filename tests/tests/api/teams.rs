//! `/api2/teams`: teams, and who and what is in them.

use palaver_domain::identity::{Permission, Role};
use palaver_tests::{Account, Answer, Client};
use serde_json::{Value, json};

use crate::shared;

const PATH: &str = "/api2/teams";
const UNKNOWN: &str = "0123456789abcdef01234567";

fn id(client: &Client) -> &str {
    client.user.as_deref().unwrap()
}

fn sorted(ids: &[&str]) -> Value {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    json!(ids)
}

async fn add_users(client: &Client, team: &str, users: &[&str]) -> Answer {
    client.post(&format!("{PATH}/{team}/users")).json(json!({ "userIds": users })).await
}

async fn add_channels(client: &Client, team: &str, channels: &[&str]) -> Answer {
    client.post(&format!("{PATH}/{team}/channels")).json(json!({ "channelIds": channels })).await
}

async fn patch(client: &Client, team: &str, body: Value) -> Answer {
    client.patch(&format!("{PATH}/{team}")).json(body).await
}

/// The team as the list has it, once the list knows of everything up to there.
async fn listed(client: &Client, team: &str, after: i64) -> Value {
    let teams = client.get(PATH).after(after).await.ok().body;
    let found = teams.as_array().unwrap().iter().find(|one| one["_id"] == team);
    found.unwrap_or_else(|| panic!("no {team} in {teams}")).clone()
}

async fn summary(client: &Client) -> Vec<String> {
    let teams = client.get(&format!("{PATH}/summary")).await.ok().body;
    let names = teams.as_array().unwrap().iter().map(|team| {
        assert_eq!(team.as_object().unwrap().len(), 2, "{team}");
        team["name"].as_str().unwrap().to_owned()
    });
    names.collect()
}

#[tokio::test]
async fn a_team_is_created_renamed_and_given_admins() {
    let service = shared().await;
    let account = service.account("Naming").await;
    let admin = account.admin();
    let made = admin.post(PATH).json(json!({ "name": "Europe" })).await;
    assert_eq!(made.status, 200);
    let team = made.id();
    let shown = json!({ "_id": team, "accountId": account.id, "name": "Europe", "users": [], "channels": [],
        "admins": [], "createdTime": made.body["createdTime"] });
    assert_eq!(made.body, shown);
    assert!(made.text("createdTime").ends_with('Z'));
    assert_eq!(listed(admin, &team, made.position()).await, shown);

    let smm = account.member(Role::Smm, &[&team]).await;
    let renamed = patch(admin, &team, json!({ "name": "EUROPE" })).await.ok();
    assert_eq!((&renamed.body["name"], &renamed.body["users"]), (&json!("EUROPE"), &json!([id(&smm)])));
    let looked_after = patch(admin, &team, json!({ "admins": [id(&smm)] })).await.ok();
    assert_eq!((&looked_after.body["name"], &looked_after.body["admins"]), (&json!("EUROPE"), &json!([id(&smm)])));
    let unchanged = patch(admin, &team, json!({})).await.ok();
    assert_eq!(unchanged.body, looked_after.body);
    assert_eq!(listed(admin, &team, looked_after.position()).await, unchanged.body);

    // One name, one team; its old name is free, in whatever letter case.
    let other = admin.team("Asia").await;
    for name in ["europe", " EUROPE "] {
        patch(admin, &other, json!({ "name": name })).await.is(409, "ConflictError");
        admin.post(PATH).json(json!({ "name": name })).await.is(409, "ConflictError");
    }
    patch(admin, &team, json!({ "name": "EMEA" })).await.ok();
    patch(admin, &other, json!({ "name": "europe" })).await.ok();
    let elsewhere = service.account("Naming elsewhere").await;
    elsewhere.admin().team("EMEA").await;

    for (body, errors) in [
        (json!({ "name": " " }), json!({ "name": ["required"] })),
        (json!({ "name": "n".repeat(255) }), json!({ "name": ["tooLong"] })),
        (json!({ "admins": [id(&smm), id(&smm)] }), json!({ "admins": ["notUnique"] })),
        (json!({ "admins": [id(&smm), UNKNOWN] }), json!({ "admins.1": ["unknownUser"] })),
        (json!({ "admins": [id(elsewhere.admin())] }), json!({ "admins.0": ["unknownUser"] })),
    ] {
        let refused = patch(admin, &team, body.clone()).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], errors, "{body}");
    }
    let many: Vec<String> = (0..101).map(|n| format!("{n:024x}")).collect();
    let refused = patch(admin, &team, json!({ "name": "X", "admins": many })).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "admins": ["tooMany"] }));
    admin.post(PATH).json(json!({})).await.is(400, "BadRequestError");
    admin.post(PATH).json(json!({ "name": 7 })).await.is(400, "BadRequestError");
    patch(admin, "one", json!({})).await.is(400, "BadRequestError");
    let kept = admin.get(PATH).await.ok().body;
    assert_eq!(kept[0]["name"], "EMEA", "nothing of a refused change is kept: {kept}");

    let refused = account.as_role(Role::Smm).await;
    refused.get(PATH).await.is(403, "InsufficientPermissions");
    refused.post(PATH).json(json!({ "name": "Mine" })).await.is(403, "InsufficientPermissions");
    let looker = account.as_role(Role::SuperAdminViewer).await;
    assert_eq!(looker.get(PATH).await.ok().body.as_array().unwrap().len(), 2);
    looker.post(PATH).json(json!({ "name": "Mine" })).await.is(403, "AccessDenied");
    patch(&looker, &team, json!({ "name": "Mine" })).await.is(403, "AccessDenied");
    looker.delete(&format!("{PATH}/{team}")).await.is(403, "AccessDenied");
}

#[tokio::test]
async fn members_come_and_go() {
    let service = shared().await;
    let account = service.account("Members").await;
    let admin = account.admin();
    let (team, other) = (admin.team("Team").await, admin.team("Other").await);
    let (one, two) = (account.as_role(Role::Cm).await, account.member(Role::Editor, &[&other]).await);
    let (open, owned) = (admin.sandbox("Open").await, admin.sandbox_of("Owned", &[&other]).await);

    let both = add_users(admin, &team, &[id(&one), id(&two), id(&one)]).await.ok();
    assert_eq!(both.body["users"], sorted(&[id(&one), id(&two)]));
    let channels = add_channels(admin, &team, &[&open, &owned]).await.ok();
    assert_eq!(channels.body["channels"], sorted(&[&open, &owned]));
    assert_eq!(channels.body["users"], sorted(&[id(&one), id(&two)]));
    assert_eq!(listed(admin, &team, channels.position()).await, channels.body);
    assert_eq!(listed(admin, &other, channels.position()).await["channels"], json!([owned]));
    // Who is in already stays, and nobody is no mistake.
    assert_eq!(add_users(admin, &team, &[id(&one)]).await.ok().body, channels.body);
    assert_eq!(add_channels(admin, &team, &[]).await.ok().body, channels.body);
    assert_eq!(summary(&two).await, ["Other", "Team"]);
    assert_eq!(summary(&one).await, ["Team"]);
    assert_eq!(summary(admin).await, ["Other", "Team"]);

    let user_path = |user: &Client| format!("{PATH}/{team}/users/{}", id(user));
    patch(admin, &team, json!({ "admins": [id(&one), id(&two)] })).await.ok();
    let left = admin.delete(&user_path(&two)).await.ok();
    // Whoever is not in the team does not look after it either.
    assert_eq!((&left.body["users"], &left.body["admins"]), (&json!([id(&one)]), &json!([id(&one)])));
    assert_eq!(listed(admin, &team, left.position()).await, left.body);
    admin.delete(&user_path(&two)).await.is(404, "NotFoundError");
    admin.delete(&user_path(&one)).await.is(409, "ConflictError");
    // An administrator sees everything without a team.
    let second = account.member(Role::Admin, &[&team]).await;
    admin.delete(&user_path(&second)).await.ok();

    let channel_path = |channel: &str| format!("{PATH}/{team}/channel/{channel}");
    admin.delete(&channel_path(&open)).await.is(409, "ConflictError");
    let left = admin.delete(&channel_path(&owned)).await;
    assert_eq!((left.status, left.body.as_str()), (200, Some("")));
    assert_eq!(listed(admin, &team, left.position()).await["channels"], json!([open]));
    admin.delete(&channel_path(&owned)).await.is(404, "NotFoundError");
}

#[tokio::test]
async fn one_request_brings_all_or_nobody() {
    let service = shared().await;
    let (account, elsewhere) = (service.account("Together").await, service.account("Elsewhere").await);
    let admin = account.admin();
    let team = admin.team("Team").await;
    let cm = account.as_role(Role::Cm).await;
    let channel = admin.sandbox("One").await;
    let (their_team, theirs) = (elsewhere.admin().team("Team").await, elsewhere.admin().sandbox("Theirs").await);
    for (answer, field, code) in [
        (add_users(admin, &team, &[id(&cm), UNKNOWN]).await, "userIds.1", "unknownUser"),
        (add_users(admin, &team, &[id(elsewhere.admin())]).await, "userIds.0", "unknownUser"),
        (add_channels(admin, &team, &[&channel, &channel, UNKNOWN]).await, "channelIds.2", "unknownChannel"),
        (add_channels(admin, &team, &[&theirs]).await, "channelIds.0", "unknownChannel"),
    ] {
        let answer = answer.is(400, "ValidationError");
        assert_eq!(answer.body["errors"], json!({ field: [code] }));
    }
    let many: Vec<String> = (0..501).map(|n| format!("{n:024x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = add_users(admin, &team, &many).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "userIds": ["tooMany"] }));
    let refused = add_channels(admin, &team, &many).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "channelIds": ["tooMany"] }));
    for nowhere in [UNKNOWN, &their_team] {
        add_users(admin, nowhere, &[id(&cm)]).await.is(404, "NotFoundError");
        add_channels(admin, nowhere, &[&channel]).await.is(404, "NotFoundError");
        admin.delete(&format!("{PATH}/{nowhere}/users/{}", id(&cm))).await.is(404, "NotFoundError");
        admin.delete(&format!("{PATH}/{nowhere}/channel/{channel}")).await.is(404, "NotFoundError");
        admin.delete(&format!("{PATH}/{nowhere}")).await.is(404, "NotFoundError");
        patch(admin, nowhere, json!({ "name": "Mine" })).await.is(404, "NotFoundError");
        let body = json!({ "name": "One", "socialNetwork": "FACEBOOK", "teamIds": [nowhere] });
        let refused = admin.post("/api2/channels/sandbox").json(body).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], json!({ "teamIds": ["unknownTeam"] }));
    }
    admin.post(&format!("{PATH}/{team}/users")).json(json!({ "userIds": "all" })).await.is(400, "BadRequestError");
    admin.post(&format!("{PATH}/{team}/users")).json(json!({})).await.is(400, "BadRequestError");
    admin.delete(&format!("{PATH}/{team}/users/ann")).await.is(400, "BadRequestError");
    let teams = admin.get(PATH).await.ok().body;
    assert_eq!(
        (&teams[0]["users"], &teams[0]["channels"], teams.as_array().unwrap().len()),
        (&json!([]), &json!([]), 1)
    );
    assert_eq!(elsewhere.admin().get(PATH).await.ok().body[0]["users"], json!([]));

    // A hundred at once are one append: their events stand side by side in the log.
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.push(account.as_role(Role::Observer).await);
    }
    let ids: Vec<&str> = crowd.iter().map(id).collect();
    let joined = add_users(admin, &team, &ids).await.ok();
    assert_eq!(joined.body["users"], sorted(&ids));
    let pool = service.pool().await;
    let written: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE event_type = 'UserTeamsChanged' AND tenant_id = $1
         AND metadata->>'command_id' = (SELECT metadata->>'command_id' FROM events WHERE position = $2)",
    )
    .bind(account.id.to_string())
    .bind(joined.position())
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(written, 20);
}

#[tokio::test]
async fn a_team_is_deleted_when_nobody_needs_it() {
    let service = shared().await;
    let account = service.account("Ending").await;
    let admin = account.admin();
    let (team, other) = (admin.team("Team").await, admin.team("Other").await);
    let path = format!("{PATH}/{team}");
    let only = account.member(Role::Cm, &[&team]).await;
    let both = account.member(Role::Smm, &[&team, &other]).await;
    let second = account.member(Role::Admin, &[&team]).await;
    let channel = admin.sandbox_of("One", &[&team]).await;

    let refused = admin.delete(&path).await.is(409, "ConflictError");
    for named in [id(&only), channel.as_str()] {
        assert!(refused.text("message").contains(named), "{}", refused.body);
    }
    for unnamed in [id(&both), id(&second)] {
        assert!(!refused.text("message").contains(unnamed), "{}", refused.body);
    }
    add_users(admin, &other, &[id(&only)]).await.ok();
    admin.delete(&path).await.is(409, "ConflictError");
    add_channels(admin, &other, &[&channel]).await.ok();
    assert_eq!(summary(&both).await, ["Other", "Team"]);
    let gone = admin.delete(&path).await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));

    let teams = admin.get(PATH).await.ok().body;
    assert_eq!(teams.as_array().unwrap().len(), 1);
    assert_eq!(teams[0]["users"], sorted(&[id(&only), id(&both)]));
    assert_eq!(teams[0]["channels"], json!([channel]));
    assert_eq!(admin.get(&format!("/api2/channels?teamIds={team}")).await.ok().body["count"], 0);
    // Nothing brings it back, and its name is free.
    admin.delete(&path).await.is(404, "NotFoundError");
    add_users(admin, &team, &[id(&both)]).await.is(404, "NotFoundError");
    let body = json!({ "name": "Two", "socialNetwork": "FACEBOOK", "teamIds": [team] });
    admin.post("/api2/channels/sandbox").json(body).await.is(400, "ValidationError");
    admin.team("team").await;
}

/// A role that holds no permission for members, and no team that it looks after.
async fn outsider(account: &Account) -> Client {
    account.as_role(Role::Smm).await
}

#[tokio::test]
async fn members_are_a_matter_of_permissions_and_of_admins_of_the_team() {
    let service = shared().await;
    let account = service.account("Keepers").await;
    let admin = account.admin();
    let (team, other) = (admin.team("Team").await, admin.team("Other").await);
    let keeper = account.member(Role::Smm, &[&team, &other]).await;
    let cm = account.member(Role::Cm, &[&other]).await;
    let hidden = admin.team("Hidden").await;
    let (seen, unseen) = (admin.sandbox_of("Seen", &[&other]).await, admin.sandbox_of("Unseen", &[&hidden]).await);
    patch(admin, &team, json!({ "admins": [id(&keeper)] })).await.ok();

    let nobody = outsider(&account).await;
    for refused in [
        add_users(&nobody, &team, &[id(&nobody)]).await,
        add_channels(&nobody, &team, &[&seen]).await,
        nobody.delete(&format!("{PATH}/{team}/users/{}", id(&keeper))).await,
        // An admin of one team is none of another.
        add_users(&keeper, &other, &[id(&nobody)]).await,
        add_users(&keeper, &hidden, &[id(&keeper)]).await,
        add_channels(&keeper, &hidden, &[&seen]).await,
    ] {
        refused.is(403, "InsufficientPermissions");
    }
    add_users(&keeper, &team, &[id(&cm)]).await.ok();
    add_channels(&keeper, &team, &[&seen]).await.ok();
    // Nobody gives, and so gets, what they do not see.
    let refused = add_channels(&keeper, &team, &[&unseen]).await.is(400, "ValidationError");
    assert_eq!(refused.body["errors"], json!({ "channelIds.0": ["unknownChannel"] }));
    keeper.delete(&format!("{PATH}/{team}/users/{}", id(&cm))).await.ok();

    // Taking a channel away needs permissions that this role lacks, and the team's trust besides.
    let path = format!("{PATH}/{team}/channel/{seen}");
    keeper.delete(&path).await.is(403, "InsufficientPermissions");
    let held = [Permission::EditChannels, Permission::ViewAccountSettings, Permission::EditTeamChannels];
    let custom = account.custom(&held, &[&team]).await;
    custom.delete(&path).await.is(403, "AccessDenied");
    add_channels(&custom, &team, &[&unseen]).await.is(400, "ValidationError");
    patch(admin, &team, json!({ "admins": [id(&custom), id(&keeper)] })).await.ok();
    assert_eq!(custom.delete(&path).await.status, 200);

    let editor = account.custom(&[Permission::EditUsers], &[&other]).await;
    add_users(&editor, &team, &[id(&cm)]).await.ok();
    add_channels(&editor, &team, &[&seen]).await.is(403, "InsufficientPermissions");

    // Whoever is taken out looks after nothing any more.
    admin.delete(&format!("{PATH}/{team}/users/{}", id(&keeper))).await.ok();
    add_users(&keeper, &team, &[id(&keeper)]).await.is(403, "InsufficientPermissions");
}

#[tokio::test]
async fn the_same_key_adds_once_and_answers_twice() {
    let service = shared().await;
    let account = service.account("Repeated teams").await;
    let admin = account.admin();
    let create = || admin.post(PATH).json(json!({ "name": "Once" })).key("create");
    let (first, second) = (create().await.ok(), create().await.ok());
    assert_eq!((&first.body, second.replayed()), (&second.body, true));
    let cm = account.as_role(Role::Cm).await;
    let path = format!("{PATH}/{}/users", first.id());
    let add = || admin.post(&path).json(json!({ "userIds": [id(&cm)] })).key("add");
    let (first, second) = (add().await.ok(), add().await.ok());
    assert_eq!((&first.body, first.position(), second.replayed()), (&second.body, second.position(), true));
}
