//! Looking users up.

use palaver_domain::{AccountId, UserId, identity::UserState};
use sqlx::PgExecutor;

/// A row, before its text is read as what it means.
pub(super) struct UserColumns {
    pub id: String,
    pub tenant_id: String,
    pub user_name: String,
    pub role: String,
    pub team_ids: Vec<String>,
}

impl TryFrom<UserColumns> for UserState {
    type Error = sqlx::Error;

    fn try_from(row: UserColumns) -> Result<Self, sqlx::Error> {
        fn read<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
            text: &str,
        ) -> Result<T, sqlx::Error> {
            text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
        }
        Ok(Self {
            id: read(&row.id)?,
            account_id: read(&row.tenant_id)?,
            role: read(&row.role)?,
            team_ids: row.team_ids.iter().map(|id| read(id)).collect::<Result<_, _>>()?,
            user_name: row.user_name,
        })
    }
}

/// The user with this id, whatever the tenant: who presents a token is known by id first.
///
/// # Errors
/// When the database can not answer.
pub async fn by_id(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<UserState>, sqlx::Error> {
    let row = sqlx::query_as!(
        UserColumns,
        "SELECT id, tenant_id, user_name, role, team_ids FROM users WHERE id = $1",
        id.to_string()
    );
    row.fetch_optional(db).await?.map(TryInto::try_into).transpose()
}

/// The tenant's user with this name, in whatever case; of several, the one with the least id.
///
/// # Errors
/// When the database can not answer.
pub async fn by_name(
    db: impl PgExecutor<'_>,
    tenant: AccountId,
    user_name: &str,
) -> Result<Option<UserState>, sqlx::Error> {
    let row = sqlx::query_as!(
        UserColumns,
        "SELECT id, tenant_id, user_name, role, team_ids FROM users
         WHERE tenant_id = $1 AND name_key = $2 ORDER BY id LIMIT 1",
        tenant.to_string(),
        user_name.to_lowercase()
    );
    row.fetch_optional(db).await?.map(TryInto::try_into).transpose()
}
