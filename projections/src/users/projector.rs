//! What each event makes of a user's row.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::identity::{User, UserEvent, UserState, name_key};
use palaver_eventstore::RecordedEvent;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, types::Json};

use crate::{
    engine::{Change, ProjectionError, RowProjector, json_text},
    times,
};

/// The projection `users`.
pub struct UsersProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct UserRow {
    pub state: UserState,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

/// A user as the API shows them. Source: seed 003, definition `User`; `phone`, `teams`, `settings` and the last two are
/// ours. What nobody said is left out.
pub fn render(user: &UserState, created: DateTime<Utc>, updated: DateTime<Utc>) -> Value {
    let mut doc = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            doc.insert(name.to_owned(), value);
        }
    };
    put("_id", json!(user.id));
    put("accountId", json!(user.account_id));
    put("userName", json!(user.user_name));
    put("email", json!(user.email));
    put("firstName", json!(user.first_name));
    put("lastName", json!(user.last_name));
    put("phone", json!(user.phone));
    put("locale", json!(user.locale));
    put("role", json!(user.role));
    put("permissions", json!(user.granted()));
    put("teams", json!(user.team_ids));
    put("readOnlyChannelIds", json!(user.read_only_channel_ids));
    put("settings", json!(user.settings));
    put("createdTime", times::json(created));
    put("updatedTime", times::json(updated));
    put("verified", json!(user.verified));
    put("twoFactor", json!(user.totp.is_some()));
    Value::Object(doc)
}

impl RowProjector for UsersProjector {
    const NAME: &'static str = "users";
    const VERSION: i32 = 2;
    const AGGREGATE: &'static [&'static str] = &[User::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["users"];

    type Event = UserEvent;
    type Row = UserRow;

    fn apply(row: &mut Option<UserRow>, event: UserEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        let before = row.take();
        let updated = recorded.metadata.time;
        let created = before.as_ref().map_or(updated, |row| row.created);
        let mut user = User(before.map(|row| row.state));
        user.apply(event);
        let state = user.0.ok_or_else(|| ProjectionError::unexpected("the user was never created, or is deleted"))?;
        *row = (!state.deleted).then_some(UserRow { state, created, updated });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, UserRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT id, state AS "state: Json<UserState>", created_at, updated_at FROM users WHERE id = ANY($1)"#,
            keys
        );
        let rows = rows
            .fetch_all(db)
            .await?
            .into_iter()
            .map(|row| (row.id, UserRow { state: row.state.0, created: row.created_at, updated: row.updated_at }));
        Ok(rows.collect())
    }

    async fn write(db: &mut PgConnection, changes: &[Change<UserRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM users WHERE id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<&UserRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        if rows.is_empty() { Ok(()) } else { upsert(db, &rows).await }
    }
}

fn column<T>(rows: &[&UserRow], of: impl Fn(&UserState) -> T) -> Vec<T> {
    rows.iter().map(|row| of(&row.state)).collect()
}

/// One text a row: PostgreSQL's arrays of arrays must be rectangular.
fn joined<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

async fn upsert(db: &mut PgConnection, rows: &[&UserRow]) -> Result<(), sqlx::Error> {
    let mut states = Vec::with_capacity(rows.len());
    let mut docs = Vec::with_capacity(rows.len());
    for row in rows {
        states.push(json_text(&row.state)?);
        docs.push(json_text(&render(&row.state, row.created, row.updated))?);
    }
    sqlx::query!(
        "INSERT INTO users (id, tenant_id, user_name, name_key, email, first_name, last_name, locale, role,
                            permissions, team_ids, read_only_channel_ids, verified, totp, has_mobile_device,
                            created_at, updated_at, state, doc)
         SELECT id, tenant_id, user_name, name_key, email, first_name, last_name, locale, role,
                string_to_array(permissions, ','), string_to_array(team_ids, ','),
                string_to_array(read_only_channel_ids, ','), verified, totp, has_mobile_device, created_at, updated_at,
                state::json, doc::json
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::text[], $12::text[], $13::bool[], $14::bool[], $15::bool[],
                     $16::timestamptz[], $17::timestamptz[], $18::text[], $19::text[])
              AS r (id, tenant_id, user_name, name_key, email, first_name, last_name, locale, role, permissions,
                    team_ids, read_only_channel_ids, verified, totp, has_mobile_device, created_at, updated_at, state,
                    doc)
         ON CONFLICT (id) DO UPDATE SET
             tenant_id = excluded.tenant_id, user_name = excluded.user_name, name_key = excluded.name_key,
             email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
             locale = excluded.locale, role = excluded.role, permissions = excluded.permissions,
             team_ids = excluded.team_ids, read_only_channel_ids = excluded.read_only_channel_ids,
             verified = excluded.verified, totp = excluded.totp, has_mobile_device = excluded.has_mobile_device,
             created_at = excluded.created_at, updated_at = excluded.updated_at, state = excluded.state,
             doc = excluded.doc",
        &column(rows, |user| user.id.to_string()),
        &column(rows, |user| user.account_id.to_string()),
        &column(rows, |user| user.user_name.clone()),
        &column(rows, |user| name_key(&user.user_name)),
        &column(rows, |user| user.email.clone()) as _,
        &column(rows, |user| user.first_name.clone()),
        &column(rows, |user| user.last_name.clone()),
        &column(rows, |user| user.locale.as_str().to_owned()),
        &column(rows, |user| user.role.as_str().to_owned()),
        &column(rows, |user| user.permissions.map(|chosen| joined(chosen.iter()))) as _,
        &column(rows, |user| joined(&user.team_ids)),
        &column(rows, |user| joined(&user.read_only_channel_ids)),
        &column(rows, |user| user.verified),
        &column(rows, |user| user.totp.is_some()),
        &column(rows, |user| !user.mobile_devices.is_empty()),
        &rows.iter().map(|row| row.created).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.updated).collect::<Vec<_>>(),
        &states,
        &docs
    )
    .execute(db)
    .await?;
    Ok(())
}
