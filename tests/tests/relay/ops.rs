//! What operators are told of the relay, while it runs and while NATS is away.

use palaver_domain::identity::Role;
use palaver_tests::{NatsServer, eventually, fresh_database};
use serde_json::json;

use super::{STREAM, up};

#[tokio::test]
async fn operators_see_where_the_relay_is_and_that_nats_is_away() {
    let (database, mut nats) = (fresh_database().await, NatsServer::start().await);
    let mut service = up(&database, &[nats.url()], 1).await;
    let account = service.account("Operations").await;
    let operator = account.as_role(Role::SuperAdmin).await;
    let told = eventually("all events are in the stream", || async {
        let told = operator.get("/ops/relay").await.ok().body;
        (told["lagEvents"] == 0 && told["state"]["lastPosition"] == told["head"]).then_some(told)
    })
    .await;
    assert_eq!(
        (&told["stream"], &told["unreachable"], &told["standstill"]),
        (&json!(STREAM), &json!(null), &json!(null))
    );
    assert!(told["head"].as_i64().is_some_and(|head| head > 0) && told["leader"]["pid"].is_i64(), "{told}");
    assert_eq!((&told["position"], &told["state"]["messages"]), (&told["head"], &told["head"]), "{told}");
    account.admin().get("/ops/relay").await.is(403, "InsufficientPermissions");

    nats.kill9();
    let told = eventually("NATS is seen to be away", || async {
        let told = operator.get("/ops/relay").await.ok().body;
        told["unreachable"].is_string().then_some(told)
    })
    .await;
    assert_eq!((&told["state"], &told["consumers"], &told["position"]), (&json!(null), &json!([]), &told["head"]));
    service.stop().await;
}
