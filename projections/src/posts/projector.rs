//! What each event makes of a post's row; counters and calendar follow from the rows.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::posts::{Post, PostEvent, PostState, Status};
use palaver_eventstore::RecordedEvent;
use sqlx::{PgConnection, types::Json};

use super::{render, tallies::Tallies, words};
use crate::engine::{Change, ProjectionError, RowProjector, json_text};

/// The projection `posts`.
pub struct PostsProjector;

/// A post that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct PostRow {
    pub state: PostState,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

impl RowProjector for PostsProjector {
    const NAME: &'static str = "posts";
    const VERSION: i32 = 2;
    const AGGREGATE: &'static [&'static str] = &[Post::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["posts", "post_counters", "post_calendar"];
    const TALLIES: &'static [&'static str] = &["post_counters", "post_calendar"];

    type Event = PostEvent;
    type Row = PostRow;

    fn apply(row: &mut Option<PostRow>, event: PostEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        let planned = matches!(event, PostEvent::Planned { .. });
        match (&row, planned) {
            (Some(_), true) => return Err(ProjectionError::unexpected("the post was planned already")),
            (None, false) => return Err(ProjectionError::unexpected("the post was never planned, or is deleted")),
            (Some(_), false) | (None, true) => {}
        }
        let time = recorded.metadata.time;
        let before = row.take();
        let created = before.as_ref().map_or(time, |row| row.created);
        let mut post = Post(before.map(|row| row.state));
        post.apply(event);
        *row =
            post.0.filter(|post| post.status != Status::Deleted).map(|state| PostRow { state, created, updated: time });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, PostRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT id, state AS "state: Json<PostState>", created_at, updated_at FROM posts WHERE id = ANY($1)"#,
            keys
        );
        let rows = rows
            .fetch_all(db)
            .await?
            .into_iter()
            .map(|row| (row.id, PostRow { state: row.state.0, created: row.created_at, updated: row.updated_at }));
        Ok(rows.collect())
    }

    async fn write(db: &mut PgConnection, changes: &[Change<PostRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM posts WHERE id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<&PostRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        if !rows.is_empty() {
            upsert(db, &rows).await?;
        }
        Tallies::of(changes).write(db).await
    }
}

fn column<T>(rows: &[&PostRow], of: impl Fn(&PostState) -> T) -> Vec<T> {
    rows.iter().map(|row| of(&row.state)).collect()
}

async fn upsert(db: &mut PgConnection, rows: &[&PostRow]) -> Result<(), sqlx::Error> {
    let mut states = Vec::with_capacity(rows.len());
    let mut docs = Vec::with_capacity(rows.len());
    for row in rows {
        states.push(json_text(&row.state)?);
        docs.push(json_text(&render(&row.state, row.created, row.updated))?);
    }
    let created: Vec<DateTime<Utc>> = rows.iter().map(|row| row.created).collect();
    let updated: Vec<DateTime<Utc>> = rows.iter().map(|row| row.updated).collect();
    sqlx::query!(
        "INSERT INTO posts (id, tenant_id, group_id, channel_id, network, status, type, needs_attention, imported,
                            promoted, via_publisher_app, author, assignee, story_publisher, tags, created_at,
                            updated_at, publish_at, words, state, doc)
         SELECT r.id, r.tenant_id, r.group_id, r.channel_id, r.network, r.status, r.type, r.needs_attention, r.imported,
                r.promoted, r.via_publisher_app, r.author, r.assignee, r.story_publisher,
                string_to_array(r.tags, ','), r.created_at, r.updated_at, r.publish_at, r.words::tsvector, r.state::json, r.doc::json
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[],
                     $9::bool[], $10::bool[], $11::bool[], $12::text[], $13::text[], $14::text[], $15::text[],
                     $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::text[], $20::text[], $21::text[])
              AS r (id, tenant_id, group_id, channel_id, network, status, type, needs_attention, imported, promoted,
                    via_publisher_app, author, assignee, story_publisher, tags, created_at, updated_at, publish_at,
                    words, state, doc)
         ON CONFLICT (id) DO UPDATE SET
             tenant_id = excluded.tenant_id, group_id = excluded.group_id, channel_id = excluded.channel_id,
             network = excluded.network, status = excluded.status, type = excluded.type,
             needs_attention = excluded.needs_attention, imported = excluded.imported, promoted = excluded.promoted,
             via_publisher_app = excluded.via_publisher_app, author = excluded.author, assignee = excluded.assignee,
             story_publisher = excluded.story_publisher, tags = excluded.tags, created_at = excluded.created_at,
             updated_at = excluded.updated_at, publish_at = excluded.publish_at, words = excluded.words,
             state = excluded.state, doc = excluded.doc",
        &column(rows, |post| post.id.to_string()),
        &column(rows, |post| post.account_id.to_string()),
        &column(rows, |post| post.group_id.to_string()),
        &column(rows, |post| post.channel.id.to_string()),
        &column(rows, |post| post.channel.social_network.as_str().to_owned()),
        &column(rows, |post| post.status.as_str().to_owned()),
        &column(rows, |post| post.content.kind.as_str().to_owned()),
        &column(rows, |post| post.flags.needs_attention),
        &column(rows, |post| post.flags.imported),
        &column(rows, |post| post.flags.promoted),
        &column(rows, |post| post.content.kind.via_publisher_app()),
        &column(rows, |post| post.author.to_string()),
        &column(rows, |post| post.assignee.map(|user| user.to_string()).unwrap_or_default()),
        &column(rows, |post| post.story_workaround.as_ref().map(|story| story.publisher.to_string())) as _,
        // One text a row: PostgreSQL's arrays of arrays must be rectangular.
        &column(rows, |post| post.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        &created,
        &updated,
        &column(rows, |post| post.publish_time) as _,
        &column(rows, |post| words::tsvector(&words::lexemes(post.account_id, &post.content))),
        &states,
        &docs
    )
    .execute(db)
    .await?;
    Ok(())
}
