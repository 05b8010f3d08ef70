//! How far a projection has come, and its tables coming into being.

use chrono::{DateTime, Utc};
use palaver_eventstore::Position;
use sqlx::{Connection, PgConnection};

use super::{EngineError, Projector, RATE_WINDOW, session};

/// Which set of a projection's tables: the one that is read, or the one that a rebuild fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    Live,
    Next,
}

impl Generation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
        }
    }

    pub const fn schema(self) -> &'static str {
        match self {
            Self::Live => "read_model",
            Self::Next => "read_model_next",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub version: i32,
    pub position: Position,
    pub tables: Vec<String>,
    /// How many streams are in quarantine.
    pub quarantined: i64,
    /// Where the log ends: no checkpoint goes beyond it, whatever anybody has heard.
    pub head: Position,
}

/// The checkpoint, locked until the transaction ends: nobody else moves the projection meanwhile.
pub(super) async fn lock(
    db: &mut PgConnection,
    projection: &str,
    generation: Generation,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    sqlx::query_as!(
        Checkpoint,
        r#"SELECT version, position, tables,
                  (SELECT count(*) FROM projection_quarantine q
                   WHERE q.projection = c.projection AND q.generation = c.generation) AS "quarantined!",
                  (SELECT h.position FROM log_head h) AS "head!"
           FROM projection_checkpoints c WHERE projection = $1 AND generation = $2 FOR UPDATE OF c"#,
        projection,
        generation.as_str()
    )
    .fetch_optional(db)
    .await
}

/// The live checkpoint, which must be there and of the version that this process knows.
pub(super) async fn lock_live(db: &mut PgConnection, projector: &dyn Projector) -> Result<Checkpoint, EngineError> {
    let checkpoint = lock(db, projector.name(), Generation::Live)
        .await?
        .ok_or_else(|| EngineError::NotInstalled { projection: projector.name().to_owned() })?;
    if checkpoint.version != projector.version() {
        return Err(EngineError::VersionMismatch {
            projection: projector.name().to_owned(),
            stored: checkpoint.version,
            known: projector.version(),
        });
    }
    Ok(checkpoint)
}

/// The version of the live tables, or `None` when there are none.
pub(super) async fn live_version(db: &mut PgConnection, projection: &str) -> Result<Option<i32>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT version FROM projection_checkpoints WHERE projection = $1 AND generation = 'live'",
        projection
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn advance(
    db: &mut PgConnection,
    projection: &str,
    generation: Generation,
    position: Position,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // What is right of `=` is what was there before. A rate is measured from the batch before the window's first one,
    // and never over an idle time that is longer than the window.
    sqlx::query!(
        "UPDATE projection_checkpoints
         SET position = $3, updated_at = $4,
             measured_from_position = CASE WHEN measured_from_at > $5 THEN measured_from_position ELSE position END,
             measured_from_at = CASE WHEN measured_from_at > $5 THEN measured_from_at ELSE greatest(updated_at, $5) END
         WHERE projection = $1 AND generation = $2",
        projection,
        generation.as_str(),
        position,
        now,
        now - RATE_WINDOW
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes why a rebuild ended before its end, for whoever looks at what it left.
pub(super) async fn note_failure(db: &mut PgConnection, projection: &str, error: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE projection_checkpoints SET error = $2 WHERE projection = $1 AND generation = 'next'",
        projection,
        error
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Creates the live tables when the projection has no checkpoint. Tables without a checkpoint are worth nothing and
/// are dropped.
pub(super) async fn install(
    db: &mut PgConnection,
    projector: &dyn Projector,
    now: DateTime<Utc>,
) -> Result<(), EngineError> {
    if live_version(db, projector.name()).await?.is_some() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    // Two processes that start at once: the second waits here, and then finds the checkpoint.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('palaver install', 0))").fetch_one(&mut *tx).await?;
    if live_version(&mut tx, projector.name()).await?.is_none() {
        create(&mut tx, projector, Generation::Live, now).await?;
        tracing::info!(projection = projector.name(), version = projector.version(), "projection installed");
    }
    tx.commit().await?;
    Ok(())
}

/// Empty tables and a checkpoint at the beginning, in place of whatever was there.
pub(super) async fn create(
    tx: &mut PgConnection,
    projector: &dyn Projector,
    generation: Generation,
    now: DateTime<Utc>,
) -> Result<(), EngineError> {
    let earlier = lock(tx, projector.name(), generation).await?.map(|checkpoint| checkpoint.tables);
    drop_tables(tx, generation, earlier.unwrap_or_default().iter().map(String::as_str)).await?;
    drop_tables(tx, generation, projector.tables().iter().copied()).await?;

    // Tables are created in the first schema of the search path. Read back by statements that still run, the path
    // is put back before the transaction goes on.
    let schema = generation.schema();
    let definition = projector.schema();
    let create =
        format!("SET LOCAL search_path = {schema}, public;\n{definition};\nSET LOCAL search_path = public, {schema}");
    session::run(&mut *tx, &create).await?;

    let tables: Vec<String> = projector.tables().iter().map(|&table| table.to_owned()).collect();
    sqlx::query!(
        "INSERT INTO projection_checkpoints (projection, generation, version, position, tables, updated_at, began_at)
         VALUES ($1, $2, $3, 0, $4, $5, $5)
         ON CONFLICT (projection, generation) DO UPDATE
         SET version = excluded.version, position = 0, tables = excluded.tables, updated_at = excluded.updated_at,
             began_at = excluded.began_at, measured_from_at = NULL, measured_from_position = NULL, error = NULL",
        projector.name(),
        generation.as_str(),
        projector.version(),
        &tables,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM projection_quarantine WHERE projection = $1 AND generation = $2",
        projector.name(),
        generation.as_str()
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn drop_tables(
    tx: &mut PgConnection,
    generation: Generation,
    tables: impl Iterator<Item = &str>,
) -> Result<(), sqlx::Error> {
    let names: Vec<String> = tables.map(|table| qualified(generation, table)).collect();
    if !names.is_empty() {
        session::run(tx, &format!("DROP TABLE IF EXISTS {}", names.join(", "))).await?;
    }
    Ok(())
}

/// Table names come from the code, or from a checkpoint that the code wrote; quoted all the same.
pub(super) fn qualified(generation: Generation, table: &str) -> String {
    format!("{}.\"{}\"", generation.schema(), table.replace('"', "\"\""))
}
