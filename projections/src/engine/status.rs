//! What operators see of the projections, from any process: how far each is, how fast it moves, whether anybody moves it,
//! and how a rebuild goes. All of it is asked of the database; nothing here moves anything.

use std::{collections::HashMap, fmt};

use chrono::{DateTime, Utc};
use palaver_eventstore::Position;

use super::{BATCH_EVENTS_MAX, EngineError, Projections, RATE_WINDOW, session::Lease};

/// What an operator wants to know of a projection.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionStatus {
    pub name: String,
    pub state: ProjectionState,
    /// The version that this process knows.
    pub version: i32,
    /// The version of the tables that are read; `None` before the first start.
    pub stored_version: Option<i32>,
    pub position: Position,
    pub head: Position,
    pub lag_events: i64,
    /// The age of the first event not yet applied; 0 when there is none.
    pub lag_seconds: f64,
    /// Positions that it moved by in a second, of late.
    pub events_per_second: f64,
    /// How many streams are in quarantine.
    pub quarantined: i64,
    /// Whether this process does the work.
    pub led_here: bool,
    /// The rebuild that is under way, or that was left behind.
    pub rebuild: Option<RebuildStatus>,
}

/// How the tables of a projection that are read stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProjectionState {
    /// Not more than a batch behind the log.
    Live,
    CatchingUp,
    /// No process has the lease, so nothing moves it.
    Stopped,
    /// Of an older version than this process has; it is to be rebuilt.
    OlderVersion,
    /// Of a newer version than this process has, so this process leaves them alone.
    NewerVersion,
    /// Nothing was ever installed.
    Missing,
}

impl fmt::Display for ProjectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::CatchingUp => "catching up",
            Self::Stopped => "stopped",
            Self::OlderVersion => "older version",
            Self::NewerVersion => "newer version",
            Self::Missing => "missing",
        })
    }
}

/// How a rebuild stands.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildStatus {
    /// Whether a process is at it; else it ended early, and what it left is dropped by the next one.
    pub running: bool,
    pub version: i32,
    pub position: Position,
    pub percent: f64,
    /// Positions that it moved by in a second, of late.
    pub events_per_second: f64,
    /// `None` when a version did it that did not say.
    pub began_at: Option<DateTime<Utc>>,
    /// At the rate of late; `None` while nothing moves.
    pub seconds_left: Option<f64>,
    /// What ended it early, when there was time to say so.
    pub error: Option<String>,
}

/// A checkpoint as far as a rate goes.
#[derive(Clone, Copy)]
struct Measured {
    position: Position,
    moved_at: Option<DateTime<Utc>>,
    from: Option<(DateTime<Utc>, Position)>,
}

impl Measured {
    /// Positions in a second up to now; none when nothing has moved for longer than a large batch may take.
    fn per_second(self, now: DateTime<Utc>) -> f64 {
        let Some((since, from)) = self.from else { return 0.0 };
        if self.moved_at.is_none_or(|moved_at| now - moved_at > RATE_WINDOW * 2) {
            return 0.0;
        }
        let seconds = (now - since).as_seconds_f64();
        if seconds <= 0.0 { 0.0 } else { (self.position - from).max(0) as f64 / seconds }
    }
}

fn state(stored: Option<i32>, known: i32, led: bool, lag_events: i64) -> ProjectionState {
    match stored {
        None => ProjectionState::Missing,
        Some(stored) if stored < known => ProjectionState::OlderVersion,
        Some(stored) if stored > known => ProjectionState::NewerVersion,
        Some(_) if !led => ProjectionState::Stopped,
        Some(_) if lag_events > BATCH_EVENTS_MAX => ProjectionState::CatchingUp,
        Some(_) => ProjectionState::Live,
    }
}

/// Of all, so that nothing to do is done.
fn percent(position: Position, head: Position) -> f64 {
    if head <= 0 { 100.0 } else { (100.0 * position as f64 / head as f64).min(100.0) }
}

