//! A post as the API shows it. Commands answer with the same, so a post looks alike wherever it is seen.

use chrono::{DateTime, Utc};
use palaver_domain::posts::{PostState, StoryWorkaround};
use serde_json::{Map, Value, json};

use crate::times;

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
    put("createdTime", times::json(created));
    put("updatedTime", times::json(updated));
    put("publishTime", post.publish_time.map_or(Value::Null, times::json));
    put("publishTimeZone", json!(post.publish_time_zone));
    put("networkUrl", json!(post.network_url));
    put("storyWorkaround", post.story_workaround.as_ref().map_or(Value::Null, story_workaround));
    Value::Object(doc)
}

fn story_workaround(story: &StoryWorkaround) -> Value {
    let mut doc = json!({ "publisher": story.publisher });
    if let (Some(doc), Some(time)) = (doc.as_object_mut(), story.reminder_time) {
        doc.insert("reminderTime".to_owned(), times::json(time));
    }
    doc
}

#[cfg(test)]
mod tests {
    use palaver_domain::UserId;

    use super::*;

    #[test]
    fn a_reminder_looks_like_every_other_time() {
        let story = |text: Option<&str>| {
            let reminder_time = text.map(|text| text.parse().unwrap());
            story_workaround(&StoryWorkaround { publisher: UserId::default(), reminder_time })
        };
        let publisher = "000000000000000000000000";
        assert_eq!(story(None), json!({ "publisher": publisher }));
        let expected = json!({ "publisher": publisher, "reminderTime": "2026-05-01T10:00:00.000Z" });
        assert_eq!(story(Some("2026-05-01T10:00:00Z")), expected);
        assert_eq!(story(Some("2026-05-01T12:00:00.000400+02:00")), expected);
    }
}
