//! `/api2/cp/postGroups`: composing for several channels, one group at a time.

use futures::future::join_all;
use palaver_domain::identity::Role;
use palaver_tests::Client;
use serde_json::json;

use crate::{hours_from_now, shared};

const GROUPS: &str = "/api2/cp/postGroups";

async fn act(client: &Client, group: &str, how: &str) -> palaver_tests::Answer {
    client.post(&format!("{GROUPS}/{group}/{how}")).await
}

#[tokio::test]
async fn a_user_composes_one_group_at_a_time() {
    let service = shared().await;
    let account = service.account("Workbench").await;
    let admin = account.admin();
    let (one, two) = (admin.sandbox("One").await, admin.sandbox("Two").await);
    admin.get(&format!("{GROUPS}/preDraft")).await.is(404, "NotFoundError");

    // Of many at once, one is begun.
    let begin = || admin.post(GROUPS).json(json!({ "channelIds": [one, two, one] }));
    let begun = join_all((0..8).map(|_| async { begin().await })).await;
    let (made, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.is(409, "ConflictError");
    }
    let group = made[0].id();
    assert_eq!(admin.get(&format!("{GROUPS}/preDraft")).await.ok().body, made[0].body);
    let posts = admin.get(&format!("/api2/cp/posts?postGroupId={group}")).await.ok().body;
    assert_eq!(posts["count"], 2, "a channel that is named twice gets one post");

    // What is being composed is its author's alone, and others may compose meanwhile.
    let smm = account.as_role(Role::Smm).await;
    let mine = posts["data"][0]["_id"].as_str().unwrap();
    smm.get(&format!("/api2/cp/posts/{mine}")).await.is(404, "NotFoundError");
    assert_eq!(smm.get(&format!("/api2/cp/posts?postGroupId={group}")).await.ok().body["count"], 0);
    smm.get(&format!("{GROUPS}/preDraft")).await.is(404, "NotFoundError");
    let theirs = smm.compose(&[&one]).await;

    // The group goes with its last post, and the workbench is free.
    for post in posts["data"].as_array().unwrap() {
        admin.get(&format!("{GROUPS}/preDraft")).await.ok();
        let gone = admin.delete(&format!("/api2/cp/posts/{}", post["_id"].as_str().unwrap())).await;
        assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    }
    admin.get(&format!("{GROUPS}/preDraft")).await.is(404, "NotFoundError");
    admin.delete(&format!("{GROUPS}/{group}")).await.is(404, "NotFoundError");
    act(admin, &group, "saveAsDraft").await.is(404, "NotFoundError");
    let next = admin.compose(&[&one]).await;

    // Or all at once.
    let gone = admin.delete(&format!("{GROUPS}/{}", next.id)).await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    admin.get(&format!("/api2/cp/posts/{}", next.posts[0])).await.is(404, "NotFoundError");
    assert_eq!(smm.get(&format!("{GROUPS}/preDraft")).await.ok().id(), theirs.id);
}

