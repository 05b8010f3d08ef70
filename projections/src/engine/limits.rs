//! The limits of the engine, in one place.

use std::time::Duration;

use chrono::TimeDelta;

/// Positions that one batch moves a live projection by.
pub const BATCH_EVENTS_MAX: i64 = 500;
/// Positions that one batch moves a rebuild by.
pub const REBUILD_BATCH_EVENTS_MAX: i64 = 2_000;
/// How far behind a rebuild may be when it stops the live projection to take over.
pub const TAKEOVER_EVENTS_MAX: i64 = 500;
/// How long a takeover waits for readers to leave the old tables, at its first try; at each other, as much longer.
/// Readers queue behind it for this long at most.
pub const TAKEOVER_LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// What that comes to at most. It must stay well below PostgreSQL's `deadlock_timeout` (1 s), so that a takeover gives way
/// before a reader is hurt; and a reader that holds one table and waits for another never lets go in any time.
pub const TAKEOVER_LOCK_TIMEOUT_MAX: Duration = Duration::from_millis(300);
/// Takeovers tried before a rebuild gives up.
pub const TAKEOVER_TRIES_MAX: u32 = 600;
/// Between two tries of a takeover, while the live projection goes on.
pub const TAKEOVER_RETRY_INTERVAL: Duration = Duration::from_millis(200);
/// How often somebody who does not lead asks whether the lease is free.
pub const LEASE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// How often a worker asks for the head when nobody wakes it.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often a waiting reader asks for the checkpoint of a projection that another process leads.
pub const WAIT_POLL_INTERVAL: Duration = Duration::from_millis(15);
/// The same when this process leads it, in case a wake-up is missed.
pub const WAIT_POLL_INTERVAL_LED_HERE: Duration = Duration::from_millis(250);
/// The first pause after an error; doubled each time.
pub const BACKOFF_MIN: Duration = Duration::from_millis(100);
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a transaction of a worker may stand still before PostgreSQL ends it, and with it the lease.
pub const IDLE_IN_TRANSACTION_SECONDS_MAX: u32 = 60;
/// How often a rebuild tells how far it is.
pub const REBUILD_PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// Characters of an error kept in quarantine.
pub const QUARANTINE_ERROR_CHARS_MAX: usize = 2_000;
/// Rows that a replay shows of each kind of difference in each table, unless told otherwise.
pub const REPLAY_SHOWN_DEFAULT: u32 = 20;
pub const REPLAY_SHOWN_MAX: u32 = 1_000;
/// Fields that a replay shows of one row.
pub const REPLAY_FIELDS_MAX: usize = 50;
/// Characters that a replay shows of one value.
pub const REPLAY_VALUE_CHARS_MAX: usize = 1_000;
/// How far back the rate of a projection is measured, at least while it moves.
pub const RATE_WINDOW: TimeDelta = TimeDelta::seconds(5);
/// Streams of one page of the quarantine.
pub const QUARANTINE_PAGE_MAX: i64 = 500;
/// Events that are shown of those which wait behind the one that failed.
pub const QUARANTINE_WAITING_SHOWN_MAX: i64 = 20;
