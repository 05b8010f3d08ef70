//! Many at once on the same few things, through commands, in two processes.

use std::{collections::HashMap, sync::Arc};

use palaver_commands::{Commander, posts::NewGroup};
use palaver_domain::posts::{Post, PostGroup};
use palaver_eventstore::{StreamId, clock::SystemClock, ids::SystemIds};
use palaver_tests::fresh_database;
use tokio::task::JoinSet;

use super::{Planned, new_channel, open, plan_a_post};

const WRITERS: usize = 64;
const POSTS: usize = 8;
const COMMENTS_EACH: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_collides_is_neither_lost_nor_turned_away() {
    let database = fresh_database().await;
    let (here, tasks) = open(&database).await;
    let (there, other_tasks) = open(&database).await;
    let Planned { commander, context, planner, post } = plan_a_post(&here).await;
    let first = commander.post(&context, &planner, post).await.unwrap().post.group_id;
    commander.save_group_as_draft(&context, planner.clone(), first).await.unwrap();
    let mut channel_ids = Vec::new();
    for n in 0..POSTS {
        let channel = commander.connect_channel(&context, new_channel(&format!("Channel {n}"))).await.unwrap();
        channel_ids.push(channel.value.channel.id);
    }
    let new = NewGroup { channel_ids, publish_time: None, publish_time_zone: None };
    let group = commander.create_group(&context, planner.clone(), new).await.unwrap().value.id;
    let group = here.load::<PostGroup>(&StreamId::of::<PostGroup>(group)).await.unwrap();
    let posts: Vec<_> = group.aggregate.existing().unwrap().posts.iter().map(|(_, post)| *post).collect();

    let elsewhere = Commander::new(there.clone(), Arc::new(SystemClock), Arc::new(SystemIds));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let commander = if writer % 2 == 0 { commander.clone() } else { elsewhere.clone() };
        let (context, planner, post) = (context.clone(), planner.clone(), posts[writer % POSTS]);
        writers.spawn(async move {
            for n in 0..COMMENTS_EACH {
                let said = format!("{writer}: {n}");
                commander.comment_on_post(&context, planner.clone(), post, said, Vec::new()).await.unwrap();
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }

    let mut said = HashMap::new();
    for post in posts {
        let stream = StreamId::of::<Post>(post);
        let events = here.read_stream(&stream, 0, 1_000).await.unwrap();
        let sequences: Vec<_> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=events.len() as i64).collect::<Vec<_>>());
        for event in events.iter().filter(|event| event.event_type == "PostCommented") {
            *said.entry(event.payload["Commented"]["message"].to_string()).or_insert(0) += 1;
        }
    }
    assert_eq!(said.len(), WRITERS * COMMENTS_EACH);
    assert!(said.values().all(|times| *times == 1));
    tasks.drain().await;
    other_tasks.drain().await;
}
