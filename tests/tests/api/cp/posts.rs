//! `/api2/cp/posts`: lists by query and by body on a small known set, and what a PATCH does. That the filters are right
//! in depth is shown where the read model is tested; here, that every parameter reaches it in every way of writing it.

use std::collections::BTreeMap;

use palaver_domain::identity::Role;
use palaver_tests::{Account, Client, eventually};
use serde_json::{Map, Value, json};

use crate::{hours_from_now, shared};

const TAG_ONE: &str = "00000000000000000000aaa1";
const TAG_TWO: &str = "00000000000000000000aaa2";
const NOBODY: &str = "0123456789abcdef01234567";

/// Posts by a letter each, made in alphabetical order.
pub struct Known {
    pub account: Account,
    pub channels: BTreeMap<&'static str, String>,
    pub posts: BTreeMap<&'static str, String>,
    pub groups: BTreeMap<&'static str, String>,
}

impl Known {
    pub fn admin(&self) -> &Client {
        self.account.admin()
    }

    /// | post | channel | status | publishTime | what else |
    /// | --- | --- | --- | --- | --- |
    /// | a | facebook | draft | - | TAG_ONE, assigned to the admin |
    /// | b | twitter | draft | - | TAG_ONE and TAG_TWO |
    /// | c | facebook | scheduled | 30 March 2031, 00:30 in Berlin | |
    /// | d | twitter | scheduled | 30 March 2031, 23:59:59 in Berlin | |
    /// | e | facebook | needsApproval | 31 March 2031, 00:00 in Berlin | |
    /// | f | facebook | published | some seconds ago | |
    /// | g | refusing | failedToPublish | some seconds ago | needs attention |
    /// | s | instagram | draft | - | a story that the admin publishes by hand |
    /// | x, y | facebook, twitter | preDraft | - | one group |
    pub async fn make(account: Account) -> Self {
        let admin = account.admin().clone();
        let mut channels = BTreeMap::new();
        for (name, network) in [
            ("facebook", "FACEBOOK"),
            ("twitter", "TWITTER"),
            ("instagram", "INSTAGRAM_BUSINESS"),
            ("refusing", "LINKEDIN"),
        ] {
            channels.insert(name, admin.sandbox_on(name, network).await);
        }
        admin.behave(&channels["refusing"], "refuse", 0).await;
        let mut posts = BTreeMap::new();
        for (name, channel, text) in [
            ("a", "facebook", "Alpha launch"),
            ("b", "twitter", "Beta launch"),
            ("c", "facebook", "Gamma"),
            ("d", "twitter", "Delta"),
            ("e", "facebook", "Epsilon"),
            ("f", "facebook", "Zeta"),
            ("g", "refusing", "Eta"),
            ("s", "instagram", "Story"),
        ] {
            posts.insert(name, admin.draft(&channels[channel], text).await);
        }
        admin.edit(&posts["a"], json!({ "tags": [TAG_ONE], "assignee": admin.user })).await;
        admin.edit(&posts["b"], json!({ "tags": [{ "_id": TAG_ONE }, TAG_TWO] })).await;
        for (name, time, how) in [
            ("c", "2031-03-29T23:30:00Z", "schedule"),
            ("d", "2031-03-30T21:59:59Z", "schedule"),
            ("e", "2031-03-30T22:00:00Z", "suggest"),
        ] {
            admin.edit(&posts[name], json!({ "publishTime": time })).await;
            admin.move_post(&posts[name], how).await;
        }
        let story =
            json!({ "content": { "type": "STORY_WORKAROUND" }, "storyWorkaround": { "publisher": admin.user } });
        admin.edit(&posts["s"], story).await;
        for (name, status) in [("f", "published"), ("g", "failedToPublish")] {
            admin.move_post(&posts[name], "publish").await;
            eventually(status, || async {
                let listed = admin.get(&format!("/api2/cp/posts?status={status}")).await.ok();
                (listed.body["count"] == 1).then_some(())
            })
            .await;
        }
        let composing = loop {
            // Posts of one group are equally old, and then ordered by their ids, which are made by chance.
            let group = admin.compose(&[&channels["facebook"], &channels["twitter"]]).await;
            if group.posts[0] < group.posts[1] {
                break group;
            }
            admin.delete(&format!("/api2/cp/postGroups/{}", group.id)).await.ok();
        };
        posts.extend([("x", composing.posts[0].clone()), ("y", composing.posts[1].clone())]);
        let mut groups = BTreeMap::from([("xy", composing.id)]);
        groups.insert("a", admin.read(&posts["a"]).await["postGroupId"].as_str().unwrap().to_owned());
        Self { account, channels, posts, groups }
    }

