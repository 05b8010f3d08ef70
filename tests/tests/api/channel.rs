//! `/api2/channels/{id}`: a channel is read by whoever sees it, and taken out of use by administrators.

use palaver_domain::{TeamId, identity::Role};
use serde_json::json;

use super::shared;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_read_by_whoever_sees_it_and_taken_out_of_use_by_administrators() {
    let service = shared().await;
    let account = service.account("Acme").await;
    let (ours, theirs) = (TeamId::from_bytes([1; 12]), TeamId::from_bytes([2; 12]));
    let body = json!({ "name": "One", "socialNetwork": "FACEBOOK", "teamIds": [ours] });
    let admin = account.admin();
    let path = format!("/api2/channels/{}", admin.post("/api2/channels/sandbox").json(body).await.ok().id());

    let seen = account.user(Role::Smm, vec![ours]).await.get(&path).await.ok();
    assert_eq!((&seen.body["name"], &seen.body["socialNetwork"]), (&json!("One"), &json!("FACEBOOK")));
    let stranger = service.account("Bolt").await;
    for blind in [account.user(Role::Smm, vec![theirs]).await, stranger.admin().clone()] {
        assert_eq!(blind.get(&path).await.status, 404);
    }
    assert_eq!(account.as_role(Role::Observer).await.get(&path).await.body["code"], "InsufficientPermissions");

    let in_use = "/api2/channels/summary?includeInactive=false";
    assert_eq!(stranger.admin().delete(&path).await.status, 404);
    let smm = account.user(Role::Smm, vec![ours]).await;
    assert_eq!(smm.delete(&path).await.body["code"], "InsufficientPermissions");
    let fully = admin.delete(&format!("{path}?fullDeletion=true")).await;
    assert_eq!((fully.status, &fully.body["code"]), (403, &json!("AccessDenied")));
    assert_eq!(admin.get(in_use).await.ok().body.as_array().unwrap().len(), 1);

    let gone = admin.delete(&path).await;
    assert_eq!(gone.status, 204);
    assert_eq!(admin.get(in_use).after(gone.position()).await.ok().body, json!([]));
    assert_eq!(admin.delete(&format!("{path}?fullDeletion=false")).await.status, 204, "it is out of use already");
    assert_eq!(admin.get(&path).await.ok().body["name"], "One", "its posts still name it");
}
