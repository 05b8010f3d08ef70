//! The real binary on a real PostgreSQL.
use palaver_tests::{Service, dump};
#[tokio::test]
async fn x() {
    let mut service = Service::up().await;
    let account = service.account("Acme").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "hello").await;
    admin.move_post(&post, "publish").await;
    palaver_tests::eventually("published", || async {
        (admin.read(&post).await["status"] == "published").then_some(())
    })
    .await;
    service.stop().await;
    println!("{:#?}", dump(&service.pool().await).await);
    service.restart().await;
    println!("{}", admin.read(&post).await);
}
