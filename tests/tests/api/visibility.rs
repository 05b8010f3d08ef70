//! What somebody sees and may change is decided by their teams and by the channels' teams as they are now, wherever
//! posts and channels are read or written.

use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::{hours_from_now, shared};

/// Every count of posts and channels there is, which must agree: posts listed by query and by body, drafts counted, days
/// of the calendar, both ways, and channels listed and summed up.
async fn sees(client: &Client, after: i64) -> (i64, i64) {
    let body = |answer: Answer| answer.ok().body;
    let listed = body(client.get("/api2/cp/posts").after(after).await);
    let posts = listed["count"].as_i64().unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len() as i64, posts);
    assert_eq!(body(client.post("/api2/cp/posts").json(json!({})).after(after).await)["count"], posts);
    let searched = body(client.get("/api2/cp/posts?search=text&groupBy=postGroup").after(after).await);
    assert_eq!(searched["count"], posts, "each post is in a group of its own");
    assert_eq!(body(client.get("/api2/cp/posts/counts").after(after).await)["draft"], posts);
    let (since, until) = (hours_from_now(0), hours_from_now(72));
    let sum = |days: Value| -> i64 {
        days.as_array().unwrap().iter().filter_map(|day| day["data"]["facebook"].as_i64()).sum()
    };
    let range = json!({ "since": since, "until": until, "tz": "UTC" });
    let days = client.post("/api2/cp/posts/aggregates/day").json(range).after(after).await;
    assert_eq!(sum(body(days)), posts);
    let path = format!("/api2/cp/posts/aggregates/day/list?since={since}&until={until}&tz=UTC");
    assert_eq!(sum(body(client.post(&path).json(json!({})).after(after).await)), posts);
    let channels = body(client.get("/api2/channels").after(after).await)["count"].as_i64().unwrap();
    let summed = body(client.get("/api2/channels/summary").after(after).await);
    assert_eq!(summed.as_array().unwrap().len() as i64, channels);
    (posts, channels)
}

async fn dated_draft(client: &Client, channel: &str) -> String {
    let post = client.draft(channel, "a text").await;
    client.edit(&post, json!({ "publishTime": hours_from_now(30) })).await;
    post
}

/// Everything that can be asked of one post, and of the channel it is for.
async fn asked_of(client: &Client, post: &str, channel: &str) -> Vec<Answer> {
    let path = format!("/api2/cp/posts/{post}");
    vec![
        client.get(&path).await,
        client.get(&format!("{path}/feed")).await,
        client.get(&format!("/api2/channels/{channel}")).await,
    ]
}

/// Everything that changes one post, or makes another on its channel.
async fn changes_of(client: &Client, post: &str, channel: &str) -> Vec<Answer> {
    let path = format!("/api2/cp/posts/{post}");
    let mut answers = vec![
        client.patch(&path).json(json!({ "content": { "text": "mine now" } })).await,
        client.delete(&path).await,
        client.post(&format!("{path}/feed")).json(json!({ "message": "mine now" })).await,
        client.post("/api2/cp/postGroups").json(json!({ "channelIds": [channel] })).await,
    ];
    for how in ["schedule", "publish", "unschedule", "suggest", "approve", "reject"] {
        answers.push(client.post(&format!("{path}/{how}")).await);
    }
    answers
}

#[tokio::test]
async fn who_leaves_a_team_loses_its_posts_at_once() {
    let service = shared().await;
    let account = service.account("Leaving").await;
    let admin = account.admin();
    let (team, other) = (admin.team("Team").await, admin.team("Other").await);
    let smm = account.member(Role::Smm, &[&team, &other]).await;
    let (ours, theirs) = (admin.sandbox_of("Ours", &[&team]).await, admin.sandbox_of("Theirs", &[&other]).await);
    let common = admin.sandbox("Common").await;
    let post = dated_draft(admin, &ours).await;
    dated_draft(admin, &theirs).await;
    dated_draft(admin, &common).await;
    let before = admin.edit(&post, json!({ "tags": ["00000000000000000000aaa1"] })).await.position();
    assert_eq!(sees(&smm, before).await, (3, 3));
    for answer in asked_of(&smm, &post, &ours).await {
        answer.ok();
    }
    // Seen by nobody else yet, and begun while that was allowed.
    let composer = account.member(Role::Smm, &[&team, &other]).await;
    let begun = composer.compose(&[&ours]).await;

    let user = smm.user.as_deref().unwrap();
    admin.delete(&format!("/api2/teams/{team}/users/{}", composer.user.as_deref().unwrap())).await.ok();
    let left = admin.delete(&format!("/api2/teams/{team}/users/{user}")).await.ok().position();
    // Commands go by the log, so nothing has to be waited for.
    for answer in changes_of(&smm, &post, &ours).await.into_iter().chain(asked_of(&smm, &post, &ours).await) {
        answer.is(404, "NotFoundError");
    }
    composer.patch(&format!("/api2/cp/posts/{}", begun.posts[0])).json(json!({})).await.is(404, "NotFoundError");
    composer.post(&format!("/api2/cp/postGroups/{}/saveAsDraft", begun.id)).await.is(404, "NotFoundError");
    composer.post(&format!("/api2/cp/postGroups/{}/schedule", begun.id)).await.is(409, "ConflictError");
    assert_eq!(sees(&smm, left).await, (2, 2));
    assert_eq!(sees(admin, left).await, (3, 3));
    let named = smm.get(&format!("/api2/cp/posts?channelIds={ours}")).after(left).await.ok().body;
    assert_eq!(named["count"], 0);
    let of_team = json!({ "teamIds": [team] });
    let path =
        format!("/api2/cp/posts/aggregates/day/list?since={}&until={}&tz=UTC", hours_from_now(0), hours_from_now(72));
    let days = smm.post(&path).json(of_team).after(left).await.ok().body;
    assert!(days.as_array().unwrap().iter().all(|day| day["data"] == json!({})), "{days}");
    // What nobody else has seen may still be dropped, so that the workbench is free again.
    assert_eq!(composer.delete(&format!("/api2/cp/postGroups/{}", begun.id)).await.status, 204);
    composer.compose(&[&theirs]).await;

    let back = admin.post(&format!("/api2/teams/{team}/users")).json(json!({ "userIds": [user] })).await.ok();
    assert_eq!(sees(&smm, back.position()).await, (3, 3));
    smm.patch(&format!("/api2/cp/posts/{post}")).json(json!({})).await.ok();
}

