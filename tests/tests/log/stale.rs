//! Two processes on one log: what one has in memory is never believed against the log.

use palaver_commands::posts::PostPatch;
use palaver_domain::posts::{Post, PostEdit};
use palaver_eventstore::StreamId;
use palaver_tests::fresh_database;
use serde_json::{Map, json};

use super::{Planned, open, plan_a_post};

fn text(text: &str) -> PostPatch {
    let content = Map::from_iter([("text".to_owned(), json!(text))]);
    PostPatch { edit: PostEdit::default(), content: Some(content) }
}

#[tokio::test]
async fn a_change_back_to_what_memory_holds_is_a_change_all_the_same() {
    let database = fresh_database().await;
    let (here, tasks) = open(&database).await;
    let (elsewhere, other_tasks) = open(&database).await;
    let Planned { commander, context, planner, post } = plan_a_post(&here).await;
    commander.edit_post(&context, planner.clone(), post, text("one")).await.unwrap();

    let other = palaver_commands::Commander::new(
        elsewhere.clone(),
        std::sync::Arc::new(palaver_eventstore::clock::SystemClock),
        std::sync::Arc::new(palaver_eventstore::ids::SystemIds),
    );
    other.edit_post(&context, planner.clone(), post, text("two")).await.unwrap();
    // Here, memory still says "one"; so this looks like nothing to do.
    let answer = commander.edit_post(&context, planner.clone(), post, text("one")).await.unwrap();
    assert_eq!(answer.value.post.content.text, "one");
    let stream = StreamId::of::<Post>(post);
    let logged = elsewhere.load::<Post>(&stream).await.unwrap();
    assert_eq!(logged.aggregate.existing().unwrap().content.text, "one");
    // And what truly changes nothing writes nothing.
    let before = logged.sequence;
    other.edit_post(&context, planner, post, text("one")).await.unwrap();
    assert_eq!(here.load::<Post>(&stream).await.unwrap().sequence, before);
    tasks.drain().await;
    other_tasks.drain().await;
}

#[tokio::test]
async fn a_refusal_rests_on_the_log_and_not_on_memory() {
    let database = fresh_database().await;
    let (here, tasks) = open(&database).await;
    let (elsewhere, other_tasks) = open(&database).await;
    let Planned { commander, context, planner, post } = plan_a_post(&here).await;
    let other = palaver_commands::Commander::new(
        elsewhere,
        std::sync::Arc::new(palaver_eventstore::clock::SystemClock),
        std::sync::Arc::new(palaver_eventstore::ids::SystemIds),
    );
    // Known here as preDraft, from which it can not be suggested; saved as a draft elsewhere.
    commander.edit_post(&context, planner.clone(), post, text("one")).await.unwrap();
    let group = commander.post(&context, &planner, post).await.unwrap().post.group_id;
    other.save_group_as_draft(&context, planner.clone(), group).await.unwrap();
    let command = palaver_domain::posts::PostCommand::Suggest;
    let suggested = commander.move_post(&context, planner, post, command).await.unwrap();
    assert_eq!(suggested.value.post.status, palaver_domain::posts::Status::NeedsApproval);
    tasks.drain().await;
    other_tasks.drain().await;
}