#[tokio::test]
async fn a_group_is_its_authors_until_it_is_saved() {
    let service = shared().await;
    let account = service.account("Groups").await;
    let (author, other) = (account.as_role(Role::Smm).await, account.as_role(Role::Smm).await);
    let (one, two) = (account.admin().sandbox("One").await, account.admin().sandbox("Two").await);
    let group = author.compose(&[&one, &two]).await;

    for how in ["saveAsDraft", "schedule", "publish"] {
        act(&other, &group.id, how).await.is(409, "ConflictError");
    }
    other.delete(&format!("{GROUPS}/{}", group.id)).await.is(409, "ConflictError");

    // All or nothing: one empty post keeps both from being published, and the answer says why.
    author.edit(&group.posts[0], json!({ "content": { "text": "first" } })).await;
    let empty = act(&author, &group.id, "publish").await.is(400, "ValidationError");
    assert_eq!(empty.body["errors"], json!({ "content": ["requireTextLinkImageOrVideo"] }));
    act(&author, &group.id, "schedule").await.is(409, "ConflictError");
    assert_eq!(author.read(&group.posts[0]).await["status"], "preDraft");
    assert_eq!(author.get(&format!("{GROUPS}/preDraft")).await.ok().id(), group.id);

    let saved = act(&author, &group.id, "saveAsDraft").await.ok();
    assert_eq!((saved.status, saved.id()), (200, group.id.clone()));
    author.get(&format!("{GROUPS}/preDraft")).await.is(404, "NotFoundError");
    act(&author, &group.id, "saveAsDraft").await.is(409, "ConflictError");
    author.delete(&format!("{GROUPS}/{}", group.id)).await.is(409, "ConflictError");
    assert_eq!(other.read(&group.posts[1]).await["status"], "draft");

    // From now on others work on it too.
    other.edit(&group.posts[1], json!({ "content": { "text": "second" } })).await;
    let (sooner, later) = (hours_from_now(2), hours_from_now(3));
    other.edit(&group.posts[0], json!({ "publishTime": sooner })).await;
    act(&other, &group.id, "schedule").await.is(409, "ConflictError");
    act(&other, &group.id, "publish").await.is(409, "ConflictError");
    other.edit(&group.posts[1], json!({ "publishTime": later })).await;
    act(&other, &group.id, "schedule").await.ok();
    for (post, time) in [(&group.posts[0], sooner), (&group.posts[1], later)] {
        let post = author.read(post).await;
        assert_eq!((post["status"].as_str(), post["publishTime"].as_str()), (Some("scheduled"), Some(time.as_str())));
    }
    // Nothing of it is left to be scheduled.
    act(&other, &group.id, "schedule").await.is(409, "ConflictError");
}

#[tokio::test]
async fn a_group_is_published_by_its_author_straight_from_the_workbench() {
    let service = shared().await;
    let account = service.account("Straight").await;
    let author = account.as_role(Role::Smm).await;
    let (one, two) = (account.admin().sandbox("One").await, account.admin().sandbox("Two").await);
    let group = author.compose(&[&one, &two]).await;
    for post in &group.posts {
        author.edit(post, json!({ "content": { "text": "now" } })).await;
    }
    act(&author, &group.id, "publish").await.ok();
    author.get(&format!("{GROUPS}/preDraft")).await.is(404, "NotFoundError");
    for post in &group.posts {
        palaver_tests::eventually("both are out", || async {
            (author.read(post).await["status"] == "published").then_some(())
        })
        .await;
    }

    // One of two posts leaves the workbench by itself; the other keeps it taken.
    let group = author.compose(&[&one, &two]).await;
    author.edit(&group.posts[0], json!({ "content": { "text": "ahead" } })).await;
    author.move_post(&group.posts[0], "publish").await;
    author.post(GROUPS).json(json!({ "channelIds": [one] })).await.is(409, "ConflictError");
    author.delete(&format!("{GROUPS}/{}", group.id)).await.is(409, "ConflictError");
    author.delete(&format!("/api2/cp/posts/{}", group.posts[1])).await.ok();
    author.compose(&[&one]).await;
}

#[tokio::test]
async fn a_group_carries_its_time_and_zone_to_every_post() {
    let service = shared().await;
    let account = service.account("Zones").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    for (time, zone, kept_time, kept_zone) in [
        ("2031-07-01T12:00:00+02:00", None, "2031-07-01T10:00:00.000Z", Some("Etc/GMT-2")),
        ("2031-07-01T12:00:00-05:00", None, "2031-07-01T17:00:00.000Z", Some("Etc/GMT+5")),
        ("2031-07-01T12:00:00+02:00", Some("Europe/Berlin"), "2031-07-01T10:00:00.000Z", Some("Europe/Berlin")),
        ("2031-07-01T12:00:00.1234567Z", None, "2031-07-01T12:00:00.123Z", None),
    ] {
        let body = json!({ "channelIds": [channel], "publishTime": time, "publishTimeZone": zone });
        let group = admin.post(GROUPS).json(body).await.ok().id();
        let posts = admin.get(&format!("/api2/cp/posts?postGroupId={group}")).await.ok().body;
        let post = &posts["data"][0];
        assert_eq!(
            (post["publishTime"].as_str(), post["publishTimeZone"].as_str()),
            (Some(kept_time), kept_zone),
            "{time}"
        );
        admin.delete(&format!("{GROUPS}/{group}")).await.ok();
    }
}
