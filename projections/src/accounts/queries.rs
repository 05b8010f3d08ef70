//! Lists of accounts, for those who run the service, and what an account sees of others that it is linked with. These are
//! the queries that look beyond one tenant; each says who may ask it.

use palaver_domain::{AccountId, identity::AccountState};
use serde_json::{Value, value::RawValue};
use sqlx::{PgExecutor, types::Json};

/// Accounts of one page.
pub const ACCOUNTS_PAGE_MAX: i64 = 500;
/// Custom tags of one list.
pub const CUSTOM_TAGS_LISTED_MAX: i64 = 10_000;
/// Channels of all linked accounts together.
pub const LINKED_CHANNELS_MAX: i64 = 10_000;

/// The tenant's own account.
///
/// # Errors
/// When the database can not answer.
pub async fn find(db: impl PgExecutor<'_>, tenant: AccountId) -> Result<Option<AccountState>, sqlx::Error> {
    let row =
        sqlx::query!(r#"SELECT state AS "state: Json<AccountState>" FROM accounts WHERE id = $1"#, tenant.to_string());
    Ok(row.fetch_optional(db).await?.map(|row| row.state.0))
}

/// The tenant's own account, as the API shows it.
///
/// # Errors
/// When the database can not answer.
pub async fn document(db: impl PgExecutor<'_>, tenant: AccountId) -> Result<Option<Box<RawValue>>, sqlx::Error> {
    let row =
        sqlx::query!(r#"SELECT doc AS "doc: Json<Box<RawValue>>" FROM accounts WHERE id = $1"#, tenant.to_string());
    Ok(row.fetch_optional(db).await?.map(|row| row.doc.0))
}

/// A page of all accounts, the oldest first. For those who may see every account.
///
/// # Errors
/// When the database can not answer.
pub async fn list(db: impl PgExecutor<'_>, (offset, count): (i64, i64)) -> Result<Vec<Box<RawValue>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT doc AS "doc: Json<Box<RawValue>>" FROM accounts ORDER BY created_at, id LIMIT $1 OFFSET $2"#,
        count.clamp(0, ACCOUNTS_PAGE_MAX),
        offset.max(0)
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| row.doc.0).collect())
}

/// The custom tags of all accounts, each once, in alphabetical order. For those who sell.
///
/// # Errors
/// When the database can not answer.
pub async fn custom_tags(db: impl PgExecutor<'_>) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT tag COLLATE "C" AS "tag!" FROM accounts, unnest(custom_tags) tag ORDER BY 1 LIMIT $1"#,
        CUSTOM_TAGS_LISTED_MAX
    );
    rows.fetch_all(db).await
}

/// An account that this one is linked with, and its active channels.
#[derive(Debug)]
pub struct LinkedAccount {
    pub id: String,
    pub name: String,
    /// As the projection `channels` shows them.
    pub channels: Vec<Value>,
}

/// The open accounts that name this one as linked, and that this one names: one side alone opens nothing. Of more than
/// [`LINKED_CHANNELS_MAX`] channels, the first by account and connection.
///
/// # Errors
/// When the database can not answer.
pub async fn linked(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<LinkedAccount>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT other.id, other.name, c.doc AS "channel?: Json<Value>"
           FROM accounts own
           JOIN accounts other ON other.id = ANY(own.linked_accounts) AND own.id = ANY(other.linked_accounts)
                AND (other.expires_at IS NULL OR other.expires_at > $2)
           LEFT JOIN channels c ON c.tenant_id = other.id AND c.active
           WHERE own.id = $1
           ORDER BY other.name, other.id, c.created_at, c.id
           LIMIT $3"#,
        tenant.to_string(),
        now,
        LINKED_CHANNELS_MAX
    );
    let mut accounts: Vec<LinkedAccount> = Vec::new();
    for row in rows.fetch_all(db).await? {
        let channel = row.channel.map(|channel| channel.0);
        match accounts.last_mut().filter(|last| last.id == row.id) {
            Some(last) => last.channels.extend(channel),
            None => {
                accounts.push(LinkedAccount { id: row.id, name: row.name, channels: channel.into_iter().collect() });
            }
        }
    }
    Ok(accounts)
}

/// The accounts that are linked with a Keycloak realm; of more than two, two. For logging in, where nobody has an account
/// yet.
///
/// # Errors
/// When the database can not answer.
pub async fn linked_with_realm(db: impl PgExecutor<'_>, realm: &str) -> Result<Vec<AccountId>, sqlx::Error> {
    // A text with NUL, which PostgreSQL does not take, is nobody's realm.
    if realm.contains('\0') {
        return Ok(Vec::new());
    }
    let ids = sqlx::query_scalar!("SELECT id FROM accounts WHERE keycloak_realm = $1 ORDER BY id LIMIT 2", realm);
    let ids = ids.fetch_all(db).await?.into_iter();
    ids.map(|id| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}
