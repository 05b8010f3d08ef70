//! A read model is made once more and compared with the one in use: every difference is found, and none where there is
//! none, whoever writes meanwhile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use palaver_domain::identity::Role;
use palaver_tests::{
    Account, Ended, READ_MODELS, Service, dump, eventually,
    poison::{BROKEN, LATER, append},
};
use serde_json::{Value, json};
use sqlx::{Executor, PgPool};
use tokio::task::JoinSet;

/// The report, and whether it says that nothing differs.
async fn replay(service: &Service, arguments: &[&str]) -> Value {
    let all = [&["replay"], arguments, &["--json"]].concat();
    let ended = service.tool_output(&all).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
    let expected = if report["same"] == true { 0 } else { 3 };
    assert_eq!(ended.status.code(), Some(expected), "{report}");
    report
}

/// Compared, missing, extra, different and left out, by table.
fn counts(report: &Value) -> BTreeMap<&str, [i64; 5]> {
    let tables = report["tables"].as_array().unwrap().iter().map(|table| {
        let counts = ["compared", "missing", "extra", "different", "leftOut"].map(|name| table[name].as_i64().unwrap());
        (table["table"].as_str().unwrap(), counts)
    });
    tables.collect()
}

/// What is shown of a table, by kind and key.
fn shown<'a>(report: &'a Value, table: &str) -> BTreeMap<(&'a str, &'a str), &'a Value> {
    let table = report["tables"].as_array().unwrap().iter().find(|one| one["table"] == table).unwrap();
    let shown = table["differences"].as_array().unwrap().iter().map(|row| {
        let key = row["key"].as_object().unwrap().values().next().unwrap();
        ((row["kind"].as_str().unwrap(), key.as_str().unwrap()), &row["fields"])
    });
    shown.collect()
}

async fn caught_up(service: &Service, account: &Account, pool: &PgPool) -> i64 {
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await.unwrap();
    eventually("all read models at the head", async || {
        let listed = service.tool(&["projections", "--json"]).await;
        let all = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.map(|one| one["position"].as_i64().unwrap()).all(|position| position >= head).then_some(())
    })
    .await;
    account.admin().get("/api2/cp/posts").after(head).await.ok();
    head
}

/// What no replay may touch: read models, checkpoints and quarantine.
async fn kept(pool: &PgPool) -> (BTreeMap<&'static str, Vec<String>>, Vec<String>) {
    let checkpoints = sqlx::query_scalar(
        "SELECT c::text FROM projection_checkpoints c UNION ALL SELECT q::text FROM projection_quarantine q ORDER BY 1",
    );
    (dump(pool).await, checkpoints.fetch_all(pool).await.unwrap())
}

