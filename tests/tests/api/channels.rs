//! `/api2/channels`: lists, summary, placeholders.

use palaver_domain::identity::Role;
use palaver_tests::{Answer, Client};
use serde_json::{Value, json};

use crate::shared;

/// Takes a channel out of use.
pub async fn deactivate(client: &Client, channel: &str) -> Answer {
    let gone = client.delete(&format!("/api2/channels/{channel}")).await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    gone
}

async fn names(client: &Client, query: &str) -> String {
    let listed = client.get(&format!("/api2/channels?{query}")).await.ok().body;
    if !query.contains("count=") && !query.contains("offset=") {
        assert_eq!(listed["count"], listed["data"].as_array().unwrap().len(), "{query}");
    }
    joined(&listed["data"])
}

fn joined(channels: &Value) -> String {
    channels.as_array().unwrap().iter().map(|channel| channel["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn placeholder(client: &Client, name: &str) -> String {
    client.post("/api2/channels/placeholder").json(json!({ "name": name })).await.ok().id()
}

#[tokio::test]
async fn every_filter_reaches_the_list_and_the_summary() {
    let service = shared().await;
    let account = service.account("Channels").await;
    let admin = account.admin();
    let team = admin.team("Newsroom").await;
    for (name, network, teams) in [
        ("news", "FACEBOOK", json!([team])),
        ("Alpha", "TWITTER", json!([])),
        ("Über", "INSTAGRAM_BUSINESS", json!([])),
    ] {
        let body =
            json!({ "name": name, "socialNetwork": network, "teamIds": teams, "uniqueName": format!("@{name}") });
        let made = admin.post("/api2/channels/sandbox").json(body).await;
        assert_eq!(made.status, 201);
        assert_eq!((made.text("uniqueName"), made.text("socialNetwork")), (format!("@{name}"), network.to_owned()));
    }
    placeholder(admin, "zine").await;
    let old = placeholder(admin, "Old").await;
    deactivate(admin, &old).await;

    for (query, expected) in [
        ("", "Old zine Über Alpha news"),
        ("order=asc", "news Alpha Über zine Old"),
        ("sortBy=createdTime&order=desc", "Old zine Über Alpha news"),
        ("sortBy=name&order=asc", "Alpha news Old zine Über"),
        ("sortBy=name", "Über zine Old news Alpha"),
        ("sortBy=network&order=asc&includeInactive=false", "news Über zine Alpha"),
        ("sortBy=expires&status=disabled", "Old"),
        ("search=ALPH", "Alpha"),
        ("search=%40news", "news"),
        ("search=%C3%BCb", "Über"),
        ("search=%25", ""),
        ("network=facebook", "news"),
        ("network=FACEBOOK", "news"),
        ("networks=facebook&networks=twitter", "Alpha news"),
        ("networks[]=facebook&networks[]=twitter", "Alpha news"),
        ("networks=facebook,twitter", "Alpha news"),
        ("network=placeholders&networks=twitter", "Old zine Alpha"),
        ("network=myspace", ""),
        ("excludedNetworks=placeholders,facebook", "Über Alpha"),
        ("status=active", "zine Über Alpha news"),
        ("status=disabled", "Old"),
        ("status=needsAttention", "Old"),
        ("status=expired", ""),
        ("status=expiring", ""),
        ("tokenOwnerIds=someone", ""),
        (&format!("teamIds={team}"), "news"),
        ("product=cp&order=asc", "news Alpha Über zine Old"),
        ("product=ml", ""),
        ("includeInactive=false", "zine Über Alpha news"),
        ("includeInactive=true", "Old zine Über Alpha news"),
        ("order=asc&count=2", "news Alpha"),
        ("order=asc&offset=1&count=2", "Alpha Über"),
        ("offset=9", ""),
    ] {
        assert_eq!(names(admin, query).await, expected, "{query}");
    }
    assert_eq!(admin.get("/api2/channels?offset=4&count=3").await.ok().body["count"], 5);

    for (query, expected) in [
        ("", "Alpha news Old zine Über"),
        ("network=facebook,twitter", "Alpha news"),
        ("network=facebook&network=twitter", "Alpha news"),
        ("network=searches", ""),
        ("excludedNetworks[]=placeholders", "Alpha news Über"),
        (&format!("teamIds={team}"), "news"),
        ("product=ml", ""),
        ("includeInactive=false", "Alpha news zine Über"),
    ] {
        let summary = admin.get(&format!("/api2/channels/summary?{query}")).await.ok().body;
        let mut found: Vec<_> = joined(&summary).split(' ').map(str::to_lowercase).collect();
        found.sort();
        let mut wanted: Vec<_> = expected.split(' ').map(str::to_lowercase).collect();
        wanted.sort();
        assert_eq!(found, wanted, "summary?{query}");
    }

    // Whoever is in no team sees what no team has claimed.
    let cm = account.as_role(Role::Cm).await;
    assert_eq!(names(&cm, "includeInactive=false").await, "zine Über Alpha");
    let member = account.member(Role::Cm, &[&team]).await;
    assert_eq!(names(&member, "includeInactive=false").await, "zine Über Alpha news");
}

#[tokio::test]
async fn a_placeholder_is_made_and_brought_back() {
    let service = shared().await;
    let account = service.account("Placeholders").await;
    let admin = account.admin();
    let path = "/api2/channels/placeholder";
    let team = admin.team("Printers").await;
    let full = json!({ "name": "Print", "imageUrl": "https://example.com/print.png", "network": "LINKEDIN",
        "recipients": ["ann@example.com"], "cc": ["bob@example.com"], "emailAdvance": 1440 });
    let made = admin.post(&format!("{path}?teamIds={team}")).json(full).await;
    assert_eq!(made.status, 201);
    let (id, shown) = (made.id(), &made.body);
    assert_eq!(
        *shown,
        json!({ "_id": id, "name": "Print", "uniqueName": "Print", "socialNetwork": "PLACEHOLDERS",
            "imageUrl": "https://example.com/print.png", "products": { "cp": true, "inbox": false } })
    );
    assert_eq!(admin.get("/api2/channels").await.ok().body["data"][0], *shown);
    assert_eq!(names(admin, &format!("teamIds={team}")).await, "Print");

    let reactivate = format!("{path}?channelId={id}");
    admin.post(&reactivate).json(json!({})).await.is(409, "ConflictError");
    deactivate(admin, &id).await;
    admin.post("/api2/cp/postGroups").json(json!({ "channelIds": [id] })).await.is(404, "NotFoundError");
    let back = admin.post(&reactivate).json(json!({})).await;
    assert_eq!((back.status, &back.body), (201, shown));
    assert_eq!(names(admin, "includeInactive=false").await, "Print");

    // Only placeholders come back this way.
    let sandbox = admin.sandbox("One").await;
    deactivate(admin, &sandbox).await;
    admin.post(&format!("{path}?channelId={sandbox}")).json(json!({})).await.is(404, "NotFoundError");

    // Published by people: there is no network to call, and no address to show.
    let post = admin.draft(&id, "in print").await;
    admin.move_post(&post, "publish").await;
    let published = palaver_tests::eventually("publication", || async {
        let post = admin.read(&post).await;
        (post["status"] == "published").then_some(post)
    })
    .await;
    assert!(published.get("networkUrl").is_none(), "{published}");
}

#[tokio::test]
async fn posts_of_a_deactivated_channel_leave_the_lists() {
    let service = shared().await;
    let account = service.account("Deactivated").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    let group = admin.read(&post).await["postGroupId"].as_str().unwrap().to_owned();
    let after = deactivate(admin, &channel).await.position();
    let list = |query: String| async move { admin.get(&format!("/api2/cp/posts{query}")).after(after).await.ok().body };
    assert_eq!(list(String::new()).await["count"], 0);
    assert_eq!(list(format!("?channelIds={channel}")).await["count"], 0);
    // Source: seed 003, `postGroupId`.
    assert_eq!(list(format!("?postGroupId={group}")).await["count"], 1);
    assert_eq!(admin.get("/api2/cp/posts/counts").after(after).await.ok().body["draft"], 0);
}

#[tokio::test]
async fn a_single_channel_is_read_and_taken_out_of_use() {
    let service = shared().await;
    let account = service.account("Single").await;
    let admin = account.admin();
    let team = admin.team("Ones").await;
    let body = json!({ "name": "One", "socialNetwork": "FACEBOOK", "teamIds": [team] });
    let made = admin.post("/api2/channels/sandbox").json(body).await.ok();
    let path = format!("/api2/channels/{}", made.id());
    assert_eq!(admin.get(&path).await.ok().body, made.body);
    account.as_role(Role::Cm).await.get(&path).await.is(404, "NotFoundError");
    admin.delete(&format!("{path}?fullDeletion=true")).await.is(403, "AccessDenied");
    assert_eq!(names(admin, "status=active").await, "One");
    let gone = deactivate(admin, &made.id()).await;
    let again = deactivate(admin, &made.id()).await;
    assert!(again.position() >= gone.position());
    assert_eq!(
        (names(admin, "status=active").await.as_str(), names(admin, "status=disabled").await.as_str()),
        ("", "One")
    );
    assert_eq!(admin.get(&path).await.ok().body, made.body, "it can still be looked up");
}
