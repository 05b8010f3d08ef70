//! Taking work, so that no two workers do the same at once. A taken row is free again when its time is over: a worker
//! that died loses nothing, and one that was only slow is stopped by the post, which takes one outcome alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, InvalidId, PostId};
use sqlx::PgExecutor;

/// A post whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub post_id: PostId,
    pub tenant_id: AccountId,
    pub due_at: DateTime<Utc>,
}

/// A publication that began and has no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    pub post_id: PostId,
    pub tenant_id: AccountId,
    pub due_at: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    /// What the network was, or was about to be, called with.
    pub key: String,
    pub outcome_unknown: bool,
}

fn decoded(error: InvalidId) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Takes at most `limit` posts that are due at `now`, the longest due first, for the time of `lease`.
///
/// # Errors
/// When the database can not answer.
pub async fn take_due(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Due>, sqlx::Error> {
    // Two lists, so that each is read along an index: rows nobody has taken, and rows whose taker has run out of time.
    let rows = sqlx::query!(
        "WITH untaken AS (
             SELECT post_id, due_at FROM publish_schedule
             WHERE state = 'due' AND due_at <= $1 AND taken_until IS NULL
             ORDER BY due_at, post_id LIMIT $2 FOR UPDATE SKIP LOCKED
         ), given_up AS (
             SELECT post_id, due_at FROM publish_schedule
             WHERE state = 'due' AND due_at <= $1 AND taken_until <= $1
             ORDER BY taken_until, post_id LIMIT $2 FOR UPDATE SKIP LOCKED
         ), free AS (
             SELECT post_id FROM (TABLE untaken UNION ALL TABLE given_up) either ORDER BY due_at, post_id LIMIT $2
         ), taken AS (
             UPDATE publish_schedule s SET taken_until = $3
             WHERE post_id IN (SELECT post_id FROM free) RETURNING post_id, tenant_id, due_at
         )
         SELECT post_id, tenant_id, due_at FROM taken ORDER BY due_at, post_id",
        now,
        limit.max(0),
        now + lease
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(Due {
            post_id: row.post_id.parse().map_err(decoded)?,
            tenant_id: row.tenant_id.parse().map_err(decoded)?,
            due_at: row.due_at,
        })
    });
    rows.collect()
}

/// Takes at most `limit` publications that began `settle` ago or earlier and have no outcome, oldest first. `settle`
/// gives whoever began one the time to finish it.
///
/// # Errors
/// When the database can not answer.
pub async fn take_unresolved(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    settle: Duration,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Unresolved>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"WITH taken AS (
             UPDATE publish_schedule s SET taken_until = $4
             WHERE post_id IN (
                 SELECT post_id FROM publish_schedule
                 WHERE state = 'publishing' AND started_at <= $2 AND (taken_until IS NULL OR taken_until <= $1)
                 ORDER BY started_at, post_id LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING post_id, tenant_id, due_at, started_at, key, outcome_unknown
         )
         SELECT post_id, tenant_id, due_at, started_at AS "started_at!", key AS "key!", outcome_unknown
         FROM taken ORDER BY started_at, post_id"#,
        now,
        now - settle,
        limit.max(0),
        now + lease
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(Unresolved {
            post_id: row.post_id.parse().map_err(decoded)?,
            tenant_id: row.tenant_id.parse().map_err(decoded)?,
            due_at: row.due_at,
            started_at: row.started_at,
            key: row.key,
            outcome_unknown: row.outcome_unknown,
        })
    });
    rows.collect()
}
