//! Publishing on a network that misbehaves, seen from outside: each post is published once or not at all, and what
//! nobody can know is asked of a person.

use std::sync::Arc;

use chrono::TimeDelta;
use palaver_commands::{
    CommandContext, Commander,
    posts::{NewGroup, Planner, PostPatch},
};
use palaver_domain::{
    Actor,
    identity::Role,
    posts::{PostCommand, PostEdit},
};
use palaver_eventstore::{Database, EventLog, QUEUE_APPENDS_MAX, clock::ManualClock, ids::SystemIds};
use palaver_tests::{Account, Client, Service, eventually};
use serde_json::{Value, json};

use crate::{channels::deactivate, hours_from_now, now, shared};

/// A post that is to go out now on a channel that behaves like this.
async fn sent(client: &Client, behaviour: &str) -> (String, String) {
    let channel = client.sandbox(behaviour).await;
    client.behave(&channel, behaviour, 0).await;
    let post = client.draft(&channel, behaviour).await;
    client.move_post(&post, "publish").await;
    (channel, post)
}

async fn becomes(client: &Client, post: &str, status: &str, attention: bool) -> Value {
    eventually(&format!("{status}, needsAttention {attention}"), || async {
        let now = client.read(post).await;
        (now["status"] == status && now["flags"]["needsAttention"] == attention).then_some(now)
    })
    .await
}

async fn items(client: &Client, channel: &str) -> Vec<Value> {
    let items = client.get(&format!("/api2/channels/sandbox/{channel}/items")).await.ok().body;
    assert_eq!(items["count"], items["data"].as_array().unwrap().len());
    items["data"].as_array().unwrap().clone()
}

