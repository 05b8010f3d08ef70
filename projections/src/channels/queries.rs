//! Lists of channels. An account has few of them, so every filter is read along the tenant's own index.

use palaver_domain::{AccountId, ChannelId, TeamId, UserId, channels::Network};
use serde_json::value::RawValue;
use sqlx::{PgExecutor, Postgres, QueryBuilder, types::Json};

use crate::{posts::Order, texts};

/// Channels of one page.
pub const CHANNELS_PAGE_MAX: i64 = 1_000;
/// Channels of a summary, which has no pages.
pub const CHANNELS_SUMMARY_MAX: i64 = 10_000;

/// Whose channels somebody may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Teams {
    #[default]
    All,
    /// Channels that have at least one of the teams that this user is in by now, or none at all: see
    /// `ChannelState::visible_to`. The teams are those of the read model `users`, so name it to whoever waits.
    Of(UserId),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelSort {
    Name,
    Network,
    #[default]
    CreatedTime,
    /// No connection expires yet, so all are equal.
    Expires,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStatus {
    Active,
    Disabled,
    NeedsAttention,
    /// No channel is ever any of these yet.
    Expiring,
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Cp,
    Inbox,
    /// No channel has it.
    Ml,
}

/// Source: seed 003, `GET /channels` and `GET /channels/summary`. An empty list, or `None`, does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelFilter {
    /// What the caller may see.
    pub visible: Teams,
    /// Anywhere in the name or the unique name, in whatever case.
    pub search: Option<String>,
    pub networks: Vec<Network>,
    pub excluded_networks: Vec<Network>,
    pub status: Option<ChannelStatus>,
    pub teams: Vec<TeamId>,
    pub product: Option<Product>,
    /// The API's `includeInactive=false`.
    pub active_only: bool,
}

/// A page, and the number of all channels that match.
#[derive(Debug)]
pub struct Channels {
    pub count: i64,
    pub data: Vec<Box<RawValue>>,
}

impl ChannelFilter {
    fn push_where(&self, query: &mut QueryBuilder<'_, Postgres>, tenant: AccountId) {
        query.push(" WHERE tenant_id = ").push_bind(tenant.to_string());
        if let Teams::Of(user) = &self.visible {
            query.push(" AND (team_ids = '{}' OR team_ids && (SELECT u.team_ids FROM users u WHERE u.tenant_id = ");
            query.push_bind(tenant.to_string()).push(" AND u.id = ").push_bind(user.to_string()).push("))");
        }
        if !self.teams.is_empty() {
            query.push(" AND team_ids && ").push_bind(texts(&self.teams));
        }
        if let Some(search) = self.search.as_ref().filter(|search| !search.is_empty()) {
            // A text with NUL, which PostgreSQL does not take, is in no name.
            query.push(" AND strpos(search_key, ").push_bind(search.to_lowercase().replace('\0', "\u{fffd}"));
            query.push(") > 0");
        }
        if !self.networks.is_empty() {
            query.push(" AND network = ANY(").push_bind(texts(&self.networks)).push(")");
        }
        if !self.excluded_networks.is_empty() {
            query.push(" AND network <> ALL(").push_bind(texts(&self.excluded_networks)).push(")");
        }
        match self.status {
            None => {}
            Some(ChannelStatus::Active) => drop(query.push(" AND active")),
            // What is disabled needs attention, and nothing else does as long as no connection expires.
            Some(ChannelStatus::Disabled | ChannelStatus::NeedsAttention) => drop(query.push(" AND NOT active")),
            Some(ChannelStatus::Expiring | ChannelStatus::Expired) => drop(query.push(" AND false")),
        }
        match self.product {
            None => {}
            Some(Product::Cp) => drop(query.push(" AND product_cp")),
            Some(Product::Inbox) => drop(query.push(" AND product_inbox")),
            Some(Product::Ml) => drop(query.push(" AND false")),
        }
        if self.active_only {
            query.push(" AND active");
        }
    }
}

/// A page of channels, equal ones in order of id.
///
/// # Errors
/// When the database can not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    filter: &ChannelFilter,
    (sort, order): (ChannelSort, Order),
    (offset, count): (i64, i64),
) -> Result<Channels, sqlx::Error> {
    let column = match sort {
        ChannelSort::Name => "name_key",
        ChannelSort::Network => "network",
        ChannelSort::CreatedTime => "created_at",
        ChannelSort::Expires => "id",
    };
    let direction = if order == Order::Ascending { "ASC" } else { "DESC" };
    let mut query = QueryBuilder::new("SELECT (SELECT count(*) FROM channels");
    filter.push_where(&mut query, tenant);
    query.push(") AS count, page.doc FROM (SELECT) one LEFT JOIN (SELECT doc, row_number() OVER (ORDER BY ");
    query.push(format_args!("{column} {direction}, id {direction}) AS place FROM channels"));
    filter.push_where(&mut query, tenant);
    query.push(" ORDER BY place LIMIT ").push_bind(count.clamp(0, CHANNELS_PAGE_MAX));
    query.push(" OFFSET ").push_bind(offset.max(0)).push(") page ON true ORDER BY page.place");
    let rows: Vec<(i64, Option<Json<Box<RawValue>>>)> = query.build_query_as().fetch_all(db).await?;
    let count = rows.first().map_or(0, |row| row.0);
    Ok(Channels { count, data: rows.into_iter().filter_map(|row| row.1).map(|doc| doc.0).collect() })
}

/// All channels that match, in the order they were connected; not more than [`CHANNELS_SUMMARY_MAX`].
///
/// # Errors
/// When the database can not answer.
pub async fn summary(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    filter: &ChannelFilter,
) -> Result<Vec<Box<RawValue>>, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT doc FROM channels");
    filter.push_where(&mut query, tenant);
    query.push(" ORDER BY created_at, id LIMIT ").push_bind(CHANNELS_SUMMARY_MAX);
    let rows: Vec<(Json<Box<RawValue>>,)> = query.build_query_as().fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| row.0.0).collect())
}

/// The ids of all channels that match.
///
/// # Errors
/// When the database can not answer.
pub async fn ids(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    filter: &ChannelFilter,
) -> Result<Vec<ChannelId>, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT id FROM channels");
    filter.push_where(&mut query, tenant);
    query.push(" ORDER BY id");
    let rows: Vec<(String,)> = query.build_query_as().fetch_all(db).await?;
    rows.iter().map(|row| id(&row.0)).collect()
}

fn id(text: &str) -> Result<ChannelId, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The channels that somebody may see, and whether each is active.
///
/// # Errors
/// When the database can not answer.
pub async fn visible(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    teams: &Teams,
) -> Result<Vec<(ChannelId, bool)>, sqlx::Error> {
    let user = match teams {
        Teams::All => None,
        Teams::Of(user) => Some(user.to_string()),
    };
    let rows = sqlx::query!(
        "SELECT id, active FROM channels
         WHERE tenant_id = $1
           AND ($2::text IS NULL OR team_ids = '{}'
                OR team_ids && (SELECT u.team_ids FROM users u WHERE u.tenant_id = $1 AND u.id = $2))
         ORDER BY id",
        tenant.to_string(),
        user
    );
    rows.fetch_all(db).await?.into_iter().map(|row| Ok((id(&row.id)?, row.active))).collect()
}
