//! Lists of an account's users, which have no pages: an account has few.

use std::collections::HashMap;

use palaver_domain::{AccountId, TeamId, UserId, identity::Role};
use serde_json::value::RawValue;
use sqlx::{PgExecutor, types::Json};

use crate::texts;

/// Users of one list; of more, the first created.
pub const USERS_MAX: i64 = 10_000;

/// Source: seed 003, `GET /users`. `None` does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    pub has_mobile_device: Option<bool>,
    /// Users of this team.
    pub team: Option<TeamId>,
    /// What somebody may see: users of one of these teams, users in no team, and `myself`.
    pub teams: Option<Vec<TeamId>>,
    pub myself: Option<UserId>,
}

impl UserFilter {
    fn members(&self) -> (Option<Vec<String>>, Option<String>) {
        (self.teams.as_deref().map(texts), self.myself.map(|user| user.to_string()))
    }
}

/// Users as the API shows them, in the order they were created.
///
/// # Errors
/// When the database can not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    filter: &UserFilter,
) -> Result<Vec<Box<RawValue>>, sqlx::Error> {
    let (teams, myself) = filter.members();
    let rows = sqlx::query!(
        r#"SELECT doc AS "doc: Json<Box<RawValue>>" FROM users
           WHERE tenant_id = $1 AND ($2::bool IS NULL OR has_mobile_device = $2)
             AND ($3::text[] IS NULL OR team_ids && $3 OR team_ids = '{}' OR id = $4)
             AND ($5::text IS NULL OR $5 = ANY(team_ids))
           ORDER BY created_at, id LIMIT $6"#,
        tenant.to_string(),
        filter.has_mobile_device,
        teams.as_deref(),
        myself,
        filter.team.map(|team| team.to_string()),
        USERS_MAX
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.doc.0).collect())
}

/// What everybody may know of everybody. Source: seed 003, definition `UserSummary`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSummary {
    pub id: String,
    pub first_name: String,
    pub last_name: String,
}

/// The users that somebody may see; in the order they were created. Nothing else of the filter counts.
///
/// # Errors
/// When the database can not answer.
pub async fn summary(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    filter: &UserFilter,
) -> Result<Vec<UserSummary>, sqlx::Error> {
    let (teams, myself) = filter.members();
    sqlx::query_as!(
        UserSummary,
        "SELECT id, first_name, last_name FROM users
         WHERE tenant_id = $1 AND ($2::text[] IS NULL OR team_ids && $2 OR team_ids = '{}' OR id = $3)
         ORDER BY created_at, id LIMIT $4",
        tenant.to_string(),
        teams.as_deref(),
        myself,
        USERS_MAX
    )
    .fetch_all(db)
    .await
}

/// How many users an account has.
///
/// # Errors
/// When the database can not answer.
pub async fn count(db: impl PgExecutor<'_>, tenant: AccountId) -> Result<i64, sqlx::Error> {
    let row = sqlx::query!(r#"SELECT count(*) AS "count!" FROM users WHERE tenant_id = $1"#, tenant.to_string());
    Ok(row.fetch_one(db).await?.count)
}

/// The first administrators of an account; not more than `limit`.
///
/// # Errors
/// When the database can not answer.
pub async fn administrators(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    limit: i64,
) -> Result<Vec<UserId>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id FROM users WHERE tenant_id = $1 AND role = $2 ORDER BY created_at, id LIMIT $3",
        tenant.to_string(),
        Role::Admin.as_str(),
        limit
    );
    let rows = rows.fetch_all(db).await?;
    rows.iter().map(|row| row.id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// The name of the one user who has this address, in whatever account and letter case. `None` when nobody has it, or
/// several do. Who logs in belongs to no account yet.
///
/// # Errors
/// When the database can not answer.
pub async fn name_by_email(db: impl PgExecutor<'_>, email: &str) -> Result<Option<String>, sqlx::Error> {
    // A text with NUL, which PostgreSQL does not take, is nobody's address.
    if email.contains('\0') {
        return Ok(None);
    }
    let rows = sqlx::query_scalar!("SELECT user_name FROM users WHERE lower(email) = lower($1) LIMIT 2", email.trim());
    let mut names = rows.fetch_all(db).await?;
    Ok(if names.len() == 1 { names.pop() } else { None })
}

/// The user of an account with this mail address, in whatever letter case. `None` when nobody has it, or several do.
///
/// # Errors
/// When the database can not answer.
pub async fn only_with_email(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    email: &str,
) -> Result<Option<UserId>, sqlx::Error> {
    // A text with NUL, which PostgreSQL does not take, is nobody's address.
    if email.contains('\0') {
        return Ok(None);
    }
    let ids = sqlx::query_scalar!(
        "SELECT id FROM users WHERE tenant_id = $1 AND lower(email) = lower($2) LIMIT 2",
        tenant.to_string(),
        email
    );
    match ids.fetch_all(db).await?.as_slice() {
        [one] => one.parse().map(Some).map_err(|error| sqlx::Error::Decode(Box::new(error))),
        _ => Ok(None),
    }
}

/// What some users of an account are called: by their first and last name, else by their user name. Who is not there any
/// more is left out.
///
/// # Errors
/// When the database can not answer.
pub async fn names(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    users: &[UserId],
) -> Result<HashMap<UserId, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id, coalesce(nullif(trim(first_name || ' ' || last_name), ''), user_name) AS "name!"
           FROM users WHERE tenant_id = $1 AND id = ANY($2)"#,
        tenant.to_string(),
        &texts(users)
    );
    let rows = rows.fetch_all(db).await?;
    let named = rows
        .into_iter()
        .map(|row| row.id.parse().map(|id| (id, row.name)).map_err(|error| sqlx::Error::Decode(Box::new(error))));
    named.collect()
}
