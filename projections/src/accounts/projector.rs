//! What each event makes of an account's row.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::identity::{Account, AccountEvent, AccountState};
use palaver_eventstore::RecordedEvent;
use sqlx::{PgConnection, types::Json};

use super::render;
use crate::engine::{Change, ProjectionError, RowProjector, json_text};

/// The projection `accounts`.
pub struct AccountsProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct AccountRow {
    pub state: AccountState,
    pub created: DateTime<Utc>,
}

impl RowProjector for AccountsProjector {
    const NAME: &'static str = "accounts";
    const VERSION: i32 = 2;
    const AGGREGATE: &'static [&'static str] = &[Account::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["accounts"];

    type Event = AccountEvent;
    type Row = AccountRow;

    fn apply(
        row: &mut Option<AccountRow>,
        event: AccountEvent,
        recorded: &RecordedEvent,
    ) -> Result<(), ProjectionError> {
        let before = row.take();
        let created = before.as_ref().map_or(recorded.metadata.time, |row| row.created);
        let mut account = Account(before.map(|row| row.state));
        account.apply(event);
        let state = account.0.ok_or_else(|| ProjectionError::unexpected("the account was never registered"))?;
        *row = Some(AccountRow { state, created });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, AccountRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT id, state AS "state: Json<AccountState>", created_at FROM accounts WHERE id = ANY($1)"#,
            keys
        );
        let rows = rows.fetch_all(db).await?.into_iter();
        Ok(rows.map(|row| (row.id, AccountRow { state: row.state.0, created: row.created_at })).collect())
    }

    async fn write(db: &mut PgConnection, changes: &[Change<AccountRow>]) -> Result<(), sqlx::Error> {
        let rows: Vec<&AccountRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        // Tags are free text, so their lists go as JSON, not joined by some character.
        sqlx::query!(
            "INSERT INTO accounts (id, name, expires_at, linked_accounts, custom_tags, keycloak_realm, created_at,
                                   state, doc)
             SELECT id, name, expires_at, ARRAY(SELECT json_array_elements_text(linked_accounts::json)),
                    ARRAY(SELECT json_array_elements_text(custom_tags::json)), keycloak_realm, created_at, state::json,
                    doc::json
             FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                         $7::timestamptz[], $8::text[], $9::text[])
                  AS r (id, name, expires_at, linked_accounts, custom_tags, keycloak_realm, created_at, state, doc)
             ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, expires_at = excluded.expires_at, linked_accounts = excluded.linked_accounts,
                 custom_tags = excluded.custom_tags, keycloak_realm = excluded.keycloak_realm,
                 created_at = excluded.created_at, state = excluded.state, doc = excluded.doc",
            &rows.iter().map(|row| row.state.id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.name.clone()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.expiration_time).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
            &rows.iter().map(|row| json_text(&row.state.linked_accounts)).collect::<Result<Vec<_>, _>>()?,
            &rows.iter().map(|row| json_text(&row.state.custom_tags)).collect::<Result<Vec<_>, _>>()?,
            &rows.iter().map(|row| realm(&row.state)).collect::<Vec<_>>() as &[Option<&str>],
            &rows.iter().map(|row| row.created).collect::<Vec<_>>(),
            &rows.iter().map(|row| json_text(&row.state)).collect::<Result<Vec<_>, _>>()?,
            &rows.iter().map(|row| json_text(&render(&row.state, row.created))).collect::<Result<Vec<_>, _>>()?
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

fn realm(account: &AccountState) -> Option<&str> {
    account.keycloak.as_ref().map(|keycloak| keycloak.realm.as_str())
}