impl Projections {
    /// The state of every projection, as the database has it now, in order of name.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, EngineError> {
        let context = self.context();
        let versions: HashMap<&str, i32> = self.known().collect();
        let names: Vec<String> = self.known().map(|(name, _)| name.to_owned()).collect();
        let leases = |lease: Lease| self.known().map(|(name, _)| lease.name(name)).collect::<Vec<_>>();
        // An advisory lock of one 64-bit key shows as its two halves, with `objsubid` 1.
        let rows = sqlx::query!(
            r#"WITH leases AS MATERIALIZED (
                   SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
                   WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
               SELECT p.name AS "name!", live.version AS "version?", live.position AS "position?",
                      live.measured_from_at, live.measured_from_position, live.updated_at AS "updated_at?",
                      next.version AS "next_version?", next.position AS "next_position?",
                      next.measured_from_at AS next_from_at, next.measured_from_position AS next_from_position,
                      next.updated_at AS "next_updated_at?", next.began_at, next.error, head.position AS head,
                      EXISTS (SELECT FROM leases WHERE key = hashtextextended(p.work, 0)) AS "led!",
                      EXISTS (SELECT FROM leases WHERE key = hashtextextended(p.rebuild, 0)) AS "rebuilding!",
                      (SELECT e.recorded_at FROM events e WHERE e.position = coalesce(live.position, 0) + 1) AS waiting_since,
                      (SELECT count(*) FROM projection_quarantine q
                       WHERE q.projection = p.name AND q.generation = 'live') AS "quarantined!"
               FROM unnest($1::text[], $2::text[], $3::text[]) AS p (name, work, rebuild)
               CROSS JOIN log_head head
               LEFT JOIN projection_checkpoints live ON live.projection = p.name AND live.generation = 'live'
               LEFT JOIN projection_checkpoints next ON next.projection = p.name AND next.generation = 'next'
               ORDER BY p.name"#,
            &names,
            &leases(Lease::Work),
            &leases(Lease::Rebuild)
        )
        .fetch_all(context.database.pool())
        .await?;
        let now = context.clock.now();
        let statuses = rows.into_iter().map(|row| {
            let version = versions.get(row.name.as_str()).copied().unwrap_or_default();
            let position = row.position.unwrap_or(0);
            let lag_events = (row.head - position).max(0);
            let waiting = row.waiting_since.map_or(0, |since| (now - since).num_milliseconds().max(0));
            let live = Measured {
                position,
                moved_at: row.updated_at,
                from: row.measured_from_at.zip(row.measured_from_position),
            };
            let rebuild = row.next_version.zip(row.next_position).map(|(version, position)| {
                let next = Measured {
                    position,
                    moved_at: row.next_updated_at,
                    from: row.next_from_at.zip(row.next_from_position),
                };
                let rate = if row.rebuilding { next.per_second(now) } else { 0.0 };
                RebuildStatus {
                    running: row.rebuilding,
                    version,
                    position,
                    percent: percent(position, row.head),
                    events_per_second: rate,
                    began_at: row.began_at,
                    seconds_left: (rate > 0.0).then(|| (row.head - position).max(0) as f64 / rate),
                    error: if row.rebuilding { None } else { row.error },
                }
            });
            ProjectionStatus {
                state: state(row.version, version, row.led, lag_events),
                version,
                stored_version: row.version,
                position,
                head: row.head,
                lag_events,
                lag_seconds: waiting as f64 / 1_000.0,
                events_per_second: live.per_second(now),
                quarantined: row.quarantined,
                led_here: self.is_led_here(&row.name),
                rebuild,
                name: row.name,
            }
        });
        Ok(statuses.collect())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_rate_is_what_was_moved_since_and_fades_while_nothing_moves() {
        let since = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let moved_at = Some(since + TimeDelta::seconds(2));
        let measured = Measured { position: 1_500, moved_at, from: Some((since, 500)) };
        assert_eq!(measured.per_second(since + TimeDelta::seconds(2)), 500.0);
        assert_eq!(measured.per_second(since + TimeDelta::seconds(10)), 100.0);
        assert_eq!(measured.per_second(since + TimeDelta::seconds(13)), 0.0);
        // Clocks of two machines need not agree to the millisecond.
        assert_eq!(measured.per_second(since - TimeDelta::milliseconds(5)), 0.0);
        assert_eq!(Measured { position: 1_500, moved_at, from: None }.per_second(since), 0.0);
    }

    #[test]
    fn versions_come_before_leases_and_leases_before_lag() {
        for (stored, led, lag, expected) in [
            (None, true, 0, ProjectionState::Missing),
            (Some(1), true, 0, ProjectionState::OlderVersion),
            (Some(3), true, 0, ProjectionState::NewerVersion),
            (Some(2), false, 0, ProjectionState::Stopped),
            (Some(2), true, BATCH_EVENTS_MAX + 1, ProjectionState::CatchingUp),
            (Some(2), true, BATCH_EVENTS_MAX, ProjectionState::Live),
        ] {
            assert_eq!(state(stored, 2, led, lag), expected);
        }
        assert_eq!([percent(0, 0), percent(0, 4), percent(3, 4), percent(5, 4)], [100.0, 0.0, 75.0, 100.0]);
    }
}
