//! What each event makes of an application's row.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::identity::{App, AppEvent, AppKey, AppState};
use palaver_eventstore::RecordedEvent;
use serde_json::{Map, Value, json};
use sqlx::{PgConnection, types::Json};

use crate::{
    engine::{Change, ProjectionError, RowProjector, json_text},
    times,
};

/// The projection `apps`.
pub struct AppsProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct AppRow {
    pub state: AppState,
    pub created: DateTime<Utc>,
}

/// An application as the API shows it.
pub fn render(app: &AppState, created: DateTime<Utc>) -> Value {
    let keys: Vec<Value> = app.keys.iter().map(render_key).collect();
    let mut doc = Map::from_iter([
        ("_id".to_owned(), json!(app.id)),
        ("name".to_owned(), json!(app.name)),
        ("createdTime".to_owned(), times::json(created)),
        ("keys".to_owned(), keys.into()),
    ]);
    if let Some(time) = app.secret_created_at {
        doc.insert("secretCreatedTime".to_owned(), times::json(time));
    }
    Value::Object(doc)
}

/// A key as the API shows it: nothing that it could be guessed from.
pub fn render_key(key: &AppKey) -> Value {
    let mut doc = Map::from_iter([
        ("_id".to_owned(), json!(key.id)),
        ("label".to_owned(), json!(key.label)),
        ("prefix".to_owned(), json!(key.prefix)),
        ("createdTime".to_owned(), times::json(key.created_at)),
    ]);
    for (name, time) in [("expirationTime", key.expires_at), ("revokedTime", key.revoked_at)] {
        if let Some(time) = time {
            doc.insert(name.to_owned(), times::json(time));
        }
    }
    Value::Object(doc)
}

impl RowProjector for AppsProjector {
    const NAME: &'static str = "apps";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[App::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["apps"];

    type Event = AppEvent;
    type Row = AppRow;

    fn apply(row: &mut Option<AppRow>, event: AppEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        let before = row.take();
        let first = matches!(event, AppEvent::Registered { .. });
        if before.is_none() && !first {
            return Err(ProjectionError::unexpected("the app was never registered"));
        }
        let created = before.as_ref().map_or(recorded.metadata.time, |row| row.created);
        let mut app = App { state: before.map(|row| row.state), deleted: false };
        app.apply(event);
        *row = app.state.map(|state| AppRow { state, created });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, AppRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT id, state AS "state: Json<AppState>", created_at FROM apps WHERE id = ANY($1)"#,
            keys
        );
        let rows = rows.fetch_all(db).await?.into_iter();
        Ok(rows.map(|row| (row.id, AppRow { state: row.state.0, created: row.created_at })).collect())
    }

    async fn write(db: &mut PgConnection, changes: &[Change<AppRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM apps WHERE id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<&AppRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO apps (id, tenant_id, created_at, state, doc)
             SELECT id, tenant_id, created_at, state::json, doc::json
             FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
                  AS r (id, tenant_id, created_at, state, doc)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, doc = excluded.doc",
            &rows.iter().map(|row| row.state.id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.account_id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.created).collect::<Vec<_>>(),
            &rows.iter().map(|row| json_text(&row.state)).collect::<Result<Vec<_>, _>>()?,
            &rows.iter().map(|row| json_text(&render(&row.state, row.created))).collect::<Result<Vec<_>, _>>()?
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
