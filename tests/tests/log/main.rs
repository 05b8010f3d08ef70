//! The event store on a real PostgreSQL.
#[tokio::test]
async fn x() {
    let db = palaver_tests::fresh_database().await;
    println!("{db:?}");
    db.pool().await;
}
