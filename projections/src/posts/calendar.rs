//! Posts by local day: the calendar's buckets, regrouped into the days of any time zone. Days are cut exactly: what a
//! bucket would split is counted from the posts themselves.

use std::collections::BTreeMap;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::{
    PostFilter, SortBy, Viewer,
    filter::{channels_seen, in_postgres},
    tallies::{quarter_from, quarter_of},
};

/// Days of one request. To be checked by the caller, who can say so; more are not refused here.
pub const CALENDAR_DAYS_MAX: i64 = 400;

/// A local day, cut to the range that was asked for, and its posts by network (lower-case; networks without posts
/// are left out). Source: seed 003, definition `PostAggregate`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DayCount {
    /// Inclusive.
    #[serde(serialize_with = "crate::times::serialize")]
    pub since: DateTime<Utc>,
    /// Exclusive: the beginning of the next day.
    #[serde(serialize_with = "crate::times::serialize")]
    pub until: DateTime<Utc>,
    pub data: BTreeMap<String, i64>,
}

/// Counts the posts with a publish time in `since <= time < until` that match and that the viewer may see. The
/// filter's own times and order play no part.
///
/// # Errors
/// When the database can not answer.
pub async fn calendar_days(
    db: impl PgExecutor<'_>,
    viewer: &Viewer,
    filter: &PostFilter,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    zone: Tz,
) -> Result<Vec<DayCount>, sqlx::Error> {
    let days = local_days(in_postgres(since), in_postgres(until), zone);
    let mut counts: Vec<DayCount> =
        days.iter().map(|day| DayCount { since: day.since, until: day.until, data: BTreeMap::new() }).collect();
    if days.is_empty() {
        return Ok(counts);
    }
    let filter = PostFilter { since: None, until: None, sort_by: SortBy::PublishTime, ..filter.clone() };
    let mut query = QueryBuilder::new("");
    if filter.is_in_buckets() {
        let (whole, edges) = by_buckets(&days);
        push_buckets(&mut query, viewer, &filter, &whole);
        query.push(" UNION ALL ");
        push_posts(&mut query, viewer, &filter, &edges, Composed::Left);
        query.push(" UNION ALL ");
        push_posts(&mut query, viewer, &filter, &days, Composed::Alone);
    } else {
        push_posts(&mut query, viewer, &filter, &days, Composed::Included);
    }
    let rows: Vec<(i64, String, i64)> = query.build_query_as().fetch_all(db).await?;
    for (day, network, n) in rows {
        if let Some(count) = usize::try_from(day).ok().and_then(|day| counts.get_mut(day)) {
            *count.data.entry(network.to_lowercase()).or_default() += n;
        }
    }
    Ok(counts)
}

/// A stretch of time that belongs to one day of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    day: i64,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What to do with posts that are being composed, which buckets do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Composed {
    Included,
    Left,
    Alone,
}

/// The days as the stretches that buckets fill exactly, and what is left of them at their edges.
fn by_buckets(days: &[Stretch]) -> (Vec<Stretch>, Vec<Stretch>) {
    let (mut whole, mut edges) = (Vec::new(), Vec::new());
    for &day in days {
        match (quarter_from(day.since), quarter_of(day.until)) {
            (Some(since), Some(until)) if since < until => {
                whole.push(Stretch { since, until, ..day });
                edges.push(Stretch { until: since, ..day });
                edges.push(Stretch { since: until, ..day });
            }
            _ => edges.push(day),
        }
    }
    edges.retain(|edge| edge.since < edge.until);
    (whole, edges)
}

fn push_stretches(query: &mut QueryBuilder<'_, Postgres>, stretches: &[Stretch]) {
    let days: Vec<i64> = stretches.iter().map(|stretch| stretch.day).collect();
    let since: Vec<DateTime<Utc>> = stretches.iter().map(|stretch| stretch.since).collect();
    let until: Vec<DateTime<Utc>> = stretches.iter().map(|stretch| stretch.until).collect();
    query.push("unnest(").push_bind(days).push("::bigint[], ").push_bind(since).push("::timestamptz[], ");
    query.push_bind(until).push("::timestamptz[]) AS stretch (day, since, until)");
}

fn push_buckets(query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer, filter: &PostFilter, stretches: &[Stretch]) {
    query.push("SELECT stretch.day, found.network, found.n FROM ");
    push_stretches(query, stretches);
    query.push(" CROSS JOIN LATERAL (SELECT network, sum(n)::bigint AS n FROM post_calendar WHERE tenant_id = ");
    query.push_bind(viewer.tenant.to_string());
    query.push(" AND quarter >= stretch.since AND quarter < stretch.until AND channel_id = ANY(");
    query.push_bind(channels_seen(viewer, filter).unwrap_or_default()).push(")");
    filter.push_shared(query);
    query.push(" GROUP BY network) found");
}

