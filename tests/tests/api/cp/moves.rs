//! `/api2/cp/posts/{id}/...`: every route from every status, and what a move does to `needsAttention`.

use palaver_domain::identity::Role;
use palaver_tests::{Account, Answer, Client, eventually};
use serde_json::{Value, json};

use crate::{hours_from_now, shared};

const STATUSES: [&str; 8] =
    ["preDraft", "draft", "needsApproval", "scheduled", "publishing", "published", "failedToPublish", "deleted"];

/// What each route answers in each of [`STATUSES`]. `schedule` and `approve` find a time to come, `publish` none,
/// wherever the post may be edited.
const MACHINE: [(&str, [u16; 8]); 10] = [
    ("PATCH", [200, 200, 200, 200, 409, 409, 200, 404]),
    ("DELETE", [204, 409, 409, 409, 409, 409, 409, 404]),
    ("suggest", [409, 200, 200, 200, 409, 409, 200, 404]),
    ("approve", [409, 409, 200, 409, 409, 409, 409, 404]),
    ("reject", [409, 409, 200, 409, 409, 409, 409, 404]),
    ("schedule", [200, 200, 200, 200, 409, 409, 200, 404]),
    ("publish", [200, 200, 200, 409, 409, 409, 200, 404]),
    ("unschedule", [409, 409, 409, 200, 409, 409, 409, 404]),
    ("GET feed", [200, 200, 200, 200, 200, 200, 200, 404]),
    ("POST feed", [201, 201, 201, 201, 201, 201, 201, 404]),
];

