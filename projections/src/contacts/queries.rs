//! Lists of contacts.

use palaver_domain::{AccountId, ContactId};
use sqlx::PgExecutor;

/// Contacts of one page.
pub const CONTACTS_PAGE_MAX: i64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    pub id: ContactId,
    pub email: String,
}

/// A page of contacts, in the order they were created.
///
/// # Errors
/// When the database can not answer.
pub async fn list(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    (offset, count): (i64, i64),
) -> Result<Vec<Contact>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, email FROM contacts WHERE tenant_id = $1 ORDER BY created_at, id OFFSET $2 LIMIT $3",
        tenant.to_string(),
        offset.max(0),
        count.clamp(0, CONTACTS_PAGE_MAX)
    );
    let contacts = rows.fetch_all(db).await?.into_iter().map(|row| {
        let id = row.id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Contact { id, email: row.email })
    });
    contacts.collect()
}
