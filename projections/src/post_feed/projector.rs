//! What of a post's events is told in its feed. Source: seed 003, definition `FeedItem`.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::{
    AccountId, ChannelId, FeedItemId, PostId, UserId,
    posts::{Post, PostEvent},
};
use palaver_eventstore::{Position, RecordedEvent};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use crate::{
    engine::{Change, ProjectionError, RowProjector, json_text},
    times,
};

/// The projection `post_feed`.
pub struct PostFeedProjector;

/// A post's feed, and the items that the batch at hand adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedRow {
    tenant: AccountId,
    channel: ChannelId,
    post: PostId,
    n: i64,
    added: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    id: FeedItemId,
    position: Position,
    place: i16,
    doc: Value,
}

/// What an item says, apart from where and when.
enum Saying<'a> {
    History { key: &'static str, data: Map<String, Value> },
    System { message: &'static str },
    Comment { id: FeedItemId, message: &'a str, mentions: &'a [UserId] },
}

/// Where an item belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    tenant: AccountId,
    channel: ChannelId,
    post: PostId,
    at: DateTime<Utc>,
}

/// A comment as the API shows it; the command that makes one answers with the same.
pub fn comment(
    (tenant, channel, post): (AccountId, ChannelId, PostId),
    item_id: FeedItemId,
    user: Option<UserId>,
    message: &str,
    mentions: &[UserId],
    at: DateTime<Utc>,
) -> Value {
    render(Place { tenant, channel, post, at }, item_id, user, &Saying::Comment { id: item_id, message, mentions })
}

fn render(place: Place, id: FeedItemId, user: Option<UserId>, saying: &Saying<'_>) -> Value {
    let mut doc = json!({
        "_id": id, "accountId": place.tenant, "channelId": place.channel, "postId": place.post,
        "createdTime": times::json(place.at),
    });
    let mut put = |name: &str, value: Value| {
        if let Some(doc) = doc.as_object_mut() {
            doc.insert(name.to_owned(), value);
        }
    };
    match saying {
        Saying::History { key, data } => {
            put("type", json!("HISTORY"));
            put("key", json!(key));
            put("data", json!(data));
        }
        Saying::System { message } => {
            put("type", json!("SYSTEMMESSAGE"));
            put("message", json!(message));
        }
        Saying::Comment { message, mentions, .. } => {
            put("type", json!("COMMENT"));
            put("message", json!(message));
            put("data", json!({ "mentions": mentions }));
            if let Some(user) = user {
                put("userId", json!(user));
            }
        }
    }
    doc
}

/// Items that are not comments have an id all the same, and the same after every rebuild: the first bytes of the
/// event's, with the item's place among the event's items in the last.
fn derived_id(event: &RecordedEvent, place: usize) -> FeedItemId {
    let mut id = [0; 12];
    for (byte, of_event) in id.iter_mut().zip(event.event_id.as_bytes()) {
        *byte = *of_event;
    }
    if let Some(last) = id.last_mut() {
        *last ^= place as u8;
    }
    FeedItemId::from_bytes(id)
}

