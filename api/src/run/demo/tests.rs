//! The demo on a real database.

use std::{collections::BTreeMap, env, path::PathBuf};

use palaver_domain::{
    Actor,
    channels::Network,
    posts::{Post, PostEvent, Status},
};
use palaver_eventstore::{
    LogTasks, RecordedEvent,
    clock::{Clock, SystemClock},
    decode,
    ids::SystemIds,
    managed::{ManagedOptions, ManagedPostgres},
};
use sqlx::{Connection, PgConnection, Row};

use super::*;
use crate::app::SigningKey;

const RECIPE: Recipe = Recipe { seed: 7, scale: 1 };

/// A process on a database of its own.
struct Process {
    database: Database,
    commander: Commander,
    tasks: LogTasks,
}

impl Process {
    async fn start(postgres: &ManagedPostgres, name: &str) -> Self {
        let options = postgres.connect_options();
        let mut db = PgConnection::connect_with(&options).await.unwrap();
        sqlx::query(&format!("CREATE DATABASE {name}")).execute(&mut db).await.unwrap();
        let database = Database::connect(options.database(name), 8).await.unwrap();
        database.migrate().await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (log, tasks) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
        Self { database, commander: Commander::new(log, clock, Arc::new(SystemIds)), tasks }
    }

    async fn events(&self) -> Vec<RecordedEvent> {
        let log = self.commander.log();
        let head = log.head().await.unwrap();
        let mut events = Vec::new();
        while (events.len() as i64) < head {
            let after = events.len() as i64;
            events.extend(log.read_range(after, after + 1_000, &EventFilter::default()).await.unwrap());
        }
        events
    }

    async fn close(self) {
        self.tasks.drain().await;
        self.database.close().await;
    }
}

fn at(url: &str) -> Whereabouts<'_> {
    Whereabouts { url, nats: None }
}

fn tokens() -> AccessTokens {
    AccessTokens::new(&SigningKey::of(&"a".repeat(64).parse().unwrap()).unwrap())
}

/// Every post with its last status, as the events have it.
fn posts(events: &[RecordedEvent]) -> BTreeMap<String, Post> {
    let mut posts: BTreeMap<String, Post> = BTreeMap::new();
    for event in events.iter().filter(|event| event.stream.aggregate_type == "post") {
        let post = posts.entry(event.stream.aggregate_id.clone()).or_default();
        cqrs_es::Aggregate::apply(post, decode::<PostEvent>(event).unwrap());
    }
    posts
}

/// What does not depend on the order in which independent things were written: each stream's events, ids included.
fn streams(events: &[RecordedEvent]) -> BTreeMap<String, Vec<String>> {
    let mut streams: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let told = format!("{} {} {:?} {}", event.event_id, event.event_type, event.metadata, event.payload);
        streams.entry(event.stream.to_string()).or_default().push(told);
    }
    streams
}

async fn sandbox_items(database: &Database) -> BTreeMap<String, (i32, DateTime<Utc>)> {
    let items = sqlx::query("SELECT key, submissions, accepted_at FROM sandbox.items");
    let items = items.fetch_all(database.pool()).await.unwrap();
    items.iter().map(|row| (row.get("key"), (row.get("submissions"), row.get("accepted_at")))).collect()
}

fn check_history(events: &[RecordedEvent], today: DateTime<Utc>) {
    assert_eq!(events[0].event_type, "AccountRegistered");
    for pair in events.windows(2) {
        assert_eq!(pair[0].position + 1, pair[1].position);
        assert!(pair[0].recorded_at <= pair[1].recorded_at);
    }
    for event in events {
        let (time, actor) = (event.metadata.time, &event.metadata.actor);
        assert!(time < today && time <= event.recorded_at, "{event:?}");
        assert!(event.recorded_at - time < TimeDelta::minutes(16), "{event:?}");
        let expected = match event.event_type.as_str() {
            "AccountRegistered" => Some("demo"),
            "PostPublishingStarted" | "PostPublished" | "PostPublishingFailed" | "PostPublishingOutcomeUnknown" => {
                Some("publisher")
            }
            _ => None,
        };
        match expected {
            Some(system) => assert_eq!(actor, &Actor::system(system)),
            None => {
                let first = matches!(event.event_type.as_str(), "UserCreated" | "ClaimClaimed");
                assert!(actor.user().is_some() || first, "{event:?}");
            }
        }
    }
}

fn check_posts(posts: &BTreeMap<String, Post>, items: &BTreeMap<String, (i32, DateTime<Utc>)>, today: DateTime<Utc>) {
    assert!((400..410).contains(&posts.len()), "{}", posts.len());
    let states: Vec<_> = posts.values().map(|post| post.0.as_ref().unwrap()).collect();
    for status in Status::ALL {
        assert!(states.iter().any(|post| post.status == status), "no post is {status}");
    }
    let mut published = Vec::new();
    for post in states {
        match post.status {
            Status::Scheduled => assert!(post.publish_time.unwrap() > today + TimeDelta::hours(30)),
            Status::Publishing => {
                assert!(post.publication.as_ref().unwrap().outcome_unknown && post.flags.needs_attention);
            }
            Status::Published => {
                let by_hand =
                    post.channel.social_network == Network::Placeholders || post.content.kind.via_publisher_app();
                assert_eq!(post.network_url.is_none(), by_hand, "{post:?}");
                if !by_hand {
                    published.push(format!("{}-{}", post.id, post.publications));
                }
            }
            Status::FailedToPublish => assert!(post.flags.needs_attention && post.publication.is_none()),
            _ => {}
        }
    }
    published.sort();
    assert_eq!(items.keys().cloned().collect::<Vec<_>>(), published);
    assert!(items.values().all(|(submissions, accepted)| *submissions == 1 && *accepted < today));
}