/// Where a route that is not refused leaves the post.
fn leads_to(route: &str, from: &'static str) -> &'static str {
    match route {
        "suggest" => "needsApproval",
        "approve" | "schedule" | "publish" => "scheduled",
        "reject" | "unschedule" => "draft",
        "DELETE" => "deleted",
        _ => from,
    }
}

/// Channels that bring a post into the statuses that the network decides about.
struct Stage {
    /// Publishes nothing by itself: it takes so long that posts stay where they are.
    calm: String,
    accepting: String,
    refusing: String,
    forgetful: String,
}

impl Stage {
    async fn set(client: &Client) -> Self {
        let stage = Self {
            calm: client.sandbox("calm").await,
            accepting: client.sandbox("accepting").await,
            refusing: client.sandbox("refusing").await,
            forgetful: client.sandbox("forgetful").await,
        };
        client.behave(&stage.refusing, "refuse", 0).await;
        client.behave(&stage.forgetful, "forgetful", 0).await;
        stage
    }

    /// A post in that status.
    async fn post(&self, client: &Client, status: &str) -> String {
        match status {
            "preDraft" | "deleted" => {
                let group = client.compose(&[&self.calm]).await;
                client.edit(&group.posts[0], json!({ "content": { "text": "composing" } })).await;
                if status == "deleted" {
                    client.delete(&format!("/api2/cp/posts/{}", group.posts[0])).await.ok();
                }
                group.posts[0].clone()
            }
            "publishing" => self.sent(client, &self.forgetful, status).await,
            "published" => self.sent(client, &self.accepting, status).await,
            "failedToPublish" => self.sent(client, &self.refusing, status).await,
            other => {
                let post = client.draft(&self.calm, "a text").await;
                match other {
                    "needsApproval" => drop(client.move_post(&post, "suggest").await),
                    "scheduled" => {
                        client.edit(&post, json!({ "publishTime": hours_from_now(24) })).await;
                        client.move_post(&post, "schedule").await;
                    }
                    _ => {}
                }
                post
            }
        }
    }

    async fn sent(&self, client: &Client, channel: &str, status: &str) -> String {
        let post = client.draft(channel, "a text").await;
        client.move_post(&post, "publish").await;
        eventually(status, || async {
            let now = client.read(&post).await;
            let settled = status != "publishing" || now["flags"]["needsAttention"] == true;
            (now["status"] == status && settled).then_some(())
        })
        .await;
        post
    }
}

async fn take(client: &Client, route: &str, post: &str) -> Answer {
    let path = format!("/api2/cp/posts/{post}");
    match route {
        "PATCH" => client.patch(&path).json(json!({ "content": { "text": "changed" } })).await,
        "DELETE" => client.delete(&path).await,
        "GET feed" => client.get(&format!("{path}/feed")).await,
        "POST feed" => client.post(&format!("{path}/feed")).json(json!({ "message": "said" })).await,
        route => client.post(&format!("{path}/{route}")).await,
    }
}

#[tokio::test]
async fn every_route_from_every_status_answers_as_the_table_says() {
    let service = shared().await;
    let account = service.account("Machine").await;
    let admin = account.admin();
    let stage = Stage::set(admin).await;
    for (at, status) in STATUSES.into_iter().enumerate() {
        for (route, answers) in MACHINE {
            let expected = answers[at];
            let post = stage.post(admin, status).await;
            let time = match route {
                "schedule" | "approve" => json!(hours_from_now(48)),
                _ => Value::Null,
            };
            // A time that is set already is left where the route does not care.
            if ["schedule", "approve", "publish"].contains(&route) && answers[at] == 200 {
                admin.edit(&post, json!({ "publishTime": time })).await;
            }
            let before = admin.get(&format!("/api2/cp/posts/{post}")).await;
            let answer = take(admin, route, &post).await;
            assert_eq!(answer.status, expected, "{route} of a {status} post: {}", answer.body);
            let after = admin.get(&format!("/api2/cp/posts/{post}")).await;
            if expected >= 400 {
                answer.is(expected, if expected == 404 { "NotFoundError" } else { "ConflictError" });
                assert_eq!(after.body, before.body, "a refused {route} changes nothing");
            } else if leads_to(route, status) == "deleted" {
                after.is(404, "NotFoundError");
            } else if route == "publish" {
                // The network may have it by now.
                let now = after.text("status");
                assert!(["scheduled", "publishing", "published", "failedToPublish"].contains(&now.as_str()), "{now}");
            } else {
                assert_eq!(after.text("status"), leads_to(route, status), "{route} of a {status} post");
                if let Some(shown) = answer.body["status"].as_str() {
                    assert_eq!(shown, leads_to(route, status), "the answer shows the post as it is then");
                }
            }
            tidy(admin).await;
        }
    }
}

/// Leaves nothing on the workbench.
async fn tidy(client: &Client) {
    let open = client.get("/api2/cp/postGroups/preDraft").await;
    if open.status == 200 {
        client.delete(&format!("/api2/cp/postGroups/{}", open.id())).await.ok();
    }
}

#[tokio::test]
async fn a_time_decides_between_schedule_and_publish() {
    let service = shared().await;
    let account = service.account("Times").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let (schedule, publish) = (format!("/api2/cp/posts/{post}/schedule"), format!("/api2/cp/posts/{post}/publish"));

    admin.post(&schedule).await.is(409, "ConflictError");
    admin.edit(&post, json!({ "publishTime": hours_from_now(-1) })).await;
    let late = admin.post(&schedule).await.is(400, "ValidationError");
    assert_eq!(late.body["errors"], json!({ "publishTime": ["publishTimeNotInFuture"] }));
    admin.post(&publish).await.is(409, "ConflictError");

    admin.edit(&post, json!({ "publishTime": hours_from_now(1) })).await;
    let scheduled = admin.post(&schedule).await.ok();
    let again = admin.post(&schedule).await.ok();
    assert_eq!(again.body, scheduled.body, "asked twice, written once");
    let time_kept = again.body["publishTime"].clone();

    // A scheduled post stays one that can be published.
    let path = format!("/api2/cp/posts/{post}");
    admin.patch(&path).json(json!({ "publishTime": null })).await.is(409, "ConflictError");
    let past = admin.patch(&path).json(json!({ "publishTime": hours_from_now(-1) })).await.is(400, "ValidationError");
    assert_eq!(past.body["errors"]["publishTime"], json!(["publishTimeNotInFuture"]));
    let empty = admin.patch(&path).json(json!({ "content": { "text": "" } })).await.is(400, "ValidationError");
    assert_eq!(empty.body["errors"]["content"], json!(["requireTextLinkImageOrVideo"]));

    let unscheduled = admin.move_post(&post, "unschedule").await;
    assert_eq!((unscheduled.text("status"), &unscheduled.body["publishTime"]), ("draft".to_owned(), &time_kept));
    admin.edit(&post, json!({ "publishTime": null })).await;
    assert_eq!(admin.post(&publish).await.ok().body["status"], "scheduled");
}

#[tokio::test]
async fn approval_goes_from_editor_to_manager_and_back() {
    let service = shared().await;
    let account = service.account("Approval").await;
    let (editor, smm) = (account.as_role(Role::Editor).await, account.as_role(Role::Smm).await);
    let channel = account.admin().sandbox("One").await;
    let post = editor.draft(&channel, "proposed").await;
    let path = format!("/api2/cp/posts/{post}");

    let suggested = editor.move_post(&post, "suggest").await;
    assert_eq!(suggested.text("suggestionAuthor"), editor.user.clone().unwrap());
    assert_eq!(suggested.body["flags"]["needsAttention"], false);
    editor.post(&format!("{path}/approve")).await.is(403, "InsufficientPermissions");

    let rejected = smm.post(&format!("{path}/reject")).json(json!({ "message": "shorter, please" })).await.ok();
    assert_eq!(
        (rejected.text("status"), rejected.text("assignee")),
        ("draft".to_owned(), editor.user.clone().unwrap())
    );
    assert_eq!(rejected.body["flags"]["needsAttention"], true);
    attention(&account, &post, 1).await;
    let feed = smm.get(&format!("{path}/feed")).await;
    assert_eq!(feed.status, 200, "{}", feed.body);
    let said: Vec<_> = feed.body["data"].as_array().unwrap().iter().filter(|item| item["type"] == "COMMENT").collect();
    assert_eq!((said.len(), said[0]["message"].as_str()), (1, Some("shorter, please")));
    assert_eq!(said[0]["userId"].as_str(), smm.user.as_deref());

    // Set by the service alone, cleared by people too.
    let set = editor.edit(&post, json!({ "flags": { "needsAttention": false } })).await;
    assert_eq!(set.body["flags"]["needsAttention"], false);
    let set = editor.edit(&post, json!({ "flags": { "needsAttention": true } })).await;
    assert_eq!(set.body["flags"]["needsAttention"], false);
    attention(&account, &post, 0).await;

    // Without a comment, in both ways of saying nothing; an empty one is a mistake.
    for body in [None, Some(json!({}))] {
        editor.move_post(&post, "suggest").await;
        let reject = smm.post(&format!("{path}/reject"));
        body.map_or(smm.post(&format!("{path}/reject")), |body| reject.json(body)).await.ok();
    }
    attention(&account, &post, 1).await;
    editor.move_post(&post, "suggest").await;
    attention(&account, &post, 0).await;
    let empty = smm.post(&format!("{path}/reject")).json(json!({ "message": "" })).await.is(400, "ValidationError");
    assert_eq!(empty.body["errors"], json!({ "message": ["required"] }));

    smm.post(&format!("{path}/approve")).await.is(409, "ConflictError");
    smm.edit(&post, json!({ "publishTime": hours_from_now(5) })).await;
    let approved = smm.move_post(&post, "approve").await;
    assert_eq!(
        (approved.text("status"), approved.body["flags"]["needsAttention"].clone()),
        ("scheduled".to_owned(), json!(false))
    );
    let feed = smm.get(&format!("{path}/feed")).await.ok().body;
    assert_eq!(
        (feed["data"][0]["key"].as_str(), &feed["data"][0]["data"]["publishTime"]),
        (Some("approved"), &approved.body["publishTime"])
    );
}

/// What the list and the counts say of a post that may need attention.
async fn attention(account: &Account, post: &str, expected: i64) {
    eventually("the flag in list and counts", || async {
        let listed = account.admin().get("/api2/cp/posts?needsAttention=true").await.ok().body;
        let counted = account.admin().get("/api2/cp/posts/counts").await.ok().body;
        let there = expected == 0 || listed["data"][0]["_id"] == post;
        (listed["count"] == expected && counted["needsAttention"] == expected && there).then_some(())
    })
    .await;
}