fn push_posts(
    query: &mut QueryBuilder<'_, Postgres>,
    viewer: &Viewer,
    filter: &PostFilter,
    stretches: &[Stretch],
    composed: Composed,
) {
    query.push("SELECT stretch.day, found.network, found.n FROM ");
    push_stretches(query, stretches);
    query.push(" CROSS JOIN LATERAL (SELECT network, count(*) AS n FROM posts");
    filter.push_where(query, viewer);
    query.push(" AND publish_at >= stretch.since AND publish_at < stretch.until");
    match composed {
        Composed::Included => {}
        Composed::Left => drop(query.push(" AND status <> 'preDraft'")),
        Composed::Alone => {
            query.push(" AND status = 'preDraft' AND author = ").push_bind(viewer.user.to_string());
        }
    }
    query.push(" GROUP BY network) found");
}

/// The local days that `since <= time < until` touches, the first and the last cut to it.
fn local_days(since: DateTime<Utc>, until: DateTime<Utc>, zone: Tz) -> Vec<Stretch> {
    let mut days: Vec<Stretch> = Vec::new();
    let mut begin = since;
    let mut date = since.with_timezone(&zone).date_naive();
    while begin < until {
        let Some(next) = date.succ_opt() else { break };
        let end = day_start(zone, next).min(until);
        // A date that a zone left out, as Samoa did on crossing the date line, has no length.
        if begin < end {
            days.push(Stretch { day: days.len() as i64, since: begin, until: end });
            begin = end;
        }
        date = next;
    }
    days
}

/// The first moment of a local date: midnight, or what the clock shows instead when midnight is skipped. Where a
/// clock is put back over midnight, the date begins at the first of the two.
fn day_start(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    match zone.from_local_datetime(&midnight) {
        LocalResult::Single(start) | LocalResult::Ambiguous(start, _) => start.to_utc(),
        LocalResult::None => {
            // The clock jumps forward over midnight: the jump is the first second at which the date has come.
            let (mut before, mut after) =
                (midnight.and_utc() - TimeDelta::hours(26), midnight.and_utc() + TimeDelta::hours(26));
            while after - before > TimeDelta::seconds(1) {
                let between = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                if between.with_timezone(&zone).date_naive() >= date { after = between } else { before = between }
            }
            after
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn hours(since: &str, until: &str, zone: Tz) -> Vec<f64> {
        let days = local_days(time(since), time(until), zone);
        days.iter().map(|day| (day.until - day.since).num_minutes() as f64 / 60.0).collect()
    }

    #[test]
    fn days_are_as_long_as_the_clock_makes_them() {
        for (zone, since, until, expected) in [
            (Tz::Europe__Berlin, "2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", vec![24.0, 23.0, 24.0]),
            (Tz::Europe__Berlin, "2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z", vec![24.0, 25.0, 24.0]),
            // Half an hour, and at two o'clock.
            (Tz::Australia__Lord_Howe, "2026-04-03T13:00:00Z", "2026-04-05T13:30:00Z", vec![24.0, 24.5]),
            // Five hours and three quarters from UTC; first and last day are cut.
            (Tz::Asia__Kathmandu, "2026-01-01T12:00:00Z", "2026-01-03T12:00:00Z", vec![6.25, 24.0, 17.75]),
            // The day begins at one o'clock, and ends after two midnights.
            (Tz::America__Havana, "2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z", vec![24.0, 23.0, 24.0]),
            (Tz::America__Havana, "2026-10-31T04:00:00Z", "2026-11-03T05:00:00Z", vec![24.0, 25.0, 24.0]),
            (Tz::America__Sao_Paulo, "2018-11-03T03:00:00Z", "2018-11-06T02:00:00Z", vec![24.0, 23.0, 24.0]),
            (Tz::America__Sao_Paulo, "2018-02-17T02:00:00Z", "2018-02-19T03:00:00Z", vec![25.0, 24.0]),
            // There was no 30 December 2011.
            (Tz::Pacific__Apia, "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z", vec![24.0, 24.0]),
        ] {
            assert_eq!(hours(since, until, zone), expected, "{zone} {since} {until}");
        }
    }

    #[test]
    fn a_day_shows_its_times_like_every_other_answer() {
        let day = DayCount {
            since: time("2026-01-01T00:00:00Z"),
            until: time("2026-01-02T00:00:00Z"),
            data: BTreeMap::new(),
        };
        let expected = r#"{"since":"2026-01-01T00:00:00.000Z","until":"2026-01-02T00:00:00.000Z","data":{}}"#;
        assert_eq!(serde_json::to_string(&day).unwrap(), expected);
    }

    #[test]
    fn an_empty_range_has_no_days() {
        let noon = time("2026-01-01T12:00:00Z");
        assert_eq!(local_days(noon, noon, Tz::UTC), []);
        assert_eq!(local_days(noon, noon - TimeDelta::days(1), Tz::UTC), []);
    }

    #[test]
    fn buckets_and_edges_cover_each_day_once() {
        let days = local_days(time("2026-01-01T12:07:00Z"), time("2026-01-02T00:04:00Z"), Tz::UTC);
        let (whole, edges) = by_buckets(&days);
        let mut all: Vec<_> = whole.iter().chain(&edges).map(|stretch| (stretch.since, stretch.until)).collect();
        all.sort();
        let expected = ["2026-01-01T12:07:00Z", "2026-01-01T12:15:00Z", "2026-01-02T00:00:00Z", "2026-01-02T00:04:00Z"];
        assert_eq!(all, expected.windows(2).map(|pair| (time(pair[0]), time(pair[1]))).collect::<Vec<_>>());
    }
}
