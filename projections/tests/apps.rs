//! The read model of applications.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{
    AccountId, Actor, AppId, KeyId,
    identity::{App, AppEvent},
};
use palaver_eventstore::{
    StreamId,
    ids::{Ids, SystemIds},
};
use palaver_projections::{all, apps};
use serde_json::{Value, json};
use support::{Process, encode, object_id, test_database};
use tokio_util::sync::CancellationToken;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn append(process: &Process, tenant: AccountId, id: AppId, after: i64, at: DateTime<Utc>, events: &[AppEvent]) {
    let events = events.iter().map(|event| encode(event, Actor::system("test"), at)).collect();
    process.append(tenant, &StreamId::of::<App>(id), after, events).await;
    process.caught_up(&["apps"]).await;
}

async fn listed(process: &Process, tenant: AccountId, page: (i64, i64)) -> (i64, Vec<Value>) {
    let apps = apps::list(process.log.database().pool(), tenant, page).await.unwrap();
    (apps.count, apps.data.iter().map(|doc| serde_json::from_str(doc.get()).unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_are_listed_with_their_keys_until_they_are_deleted() {
    let test = test_database().await;
    let process = Process::start(&test.database, all()).await;
    process.engine.install().await.unwrap();
    let engine = process.engine.clone();
    tokio::spawn(async move { engine.run(CancellationToken::new()).await });
    let (tenant, stranger) = (AccountId::from_bytes(object_id()), AccountId::from_bytes(object_id()));
    let at = time("2026-04-01T08:00:00.123Z");
    let ids = [AppId::from_uuid(SystemIds.uuid()), AppId::from_uuid(SystemIds.uuid())];
    let registered = |n: usize| AppEvent::Registered { id: ids[n], account_id: tenant, name: format!("Concierge {n}") };
    append(&process, tenant, ids[0], 0, at, &[registered(0)]).await;
    append(&process, tenant, ids[1], 0, at + TimeDelta::minutes(1), &[registered(1)]).await;

    let (key_id, secret_id) = (KeyId::from_uuid(SystemIds.uuid()), KeyId::from_uuid(SystemIds.uuid()));
    let issued = AppEvent::KeyIssued {
        key_id,
        label: "Wächter".to_owned(),
        prefix: "pak_1".to_owned(),
        expires_at: Some(at + TimeDelta::days(1)),
        at,
    };
    let rotated = AppEvent::SecretRotated { secret_id, at: at + TimeDelta::minutes(2) };
    let revoked = AppEvent::KeyRevoked { key_id, at: at + TimeDelta::minutes(3) };
    append(&process, tenant, ids[0], 1, at, &[issued, rotated, revoked]).await;

    let (count, docs) = listed(&process, tenant, (0, 10)).await;
    let first = json!({
        "_id": ids[0],
        "name": "Concierge 0",
        "createdTime": "2026-04-01T08:00:00.123Z",
        "secretCreatedTime": "2026-04-01T08:02:00.123Z",
        "keys": [{
            "_id": key_id,
            "label": "Wächter",
            "prefix": "pak_1",
            "createdTime": "2026-04-01T08:00:00.123Z",
            "expirationTime": "2026-04-02T08:00:00.123Z",
            "revokedTime": "2026-04-01T08:03:00.123Z",
        }],
    });
    assert_eq!((count, docs.len(), &docs[0]), (2, 2, &first));
    assert_eq!(docs[1]["keys"], json!([]));
    let (count, docs) = listed(&process, tenant, (1, 1)).await;
    assert_eq!((count, &docs[0]["name"]), (2, &json!("Concierge 1")));
    assert_eq!(listed(&process, tenant, (5, 5)).await, (2, vec![]), "beyond the end");
    assert_eq!(listed(&process, stranger, (0, 10)).await, (0, vec![]));

    append(&process, tenant, ids[0], 4, at, &[AppEvent::Deleted]).await;
    let (count, docs) = listed(&process, tenant, (0, 10)).await;
    assert_eq!((count, &docs[0]["name"]), (1, &json!("Concierge 1")));
}