async fn no_table_is_left(pool: &PgPool) {
    eventually("temporary tables gone with their connections", || async {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
            .fetch_one(pool)
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_difference_is_found_and_none_where_there_is_none() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let channel = admin.sandbox("One").await;
    let mut posts = Vec::new();
    for text in ["one", "two", "three", "four"] {
        posts.push(admin.draft(&channel, text).await);
    }
    admin.edit(&posts[3], json!({ "publishTime": "2031-05-01T12:00:00Z" })).await;
    admin.move_post(&posts[3], "schedule").await;
    let head = caught_up(&service, &account, &pool).await;

    let before = kept(&pool).await;
    for model in READ_MODELS {
        let report = replay(&service, &[model]).await;
        assert_eq!((&report["same"], &report["until"], &report["from"]), (&json!(true), &json!(head), &json!(1)));
        assert_eq!(report["leftOut"], json!({ "beganBefore": 0, "wentOnAfter": 0, "poisoned": 0, "quarantined": 0 }));
        for (table, [compared, rest @ ..]) in counts(&report) {
            assert_eq!(rest, [0; 4], "{table}");
            let rows = before.0[table].len();
            assert_eq!(compared, rows as i64, "{table}");
        }
    }
    assert_eq!(kept(&pool).await, before);

    // One row changed, one dropped, one added, a count too high and one that nothing accounts for.
    let [changed, dropped, ..] = &posts[..] else { panic!() };
    let stranger = "0123456789abcdef01234567";
    for statement in [
        format!(
            "UPDATE posts SET status = 'published', doc = replace(doc::text, '\"one\"', '\"eins\"')::json
             WHERE id = '{changed}'"
        ),
        format!(
            "INSERT INTO posts SELECT (json_populate_record(p, '{{\"id\": \"{stranger}\"}}')).* FROM posts p
             WHERE id = '{dropped}'"
        ),
        format!("DELETE FROM posts WHERE id = '{dropped}'"),
        "UPDATE post_counters SET n = n + 1 WHERE status = 'draft'".to_owned(),
        format!(
            "INSERT INTO post_counters SELECT tenant_id, '{stranger}', status, needs_attention, 0 FROM post_counters"
        ),
        "UPDATE post_counters SET status = 'gone' WHERE status = 'scheduled' AND n > 0".to_owned(),
        "UPDATE publish_schedule SET taken_until = '2031-01-01'".to_owned(),
    ] {
        assert!(pool.execute(statement.as_str()).await.unwrap().rows_affected() > 0, "{statement}");
    }
    let report = replay(&service, &["posts"]).await;
    let found = counts(&report);
    assert_eq!(found["posts"], [5, 1, 1, 1, 0], "{report}");
    assert_eq!(found["post_counters"], [3, 1, 1, 1, 0], "{report}");
    assert_eq!(found["post_calendar"], [1, 0, 0, 0, 0], "{report}");
    let rows = shown(&report, "posts");
    assert!(rows.contains_key(&("missing", dropped.as_str())) && rows.contains_key(&("extra", stranger)), "{report}");
    let fields = rows[&("different", changed.as_str())].as_array().unwrap();
    let told: BTreeMap<&str, [&str; 2]> = fields
        .iter()
        .map(|field| {
            let name = field["path"].as_str().or(field["column"].as_str()).unwrap();
            (name, ["live", "replayed"].map(|side| field[side].as_str().unwrap()))
        })
        .collect();
    assert_eq!(
        told,
        BTreeMap::from([("/content/text", [r#""eins""#, r#""one""#]), ("status", ["published", "draft"])]),
        "{report}"
    );
    // What workers note for themselves is no difference, and other read models have none.
    for model in READ_MODELS.iter().filter(|model| **model != "posts") {
        assert_eq!(replay(&service, &[model]).await["same"], true, "{model}");
    }

    let bounded = replay(&service, &["posts", "--limit-differences", "0"]).await;
    assert_eq!(counts(&bounded), found);
    assert!(shown(&bounded, "posts").is_empty());
    let Ended { status, stdout, stderr } = service.tool_output(&["replay", "posts"]).await;
    assert_eq!(status.code(), Some(3));
    assert!(stdout.contains(&format!("posts missing: id={dropped}")), "{stdout}");
    assert!(stdout.contains(r#"doc/content/text: in use "eins", replayed "one""#), "{stdout}");
    assert!(stderr.contains("posts is not what the log makes of it"), "{stderr}");

    service.tool(&["rebuild", "posts"]).await;
    assert_eq!(replay(&service, &["posts"]).await["same"], true);
    no_table_is_left(&pool).await;
    service.stop().await;
}

#[tokio::test]
async fn a_range_compares_what_it_knows_whole() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let channel = admin.sandbox("One").await;
    let (quiet, busy) = (admin.draft(&channel, "quiet").await, admin.draft(&channel, "busy").await);
    let middle = caught_up(&service, &account, &pool).await;
    let late = admin.draft(&channel, "late").await;
    admin.edit(&busy, json!({ "content": { "text": "busier" } })).await;
    let head = caught_up(&service, &account, &pool).await;
    for post in [&quiet, &busy, &late] {
        sqlx::query("UPDATE posts SET status = 'rejected' WHERE id = $1").bind(post).execute(&pool).await.unwrap();
    }

    let position = |position: i64| position.to_string();
    let found = |report: &Value| {
        let rows = shown(report, "posts");
        assert!(rows.keys().all(|(kind, _)| *kind == "different"), "{report}");
        rows.keys().map(|(_, id)| (*id).to_owned()).collect::<Vec<_>>()
    };
    let newer = replay(&service, &["posts", "--from", &position(middle + 1)]).await;
    assert_eq!(found(&newer), std::slice::from_ref(&late));
    assert_eq!(newer["leftOut"]["beganBefore"], 2);
    assert_eq!(counts(&newer)["posts"], [1, 0, 0, 1, 2]);
    // Which part of a number comes from where can not be told.
    assert_eq!(counts(&newer)["post_counters"], [0, 0, 0, 0, 1]);

    let older = replay(&service, &["posts", "--until", &position(middle)]).await;
    assert_eq!(found(&older), [quiet]);
    assert_eq!(older["leftOut"]["wentOnAfter"], 2);
    assert_eq!(counts(&older)["posts"], [1, 0, 0, 1, 2]);
    assert_eq!((&older["until"], &older["livePosition"]), (&json!(middle), &json!(head)));

    for (arguments, code, message) in [
        (vec!["posts", "--until", "1000000"], 1, "can not be compared with tables that are at"),
        (vec!["posts", "--from", "1000000"], 1, "can not be compared with tables that are at"),
        (vec!["posts", "--from", "5", "--until", "4"], 2, "--until lies before --from"),
        (vec!["posts", "--from", "0"], 2, "0 is not in"),
        (vec!["nothing"], 1, "there is no projection named nothing"),
    ] {
        let ended = service.tool_output(&[&["replay"], &arguments[..]].concat()).await;
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(message), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_stream_that_can_not_be_read_is_told_and_left_out() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let (admin, pool) = (account.admin(), service.pool().await);
    let channel = admin.sandbox("One").await;
    let (poisoned, healthy) = (admin.draft(&channel, "before").await, admin.draft(&channel, "fine").await);
    append(&pool, &account, &poisoned, &[BROKEN, LATER]).await;
    caught_up(&service, &account, &pool).await;

    let before = kept(&pool).await;
    let report = replay(&service, &["posts"]).await;
    assert_eq!(kept(&pool).await, before);
    assert_eq!(report["leftOut"], json!({ "beganBefore": 0, "wentOnAfter": 0, "poisoned": 1, "quarantined": 0 }));
    let [poison] = &report["poison"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&poison["aggregateId"], &poison["eventType"]), (&json!(poisoned), &json!("PostContentEdited")));
    assert_eq!(counts(&report)["posts"], [1, 0, 0, 0, 1]);
    // Both sides stopped at the same event, so what counts over all posts is known whole.
    assert_eq!(counts(&report)["post_counters"], [1, 0, 0, 0, 0]);
    pool.execute("UPDATE post_counters SET n = n + 1").await.unwrap();
    assert_eq!(counts(&replay(&service, &["posts"]).await)["post_counters"], [1, 0, 0, 1, 0]);

    // An operator went on behind the event in use, which a replay meets again.
    service.tool(&["quarantine", "skip", "posts", "post", &poisoned]).await;
    let report = replay(&service, &["posts"]).await;
    assert_eq!((&report["same"], &report["leftOut"]["poisoned"]), (&json!(true), &json!(1)));
    assert_eq!(counts(&report)["post_counters"], [0, 0, 0, 0, 1]);
    let told = service.tool(&["replay", "posts"]).await;
    assert!(told.contains("left out: 1 streams that have an event that can not be applied"), "{told}");
    assert!(told.contains(&format!("post/{poisoned} at position ")), "{told}");

    // In quarantine in use, and readable here: as after a repair of the log that nobody has told the projection of.
    sqlx::query(
        "INSERT INTO projection_quarantine SELECT projection, generation, aggregate_type, $2, position, sequence,
                event_type, error, attempts, since FROM projection_quarantine
         WHERE projection = 'post_feed' AND aggregate_id = $1",
    )
    .bind(&poisoned)
    .bind(&healthy)
    .execute(&pool)
    .await
    .unwrap();
    let report = replay(&service, &["post_feed"]).await;
    assert_eq!(report["leftOut"], json!({ "beganBefore": 0, "wentOnAfter": 0, "poisoned": 1, "quarantined": 1 }));
    assert_eq!(counts(&report)["post_feed_posts"], [0, 0, 0, 0, 2]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_meanwhile_makes_no_difference() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let channel = account.admin().sandbox("One").await;
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..2 {
        let (client, channel, done) = (account.as_role(Role::Smm).await, channel.clone(), done.clone());
        writers.spawn(async move {
            let mut written = 0;
            while !done.load(Ordering::SeqCst) {
                let begun = client.compose(&[&channel]).await.posts.remove(0);
                client.delete(&format!("/api2/cp/posts/{begun}")).await.ok();
                client.draft(&channel, "text").await;
                written += 1;
            }
            written
        });
    }
    let mut until = 0;
    for _ in 0..4 {
        let (posts, feed, again) =
            tokio::join!(replay(&service, &["posts"]), replay(&service, &["post_feed"]), replay(&service, &["posts"]));
        for report in [&posts, &feed, &again] {
            assert_eq!(report["same"], true, "{report}");
        }
        let now = posts["until"].as_i64().unwrap();
        assert!(now > until, "writers go on: from {until} to {now}");
        until = now;
    }
    done.store(true, Ordering::SeqCst);
    while let Some(written) = writers.join_next().await {
        assert!(written.unwrap() > 0);
    }
    let pool = service.pool().await;
    no_table_is_left(&pool).await;
    pool.close().await;
    service.stop().await;
}
