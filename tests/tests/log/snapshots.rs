//! Long streams: a cold load reads a snapshot and what came after it.

use palaver_domain::posts::Post;
use palaver_eventstore::{LoadError, SNAPSHOT_EVERY_EVENTS, StreamId};
use palaver_tests::{eventually, fresh_database};
use sqlx::{Executor, PgPool};

use super::{open, plan_a_post};

const EVENTS: i64 = 350;

/// Does what the log forbids.
async fn tamper(pool: &PgPool, statement: &str) {
    let mut db = pool.acquire().await.unwrap();
    db.execute("SET session_replication_role = replica").await.unwrap();
    db.execute(statement).await.unwrap();
    db.execute("SET session_replication_role = origin").await.unwrap();
}

#[tokio::test]
async fn a_cold_load_of_a_long_stream_starts_from_its_snapshot() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let pool = database.pool().await;
    let planned = plan_a_post(&log).await;
    let stream = StreamId::of::<Post>(planned.post);
    for number in 1..EVENTS {
        let (planner, message) = (planned.planner.clone(), format!("comment {number}"));
        planned.commander.comment_on_post(&planned.context, planner, planned.post, message, Vec::new()).await.unwrap();
    }
    let warm = log.load::<Post>(&stream).await.unwrap();
    assert_eq!(warm.sequence, EVENTS);
    let last = EVENTS / SNAPSHOT_EVERY_EVENTS * SNAPSHOT_EVERY_EVENTS;
    eventually("the third snapshot", || async {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT sequence FROM aggregate_snapshots WHERE aggregate_type = $1 AND aggregate_id = $2",
        )
        .bind(&stream.aggregate_type)
        .bind(&stream.aggregate_id)
        .fetch_optional(&pool)
        .await
        .unwrap();
        (at == Some(last)).then_some(())
    })
    .await;

    // A log of its own each time, as a process that has just been started.
    let cold = async || open(&database).await.0.load::<Post>(&stream).await;
    let same = |loaded: &palaver_eventstore::Loaded<Post>| {
        assert_eq!(loaded.aggregate, warm.aggregate);
        assert_eq!((loaded.sequence, loaded.tenant), (warm.sequence, warm.tenant));
        assert_eq!((loaded.created_at, loaded.updated_at), (warm.created_at, warm.updated_at));
    };
    same(&cold().await.unwrap());

    // What the snapshot stands for is not read any more: it could not be.
    pool.execute("CREATE TABLE kept AS SELECT position, payload FROM events").await.unwrap();
    tamper(
        &pool,
        &format!(
            "UPDATE events SET payload = '{{\"Nonsense\":{{}}}}' WHERE aggregate_type = 'post' AND sequence <= {last}"
        ),
    )
    .await;
    same(&cold().await.unwrap());

    // A snapshot of another version of the state is ignored: now every event is read.
    pool.execute("UPDATE aggregate_snapshots SET schema_version = schema_version + 1").await.unwrap();
    let unreadable = cold().await.unwrap_err();
    assert!(matches!(&unreadable, LoadError::Decode(error) if error.event_type == "PostPlanned"), "{unreadable}");
    tamper(&pool, "UPDATE events e SET payload = k.payload FROM kept k WHERE k.position = e.position").await;
    same(&cold().await.unwrap());

    // One that can not be read is as good as none.
    pool.execute("UPDATE aggregate_snapshots SET schema_version = schema_version - 1, payload = '{}'").await.unwrap();
    same(&cold().await.unwrap());
}
