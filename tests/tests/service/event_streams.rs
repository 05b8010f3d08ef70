//! Two hundred who follow, cut again and again while much is written: each sees each event of its filter once and in
//! order.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;
use palaver_commands::CommandContext;
use palaver_domain::{AccountId, ContactId, identity::Role};
use palaver_tests::{Account, Client, EventSource, Service, ServiceOptions};
use serde_json::json;
use sqlx::PgPool;

const CLIENTS: usize = 200;
const CUTS: usize = 5;
/// Each of several writers makes so many contacts for each account, and lets every third go again.
const WRITERS: usize = 2;
const CONTACTS: usize = 300;
const ACCOUNTS: usize = 2;
const USERS: usize = 4;

/// Somebody who follows: by which token, in which account, what, and the same said to the database.
struct Follower {
    client: Client,
    account: AccountId,
    query: String,
    condition: String,
}

/// What is followed, from everything to nearly nothing.
fn filters(rare: &str) -> [(String, String); 6] {
    [
        (String::new(), "true".to_owned()),
        ("aggregateType=contact".to_owned(), "aggregate_type = 'contact'".to_owned()),
        ("aggregateType=contact,team".to_owned(), "aggregate_type IN ('contact', 'team')".to_owned()),
        ("eventType=ContactDeleted".to_owned(), "event_type = 'ContactDeleted'".to_owned()),
        (
            "eventType=TeamCreated,ContactDeleted".to_owned(),
            "event_type IN ('TeamCreated', 'ContactDeleted')".to_owned(),
        ),
        (format!("aggregateType=contact&aggregateId={rare}"), format!("aggregate_id = '{rare}'")),
    ]
}

/// Contacts that come and go, written by another process, which says nothing to the service but what the log says.
async fn write(account: Account, writer: usize) {
    account
        .act(async |commander| {
            let context = CommandContext::system(account.id, "test");
            let mut gone: Vec<ContactId> = Vec::new();
            for number in 0..CONTACTS {
                let email = format!("{writer}-{number}@example.org");
                let made = commander.create_contact(&context, email).await.unwrap().value;
                if number % 3 == 0 {
                    gone.push(made.id);
                }
                if number % 7 == 0
                    && let Some(id) = gone.pop()
                {
                    commander.delete_contact(&context, id).await.unwrap();
                }
            }
        })
        .await;
}

/// What the service itself writes, so that it hears of events in both ways.
async fn work(admin: Client, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        admin.team(&format!("Team {number}")).await;
        number += 1;
    }
}

impl Follower {
    /// Follows until `CUTS` cuts are done and the last position is reached. The place of each cut is another for each
    /// client.
    async fn follow(&self, number: usize, last: impl AsyncFn() -> i64) -> Vec<(i64, String)> {
        let (mut seen, mut last_event_id) = (Vec::new(), String::new());
        for cut in 0..CUTS {
            let mut stream = self.open(&last_event_id).await;
            // Sometimes before anything has come, and sometimes in the middle of a block.
            let events = (number * 7 + cut * 13) % 40;
            for _ in 0..events {
                let next = tokio::time::timeout(std::time::Duration::from_millis(300), stream.next()).await;
                let Ok(event) = next else { break };
                let event = event.expect("nobody ends it but we");
                seen.push((event.id, event.event));
            }
            last_event_id = stream.last_event_id.clone();
        }
        let mut stream = self.open(&last_event_id).await;
        let last = last().await;
        seen.extend(stream.until(last).await.into_iter().map(|event| (event.id, event.event)));
        seen
    }

    async fn open(&self, last_event_id: &str) -> EventSource {
        self.client.events(&self.query, Some(last_event_id)).await
    }

    async fn expected(&self, pool: &PgPool, last: i64) -> Vec<(i64, String)> {
        let query = format!(
            "SELECT position, event_type FROM events WHERE tenant_id = $1 AND position <= $2 AND {} ORDER BY position",
            self.condition
        );
        sqlx::query_as(&query).bind(self.account.to_string()).bind(last).fetch_all(pool).await.unwrap()
    }
}

async fn followers(service: &Service) -> (Vec<Account>, Vec<Follower>) {
    let (mut accounts, mut clients) = (Vec::new(), Vec::new());
    for number in 0..ACCOUNTS {
        let account = service.account(&format!("Account {number}")).await;
        let contact = account.admin().post("/api2/contacts").json(json!({ "email": "rare@example.org" })).await.ok();
        let rare = contact.body[0]["_id"].as_str().unwrap().to_owned();
        for _ in 0..USERS {
            clients.push((account.as_role(Role::Admin).await, account.id, filters(&rare)));
        }
        accounts.push(account);
    }
    let follower = |number: usize| {
        let (client, account, filters) = &clients[number % clients.len()];
        let (query, condition) = filters[number / clients.len() % filters.len()].clone();
        Follower { client: client.clone(), account: *account, query, condition }
    };
    (accounts, (0..CLIENTS).map(follower).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_who_are_cut_and_come_back_see_each_event_once_and_in_order() {
    let service = ServiceOptions::new("up").setting("event-stream-heartbeat-ms", "500").start().await;
    let (accounts, followers) = followers(&service).await;
    let pool = service.pool().await;
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> =
        accounts.iter().map(|account| tokio::spawn(work(account.admin().clone(), stop.clone()))).collect();
    let writers: Vec<_> = accounts
        .iter()
        .flat_map(|account| (0..WRITERS).map(|writer| tokio::spawn(write(account.clone(), writer))))
        .collect();
    // Known when everything is written; those who follow wait for it by themselves.
    let (tell, told) = tokio::sync::watch::channel(0_i64);
    let following = join_all(followers.iter().enumerate().map(|(number, follower)| {
        let told = told.clone();
        async move {
            let last = async || *told.clone().wait_for(|last| *last > 0).await.unwrap();
            follower.follow(number, last).await
        }
    }));
    let writing = async {
        for writer in writers {
            writer.await.unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        let last: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await.unwrap();
        tell.send_replace(last);
        last
    };
    let (seen, last) = tokio::join!(following, writing);

    let written = ACCOUNTS * WRITERS * CONTACTS;
    let mut busiest = 0;
    for (follower, seen) in followers.iter().zip(seen) {
        let expected = follower.expected(&pool, last).await;
        busiest = busiest.max(expected.len());
        assert!(!expected.is_empty(), "{}", follower.query);
        let seen: Vec<_> = seen.into_iter().filter(|(position, _)| *position <= last).collect();
        if let Some(at) = (0..seen.len().max(expected.len())).find(|at| seen.get(*at) != expected.get(*at)) {
            panic!("{}: at {at}: {:?} instead of {:?}", follower.query, seen.get(at), expected.get(at));
        }
    }
    assert!(busiest > written / ACCOUNTS, "there was much to follow: {busiest}");
}
