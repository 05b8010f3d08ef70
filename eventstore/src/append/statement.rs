//! The one statement that writes a batch, and the one that finds out whether it did.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::batch::{Batch, Refusal, Verdict};
use crate::{Position, database::Database};

/// Whose sequence is looked up before anything is inserted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Streams that have events already, or are only looked at. That a new stream is new is found out by inserting its
    /// first event, which costs nothing when it is.
    KnownStreams,
    /// All, so that each append that does not fit is told apart.
    AllStreams,
}

/// The arguments of `append_events`, an array a column.
#[derive(Default)]
struct Columns<'a> {
    /// The number among the batch's streams of each that is checked.
    checked: Vec<usize>,
    stream_append: Vec<i32>,
    stream_type: Vec<&'a str>,
    stream_id: Vec<&'a str>,
    stream_sequence: Vec<i64>,
    receipt_append: Vec<i32>,
    receipt_tenant: Vec<&'a str>,
    receipt_command: Vec<&'a str>,
    receipt_fingerprint: Vec<&'a str>,
    receipt_outcome: Vec<&'a str>,
    event_append: Vec<i32>,
    event_aggregate_type: Vec<&'a str>,
    event_aggregate_id: Vec<&'a str>,
    event_sequence: Vec<i64>,
    event_type: Vec<&'a str>,
    event_version: Vec<&'a str>,
    event_payload: Vec<&'a str>,
    event_metadata: Vec<&'a str>,
    event_id: Vec<Uuid>,
    event_tenant: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    /// `tenants` has the tenant of each append, as text.
    fn of(batch: &'a Batch, tenants: &'a [String], check: Check) -> Self {
        let mut columns = Self::default();
        let mut streams = 0..;
        for ((number, append), tenant) in (0i32..).zip(batch.iter()).zip(tenants) {
            for (stream, at) in append.streams.iter().zip(&mut streams) {
                if check == Check::AllStreams || stream.expected > 0 || stream.events.is_empty() {
                    columns.checked.push(at);
                    columns.stream_append.push(number);
                    columns.stream_type.push(&stream.stream.aggregate_type);
                    columns.stream_id.push(&stream.stream.aggregate_id);
                    columns.stream_sequence.push(stream.expected);
                }
                for (sequence, event) in (stream.expected + 1..).zip(&stream.events) {
                    columns.event_append.push(number);
                    columns.event_aggregate_type.push(&stream.stream.aggregate_type);
                    columns.event_aggregate_id.push(&stream.stream.aggregate_id);
                    columns.event_sequence.push(sequence);
                    columns.event_type.push(&event.event_type);
                    columns.event_version.push(&event.event_version);
                    columns.event_payload.push(&event.payload);
                    columns.event_metadata.push(&event.metadata);
                    columns.event_id.push(event.event_id);
                    columns.event_tenant.push(tenant);
                }
            }
            if let Some(receipt) = &append.receipt {
                columns.receipt_append.push(number);
                columns.receipt_tenant.push(tenant);
                columns.receipt_command.push(&receipt.command_id);
                columns.receipt_fingerprint.push(&receipt.fingerprint);
                columns.receipt_outcome.push(&receipt.outcome);
            }
        }
        columns
    }
}

fn tenants_of(batch: &Batch) -> Vec<String> {
    batch.iter().map(|append| append.tenant.to_string()).collect()
}

/// A connection to append with. A process that stands still, or is gone without a word, does not keep the head's lock
/// from others for longer than the times set here. The statement's plan is made once for all, and often while the tables are still
/// empty, when reading all of one looks cheap: only what stays right as they grow is left to choose from.
pub(super) async fn connect(database: &Database) -> Result<PgConnection, sqlx::Error> {
    let mut connection = database.dedicated("palaver-appender").await?;
    connection
        .execute(
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
             SET enable_hashjoin = off; SET enable_mergejoin = off;
             SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '10s'; SET tcp_keepalives_idle = 5;
             SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3",
        )
        .await?;
    Ok(connection)
}

/// Writes what can be written, in one round trip and one implicit transaction; in two when a stream that should be new
/// is there already.
pub(super) async fn execute(
    connection: &mut PgConnection,
    batch: &Batch,
    now: DateTime<Utc>,
) -> Result<Verdict, sqlx::Error> {
    match write(connection, batch, now, Check::KnownStreams).await {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            write(connection, batch, now, Check::AllStreams).await
        }
        written => written,
    }
}

async fn write(
    connection: &mut PgConnection,
    batch: &Batch,
    now: DateTime<Utc>,
    check: Check,
) -> Result<Verdict, sqlx::Error> {
    let tenants = tenants_of(batch);
    let columns = Columns::of(batch, &tenants, check);
    let rows = sqlx::query!(
        r#"SELECT append AS "append!", reason AS "reason!", stream AS "stream!", value AS "value!"
           FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"#,
        &columns.stream_append,
        &columns.stream_type as _,
        &columns.stream_id as _,
        &columns.stream_sequence,
        &columns.receipt_append,
        &columns.receipt_tenant as _,
        &columns.receipt_command as _,
        &columns.receipt_fingerprint as _,
        &columns.receipt_outcome as _,
        &columns.event_append,
        &columns.event_aggregate_type as _,
        &columns.event_aggregate_id as _,
        &columns.event_sequence,
        &columns.event_type as _,
        &columns.event_version as _,
        &columns.event_payload as _,
        &columns.event_metadata as _,
        &columns.event_id,
        &columns.event_tenant as _,
        now,
    )
    .fetch_all(connection)
    .await?;
    let mut verdict = Verdict { before: 0, refusals: HashMap::new() };
    for row in rows {
        match (usize::try_from(row.append), row.reason.as_str()) {
            (Err(_), _) => verdict.before = row.value,
            (Ok(append), "receipt") => drop(verdict.refusals.insert(append, Refusal::Receipt)),
            (Ok(append), _) => {
                let checked = usize::try_from(row.stream).ok().and_then(|at| columns.checked.get(at).copied());
                // Of none of the streams it was asked about: `Batch::answer` says so.
                let stream = checked.unwrap_or(usize::MAX);
                // A repeat is a repeat, whatever became of its streams since.
                verdict.refusals.entry(append).or_insert(Refusal::Sequence { stream, actual: row.value });
            }
        }
    }
    Ok(verdict)
}

/// Which appends of a batch whose connection was lost are in the log, by number, with their first position.
///
/// The head's lock waits for a statement of ours that the server may still be running.
pub(super) async fn landed(
    connection: &mut PgConnection,
    batch: &Batch,
) -> Result<HashMap<usize, Position>, sqlx::Error> {
    let tenants = tenants_of(batch);
    let columns = Columns::of(batch, &tenants, Check::AllStreams);
    let mut transaction = connection.begin().await?;
    sqlx::query!("SELECT position FROM log_head FOR UPDATE").fetch_one(&mut *transaction).await?;
    let rows = sqlx::query!(
        r#"SELECT a.append AS "append!", min(e.position) AS "first!"
           FROM unnest($1::int[], $2::text[], $3::text[], $4::bigint[], $5::uuid[])
                    AS a (append, aggregate_type, aggregate_id, sequence, event_id)
           JOIN events e USING (aggregate_type, aggregate_id, sequence, event_id)
           GROUP BY a.append"#,
        &columns.event_append,
        &columns.event_aggregate_type as _,
        &columns.event_aggregate_id as _,
        &columns.event_sequence,
        &columns.event_id,
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(rows.into_iter().filter_map(|row| Some((usize::try_from(row.append).ok()?, row.first))).collect())
}
