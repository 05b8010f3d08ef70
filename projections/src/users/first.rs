//! Who is there to look at an account as the ones who run it see it.

use palaver_domain::{AccountId, InvalidId, UserId, identity::Role};
use sqlx::PgExecutor;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAdministrator {
    pub account_id: AccountId,
    pub user_id: UserId,
    pub user_name: String,
}

/// The first administrator of each account, in order of the accounts' ids; of at most `limit` accounts.
///
/// # Errors
/// When the database can not answer.
pub async fn first_administrators(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<FirstAdministrator>, sqlx::Error> {
    let decoded = |error: InvalidId| sqlx::Error::Decode(Box::new(error));
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (tenant_id) tenant_id, id, user_name FROM users WHERE role = ANY($1)
         ORDER BY tenant_id, created_at, id LIMIT $2",
        &[Role::Admin, Role::SuperAdmin].map(|role| role.as_str().to_owned())[..],
        limit
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(FirstAdministrator {
            account_id: row.tenant_id.parse().map_err(decoded)?,
            user_id: row.id.parse().map_err(decoded)?,
            user_name: row.user_name,
        })
    });
    rows.collect()
}
