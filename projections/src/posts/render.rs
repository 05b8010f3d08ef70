//! A post as the API shows it. Commands answer with the same, so a post looks alike wherever it is seen.

use chrono::{DateTime, SecondsFormat, Utc};
use palaver_domain::posts::PostState;
use serde_json::{Map, Value, json};

/// Source: seed 003, definition `Post`. What is not set is left out. `created` is when the post was planned, `updated`
/// when the last event of its stream was decided.
pub fn render(post: &PostState, created: DateTime<Utc>, updated: DateTime<Utc>) -> Value {
    let mut doc = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            doc.insert(name.to_owned(), value);
        }
    };
    put("_id", json!(post.id));
    put("accountId", json!(post.account_id));
    put("postGroupId", json!(post.group_id));
    put("channel", json!(post.channel));
    put("status", json!(post.status));
    put("flags", json!(post.flags));
    put("tags", json!(post.tags));
    put("categories", json!(post.categories));
    put("author", json!(post.author));
    put("suggestionAuthor", json!(post.suggestion_author));
    put("assignee", json!(post.assignee));
    put("content", json!(post.content));
    put("createdTime", time(created));
    put("updatedTime", time(updated));
    put("publishTime", post.publish_time.map_or(Value::Null, time));
    put("publishTimeZone", json!(post.publish_time_zone));
    put("networkUrl", json!(post.network_url));
    put("storyWorkaround", json!(post.story_workaround));
    Value::Object(doc)
}

/// Milliseconds and `Z`, as clients written in JavaScript produce and expect.
pub(crate) fn time(time: DateTime<Utc>) -> Value {
    Value::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
