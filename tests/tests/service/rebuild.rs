//! A read model is rebuilt while it is written and read, and nobody notices.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use palaver_domain::identity::Role;
use palaver_tests::{Client, Service, ServiceOptions, eventually};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{log_has_no_gaps, read_models_equal_a_rebuild};

const REBUILDS: usize = 5;
const WRITERS: usize = 2;
const READERS: usize = 3;
/// The month that all posts are planned for.
const MONTH: [&str; 2] = ["2031-05-01T00:00:00Z", "2031-06-01T00:00:00Z"];

/// What has been acknowledged so far. Drafts are only ever added.
#[derive(Default)]
struct Progress {
    drafts: AtomicI64,
    reads: AtomicUsize,
    done: AtomicBool,
}

async fn write(client: Client, channel: String, progress: Arc<Progress>) {
    let mut day = 0;
    while !progress.done.load(Ordering::SeqCst) {
        day = day % 28 + 1;
        let body = json!({ "channelIds": [channel], "publishTime": format!("2031-05-{day:02}T12:00:00Z") });
        let group = client.post("/api2/cp/postGroups").json(body).await.ok().id();
        client.post(&format!("/api2/cp/postGroups/{group}/saveAsDraft")).await.ok();
        // This credential reads its own writes: all of its own, and what others had in the log before.
        let counted = counted(&client).await;
        let acknowledged = progress.drafts.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(counted.iter().all(|count| *count >= 1), "{counted:?} of {acknowledged}");
    }
}

/// The number of drafts by each of the ways to count them.
async fn counted(client: &Client) -> [i64; 3] {
    let sidebar = client.get("/api2/cp/posts/counts").await;
    let list = client.get("/api2/cp/posts?status=draft&count=1").await;
    let range = json!({ "since": MONTH[0], "until": MONTH[1], "tz": "Europe/Berlin" });
    let days = client.post("/api2/cp/posts/aggregates/day").json(range).await;
    for answer in [&sidebar, &list, &days] {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let in_days = days.body.as_array().unwrap().iter().flat_map(|day| day["data"].as_object().unwrap().values());
    [
        sidebar.body["draft"].as_i64().unwrap(),
        list.body["count"].as_i64().unwrap(),
        in_days.map(|count| count.as_i64().unwrap()).sum(),
    ]
}

/// Another process's writes are seen a moment later, but what was seen is never unseen.
async fn read(client: Client, progress: Arc<Progress>) {
    let mut seen = [0; 3];
    while !progress.done.load(Ordering::SeqCst) {
        let now = counted(&client).await;
        for (way, (before, now)) in seen.iter().zip(now).enumerate() {
            assert!(*before <= now, "from {before} back to {now}, counted in way {way}");
        }
        seen = now;
        progress.reads.fetch_add(1, Ordering::SeqCst);
    }
}

/// Rebuilds, and waits until both writers and readers have gone on since.
async fn rebuild_among_others(service: &Service, progress: &Progress) {
    let now = || (progress.drafts.load(Ordering::SeqCst), progress.reads.load(Ordering::SeqCst));
    let (drafts, reads) = now();
    let report: Value = serde_json::from_str(&service.tool(&["rebuild", "posts"]).await).unwrap();
    assert_eq!(report["quarantined"], 0, "{report}");
    eventually("writers and readers going on", || async {
        let (written, read) = now();
        (written > drafts + 1 && read > reads + 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_do_not_notice_a_rebuild() {
    // A busy machine must not make a reader give up waiting for the read model.
    let mut service = ServiceOptions::new("up").setting("read-wait-ms", "20000").start().await;
    let account = service.account("Acme").await;
    let channel = account.admin().sandbox("One").await;
    let progress = Arc::new(Progress::default());
    let mut busy = JoinSet::new();
    for _ in 0..WRITERS {
        busy.spawn(write(account.as_role(Role::Smm).await, channel.clone(), progress.clone()));
    }
    for _ in 0..READERS {
        busy.spawn(read(account.as_role(Role::Observer).await, progress.clone()));
    }
    for _ in 0..REBUILDS {
        tokio::select! {
            ended = busy.join_next() => panic!("one ended early: {ended:?}"),
            () = rebuild_among_others(&service, &progress) => {}
        }
    }
    progress.done.store(true, Ordering::SeqCst);
    while let Some(ended) = busy.join_next().await {
        ended.unwrap();
    }
    let drafts = progress.drafts.load(Ordering::SeqCst);
    let admin = account.admin();
    let head: i64 = {
        let pool = service.pool().await;
        sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await.unwrap()
    };
    admin.get("/api2/cp/posts?count=1").after(head).await.ok();
    assert_eq!(counted(admin).await, [drafts; 3]);
    let pool = service.pool().await;
    log_has_no_gaps(&pool).await;
    read_models_equal_a_rebuild(&service, &pool).await;
    pool.close().await;
    service.stop().await;
}
