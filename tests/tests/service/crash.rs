//! The process is killed without warning, again and again, while posts are planned and published. What was
//! acknowledged is kept, what is due is published, and nothing is published twice.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use palaver_domain::identity::Role;
use palaver_eventstore::clock::{Clock, SystemClock};
use palaver_tests::{Answer, Client, Request, Service, eventually_within};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::{every_post_is_published_once, log_has_no_gaps, read_models_equal_a_rebuild};

const SEED: u64 = 42;
/// Channels that take a while to answer, by delay, and one whose answers are lost.
const DELAYS_MS: [u32; 3] = [30, 100, 200];
/// A client gives up on one request after this long, which is longer than all the kills take.
const PERSISTENCE: Duration = Duration::from_secs(120);
const RETRY: Duration = Duration::from_millis(20);
/// How far ahead posts are scheduled.
const AHEAD_MS: i64 = 1_500;
/// How long to wait for a moment that is worth a kill.
const AIM_MAX: Duration = Duration::from_secs(1);
/// After the last kill: what was taken by a process that is gone is free again when its lease is over.
const SETTLING: Duration = Duration::from_secs(60);

/// Keys of the commands that were acknowledged.
type Acknowledged = Arc<Mutex<Vec<String>>>;

/// A client that repeats a request, with the same key, until it is answered for good.
struct Persistent {
    client: Client,
    acknowledged: Acknowledged,
}

impl Persistent {
    async fn ask(&self, request: impl Fn() -> Request) -> Answer {
        let since = Instant::now();
        loop {
            match request().send().await {
                Ok(answer) if answer.status < 500 => return answer,
                Ok(_) | Err(_) => tokio::time::sleep(RETRY).await,
            }
            assert!(since.elapsed() < PERSISTENCE, "no answer");
        }
    }

    /// Carries out a command under a key; a refusal is an answer, too.
    async fn command(&self, key: &str, request: impl Fn() -> Request) -> Answer {
        let answer = self.ask(|| request().key(key)).await;
        if (200..300).contains(&answer.status) {
            self.acknowledged.lock().unwrap().push(key.to_owned());
        }
        answer
    }

    /// Plans a post, gives it a text, and has it published: at once, or in a moment.
    async fn publish(&self, name: &str, channel: &str, at_once: bool) {
        let client = &self.client;
        let body = json!({ "channelIds": [channel] });
        let made =
            self.command(&format!("{name}-plan"), || client.post("/api2/cp/postGroups").json(body.clone())).await;
        let (group, position) = (made.clone().ok().id(), made.position());
        let path = format!("/api2/cp/posts?postGroupId={group}");
        let listed = self.ask(|| client.get(&path).after(position)).await.ok();
        let path = format!("/api2/cp/posts/{}", listed.body["data"][0]["_id"].as_str().unwrap());
        let text = json!({ "content": { "text": name } });
        self.command(&format!("{name}-text"), || client.patch(&path).json(text.clone())).await.ok();
        if at_once {
            let publish = format!("{path}/publish");
            self.command(&format!("{name}-publish"), || client.post(&publish)).await.ok();
            return;
        }
        let schedule = format!("{path}/schedule");
        for attempt in 1.. {
            let at: DateTime<Utc> = SystemClock.now() + chrono::Duration::milliseconds(AHEAD_MS);
            let time = json!({ "publishTime": at.to_rfc3339_opts(SecondsFormat::Micros, true) });
            self.command(&format!("{name}-time-{attempt}"), || client.patch(&path).json(time.clone())).await.ok();
            let answer = self.command(&format!("{name}-schedule-{attempt}"), || client.post(&schedule)).await;
            // The service may have been away for so long that the time has passed.
            if answer.status != 400 {
                answer.ok();
                return;
            }
        }
    }
}

/// Whether the network has accepted something since then of which the log does not know yet.
async fn between_acceptance_and_outcome(pool: &PgPool, since: DateTime<Utc>, channels: &[String]) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1 FROM sandbox.items i
             WHERE i.accepted_at > $1 AND i.channel_id = ANY ($2) AND NOT EXISTS (
                 SELECT 1 FROM events e
                 WHERE e.aggregate_type = 'post' AND e.aggregate_id = split_part(i.key, '-', 1)
                   AND e.event_type = 'PostPublished'))",
    )
    .bind(since)
    .bind(channels)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Kills the service and starts it again; returns when the kills were. Every other one is aimed at the moment between