    /// `{a}` becomes the id of post a, `{facebook}` that of the channel, `{group xy}` that of the group, `{admin}` the user's.
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{admin}", self.admin().user.as_deref().unwrap());
        for (name, id) in self.posts.iter().chain(&self.channels) {
            text = text.replace(&format!("{{{name}}}"), id);
        }
        for (name, id) in &self.groups {
            text = text.replace(&format!("{{group {name}}}"), id);
        }
        text
    }

    /// The letters of listed posts, in their order.
    fn letters(&self, data: &Value) -> String {
        let letter_of = |post: &Value| {
            let id = post["_id"].as_str().unwrap();
            self.posts.iter().find(|(_, known)| *known == id).map(|(name, _)| *name).expect("a known post")
        };
        data.as_array().unwrap().iter().map(letter_of).collect()
    }
}

/// What a list of posts in order of creation holds; newest first where the letters end with `↓`.
const FILTERS: &[(&str, &str)] = &[
    ("", "yxsgfedcba"),
    ("order=asc", "abcdefgsxy"),
    ("order=asc&status=draft", "abs"),
    ("order=asc&status=draft&status=needsApproval", "abes"),
    ("order=asc&status[]=draft&status[]=needsApproval", "abes"),
    ("order=asc&status[1]=draft&status[0]=needsApproval", "abes"),
    ("order=asc&status=draft,needsApproval", "abes"),
    ("order=asc&status%5B%5D=draft%2CneedsApproval", "400"),
    ("order=asc&status=scheduled", "cd"),
    ("order=asc&status=publishing", ""),
    ("order=asc&status=published,failedToPublish", "fg"),
    ("order=asc&status=preDraft", "xy"),
    ("order=asc&needsAttention=true", "g"),
    ("order=asc&needsAttention=false&status=failedToPublish", ""),
    ("order=asc&imported=true", ""),
    ("order=asc&promoted=true", ""),
    ("order=asc&imported=false&promoted=false&status=scheduled", "cd"),
    ("order=asc&viaPublisherApp=true", "s"),
    ("order=asc&viaPublisherApp=false&status=draft", "ab"),
    ("order=asc&channelIds={twitter}", "bdy"),
    ("order=asc&channelIds={twitter}&channelIds={instagram}", "bdsy"),
    ("order=asc&channelIds={twitter},{instagram}&status=draft", "bs"),
    ("order=asc&channelIds=0123456789abcdef01234567", ""),
    ("order=asc&assignees={admin}", "a"),
    ("order=asc&tags=00000000000000000000aaa1", "ab"),
    ("order=asc&tags=00000000000000000000aaa1,00000000000000000000aaa2", "ab"),
    ("order=asc&tags=00000000000000000000aaa1,00000000000000000000aaa2&useAndFilter=true", "b"),
    ("order=asc&tags=00000000000000000000aaa2&useAndFilter=false", "b"),
    ("order=asc&search=LAUNCH", "ab"),
    ("order=asc&search=laun+alp", "a"),
    ("order=asc&search=aunch", ""),
    ("order=asc&storyWorkaroundPublisher={admin}", "s"),
    ("order=asc&type=STORY_WORKAROUND", "s"),
    ("order=asc&type=STORY_WORKAROUND,POST&status=draft", "abs"),
    ("order=asc&postGroupId={group xy}", "xy"),
    ("order=asc&postGroupId={group xy}&selectedPostId={y}", "yx"),
    ("order=asc&postGroupId={group xy}&channelIds={twitter}", "y"),
    ("sortBy=publishTime&order=asc&status=scheduled,needsApproval", "cde"),
    ("sortBy=publishTime&order=desc&status=scheduled,needsApproval", "edc"),
    ("sortBy=publishTime&order=asc&since=2031-03-29T23:30:00Z&until=2031-03-30T22:00:00Z", "cd"),
    ("sortBy=publishTime&order=asc&since=2031-03-30T00:30:00%2B01:00&until=2031-03-31T00:00:00%2B02:00", "cd"),
    ("sortBy=publishTime&order=asc&since=2031-03-29T23:30:01Z", "de"),
    ("sortBy=createdTime&order=asc&since=2031-01-01T00:00:00Z", ""),
    ("order=asc&count=3", "abc"),
    ("order=asc&offset=3&count=3", "def"),
    ("order=asc&offset=9", "y"),
    ("order=asc&offset=10", ""),
    ("order=asc&count=0", ""),
];

