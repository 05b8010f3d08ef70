//! How far the relay has come, as the database keeps it; and why it stands still.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::Position;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub position: Position,
    pub stream_sequence: i64,
    pub stream_created: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Why the relay stands still.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standstill {
    pub error: String,
    pub since: DateTime<Utc>,
    pub attempts: i64,
}

pub(super) async fn read(db: &mut PgConnection, stream: &str) -> Result<Option<Checkpoint>, sqlx::Error> {
    sqlx::query_as!(
        Checkpoint,
        "SELECT position, stream_sequence, stream_created, updated_at FROM relay_checkpoints WHERE stream = $1",
        stream
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn write(db: &mut PgConnection, stream: &str, checkpoint: &Checkpoint) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO relay_checkpoints (stream, position, stream_sequence, stream_created, updated_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (stream) DO UPDATE
         SET position = excluded.position, stream_sequence = excluded.stream_sequence,
             stream_created = excluded.stream_created, updated_at = excluded.updated_at",
        stream,
        checkpoint.position,
        checkpoint.stream_sequence,
        checkpoint.stream_created,
        checkpoint.updated_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One more try that failed; `since` stays that of the first.
pub(super) async fn note_error(
    pool: &PgPool,
    stream: &str,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO relay_errors (stream, error, since, attempts) VALUES ($1, $2, $3, 1)
         ON CONFLICT (stream) DO UPDATE SET error = excluded.error, attempts = relay_errors.attempts + 1",
        stream,
        error,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

pub(super) async fn forget_error(db: &mut PgConnection, stream: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM relay_errors WHERE stream = $1", stream).execute(db).await?;
    Ok(())
}

pub(super) async fn standstill(pool: &PgPool, stream: &str) -> Result<Option<Standstill>, sqlx::Error> {
    sqlx::query_as!(Standstill, "SELECT error, since, attempts FROM relay_errors WHERE stream = $1", stream)
        .fetch_optional(pool)
        .await
}
