//! Pages of a post's feed. Source: seed 003, `GET /cp/posts/{id}/feed`.

use palaver_domain::{AccountId, PostId};
use serde_json::value::RawValue;
use sqlx::{PgExecutor, types::Json};

/// Items of one page.
pub const FEED_ITEMS_MAX: i64 = 1_000;

/// A page, and the number of all items.
#[derive(Debug)]
pub struct FeedPage {
    pub count: i64,
    /// `FeedItem`s, newest first.
    pub data: Vec<Box<RawValue>>,
}

/// The feed of the tenant's post; `None` when there is no such post.
///
/// # Errors
/// When the database can not answer.
pub async fn feed(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    post: PostId,
    offset: i64,
    count: i64,
) -> Result<Option<FeedPage>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT p.n, item.doc AS "doc?: Json<Box<RawValue>>"
           FROM post_feed_posts p
           LEFT JOIN LATERAL (
               SELECT f.position, f.place, f.doc FROM post_feed f WHERE f.post_id = p.post_id
               ORDER BY f.position DESC, f.place DESC LIMIT $3 OFFSET $4) item ON true
           WHERE p.post_id = $1 AND p.tenant_id = $2
           ORDER BY item.position DESC, item.place DESC"#,
        post.to_string(),
        tenant.to_string(),
        count.clamp(0, FEED_ITEMS_MAX),
        offset.max(0)
    );
    let rows = rows.fetch_all(db).await?;
    let Some(n) = rows.first().map(|row| row.n) else { return Ok(None) };
    Ok(Some(FeedPage { count: n, data: rows.into_iter().filter_map(|row| row.doc).map(|doc| doc.0).collect() }))
}