/// The same filter as a body. Lists are lists there, but may be one text as well.
fn as_body(query: &str) -> Value {
    let mut body = Map::new();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let (name, value) = (name.split(['[', '%']).next().unwrap(), value.replace("%2B", "+").replace("%2C", ","));
        let value = match name {
            "needsAttention" | "imported" | "promoted" | "viaPublisherApp" | "useAndFilter" => json!(value == "true"),
            "offset" | "count" => json!(value.parse::<i64>().unwrap()),
            "search" => json!(value.replace('+', " ")),
            "channelIds" | "assignees" | "tags" | "type" => json!(value.split(',').collect::<Vec<_>>()),
            _ => json!(value),
        };
        match (body.get_mut(name), value) {
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
            (Some(Value::String(known)), Value::String(more)) => *known = format!("{known},{more}"),
            (_, value) => drop(body.insert(name.to_owned(), value)),
        }
    }
    Value::Object(body)
}

#[tokio::test]
async fn every_filter_reaches_the_list_by_query_and_by_body() {
    let service = shared().await;
    let known = Known::make(service.account("Lists").await).await;
    let admin = known.admin();
    for (query, expected) in FILTERS {
        let query = known.fill(query);
        let by_query = admin.get(&format!("/api2/cp/posts?{query}")).await;
        if *expected == "400" {
            by_query.is(400, "BadRequestError");
            continue;
        }
        let by_query = by_query.ok().body;
        assert_eq!(known.letters(&by_query["data"]), *expected, "{query}");
        let body = as_body(&query);
        let by_body = admin.post("/api2/cp/posts").json(body.clone()).await.ok().body;
        assert_eq!(by_body, by_query, "{body}");
        if !query.contains("count=") && !query.contains("offset=") {
            assert_eq!(by_query["count"], expected.len(), "{query}");
        } else {
            assert_eq!(by_query["count"], 10, "a page tells of all that match: {query}");
        }
    }
    grouped(&known).await;
    others_see_what_is_theirs(&known).await;
    counted(&known).await;
}

async fn grouped(known: &Known) {
    let path = "/api2/cp/posts?groupBy=postGroup&order=asc";
    let all = known.admin().get(path).await.ok().body;
    assert_eq!((all["count"].as_i64(), all["data"].as_array().unwrap().len()), (Some(9), 9));
    let groups: Vec<String> =
        all["data"].as_array().unwrap().iter().map(|group| known.letters(&group["posts"])).collect();
    assert_eq!(groups, ["a", "b", "c", "d", "e", "f", "g", "s", "xy"]);
    assert_eq!(all["data"][8]["_id"].as_str().unwrap(), known.groups["xy"]);
    let page = known.admin().get(&format!("{path}&offset=8&count=5")).await.ok().body;
    assert_eq!((page["count"].as_i64(), page["data"][0].clone()), (Some(9), all["data"][8].clone()));
    let by_body =
        known.admin().post("/api2/cp/posts").json(json!({ "groupBy": "postGroup", "order": "asc" })).await.ok();
    assert_eq!(by_body.body, all);
}

async fn others_see_what_is_theirs(known: &Known) {
    let smm = known.account.as_role(Role::Smm).await;
    let listed = smm.get("/api2/cp/posts?order=asc").await.ok().body;
    assert_eq!((known.letters(&listed["data"]).as_str(), listed["count"].as_i64()), ("abcdefgs", Some(8)));
}

