//! The outbox as the worker sees it: taking what is due, writing down what came of it, and forgetting it in the end.
//! All of it works on every account's mail at once, as the worker does; nobody else may call this.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{message::MailId, outbox::MailState};

/// A mail that this process is to hand over; its row says so.
pub(super) struct Call {
    pub id: MailId,
    pub tenant: String,
    pub kind: String,
    pub recipient: String,
    pub message_id: String,
    pub key_id: String,
    pub sealed: Vec<u8>,
    /// Which of the mail's calls this is.
    pub attempt: i32,
    pub attempts_max: i32,
}

/// What a call came to, as its row is to say it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub state: MailState,
    pub error: Option<String>,
    /// When to call again, for what is `queued` again.
    pub due_at: Option<DateTime<Utc>>,
}

/// Mails that are due and that nobody else takes, marked as `sending`. What was wiped can not be sent, and nothing that
/// is queued is wiped.
pub(super) async fn take_due(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    domain: &str,
    limit: i64,
) -> Result<Vec<Call>, sqlx::Error> {
    let calls = sqlx::query_as!(
        Call,
        r#"WITH due AS MATERIALIZED (
               SELECT id FROM mail_outbox WHERE state = 'queued' AND due_at <= $1 AND sealed IS NOT NULL
               ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
           )
           UPDATE mail_outbox mail
           SET state = 'sending', attempts = attempts + 1, changed_at = $1,
               message_id = coalesce(message_id, '<' || mail.id || '@' || $3 || '>')
           FROM due WHERE mail.id = due.id
           RETURNING mail.id AS "id: MailId", tenant_id AS tenant, kind, recipient, message_id AS "message_id!",
                     key_id AS "key_id!", sealed AS "sealed!", attempts AS attempt, attempts_max"#,
        now,
        limit,
        domain,
    );
    calls.fetch_all(db).await
}

/// Writes the outcome of one call. It counts as long as nobody began another one: also when the call took so long that
/// it was given up for unknown meanwhile. Whether it counted.
pub(super) async fn record(
    db: impl PgExecutor<'_>,
    call: &Call,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let recorded = sqlx::query!(
        "UPDATE mail_outbox SET state = $3, last_error = $4, due_at = coalesce($5, due_at), changed_at = $6,
             sent_at = CASE WHEN $3 = 'sent' THEN $6 ELSE sent_at END
         WHERE id = $1 AND attempts = $2 AND state IN ('sending', 'unknown')",
        call.id.0,
        call.attempt,
        outcome.state.as_str(),
        outcome.error,
        outcome.due_at,
        now,
    );
    Ok(recorded.execute(db).await?.rows_affected() > 0)
}

/// Gives up calls that began at `before` or earlier and have no outcome: whether they were taken is not known.
pub(super) async fn give_up(
    db: impl PgExecutor<'_>,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<MailId>, sqlx::Error> {
    let given_up = sqlx::query_scalar!(
        r#"UPDATE mail_outbox SET state = 'unknown', changed_at = $2,
               last_error = 'the process ended before the outcome was written'
           WHERE state = 'sending' AND changed_at <= $1 RETURNING id AS "id: MailId""#,
        before,
        now,
    );
    given_up.fetch_all(db).await
}

/// Marks mail that is due as kept, because there is nothing to send it by. How many that were.
pub(super) async fn keep_due(db: impl PgExecutor<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    let kept = sqlx::query!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM mail_outbox WHERE state = 'queued' AND due_at <= $1
             ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         UPDATE mail_outbox mail SET state = 'kept', changed_at = $1 FROM due WHERE mail.id = due.id",
        now,
        limit,
    );
    Ok(kept.execute(db).await?.rows_affected())
}

/// Mails that wait to be sent, counted up to `limit`.
pub(super) async fn queued(db: impl PgExecutor<'_>, limit: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (SELECT 1 FROM mail_outbox WHERE state = 'queued' LIMIT $1) AS queued"#,
        limit,
    )
    .fetch_one(db)
    .await
}

/// Wipes what mails said that came to their end before `before`. How many that were, `limit` at most.
pub(super) async fn wipe(db: impl PgExecutor<'_>, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    let wiped = sqlx::query!(
        "UPDATE mail_outbox SET key_id = NULL, sealed = NULL
         WHERE id IN (SELECT id FROM mail_outbox
                      WHERE sealed IS NOT NULL AND changed_at < $1 AND state NOT IN ('queued', 'sending')
                      ORDER BY changed_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    );
    Ok(wiped.execute(db).await?.rows_affected())
}

/// Deletes mails that were queued before `before` and came to their end. How many that were, `limit` at most.
pub(super) async fn delete(db: impl PgExecutor<'_>, before: DateTime<Utc>, limit: i64) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM mail_outbox
         WHERE id IN (SELECT id FROM mail_outbox WHERE created_at < $1 AND state NOT IN ('queued', 'sending')
                      ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    );
    Ok(deleted.execute(db).await?.rows_affected())
}
