//! What each event makes of a team's row. A deleted team has none.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::identity::{Team, TeamEvent, TeamState};
use palaver_eventstore::RecordedEvent;
use sqlx::PgConnection;

use crate::{
    engine::{Change, ProjectionError, RowProjector},
    texts,
};

/// The projection `teams`.
pub struct TeamsProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct TeamRow {
    pub state: TeamState,
    pub created: DateTime<Utc>,
}

impl RowProjector for TeamsProjector {
    const NAME: &'static str = "teams";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[Team::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["teams"];

    type Event = TeamEvent;
    type Row = TeamRow;

    fn apply(row: &mut Option<TeamRow>, event: TeamEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        let before = row.take();
        let created = before.as_ref().map_or(recorded.metadata.time, |row| row.created);
        let mut team = Team(before.map(|row| row.state));
        team.apply(event);
        let state = team.0.ok_or_else(|| ProjectionError::unexpected("the team was never created, or is deleted"))?;
        *row = (!state.deleted).then_some(TeamRow { state, created });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, TeamRow)>, sqlx::Error> {
        let rows = sqlx::query!("SELECT id, tenant_id, name, admins, created_at FROM teams WHERE id = ANY($1)", keys);
        let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
            let state = TeamState {
                id: read(&row.id)?,
                account_id: read(&row.tenant_id)?,
                name: row.name,
                admins: read_all(&row.admins)?,
                deleted: false,
            };
            Ok((row.id, TeamRow { state, created: row.created_at }))
        });
        rows.collect()
    }

    async fn write(db: &mut PgConnection, changes: &[Change<TeamRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM teams WHERE id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<&TeamRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO teams (id, tenant_id, name, admins, created_at)
             SELECT id, tenant_id, name, string_to_array(admins, ','), created_at
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                  AS r (id, tenant_id, name, admins, created_at)
             ON CONFLICT (id) DO UPDATE SET
                 tenant_id = excluded.tenant_id, name = excluded.name, admins = excluded.admins,
                 created_at = excluded.created_at",
            &rows.iter().map(|row| row.state.id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.account_id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.name.clone()).collect::<Vec<_>>(),
            &rows.iter().map(|row| texts(&row.state.admins).join(",")).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.created).collect::<Vec<_>>()
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// What a column holds, as what it means.
pub(super) fn read<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    text: &str,
) -> Result<T, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Many of them.
pub(super) fn read_all<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    texts: &[String],
) -> Result<Vec<T>, sqlx::Error> {
    texts.iter().map(|text| read(text)).collect()
}
