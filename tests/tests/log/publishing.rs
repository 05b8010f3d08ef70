//! The publisher against a network that can be watched: when it calls, when it asks, and when it keeps still.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use palaver_commands::{
    Commander,
    posts::PostPatch,
    publishing::{
        Accepted, DuePost, Lookup, Network, NetworkError, Networks, PublishSchedule, Publisher, PublisherSettings,
        Submission, UnresolvedPost,
    },
};
use palaver_domain::posts::{Post, PostCommand, PostEdit, Status};
use palaver_eventstore::{EventLog, StreamId};
use palaver_tests::{TestDatabase, eventually, fresh_database};
use serde_json::json;
use sqlx::Executor;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Planned, open, plan_a_post};

const CALL_TIMEOUT: Duration = Duration::from_millis(500);
const SETTLE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Publish,
    Lookup,
}

/// Notes every call. It takes what it is given, unless it is away.
struct Watched {
    away: bool,
    calls: Mutex<Vec<(Call, Instant)>>,
}

impl Watched {
    fn new(away: bool) -> Arc<Self> {
        Arc::new(Self { away, calls: Mutex::default() })
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap().push((call, Instant::now()));
    }

    fn calls(&self) -> Vec<(Call, Instant)> {
        self.calls.lock().unwrap().clone()
    }
}

impl Network for Watched {
    fn publish<'a>(&'a self, _: &'a Submission) -> BoxFuture<'a, Result<Accepted, NetworkError>> {
        self.note(Call::Publish);
        Box::pin(async {
            if self.away {
                return Err(NetworkError::Unavailable("away".to_owned()));
            }
            Ok(Accepted { item_id: None, url: None })
        })
    }

    fn lookup<'a>(&'a self, _: &'a Submission) -> BoxFuture<'a, Result<Lookup, NetworkError>> {
        self.note(Call::Lookup);
        Box::pin(async { Ok(Lookup::Absent) })
    }
}

/// One post, which is due once, and whose publication is open once, as soon as it is old enough.
#[derive(Default)]
struct OnePost {
    due: Mutex<Option<DuePost>>,
    open: Mutex<Option<UnresolvedPost>>,
}

impl PublishSchedule for OnePost {
    fn take_due(&self, _: DateTime<Utc>, _: i64, _: Duration) -> BoxFuture<'_, Result<Vec<DuePost>, sqlx::Error>> {
        let due = self.due.lock().unwrap().take();
        Box::pin(async { Ok(due.into_iter().collect()) })
    }

    fn take_unresolved(
        &self,
        _: DateTime<Utc>,
        _: Duration,
        _: i64,
        _: Duration,
    ) -> BoxFuture<'_, Result<Vec<UnresolvedPost>, sqlx::Error>> {
        let open = self.open.lock().unwrap().take();
        Box::pin(async { Ok(open.into_iter().collect()) })
    }
}

struct Publishing {
    database: TestDatabase,
    log: EventLog,
    planned: Planned,
    schedule: Arc<OnePost>,
}

impl Publishing {
    /// A post that is due.
    async fn prepare() -> Self {
        let database = fresh_database().await;
        let (log, _) = open(&database).await;
        let planned = plan_a_post(&log).await;
        let Planned { commander, context, planner, post } = &planned;
        let content = json!({ "text": "hello" }).as_object().cloned();
        let patch = PostPatch { edit: PostEdit::default(), content };
        commander.edit_post(context, planner.clone(), *post, patch).await.unwrap();
        commander.move_post(context, planner.clone(), *post, PostCommand::Publish).await.unwrap();
        Self { database, log, planned, schedule: Arc::default() }
    }

    fn start(&self, network: &Arc<Watched>) -> (CancellationToken, JoinHandle<()>) {
        let commander: Commander = self.planned.commander.clone();
        let settings = PublisherSettings {
            poll: Duration::from_millis(10),
            call_timeout: CALL_TIMEOUT,
            settle: SETTLE,
            late_max: Duration::from_secs(3_600),
        };
        let networks = Networks { sandbox: network.clone() };
        let publisher = Publisher::new(commander, networks, self.schedule.clone(), settings);
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(publisher.run(stop)))
    }

    fn is_due(&self) {
        let due = DuePost { tenant: self.planned.context.tenant, post: self.planned.post };
        *self.schedule.due.lock().unwrap() = Some(due);
    }

    async fn becomes(&self, status: Status) {
        let stream = StreamId::of::<Post>(self.planned.post);
        eventually(status.as_str(), || async {
            let post = self.log.load::<Post>(&stream).await.unwrap();
            (post.aggregate.existing().unwrap().status == status).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn all_tries_of_a_publication_fall_within_the_time_of_one_call() {
    let publishing = Publishing::prepare().await;
    let network = Watched::new(true);
    let (stop, publisher) = publishing.start(&network);
    publishing.is_due();
    publishing.becomes(Status::FailedToPublish).await;
    stop.cancel();
    publisher.await.unwrap();
    let calls = network.calls();
    let (first, last) = (calls.first().unwrap().1, calls.last().unwrap().1);
    assert!(calls.len() > 1, "it was not tried again");
    assert!(last - first < CALL_TIMEOUT, "the last of {} tries came {:?} after the first", calls.len(), last - first);
}

#[tokio::test]
async fn an_intent_that_was_written_too_slowly_is_not_acted_on_before_the_network_was_asked() {
    let publishing = Publishing::prepare().await;
    let network = Watched::new(false);
    let pool = publishing.database.pool().await;
    let mut held = pool.begin().await.unwrap();
    held.execute("SELECT * FROM log_head FOR UPDATE").await.unwrap();
    let (stop, publisher) = publishing.start(&network);
    publishing.is_due();
    eventually("the intent waiting to be written", || async {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                            AND application_name = 'palaver-appender' AND wait_event_type = 'Lock')",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        waiting.then_some(())
    })
    .await;
    tokio::time::sleep(SETTLE * 2).await;
    held.rollback().await.unwrap();
    publishing.becomes(Status::Publishing).await;

    // Somebody takes it up, perhaps another process: that one asks, and then calls.
    let (tenant, post) = (publishing.planned.context.tenant, publishing.planned.post);
    *publishing.schedule.open.lock().unwrap() = Some(UnresolvedPost { tenant, post, key: format!("{post}-1") });
    publishing.becomes(Status::Published).await;
    stop.cancel();
    publisher.await.unwrap();
    let calls: Vec<_> = network.calls().into_iter().map(|(call, _)| call).collect();
    assert_eq!(calls, [Call::Lookup, Call::Publish]);
}
