//! What each event makes of a user's row.

use cqrs_es::Aggregate;
use palaver_domain::identity::{User, UserEvent, UserState};
use palaver_eventstore::RecordedEvent;
use sqlx::PgConnection;

use crate::engine::{Change, ProjectionError, RowProjector};

/// The projection `users`.
pub struct UsersProjector;

/// A row, before its text is read as what it means.
struct UserColumns {
    id: String,
    tenant_id: String,
    user_name: String,
    role: String,
    team_ids: Vec<String>,
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

impl RowProjector for UsersProjector {
    const NAME: &'static str = "users";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[User::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["users"];

    type Event = UserEvent;
    type Row = UserState;

    fn apply(row: &mut Option<UserState>, event: UserEvent, _: &RecordedEvent) -> Result<(), ProjectionError> {
        let mut user = User(row.take());
        user.apply(event);
        *row = user.0;
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, UserState)>, sqlx::Error> {
        let rows = sqlx::query_as!(
            UserColumns,
            "SELECT id, tenant_id, user_name, role, team_ids FROM users WHERE id = ANY($1)",
            keys
        );
        rows.fetch_all(db).await?.into_iter().map(|row| Ok((row.id.clone(), row.try_into()?))).collect()
    }

    async fn write(db: &mut PgConnection, changes: &[Change<UserState>]) -> Result<(), sqlx::Error> {
        let users: Vec<&UserState> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        sqlx::query!(
            "INSERT INTO users (id, tenant_id, user_name, name_key, role, team_ids)
             SELECT id, tenant_id, user_name, name_key, role, string_to_array(team_ids, ',')
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
                  AS r (id, tenant_id, user_name, name_key, role, team_ids)
             ON CONFLICT (id) DO UPDATE SET
                 tenant_id = excluded.tenant_id, user_name = excluded.user_name, name_key = excluded.name_key,
                 role = excluded.role, team_ids = excluded.team_ids",
            &users.iter().map(|user| user.id.to_string()).collect::<Vec<_>>(),
            &users.iter().map(|user| user.account_id.to_string()).collect::<Vec<_>>(),
            &users.iter().map(|user| user.user_name.clone()).collect::<Vec<_>>(),
            &users.iter().map(|user| user.user_name.to_lowercase()).collect::<Vec<_>>(),
            &users.iter().map(|user| user.role.as_str().to_owned()).collect::<Vec<_>>(),
            &users
                .iter()
                .map(|user| user.team_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
                .collect::<Vec<_>>()
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