/// Two fillings of one seed are the same history, of which the rest of the demo's promises hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_filled_once_and_the_same_each_time() {
    let data = tempfile::tempdir().unwrap();
    let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let options = ManagedOptions { directory: data.path().to_owned(), binaries };
    let postgres = ManagedPostgres::start(options).await.unwrap();
    let today: DateTime<Utc> = "2026-06-10T00:00:00Z".parse().unwrap();
    let go_on = CancellationToken::new();

    let one = Process::start(&postgres, "one").await;
    let two = Process::start(&postgres, "two").await;
    let filled = fill(&one.commander, RECIPE, today, &go_on).await.unwrap();
    fill(&two.commander, RECIPE, today, &go_on).await.unwrap();
    let events = one.events().await;
    assert_eq!(streams(&events), streams(&two.events().await));
    check_history(&events, today);
    check_posts(&posts(&events), &sandbox_items(&one.database).await, today);

    // The credentials of the file are those of the database.
    let demo = filled.describe(at("http://here"), &tokens(), today).unwrap();
    assert_eq!(demo["accountId"], json!(opening::account_id(RECIPE.seed)));
    for user in demo["users"].as_array().unwrap() {
        let token = crate::auth::CredentialHash::of(user["accesstoken"].as_str().unwrap());
        let found = "SELECT t.user_id, p.hash FROM access_tokens t JOIN passwords p USING (tenant_id, user_id)
                     WHERE token_hash = $1";
        let row = sqlx::query(found).bind(&token.as_bytes()[..]).fetch_one(one.database.pool()).await.unwrap();
        assert_eq!(json!(row.get::<String, _>("user_id")), user["_id"]);
        assert!(row.get::<String, _>("hash").starts_with("$argon2id$"));
    }
    let bots = &demo["bots"];
    assert_eq!(bots["appId"], demo["botOpenApi"]["appId"]);
    assert_eq!(demo["marketing"]["email"], demo["users"][0]["userName"]);
    for (name, kind) in [(&bots["apiKey"], "api_key"), (&demo["botOpenApi"]["appSecret"], "app_secret")] {
        let hash = crate::auth::CredentialHash::of(name.as_str().unwrap());
        let found = "SELECT app_id::text, kind FROM app_credentials WHERE credential_hash = $1";
        let row = sqlx::query(found).bind(&hash.as_bytes()[..]).fetch_one(one.database.pool()).await.unwrap();
        assert_eq!((json!(row.get::<String, _>("app_id")), row.get::<&str, _>("kind")), (bots["appId"].clone(), kind));
    }
    one.close().await;
    two.close().await;
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_empty_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let binaries = env::var_os("PALAVER_PG_BIN").map(PathBuf::from);
    let options = ManagedOptions { directory: data.path().to_owned(), binaries };
    let postgres = ManagedPostgres::start(options).await.unwrap();
    let (go_on, stopped) = (CancellationToken::new(), CancellationToken::new());
    stopped.cancel();

    // Filled, and found again.
    let demo = Process::start(&postgres, "demo").await;
    let files = data.path().join("files");
    let path = prepare(&demo.commander, &tokens(), RECIPE, &files, at("http://first"), &go_on).await.unwrap().unwrap();
    let told: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let head = demo.commander.log().head().await.unwrap();
    let other_recipe = Recipe { seed: 8, scale: 2 };
    let again = prepare(&demo.commander, &tokens(), other_recipe, &files, at("http://second"), &go_on).await.unwrap();
    assert_eq!(again.as_ref(), Some(&path));
    let mut expected = told.clone();
    expected["url"] = json!("http://second");
    assert_eq!(told["nats"], Value::Null);
    assert_eq!(serde_json::from_str::<Value>(&std::fs::read_to_string(&path).unwrap()).unwrap(), expected);
    // Without its file, it is somebody's log like any other.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(prepare(&demo.commander, &tokens(), RECIPE, &files, at("http://third"), &go_on).await.unwrap(), None);
    assert_eq!(demo.commander.log().head().await.unwrap(), head);

    // Cut short.
    let cut = Process::start(&postgres, "cut").await;
    let files = data.path().join("cut");
    let error = prepare(&cut.commander, &tokens(), RECIPE, &files, at("http://first"), &stopped).await.unwrap_err();
    assert!(matches!(error, DemoError::Stopped), "{error}");
    let error = prepare(&cut.commander, &tokens(), RECIPE, &files, at("http://second"), &go_on).await.unwrap_err();
    assert!(error.to_string().contains("demo.unfinished tells; delete the data directory"), "{error}");
    assert!(!files.join("demo.json").exists());

    demo.close().await;
    cut.close().await;
    postgres.stop().await.unwrap();
}
