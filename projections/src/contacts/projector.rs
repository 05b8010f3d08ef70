//! What each event makes of a contact's row. A deleted contact has none.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::identity::{Contact, ContactEvent, ContactState};
use palaver_eventstore::RecordedEvent;
use sqlx::PgConnection;

use crate::engine::{Change, ProjectionError, RowProjector};

/// The projection `contacts`.
pub struct ContactsProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct ContactRow {
    pub state: ContactState,
    pub created: DateTime<Utc>,
}

impl RowProjector for ContactsProjector {
    const NAME: &'static str = "contacts";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[Contact::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["contacts"];

    type Event = ContactEvent;
    type Row = ContactRow;

    fn apply(
        row: &mut Option<ContactRow>,
        event: ContactEvent,
        recorded: &RecordedEvent,
    ) -> Result<(), ProjectionError> {
        let before = row.take();
        let created = before.as_ref().map_or(recorded.metadata.time, |row| row.created);
        let mut contact = Contact(before.map(|row| row.state));
        contact.apply(event);
        let state =
            contact.0.ok_or_else(|| ProjectionError::unexpected("the contact was never created, or is deleted"))?;
        *row = (!state.deleted).then_some(ContactRow { state, created });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, ContactRow)>, sqlx::Error> {
        let rows = sqlx::query!("SELECT id, tenant_id, email, created_at FROM contacts WHERE id = ANY($1)", keys);
        let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
            let decode = |error| sqlx::Error::Decode(Box::new(error));
            let state = ContactState {
                id: row.id.parse().map_err(decode)?,
                account_id: row.tenant_id.parse().map_err(decode)?,
                email: row.email,
                deleted: false,
            };
            Ok((row.id, ContactRow { state, created: row.created_at }))
        });
        rows.collect()
    }

    async fn write(db: &mut PgConnection, changes: &[Change<ContactRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM contacts WHERE id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<&ContactRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO contacts (id, tenant_id, email, created_at)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
             ON CONFLICT (id) DO UPDATE SET
                 tenant_id = excluded.tenant_id, email = excluded.email, created_at = excluded.created_at",
            &rows.iter().map(|row| row.state.id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.account_id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.email.clone()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.created).collect::<Vec<_>>()
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
