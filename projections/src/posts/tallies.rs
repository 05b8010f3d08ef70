//! The counters and the calendar of posts, as the difference that a batch of changes makes to them.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use palaver_domain::posts::{PostState, Status};
use sqlx::PgConnection;

use super::projector::PostRow;
use crate::engine::Change;

/// The length of a bucket of the calendar: every offset of a time zone in use is a multiple of it.
const QUARTER: TimeDelta = TimeDelta::minutes(15);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CounterKey {
    tenant_id: String,
    channel_id: String,
    status: &'static str,
    needs_attention: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct BucketKey {
    quarter: DateTime<Utc>,
    counter: CounterKey,
    network: &'static str,
    kind: &'static str,
    via_publisher_app: bool,
    imported: bool,
    assignee: String,
}

/// Differences, without those that cancel each other out, in the order of their keys: all writers lock alike.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    counters: BTreeMap<CounterKey, i64>,
    buckets: BTreeMap<BucketKey, i64>,
}

impl Tallies {
    pub fn of(changes: &[Change<PostRow>]) -> Self {
        let mut tallies = Self::default();
        for change in changes {
            if let Some(row) = &change.before {
                tallies.add(&row.state, -1);
            }
            if let Some(row) = &change.after {
                tallies.add(&row.state, 1);
            }
        }
        tallies.counters.retain(|_, n| *n != 0);
        tallies.buckets.retain(|_, n| *n != 0);
        tallies
    }

    fn add(&mut self, post: &PostState, n: i64) {
        // Only its author sees a post that is being composed; those few are counted when they are asked for.
        if post.status == Status::PreDraft {
            return;
        }
        let counter = CounterKey {
            tenant_id: post.account_id.to_string(),
            channel_id: post.channel.id.to_string(),
            status: post.status.as_str(),
            needs_attention: post.flags.needs_attention,
        };
        if let Some(quarter) = post.publish_time.and_then(quarter_of) {
            let bucket = BucketKey {
                quarter,
                counter: counter.clone(),
                network: post.channel.social_network.as_str(),
                kind: post.content.kind.as_str(),
                via_publisher_app: post.content.kind.via_publisher_app(),
                imported: post.flags.imported,
                assignee: post.assignee.map(|user| user.to_string()).unwrap_or_default(),
            };
            *self.buckets.entry(bucket).or_default() += n;
        }
        *self.counters.entry(counter).or_default() += n;
    }

    pub async fn write(&self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_counters(db).await?;
        self.write_calendar(db).await
    }

