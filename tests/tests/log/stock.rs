//! What cqrs-es and postgres-es make of our log, and our store of their framework.

use std::collections::HashMap;

use cqrs_es::{
    Aggregate, AggregateContext, AggregateError, CqrsFramework, EventStore,
    persist::{PersistedEventRepository, PersistedEventStore},
};
use palaver_commands::posts::PostPatch;
use palaver_domain::{
    Actor, Circumstances, FeedItemId, PostGroupId, PostId, UserId,
    channels::Network,
    posts::{ChannelRef, Content, Post, PostCommand, PostEdit, PostError},
};
use palaver_eventstore::{
    AggregateStore, StreamId,
    clock::{Clock, SystemClock},
    ids::SystemIds,
};
use palaver_tests::fresh_database;
use postgres_es::PostgresEventRepository;
use serde_json::json;

use super::{TENANT, metadata, open, plan_a_post};

#[tokio::test]
async fn the_stock_event_store_loads_what_our_commands_wrote() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let planned = plan_a_post(&log).await;
    let (commander, context, planner) = (&planned.commander, &planned.context, &planned.planner);
    for text in ["one", "two ü 😀", "three"] {
        let content = json!({ "text": text }).as_object().cloned();
        let patch = PostPatch { edit: PostEdit::default(), content };
        commander.edit_post(context, planner.clone(), planned.post, patch).await.unwrap();
    }
    commander.comment_on_post(context, planner.clone(), planned.post, "hm".to_owned(), vec![]).await.unwrap();
    let moved = commander.move_post(context, planner.clone(), planned.post, PostCommand::Publish).await.unwrap();

    let id = planned.post.to_string();
    let repository = PostgresEventRepository::new(database.pool().await);
    let serialized = repository.get_events::<Post>(&id).await.unwrap();
    let ours = log.read_stream(&StreamId::of::<Post>(&id), 0, 100).await.unwrap();
    assert_eq!(serialized.len(), ours.len());
    for (theirs, ours) in serialized.iter().zip(&ours) {
        assert_eq!((theirs.sequence as i64, &theirs.event_type), (ours.sequence, &ours.event_type));
        assert_eq!((&theirs.event_version, &theirs.payload), (&ours.event_version, &ours.payload));
    }
    let store = PersistedEventStore::<_, Post>::new_event_store(repository);
    let mut loaded = store.load_aggregate(&id).await.unwrap();
    assert_eq!(loaded.aggregate().0.as_ref(), Some(&moved.value.post));
    let envelopes = store.load_events(&id).await.unwrap();
    assert_eq!(envelopes.last().unwrap().metadata["actor"], context.actor.to_string());
    let mut replayed = Post::default();
    envelopes.into_iter().for_each(|envelope| replayed.apply(envelope.payload));
    assert_eq!(replayed, *loaded.aggregate());
}

#[tokio::test]
async fn the_stock_framework_runs_on_our_store() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let store = AggregateStore::<Post>::new(log.clone(), std::sync::Arc::new(SystemIds), TENANT);
    let circumstances = Circumstances { now: SystemClock.now(), actor: Actor::system("test") };
    let framework = CqrsFramework::new(store.clone(), vec![], circumstances);
    let post = PostId::from_bytes([7; 12]);
    let id = post.to_string();
    let mut metadata: HashMap<String, String> =
        serde_json::from_value(serde_json::to_value(metadata()).unwrap()).unwrap();
    metadata.insert("campaign".to_owned(), "spring".to_owned());
    let plan = PostCommand::Plan {
        id: post,
        account_id: TENANT,
        group_id: PostGroupId::from_bytes([2; 12]),
        channel: ChannelRef {
            id: Default::default(),
            unique_name: "one".to_owned(),
            social_network: Network::Facebook,
        },
        author: UserId::from_bytes([3; 12]),
        publish_time: None,
        publish_time_zone: None,
    };
    let content = Content { text: "hello".to_owned(), ..Content::default() };
    let edit = PostCommand::Edit(Box::new(PostEdit { content: Some(content), ..PostEdit::default() }));
    let comment =
        PostCommand::Comment { item_id: FeedItemId::default(), message: "hm".to_owned(), mentions: Vec::new() };
    for command in [plan.clone(), edit, comment, PostCommand::Publish] {
        framework.execute_with_metadata(&id, command, metadata.clone()).await.unwrap();
    }
    let refused = framework.execute_with_metadata(&id, plan, metadata.clone()).await;
    assert!(matches!(refused, Err(AggregateError::UserError(PostError::AlreadyExists))), "{refused:?}");

    let recorded = log.read_stream(&StreamId::of::<Post>(&id), 0, 100).await.unwrap();
    let types: Vec<_> = recorded.iter().map(|event| event.event_type.as_str()).collect();
    let expected = ["PostPlanned", "PostContentEdited", "PostCommented", "PostPublishTimeSet", "PostScheduled"];
    assert_eq!(types, expected);
    assert!(recorded.iter().all(|event| event.metadata.more["campaign"] == "spring"));

    let envelopes = store.load_events(&id).await.unwrap();
    assert_eq!(envelopes.iter().map(|envelope| envelope.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(envelopes.iter().all(|envelope| envelope.metadata == metadata));
    let stock = PersistedEventStore::<_, Post>::new_event_store(PostgresEventRepository::new(database.pool().await));
    let mut theirs = stock.load_aggregate(&id).await.unwrap();
    let mut ours = store.load_aggregate(&id).await.unwrap();
    assert_eq!(theirs.aggregate(), ours.aggregate());

    // Two who loaded the same state: the second is told to start over, and nothing of it is written.
    let (first, second) = (store.load_aggregate(&id).await.unwrap(), store.load_aggregate(&id).await.unwrap());
    let happened = || vec![palaver_domain::posts::PostEvent::Unscheduled];
    store.commit(happened(), first, metadata.clone()).await.unwrap();
    let conflict = store.commit(happened(), second, metadata).await;
    assert!(matches!(conflict, Err(AggregateError::AggregateConflict)));
    assert_eq!(log.head().await.unwrap(), 6);
}