/// Key and error of the newest entry of the feed.
async fn newest(client: &Client, post: &str, key: &str) -> String {
    eventually(&format!("{key} in the feed"), || async {
        let feed = client.get(&format!("/api2/cp/posts/{post}/feed?count=1")).await.ok().body;
        let item = &feed["data"][0];
        (item["key"] == key).then(|| item["data"]["err"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

#[tokio::test]
async fn a_refusal_fails_the_post_and_a_new_time_gives_it_another_chance() {
    let service = shared().await;
    let account = service.account("Refused").await;
    let admin = account.admin();
    let (channel, post) = sent(admin, "refuse").await;
    becomes(admin, &post, "failedToPublish", true).await;
    assert_eq!(newest(admin, &post, "failedToPublishNetworkError").await, "the sandbox was told to refuse");
    assert!(items(admin, &channel).await.is_empty());

    admin.behave(&channel, "accept", 0).await;
    admin.post(&format!("/api2/cp/posts/{post}/schedule")).await.is(400, "ValidationError");
    admin.schedule(&post, now() + TimeDelta::milliseconds(800)).await;
    becomes(admin, &post, "published", false).await;
    let items = items(admin, &channel).await;
    assert_eq!((items.len(), &items[0]["submissions"]), (1, &json!(1)));
    assert_eq!(items[0]["key"], format!("{post}-2"), "another publication has another key");
}

#[tokio::test]
async fn a_network_that_is_away_is_tried_again_and_then_given_up() {
    let service = shared().await;
    let account = service.account("Away").await;
    let admin = account.admin();
    let (channel, post) = sent(admin, "unavailable").await;
    becomes(admin, &post, "failedToPublish", true).await;
    let error = newest(admin, &post, "failedToPublishNetworkError").await;
    assert!(error.starts_with("the network is not available"), "{error}");
    admin.behave(&channel, "accept", 0).await;
    assert!(items(admin, &channel).await.is_empty());
    let tried =
        service.log().lines().filter(|line| line.contains("the network is away") && line.contains(&post)).count();
    assert!(tried >= 1, "it was tried again");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_nothing_is_sent_twice() {
    let service = shared().await;
    let account = service.account("Lost").await;
    let admin = account.admin();
    let (kept, lost) = tokio::join!(sent(admin, "dropAfterAccept"), async {
        // A user composes one group at a time.
        let other = account.as_role(Role::Admin).await;
        sent(&other, "dropBeforeAccept").await
    });

    // The network has it: the answer is found by asking.
    let published = becomes(admin, &kept.1, "published", false).await;
    let accepted = items(admin, &kept.0).await;
    assert_eq!((accepted.len(), &accepted[0]["submissions"]), (1, &json!(1)));
    assert_eq!(published["networkUrl"], accepted[0]["url"]);

    // The network has nothing: it is asked, and called again, under the same key.
    becomes(admin, &lost.1, "publishing", true).await;
    assert!(items(admin, &lost.0).await.is_empty());
    admin.behave(&lost.0, "accept", 0).await;
    becomes(admin, &lost.1, "published", false).await;
    let accepted = items(admin, &lost.0).await;
    assert_eq!((accepted.len(), &accepted[0]["submissions"]), (1, &json!(1)));
    assert_eq!(accepted[0]["key"], format!("{}-1", lost.1));
    let told = service.tool(&["history", "post", &lost.1]).await;
    for event in ["PublishingStarted", "PublishingOutcomeUnknown", "PublishingResumed", "Published"] {
        assert!(told.contains(event), "{event} in {told}");
    }
}

#[tokio::test]
async fn a_network_that_answers_too_late_has_it_once() {
    let service = shared().await;
    let account = service.account("Slow").await;
    let admin = account.admin();
    let channel = admin.sandbox("Slow").await;
    admin.behave(&channel, "accept", 1_500).await;
    let post = admin.draft(&channel, "slow").await;
    admin.move_post(&post, "publish").await;
    becomes(admin, &post, "published", false).await;
    let items = items(admin, &channel).await;
    assert_eq!((items.len(), &items[0]["submissions"]), (1, &json!(1)));
}

#[tokio::test]
async fn what_nobody_can_tell_waits_for_a_person() {
    let service = shared().await;
    let account = service.account("Forgetful").await;
    let admin = account.admin();
    let (channel, post) = sent(admin, "forgetful").await;
    becomes(admin, &post, "publishing", true).await;
    // Asked again and again, it stays so, and nothing is sent again.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    let open = becomes(admin, &post, "publishing", true).await;
    assert!(open.get("networkUrl").is_none());
    assert_eq!(items(admin, &channel).await[0]["submissions"], 1);

    let url = "https://example.com/seen";
    let told = service.tool(&["resolve", &post, "published", "--url", url]).await;
    assert_eq!(told, format!("{post} is published\n"));
    let resolved = becomes(admin, &post, "published", false).await;
    assert_eq!(resolved["networkUrl"], url);
    let again = service.tool_output(&["resolve", &post, "failed"]).await;
    assert_eq!(again.status.code(), Some(1), "{}", again.stderr);
    assert!(
        again.stderr.contains("another publication") || again.stderr.contains("no publication"),
        "{}",
        again.stderr
    );

    let (_, post) = sent(admin, "forgetful").await;
    becomes(admin, &post, "publishing", true).await;
    assert_eq!(service.tool(&["resolve", &post, "failed"]).await, format!("{post} is failedToPublish\n"));
    becomes(admin, &post, "failedToPublish", true).await;
    newest(admin, &post, "failedToPublishNetworkError").await;

    for (arguments, code) in [
        (vec!["resolve", "0123456789abcdef01234567", "failed"], 1),
        (vec!["resolve", "post", "failed"], 2),
        (vec!["resolve", &post, "perhaps"], 2),
    ] {
        assert_eq!(service.tool_output(&arguments).await.status.code(), Some(code), "{arguments:?}");
    }
}

#[tokio::test]
async fn what_can_not_be_sent_any_more_fails_without_a_call() {
    let service = shared().await;
    let account = service.account("Hindered").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;

    // Planned two hours ago for one and a half hours ago, as if nobody had been there to publish it.
    let overdue = planned_in_the_past(&service, &account, &channel).await;
    becomes(admin, &overdue, "failedToPublish", true).await;
    let error = newest(admin, &overdue, "failedToPublishInternal").await;
    assert_eq!(error, "overdue by 90 minutes; it was not published");

    let stranded = admin.draft(&channel, "stranded").await;
    admin.schedule(&stranded, now() + TimeDelta::seconds(2)).await;
    deactivate(admin, &channel).await;
    becomes(admin, &stranded, "failedToPublish", true).await;
    assert_eq!(newest(admin, &stranded, "failedToPublishInternal").await, "the channel is deactivated");
    assert!(items(admin, &channel).await.is_empty());
}

async fn planned_in_the_past(service: &Service, account: &Account, channel: &str) -> String {
    let clock = Arc::new(ManualClock::at(now() - TimeDelta::hours(2)));
    let database = Database::connect(service.connect_options().await, 2).await.unwrap();
    let (log, tasks) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
    let commander = Commander::new(log, clock, Arc::new(SystemIds));
    let user = account.admin().user.as_deref().unwrap().parse().unwrap();
    let context = CommandContext { actor: Actor::User(user), ..CommandContext::system(account.id, "test") };
    let planner = || Planner { user, role: Role::Admin, permissions: Role::Admin.permissions() };
    let new = NewGroup {
        channel_ids: vec![channel.parse().unwrap()],
        publish_time: Some(now() - TimeDelta::minutes(90)),
        publish_time_zone: None,
    };
    let group = commander.create_group(&context, planner(), new).await.unwrap();
    let listed = account.admin().get(&format!("/api2/cp/posts?postGroupId={}", group.value.id));
    let listed = listed.after(group.position).await.ok().body;
    let post = listed["data"][0]["_id"].as_str().unwrap().to_owned();
    let content = json!({ "text": "late" }).as_object().unwrap().clone();
    let patch = PostPatch { edit: PostEdit::default(), content: Some(content) };
    commander.edit_post(&context, planner(), post.parse().unwrap(), patch).await.unwrap();
    commander.move_post(&context, planner(), post.parse().unwrap(), PostCommand::Schedule).await.unwrap();
    tasks.drain().await;
    database.close().await;
    post
}

#[tokio::test]
async fn a_scheduled_post_can_still_be_called_off_or_moved() {
    let service = shared().await;
    let account = service.account("Called off").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let (off, moved) = (admin.draft(&channel, "off").await, admin.draft(&channel, "moved").await);
    for post in [&off, &moved] {
        admin.schedule(post, now() + TimeDelta::milliseconds(1_500)).await;
    }
    admin.move_post(&off, "unschedule").await;
    admin.edit(&moved, json!({ "publishTime": hours_from_now(1) })).await;
    let due = admin.draft(&channel, "due").await;
    admin.schedule(&due, now() + TimeDelta::milliseconds(1_500)).await;
    // When a later one is out, the earlier ones would be.
    becomes(admin, &due, "published", false).await;
    assert_eq!(items(admin, &channel).await.len(), 1);
    assert_eq!(admin.read(&off).await["status"], "draft");
    assert_eq!(admin.read(&moved).await["status"], "scheduled");
}
