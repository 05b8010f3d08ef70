//! The list of an account's applications.

use palaver_domain::AccountId;
use serde_json::value::RawValue;
use sqlx::{PgExecutor, types::Json};

/// Applications of one page.
pub const APPS_PAGE_MAX: i64 = 500;

/// A page, and the number of all there are.
#[derive(Debug)]
pub struct Apps {
    pub count: i64,
    pub data: Vec<Box<RawValue>>,
}

/// A page in the order they were registered.
///
/// # Errors
/// When the database can not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    (offset, count): (i64, i64),
) -> Result<Apps, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM apps WHERE tenant_id = $1) AS "count!", page.doc AS "doc?: Json<Box<RawValue>>"
           FROM (SELECT) one
           LEFT JOIN (SELECT doc, created_at, id FROM apps WHERE tenant_id = $1
                      ORDER BY created_at, id LIMIT $2 OFFSET $3) page ON true
           ORDER BY page.created_at, page.id"#,
        tenant.to_string(),
        count.clamp(0, APPS_PAGE_MAX),
        offset.max(0)
    );
    let rows = rows.fetch_all(db).await?;
    let count = rows.first().map_or(0, |row| row.count);
    Ok(Apps { count, data: rows.into_iter().filter_map(|row| row.doc).map(|doc| doc.0).collect() })
}