/// the network's acceptance and our note of it; the others are not aimed at all.
async fn kill_again_and_again(service: &mut Service, kills: usize, channels: &[String]) -> Vec<DateTime<Utc>> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut killed_at = Vec::new();
    for kill in 0..kills {
        let started = SystemClock.now();
        if kill % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(random.gen_range(0..400))).await;
        } else {
            let (pool, since) = (service.pool().await, Instant::now());
            while since.elapsed() < AIM_MAX && !between_acceptance_and_outcome(&pool, started, channels).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            drop(pool);
        }
        killed_at.push(SystemClock.now());
        service.kill9();
        service.restart().await;
    }
    killed_at
}

/// Publications that the network had accepted when the process was killed, and whose outcome a later process found
/// out by asking.
async fn found_by_asking(pool: &PgPool, killed_at: &[DateTime<Utc>]) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM sandbox.items i
         JOIN events begun ON begun.aggregate_type = 'post' AND begun.aggregate_id = split_part(i.key, '-', 1)
                          AND begun.event_type = 'PostPublishingStarted'
         JOIN events ended ON ended.aggregate_type = 'post' AND ended.aggregate_id = begun.aggregate_id
                          AND ended.event_type = 'PostPublished' AND ended.sequence = begun.sequence + 1
         WHERE EXISTS (SELECT 1 FROM unnest($1::timestamptz[]) kill
                       WHERE i.accepted_at < kill AND kill < ended.recorded_at)",
    )
    .bind(killed_at)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Everything that was acknowledged is in the log, by its receipt and by its events.
async fn all_is_in_the_log(pool: &PgPool, acknowledged: &[String]) {
    for what in [
        "SELECT key FROM unnest($1::text[]) key WHERE key NOT IN (SELECT command_id FROM command_receipts)",
        "SELECT key FROM unnest($1::text[]) key WHERE key NOT IN (SELECT metadata ->> 'command_id' FROM events)",
    ] {
        let missing: Vec<String> = sqlx::query_scalar(what).bind(acknowledged).fetch_all(pool).await.unwrap();
        assert_eq!(missing, Vec::<String>::new());
    }
}

async fn survive(service: &mut Service, writers: usize, posts_per_writer: usize, kills: usize) {
    let account = service.account("Acme").await;
    let admin = account.admin();
    let mut slow = Vec::new();
    for delay in DELAYS_MS {
        let channel = admin.sandbox(&format!("{delay} ms")).await;
        admin.behave(&channel, "accept", delay).await;
        slow.push(channel);
    }
    let lossy = admin.sandbox("lossy").await;
    admin.behave(&lossy, "dropAfterAccept", 0).await;
    let channels: Vec<String> = slow.iter().cloned().chain([lossy]).collect();

    let acknowledged = Acknowledged::default();
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        let client = account.as_role(Role::Smm).await;
        let (channels, acknowledged) = (channels.clone(), acknowledged.clone());
        writing.spawn(async move {
            let persistent = Persistent { client, acknowledged };
            for number in 0..posts_per_writer {
                let channel = &channels[(writer + number) % channels.len()];
                persistent.publish(&format!("w{writer}-n{number}"), channel, number % 2 == 0).await;
            }
        });
    }
    let killed_at = kill_again_and_again(service, kills, &slow).await;
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }

    let (pool, posts) = (service.pool().await, writers * posts_per_writer);
    eventually_within(SETTLING, "every post published", || async {
        let counts = admin.get("/api2/cp/posts/counts").await.ok().body;
        (counts["published"] == json!(posts)).then_some(())
    })
    .await;
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() >= posts * 3);
    all_is_in_the_log(&pool, &acknowledged).await;
    log_has_no_gaps(&pool).await;
    every_post_is_published_once(&pool, posts).await;
    let found = found_by_asking(&pool, &killed_at).await;
    assert!(found > 0, "no kill came between the network's acceptance and its note in the log");
    println!("{found} publications were found by asking, after {kills} kills");
    let events = async |event_type: &str| -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = $1").bind(event_type);
        count.fetch_one(&pool).await.unwrap()
    };
    assert!(events("PostPublishingOutcomeUnknown").await > 0, "no answer was lost");
    let status = service.tool(&["projections", "--json"]).await;
    for line in status.lines() {
        let status: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&status["lagEvents"], &status["quarantined"]), (&json!(0), &json!(0)), "{status}");
    }
    read_models_equal_a_rebuild(service, &pool).await;
    pool.close().await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_published_twice_when_the_process_is_killed() {
    survive(&mut Service::up().await, 8, 25, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_published_twice_when_its_postgresql_dies_with_it() {
    survive(&mut Service::up_private().await, 4, 10, 5).await;
}
