//! The language that a user is spoken to in.

use palaver_domain::{AccountId, Locale, UserId};
use sqlx::PgExecutor;

/// English when the user is not known.
///
/// # Errors
/// When the database can not answer.
pub async fn locale(db: impl PgExecutor<'_>, tenant: AccountId, user: UserId) -> Result<Locale, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT locale FROM users WHERE tenant_id = $1 AND id = $2",
        tenant.to_string(),
        user.to_string()
    );
    Ok(found.fetch_optional(db).await?.map(|locale| Locale::of(&locale)).unwrap_or_default())
}
