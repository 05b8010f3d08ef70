//! The event store, and what commands make of it, used as libraries on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "these are tests")]

mod append;
mod commands;
mod connection_loss;
mod mail;
mod publishing;
mod reads;
mod receipts;
mod schema;
mod smtp;
mod snapshots;
mod stale;
mod stock;
mod timeline;
mod transfer;
mod work;

use std::{collections::BTreeMap, sync::Arc};

use palaver_commands::{
    CommandContext, Commander,
    channels::NewChannel,
    identity::NewUser,
    posts::{NewGroup, Planner},
};
use palaver_domain::{
    AccountId, Actor, PostId,
    channels::{Connection, Network},
    identity::Role,
    posts::PostGroup,
};
use palaver_eventstore::{
    Append, EventLog, LogTasks, Metadata, NewEvent, QUEUE_APPENDS_MAX, Sequence, StreamAppend, StreamId,
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
};
use palaver_tests::TestDatabase;
use serde_json::{Value, json};

const TENANT: AccountId = AccountId::from_bytes([1; 12]);

/// A log as one process opens it.
async fn open(database: &TestDatabase) -> (EventLog, LogTasks) {
    open_with(database, QUEUE_APPENDS_MAX).await
}

async fn open_with(database: &TestDatabase, queue_appends_max: usize) -> (EventLog, LogTasks) {
    EventLog::open(database.connect().await, Arc::new(SystemClock), queue_appends_max).await.unwrap()
}

fn metadata() -> Metadata {
    Metadata {
        actor: Actor::system("test"),
        command_id: "c".to_owned(),
        correlation_id: "c".to_owned(),
        causation_id: None,
        request_id: None,
        time: SystemClock.now(),
        more: BTreeMap::new(),
    }
}

fn event(event_type: &str, payload: &Value) -> NewEvent {
    NewEvent {
        event_type: event_type.to_owned(),
        event_version: "1".to_owned(),
        payload: payload.to_string(),
        metadata: serde_json::to_string(&metadata()).unwrap(),
        event_id: SystemIds.uuid(),
    }
}

fn stream(id: &str) -> StreamId {
    StreamId::new("thing", id)
}

/// One event for one stream.
fn append(id: &str, expected: Sequence, payload: &Value) -> Append {
    let events = vec![event("ThingHappened", payload)];
    Append { tenant: TENANT, streams: vec![StreamAppend { stream: stream(id), expected, events }], receipt: None }
}

fn nothing() -> Value {
    json!({})
}

/// An account with a planner, and a post that is being composed.
struct Planned {
    commander: Commander,
    context: CommandContext,
    planner: Planner,
    post: PostId,
}

async fn plan_a_post(log: &EventLog) -> Planned {
    let commander = Commander::new(log.clone(), Arc::new(SystemClock), Arc::new(SystemIds));
    let account = commander.register_account("Acme".to_owned()).await.unwrap().value;
    let mut context = CommandContext::system(account, "test");
    // The account's id makes the name one that no other user has.
    let new = NewUser::named(format!("ada@{account}.example"), Role::Admin);
    let user = commander.create_user(&context, new).await.unwrap().value;
    context.actor = Actor::User(user);
    let planner = Planner { user, role: Role::Admin, permissions: Role::Admin.permissions() };
    let channel = commander.connect_channel(&context, new_channel("One")).await.unwrap().value.channel.id;
    let new = NewGroup { channel_ids: vec![channel], publish_time: None, publish_time_zone: None };
    let group = commander.create_group(&context, planner.clone(), new).await.unwrap().value.id;
    let group = log.load::<PostGroup>(&StreamId::of::<PostGroup>(group)).await.unwrap();
    let post = group.aggregate.existing().unwrap().posts[0].1;
    Planned { commander, context, planner, post }
}

fn new_channel(name: &str) -> NewChannel {
    NewChannel {
        network: Network::Facebook,
        connection: Connection::Sandbox,
        name: name.to_owned(),
        unique_name: None,
        image_url: None,
        team_ids: Vec::new(),
    }
}