#[tokio::test]
async fn a_channel_takes_its_posts_along_from_team_to_team() {
    let service = shared().await;
    let account = service.account("Moving").await;
    let admin = account.admin();
    let (from, to) = (admin.team("From").await, admin.team("To").await);
    let (old, new) = (account.member(Role::Smm, &[&from]).await, account.member(Role::Smm, &[&to]).await);
    let nowhere = account.as_role(Role::Smm).await;
    let channel = admin.sandbox("Moving").await;
    let post = dated_draft(admin, &channel).await;
    let at = admin.edit(&post, json!({ "tags": ["00000000000000000000aaa1"] })).await.position();
    // No team has claimed it yet.
    for client in [&old, &new, &nowhere, admin] {
        assert_eq!(sees(client, at).await, (1, 1));
    }
    let join = |team: String| {
        let body = json!({ "channelIds": [channel] });
        async move { admin.post(&format!("/api2/teams/{team}/channels")).json(body).await.ok().position() }
    };
    let at = join(from.clone()).await;
    for (client, seen) in [(&old, (1, 1)), (&new, (0, 0)), (&nowhere, (0, 0)), (admin, (1, 1))] {
        assert_eq!(sees(client, at).await, seen);
    }
    for answer in asked_of(&new, &post, &channel).await.into_iter().chain(changes_of(&new, &post, &channel).await) {
        answer.is(404, "NotFoundError");
    }
    let at = join(to).await;
    assert_eq!((sees(&old, at).await, sees(&new, at).await), ((1, 1), (1, 1)));
    let at = admin.delete(&format!("/api2/teams/{from}/channel/{channel}")).await.ok().position();
    assert_eq!((sees(&old, at).await, sees(&new, at).await), ((0, 0), (1, 1)));
    for answer in asked_of(&old, &post, &channel).await.into_iter().chain(changes_of(&old, &post, &channel).await) {
        answer.is(404, "NotFoundError");
    }
    for answer in asked_of(&new, &post, &channel).await {
        answer.ok();
    }
    new.patch(&format!("/api2/cp/posts/{post}")).json(json!({})).await.ok();
}

#[tokio::test]
async fn a_read_only_channel_is_read_and_not_changed() {
    let service = shared().await;
    let account = service.account("Reading").await;
    let admin = account.admin();
    let smm = account.as_role(Role::Smm).await;
    let (fixed, free) = (admin.sandbox("Fixed").await, admin.sandbox("Free").await);
    let post = dated_draft(admin, &fixed).await;
    let composer = account.as_role(Role::Smm).await;
    let begun = composer.compose(&[&fixed]).await;
    account.read_only(&composer, &[&fixed]).await;
    let at = account.read_only(&smm, &[&fixed]).await;

    assert_eq!(sees(&smm, at).await.1, 2);
    for answer in asked_of(&smm, &post, &fixed).await {
        answer.ok();
    }
    for answer in changes_of(&smm, &post, &fixed).await {
        let answer = answer.is(403, "AccessDenied");
        assert!(answer.text("message").contains(&fixed), "{}", answer.body);
    }
    let both = json!({ "channelIds": [free, fixed] });
    smm.post("/api2/cp/postGroups").json(both).await.is(403, "AccessDenied");
    for how in ["saveAsDraft", "schedule", "publish"] {
        composer.post(&format!("/api2/cp/postGroups/{}/{how}", begun.id)).await.is(403, "AccessDenied");
    }
    let group = admin.read(&post).await["postGroupId"].as_str().unwrap().to_owned();
    smm.post(&format!("/api2/cp/postGroups/{group}/schedule")).await.is(403, "AccessDenied");
    assert_eq!(admin.read(&post).await["status"], "draft");
    assert_eq!(composer.delete(&format!("/api2/cp/postGroups/{}", begun.id)).await.status, 204);

    // Others change it, and so does the same user when the channel is given back.
    admin.edit(&post, json!({ "content": { "text": "another text" } })).await;
    smm.draft(&free, "a text").await;
    account.read_only(&smm, &[]).await;
    smm.edit(&post, json!({ "content": { "text": "my text" } })).await;
}