    async fn write_counters(&self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.counters.is_empty() {
            return Ok(());
        }
        let keys = || self.counters.keys();
        let tenants: Vec<String> = keys().map(|key| key.tenant_id.clone()).collect();
        let channels: Vec<String> = keys().map(|key| key.channel_id.clone()).collect();
        let statuses: Vec<String> = keys().map(|key| key.status.to_owned()).collect();
        let attention: Vec<bool> = keys().map(|key| key.needs_attention).collect();
        let n: Vec<i64> = self.counters.values().copied().collect();
        sqlx::query!(
            "INSERT INTO post_counters (tenant_id, channel_id, status, needs_attention, n)
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[], $5::bigint[])
             ON CONFLICT (tenant_id, channel_id, status, needs_attention)
             DO UPDATE SET n = post_counters.n + excluded.n",
            &tenants,
            &channels,
            &statuses,
            &attention,
            &n
        )
        .execute(&mut *db)
        .await?;
        if n.iter().all(|n| *n > 0) {
            return Ok(());
        }
        // Of the same rows, those that count nothing any more: a rebuild would not write them either.
        sqlx::query!(
            "DELETE FROM post_counters c
             USING unnest($1::text[], $2::text[], $3::text[], $4::bool[])
                   AS k (tenant_id, channel_id, status, needs_attention)
             WHERE c.n = 0 AND c.tenant_id = k.tenant_id AND c.channel_id = k.channel_id AND c.status = k.status
               AND c.needs_attention = k.needs_attention",
            &tenants,
            &channels,
            &statuses,
            &attention
        )
        .execute(db)
        .await?;
        Ok(())
    }

    async fn write_calendar(&self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        let rows = BucketColumns::of(self.buckets.iter());
        if !rows.n.is_empty() {
            sqlx::query!(
                "INSERT INTO post_calendar (tenant_id, quarter, channel_id, network, status, type, needs_attention,
                                            via_publisher_app, imported, assignee, n)
                 SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                                      $7::bool[], $8::bool[], $9::bool[], $10::text[], $11::bigint[])
                 ON CONFLICT (tenant_id, quarter, channel_id, network, status, type, needs_attention,
                              via_publisher_app, imported, assignee)
                 DO UPDATE SET n = post_calendar.n + excluded.n",
                &rows.tenants,
                &rows.quarters,
                &rows.channels,
                &rows.networks,
                &rows.statuses,
                &rows.kinds,
                &rows.attention,
                &rows.via,
                &rows.imported,
                &rows.assignees,
                &rows.n
            )
            .execute(&mut *db)
            .await?;
        }
        // Buckets that have become empty, or the calendar would keep every time a post was ever planned for.
        let rows = BucketColumns::of(self.buckets.iter().filter(|(_, n)| **n < 0));
        if !rows.n.is_empty() {
            sqlx::query!(
                "DELETE FROM post_calendar c
                 USING unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                              $7::bool[], $8::bool[], $9::bool[], $10::text[])
                       AS k (tenant_id, quarter, channel_id, network, status, type, needs_attention,
                             via_publisher_app, imported, assignee)
                 WHERE c.n = 0 AND c.tenant_id = k.tenant_id AND c.quarter = k.quarter
                   AND c.channel_id = k.channel_id AND c.network = k.network AND c.status = k.status
                   AND c.type = k.type AND c.needs_attention = k.needs_attention
                   AND c.via_publisher_app = k.via_publisher_app AND c.imported = k.imported
                   AND c.assignee = k.assignee",
                &rows.tenants,
                &rows.quarters,
                &rows.channels,
                &rows.networks,
                &rows.statuses,
                &rows.kinds,
                &rows.attention,
                &rows.via,
                &rows.imported,
                &rows.assignees
            )
            .execute(db)
            .await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct BucketColumns {
    tenants: Vec<String>,
    quarters: Vec<DateTime<Utc>>,
    channels: Vec<String>,
    networks: Vec<String>,
    statuses: Vec<String>,
    kinds: Vec<String>,
    attention: Vec<bool>,
    via: Vec<bool>,
    imported: Vec<bool>,
    assignees: Vec<String>,
    n: Vec<i64>,
}

impl BucketColumns {
    fn of<'a>(buckets: impl Iterator<Item = (&'a BucketKey, &'a i64)>) -> Self {
        let mut columns = Self::default();
        for (key, n) in buckets {
            columns.tenants.push(key.counter.tenant_id.clone());
            columns.quarters.push(key.quarter);
            columns.channels.push(key.counter.channel_id.clone());
            columns.networks.push(key.network.to_owned());
            columns.statuses.push(key.counter.status.to_owned());
            columns.kinds.push(key.kind.to_owned());
            columns.attention.push(key.counter.needs_attention);
            columns.via.push(key.via_publisher_app);
            columns.imported.push(key.imported);
            columns.assignees.push(key.assignee.clone());
            columns.n.push(*n);
        }
        columns
    }
}

/// The beginning of the quarter of an hour that `time` is in; `None` for times no clock shows.
pub(super) fn quarter_of(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let seconds = QUARTER.num_seconds();
    // Counted in seconds, which reach further than the nanoseconds of `duration_trunc`.
    time.duration_trunc(QUARTER)
        .ok()
        .or_else(|| DateTime::from_timestamp(time.timestamp().div_euclid(seconds) * seconds, 0))
}

/// The first beginning of a quarter at or after `time`.
pub(super) fn quarter_from(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let quarter = quarter_of(time)?;
    if quarter == time { Some(quarter) } else { quarter.checked_add_signed(QUARTER) }
}