fn history(key: &'static str) -> Saying<'static> {
    Saying::History { key, data: Map::new() }
}

fn history_with(key: &'static str, field: &str, value: Value) -> Saying<'static> {
    Saying::History { key, data: Map::from_iter([(field.to_owned(), value)]) }
}

/// The items that an event makes, in their order. Whatever else happens to a post is in its history, not its feed.
fn sayings(event: &PostEvent) -> Vec<Saying<'_>> {
    match event {
        PostEvent::Planned { .. } => vec![history("created")],
        PostEvent::SavedAsDraft => vec![Saying::System { message: "saved as draft" }],
        PostEvent::Suggested { .. } => vec![history("suggested")],
        PostEvent::Approved { publish_time } => {
            vec![history_with("approved", "publishTime", times::json(*publish_time))]
        }
        PostEvent::Rejected { message, item_id } => {
            let said = message.as_ref().map(|message| Saying::Comment { id: *item_id, message, mentions: &[] });
            std::iter::once(history("rejected")).chain(said).collect()
        }
        PostEvent::Assigned { assignee: Some(user) } => vec![history_with("assigned", "assignee", json!(user))],
        PostEvent::Published { .. } => vec![history("published")],
        PostEvent::PublishingFailed { reason, error } => {
            vec![history_with(reason.feed_key(), "err", json!(error))]
        }
        PostEvent::Commented { item_id, message, mentions } => {
            vec![Saying::Comment { id: *item_id, message, mentions }]
        }
        PostEvent::ContentEdited { .. }
        | PostEvent::PublishTimeSet { .. }
        | PostEvent::TagsSet { .. }
        | PostEvent::CategoriesSet { .. }
        | PostEvent::Assigned { assignee: None }
        | PostEvent::StoryWorkaroundSet { .. }
        | PostEvent::AttentionCleared
        | PostEvent::Scheduled { .. }
        | PostEvent::Unscheduled
        | PostEvent::PublishingStarted { .. }
        | PostEvent::PublishingResumed { .. }
        | PostEvent::PublishingOutcomeUnknown { .. }
        | PostEvent::Deleted => Vec::new(),
    }
}

impl RowProjector for PostFeedProjector {
    const NAME: &'static str = "post_feed";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[Post::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["post_feed_posts", "post_feed"];

    type Event = PostEvent;
    type Row = FeedRow;

    fn apply(row: &mut Option<FeedRow>, event: PostEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        if let PostEvent::Planned { id, channel, .. } = &event {
            let (tenant, channel) = (recorded.tenant_id, channel.id);
            *row = Some(FeedRow { tenant, channel, post: *id, n: 0, added: Vec::new() });
        }
        if event == PostEvent::Deleted {
            *row = None;
            return Ok(());
        }
        let Some(row) = row else {
            return Err(ProjectionError::unexpected("the post was never planned, or is deleted"));
        };
        let at = Place { tenant: row.tenant, channel: row.channel, post: row.post, at: recorded.metadata.time };
        for (place, saying) in sayings(&event).iter().enumerate() {
            let id = match saying {
                Saying::Comment { id, .. } => *id,
                Saying::History { .. } | Saying::System { .. } => derived_id(recorded, place),
            };
            let doc = render(at, id, recorded.metadata.actor.user(), saying);
            row.added.push(Item { id, position: recorded.position, place: place as i16, doc });
            row.n += 1;
        }
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, FeedRow)>, sqlx::Error> {
        let rows =
            sqlx::query!("SELECT post_id, tenant_id, channel_id, n FROM post_feed_posts WHERE post_id = ANY($1)", keys);
        let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
            let decoded = |error: palaver_domain::InvalidId| sqlx::Error::Decode(Box::new(error));
            let feed = FeedRow {
                tenant: row.tenant_id.parse().map_err(decoded)?,
                channel: row.channel_id.parse().map_err(decoded)?,
                post: row.post_id.parse().map_err(decoded)?,
                n: row.n,
                added: Vec::new(),
            };
            Ok((row.post_id, feed))
        });
        rows.collect()
    }

    async fn write(db: &mut PgConnection, changes: &[Change<FeedRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM post_feed WHERE post_id = ANY($1)", &gone).execute(&mut *db).await?;
            sqlx::query!("DELETE FROM post_feed_posts WHERE post_id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<(&String, &FeedRow)> =
            changes.iter().filter_map(|change| Some((&change.key, change.after.as_ref()?))).collect();
        sqlx::query!(
            "INSERT INTO post_feed_posts (post_id, tenant_id, channel_id, n)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
             ON CONFLICT (post_id) DO UPDATE SET n = excluded.n",
            &rows.iter().map(|(key, _)| (*key).clone()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.tenant.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.channel.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.n).collect::<Vec<_>>()
        )
        .execute(&mut *db)
        .await?;
        let items: Vec<(&String, AccountId, &Item)> =
            rows.iter().flat_map(|(key, row)| row.added.iter().map(|item| (*key, row.tenant, item))).collect();
        let docs = items.iter().map(|(.., item)| json_text(&item.doc)).collect::<Result<Vec<_>, _>>()?;
        sqlx::query!(
            "INSERT INTO post_feed (post_id, position, place, id, tenant_id, doc)
             SELECT post_id, position, place, id, tenant_id, doc::json
             FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
                  AS r (post_id, position, place, id, tenant_id, doc)",
            &items.iter().map(|(key, ..)| (*key).clone()).collect::<Vec<_>>(),
            &items.iter().map(|(.., item)| item.position).collect::<Vec<_>>(),
            &items.iter().map(|(.., item)| item.place).collect::<Vec<_>>(),
            &items.iter().map(|(.., item)| item.id.to_string()).collect::<Vec<_>>(),
            &items.iter().map(|(_, tenant, _)| tenant.to_string()).collect::<Vec<_>>(),
            &docs
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
