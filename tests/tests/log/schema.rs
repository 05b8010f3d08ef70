//! What the database itself sees to.

use palaver_eventstore::Database;
use palaver_tests::fresh_database;
use sqlx::Executor;

use super::{append, nothing, open};

#[tokio::test]
async fn history_is_neither_changed_nor_removed() {
    let database = fresh_database().await;
    let (log, tasks) = open(&database).await;
    log.append(append("one", 0, &nothing())).await.unwrap();
    let pool = database.pool().await;
    for statement in ["UPDATE events SET event_type = 'Other'", "DELETE FROM events", "TRUNCATE events"] {
        let error = pool.execute(statement).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    assert_eq!(log.head().await.unwrap(), 1);
    tasks.drain().await;
}

#[tokio::test]
async fn a_version_runs_on_the_schema_of_a_newer_one() {
    let database = fresh_database().await;
    let pool = database.pool().await;
    pool.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a newer version', true, '\\x00', 0)",
    )
    .await
    .unwrap();
    let older = Database::connect(database.options.clone(), 2).await.unwrap();
    older.migrate().await.unwrap();
    assert_eq!(older.migrations_pending().await.unwrap(), 0);
}

#[tokio::test]
async fn a_notification_is_a_reason_to_look_and_nothing_to_believe() {
    let database = fresh_database().await;
    let (log, tasks) = open(&database).await;
    let pool = database.pool().await;
    let mut known = log.watch();
    pool.execute("NOTIFY palaver_log, '100000'").await.unwrap();
    log.append(append("one", 0, &nothing())).await.unwrap();
    pool.execute("NOTIFY palaver_log, '100000'").await.unwrap();
    // The second append is heard of by another log after both notifications.
    let (other, other_tasks) = open(&database).await;
    other.append(append("two", 0, &nothing())).await.unwrap();
    assert_eq!(*known.wait_for(|position| *position >= 2).await.unwrap(), 2);
    tasks.drain().await;
    other_tasks.drain().await;
}

#[tokio::test]
async fn a_database_that_compiles_statements_compiles_none_of_ours() {
    let database = fresh_database().await;
    let name = database.options.get_database().unwrap().to_owned();
    database.pool().await.execute(format!("ALTER DATABASE \"{name}\" SET jit = on").as_str()).await.unwrap();
    let ours = Database::connect(database.options.clone(), 2).await.unwrap();
    let mut alone = ours.dedicated("test").await.unwrap();
    let asked = || sqlx::query_scalar::<_, String>("SHOW jit");
    assert_eq!(asked().fetch_one(&database.pool().await).await.unwrap(), "on");
    assert_eq!(asked().fetch_one(ours.pool()).await.unwrap(), "off");
    assert_eq!(asked().fetch_one(&mut alone).await.unwrap(), "off");
}