async fn counted(known: &Known) {
    let counts = known.admin().get("/api2/cp/posts/counts").await.ok().body;
    assert_eq!(
        counts,
        json!({ "draft": 3, "needsApproval": 1, "scheduled": 2, "publishing": 0, "published": 1, "failedToPublish": 1,
            "needsAttention": 1 })
    );
    known.admin().move_post(&known.posts["d"], "unschedule").await;
    let counts = known.admin().get("/api2/cp/posts/counts").await.ok().body;
    assert_eq!((&counts["draft"], &counts["scheduled"]), (&json!(4), &json!(1)));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let service = shared().await;
    let account = service.account("Patches").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "first").await;
    let before = admin.read(&post).await;

    let full = json!({
        "content": { "title": "t", "firstComment": "c", "links": [{ "id": "https://example.com" }], "facebook": { "a": 1 } },
        "tags": [TAG_ONE], "categories": [TAG_TWO], "assignee": admin.user, "publishTime": "2031-07-01T12:00:00+02:00",
    });
    let edited = admin.edit(&post, full).await;
    assert_eq!(edited.body["content"]["text"], "first");
    assert_eq!(edited.body["content"]["facebook"], json!({ "a": 1 }));
    assert_eq!(edited.body["publishTimeZone"], "Etc/GMT-2");
    assert_eq!(edited.body["createdTime"], before["createdTime"]);

    // What an answer holds can be sent back: nothing changes, and nothing is written.
    let same = admin.edit(&post, edited.body.clone()).await;
    assert_eq!(same.body, edited.body, "updatedTime included");
    // What only the service says is not taken from others.
    let forged = json!({ "_id": NOBODY, "accountId": NOBODY, "status": "published", "author": NOBODY,
        "networkUrl": "https://example.com", "createdTime": "2000-01-01T00:00:00Z", "channel": { "id": NOBODY } });
    assert_eq!(admin.edit(&post, forged).await.body, edited.body);
    assert_eq!(admin.edit(&post, json!({})).await.body, edited.body);

    // `null` empties; the rest stays.
    let emptied =
        json!({ "content": { "title": null, "links": null }, "assignee": null, "publishTime": null, "tags": [] });
    let emptied = admin.edit(&post, emptied).await.body;
    assert_eq!(
        emptied["content"],
        json!({ "type": "POST", "text": "first", "firstComment": "c", "facebook": { "a": 1 } })
    );
    assert!(emptied.get("assignee").is_none() && emptied.get("publishTime").is_none(), "{emptied}");
    assert_eq!((&emptied["tags"], &emptied["categories"]), (&json!([]), &json!([TAG_TWO])));

    // The list shows the same post, in the same words.
    let listed = admin.get("/api2/cp/posts").await.ok().body;
    assert_eq!((&listed["data"][0], &admin.read(&post).await), (&emptied, &emptied));
}

#[tokio::test]
async fn posts_on_channels_of_other_teams_are_not_there() {
    let service = shared().await;
    let account = service.account("Teams").await;
    let admin = account.admin();
    let (ours, theirs) = (admin.team("Ours").await, admin.team("Theirs").await);
    let (open, shut) = (admin.sandbox_of("Open", &[&ours]).await, admin.sandbox_of("Shut", &[&theirs]).await);
    let common = admin.sandbox("All").await;
    let smm = account.member(Role::Smm, &[&ours]).await;
    let group = admin.compose(&[&open, &shut, &common]).await;
    for post in &group.posts {
        admin.edit(post, json!({ "content": { "text": "t" }, "publishTime": hours_from_now(30) })).await;
    }
    admin.post(&format!("/api2/cp/postGroups/{}/saveAsDraft", group.id)).await.ok();
    let after = admin.edit(&group.posts[1], json!({ "tags": [TAG_ONE] })).await.position();

    let listed = smm.get("/api2/cp/posts").after(after).await.ok().body;
    assert_eq!(listed["count"], 2);
    // A group is shown whole. Source: seed 003, `postGroupId`.
    assert_eq!(smm.get(&format!("/api2/cp/posts?postGroupId={}", group.id)).await.ok().body["count"], 3);
    assert_eq!(smm.get("/api2/cp/posts/counts").await.ok().body["draft"], 2);
    assert_eq!(smm.get(&format!("/api2/cp/posts?channelIds={shut}")).await.ok().body["count"], 0);
    let range = json!({ "since": hours_from_now(0), "until": hours_from_now(72), "tz": "UTC" });
    let days = smm.post("/api2/cp/posts/aggregates/day").json(range).await.ok().body;
    let seen: i64 = days.as_array().unwrap().iter().filter_map(|day| day["data"]["facebook"].as_i64()).sum();
    assert_eq!(seen, 2);
    let hidden = format!("/api2/cp/posts/{}", group.posts[1]);
    for answer in [
        smm.get(&hidden).await,
        smm.patch(&hidden).json(json!({})).await,
        smm.post(&format!("{hidden}/schedule")).await,
        smm.get(&format!("{hidden}/feed")).await,
        smm.post("/api2/cp/postGroups").json(json!({ "channelIds": [shut] })).await,
    ] {
        answer.is(404, "NotFoundError");
    }
    // Of the group, those are scheduled that the caller may touch.
    smm.post(&format!("/api2/cp/postGroups/{}/schedule", group.id)).await.ok();
    let statuses: Vec<_> =
        futures::future::join_all(group.posts.iter().map(|post| async { admin.read(post).await["status"].clone() }))
            .await;
    assert_eq!(statuses, ["scheduled", "draft", "scheduled"]);
}
