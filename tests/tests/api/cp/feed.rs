//! `/api2/cp/posts/{id}/feed`: what happened to a post, and what its team says.

use palaver_domain::identity::Role;
use serde_json::json;

use crate::shared;

#[tokio::test]
async fn comments_and_history_stand_together_newest_first() {
    let service = shared().await;
    let account = service.account("Feed").await;
    let (admin, cm) = (account.admin(), account.as_role(Role::Cm).await);
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let path = format!("/api2/cp/posts/{post}/feed");

    let said = cm.post(&path).json(json!({ "message": "Grüße 👋\n", "mentions": [admin.user] })).await;
    assert_eq!(said.status, 201);
    assert_eq!(said.body["data"], json!({ "mentions": [admin.user] }));
    assert_eq!((said.body["type"].as_str(), said.body["message"].as_str()), (Some("COMMENT"), Some("Grüße 👋\n")));
    assert_eq!(
        (said.body["postId"].as_str(), said.body["channelId"].as_str()),
        (Some(post.as_str()), Some(channel.as_str()))
    );
    assert_eq!(said.body["userId"].as_str(), cm.user.as_deref());
    admin.edit(&post, json!({ "assignee": cm.user })).await;

    let feed = admin.get(&path).await.ok().body;
    let told: Vec<_> =
        feed["data"].as_array().unwrap().iter().map(|item| (&item["type"], &item["key"], &item["message"])).collect();
    let (history, null) = (&json!("HISTORY"), &json!(null));
    assert_eq!(
        told,
        [
            (history, &json!("assigned"), null),
            (&json!("COMMENT"), null, &json!("Grüße 👋\n")),
            (&json!("SYSTEMMESSAGE"), null, &json!("saved as draft")),
            (history, &json!("created"), null),
        ]
    );
    assert_eq!(feed["data"][0]["data"], json!({ "assignee": cm.user }));
    assert_eq!(feed["data"][1], said.body, "the answer to a comment is the item as it is listed");

    let page = admin.get(&format!("{path}?offset=1&count=2")).await.ok().body;
    assert_eq!(page, json!({ "count": 4, "data": [feed["data"][1], feed["data"][2]] }));
    assert_eq!(admin.get(&format!("{path}?count=0")).await.ok().body, json!({ "count": 4, "data": [] }));
    let ids: std::collections::BTreeSet<_> =
        feed["data"].as_array().unwrap().iter().map(|item| item["_id"].to_string()).collect();
    assert_eq!(ids.len(), 4, "every item has an id of its own");
}
