//! Steps that many tests of the content planner share, each with the checks that it went well.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::{Answer, Client};

/// A post group and its posts, in the order of the channels it was made for.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    pub posts: Vec<String>,
}

impl Client {
    /// Connects a sandbox channel that plays Facebook. Returns its id.
    pub async fn sandbox(&self, name: &str) -> String {
        self.sandbox_on(name, "FACEBOOK").await
    }

    pub async fn sandbox_on(&self, name: &str, network: &str) -> String {
        let body = json!({ "name": name, "socialNetwork": network });
        self.post("/api2/channels/sandbox").json(body).await.ok().id()
    }

    /// Connects a sandbox channel that these teams see.
    pub async fn sandbox_of(&self, name: &str, teams: &[&str]) -> String {
        let body = json!({ "name": name, "socialNetwork": "FACEBOOK", "teamIds": teams });
        self.post("/api2/channels/sandbox").json(body).await.ok().id()
    }

    /// Creates a team. Returns its id.
    pub async fn team(&self, name: &str) -> String {
        self.post("/api2/teams").json(json!({ "name": name })).await.ok().id()
    }

    /// Tells a sandbox channel how to answer, and after how long.
    pub async fn behave(&self, channel: &str, behaviour: &str, delay_ms: u32) {
        let path = format!("/api2/channels/sandbox/{channel}/behaviour");
        self.put(&path).json(json!({ "behaviour": behaviour, "delayMs": delay_ms })).await.ok();
    }

    /// Starts a group with an empty post for each channel.
    pub async fn compose(&self, channels: &[&str]) -> Group {
        let made = self.post("/api2/cp/postGroups").json(json!({ "channelIds": channels })).await.ok();
        let (id, position) = (made.id(), made.position());
        let path = format!("/api2/cp/posts?postGroupId={id}&count=500");
        let listed = self.get(&path).after(position).await.ok();
        let post_of = |channel: &&str| {
            let data = listed.body["data"].as_array().unwrap();
            let post = data.iter().find(|post| post["channel"]["id"] == **channel);
            post.and_then(|post| post["_id"].as_str()).expect("a post for each channel").to_owned()
        };
        Group { posts: channels.iter().map(post_of).collect(), id }
    }

    /// A draft for one channel, with this text.
    pub async fn draft(&self, channel: &str, text: &str) -> String {
        let group = self.compose(&[channel]).await;
        let post = group.posts.into_iter().next().unwrap();
        self.edit(&post, json!({ "content": { "text": text } })).await;
        self.post(&format!("/api2/cp/postGroups/{}/saveAsDraft", group.id)).await.ok();
        post
    }

    /// Changes some of a post.
    pub async fn edit(&self, post: &str, patch: Value) -> Answer {
        self.patch(&format!("/api2/cp/posts/{post}")).json(patch).await.ok()
    }

    /// One of `schedule`, `publish`, `unschedule`, `suggest`, `approve`, `reject`.
    pub async fn move_post(&self, post: &str, how: &str) -> Answer {
        self.post(&format!("/api2/cp/posts/{post}/{how}")).await.ok()
    }

    /// Sets a post's time, and schedules it.
    pub async fn schedule(&self, post: &str, at: DateTime<Utc>) -> Answer {
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        self.edit(post, json!({ "publishTime": at })).await;
        self.move_post(post, "schedule").await
    }

    /// The post as it is now.
    pub async fn read(&self, post: &str) -> Value {
        self.get(&format!("/api2/cp/posts/{post}")).await.ok().body
    }
}
