//! Pages of posts, and how many there are. Each answer is one statement, so its parts belong together.

use std::collections::BTreeMap;

use palaver_domain::posts::Status;
use serde_json::value::RawValue;
use sqlx::{PgExecutor, Postgres, QueryBuilder, types::Json};

use super::{Grouping, Order, Page, PostFilter, SortBy, Viewer, filter::channels_seen};
use crate::texts;

/// Entries of one page.
pub const PAGE_POSTS_MAX: i64 = 1_000;

/// A page, and the exact number of all entries that match.
#[derive(Debug)]
pub struct Listed {
    pub count: i64,
    pub data: Vec<Box<RawValue>>,
}

/// Posts (or groups of them) that match and that the viewer may see, in a stable order: equal times by id.
///
/// # Errors
/// When the database can not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    viewer: &Viewer,
    filter: &PostFilter,
    page: &Page,
) -> Result<Listed, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT (");
    push_count(&mut query, viewer, filter, page.grouping);
    query.push(") AS count, page.doc FROM (SELECT) one LEFT JOIN (");
    match page.grouping {
        Grouping::None => push_posts(&mut query, viewer, filter, page),
        Grouping::PostGroup => push_groups(&mut query, viewer, filter, page),
    }
    query.push(" LIMIT ").push_bind(page.count.clamp(0, PAGE_POSTS_MAX));
    query.push(" OFFSET ").push_bind(page.offset.max(0));
    // The join keeps the order of the page only by chance; this makes it certain.
    query.push(") page ON true ORDER BY page.place");
    let rows: Vec<(i64, Option<Json<Box<RawValue>>>)> = query.build_query_as().fetch_all(db).await?;
    let count = rows.first().map_or(0, |row| row.0);
    Ok(Listed { count, data: rows.into_iter().filter_map(|row| row.1).map(|doc| doc.0).collect() })
}

/// `publish_at` is null for posts without one: they come last when descending, first when ascending.
const fn direction(order: Order) -> (&'static str, &'static str) {
    match order {
        Order::Ascending => ("ASC NULLS FIRST", "ASC"),
        Order::Descending => ("DESC NULLS LAST", "DESC"),
    }
}

/// `created_at` is never null, and its index does not speak of nulls: nor may the order, or it would not be used.
fn push_order(query: &mut QueryBuilder<'_, Postgres>, sort_by: SortBy, order: Order, id: &str) {
    let (nulls, plain) = direction(order);
    let times = if sort_by == SortBy::PublishTime { nulls } else { plain };
    query.push(format_args!("{} {times}, {id} {plain}", sort_by.column()));
}

fn push_posts(query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer, filter: &PostFilter, page: &Page) {
    query.push("SELECT doc, row_number() OVER (ORDER BY ");
    push_selected_first(query, page);
    push_order(query, filter.sort_by, page.order, "id");
    query.push(") AS place FROM posts");
    filter.push_where(query, viewer);
    query.push(" ORDER BY ");
    push_selected_first(query, page);
    push_order(query, filter.sort_by, page.order, "id");
}

fn push_selected_first(query: &mut QueryBuilder<'_, Postgres>, page: &Page) {
    if let Some(selected) = page.selected {
        query.push("id = ").push_bind(selected.to_string()).push(" DESC, ");
    }
}

fn push_groups(query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer, filter: &PostFilter, page: &Page) {
    let column = filter.sort_by.column();
    let (_, plain) = direction(page.order);
    let first = if page.order == Order::Ascending { "min" } else { "max" };
    let place = format!("{first}(coalesce({column}, '-infinity')) {plain}, group_id {plain}");
    query.push("SELECT json_build_object('_id', group_id, 'posts', json_agg(doc ORDER BY ");
    push_order(query, filter.sort_by, page.order, "id");
    query.push(format_args!(")) AS doc, row_number() OVER (ORDER BY {place}) AS place FROM posts"));
    filter.push_where(query, viewer);
    query.push(format_args!(" GROUP BY group_id ORDER BY {place}"));
}

fn push_count(query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer, filter: &PostFilter, grouping: Grouping) {
    match grouping {
        Grouping::PostGroup => {
            query.push("SELECT count(DISTINCT group_id) FROM posts");
            filter.push_where(query, viewer);
        }
        Grouping::None if filter.is_counted() => {
            query.push("SELECT coalesce(sum(n), 0)::bigint FROM post_counters WHERE tenant_id = ");
            query.push_bind(viewer.tenant.to_string());
            query.push(" AND channel_id = ANY(").push_bind(channels_seen(viewer, filter).unwrap_or_default()).push(")");
            filter.push_shared(query);
            // The counters leave out what is being composed; of those, the viewer sees their own few.
            query.push(") + (SELECT count(*) FROM posts");
            filter.push_where(query, viewer);
            query.push(" AND status = 'preDraft' AND author = ").push_bind(viewer.user.to_string());
        }
        Grouping::None => {
            query.push("SELECT count(*) FROM posts");
            filter.push_where(query, viewer);
        }
    }
}

/// How many posts the viewer may see, by status and, as `needsAttention`, by that flag. What a user composes is not
/// counted. It costs the same however many posts there are. Source: seed 003, `GET /cp/posts/counts`.
///
/// # Errors
/// When the database can not answer.
pub async fn counts(db: impl PgExecutor<'_>, viewer: &Viewer) -> Result<BTreeMap<&'static str, i64>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT status, sum(n)::bigint AS "n!", coalesce(sum(n) FILTER (WHERE needs_attention), 0)::bigint AS "attention!"
           FROM post_counters WHERE tenant_id = $1 AND channel_id = ANY($2) GROUP BY status"#,
        viewer.tenant.to_string(),
        &texts(&viewer.channels)
    );
    let rows = rows.fetch_all(db).await?;
    let mut counts: BTreeMap<&'static str, i64> = Status::ALL
        .iter()
        .filter(|status| !matches!(status, Status::PreDraft | Status::Deleted))
        .map(|status| (status.as_str(), 0))
        .collect();
    let attention = rows.iter().map(|row| row.attention).sum();
    for row in rows {
        if let Some(n) = counts.get_mut(row.status.as_str()) {
            *n = row.n;
        }
    }
    counts.insert("needsAttention", attention);
    Ok(counts)
}
