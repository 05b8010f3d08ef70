//! The limits of the log, in one place.

use std::time::Duration;

/// Appends waiting for the appender, unless configured otherwise. More are refused, not queued.
pub const QUEUE_APPENDS_MAX: usize = 4_096;
/// KiB of payload and metadata waiting for the appender.
pub const QUEUE_KIB_MAX: usize = 64 * 1_024;
/// Events that one batch of the appender takes, unless a single append is larger.
pub const BATCH_EVENTS_MAX: usize = 2_000;
/// Appends that one batch leaves for the next because their stream is taken.
pub const BATCH_DEFERRED_MAX: usize = 2_000;
/// Events of one append.
pub const APPEND_EVENTS_MAX: usize = 1_000;
/// KiB of payload and metadata of one append.
pub const APPEND_KIB_MAX: usize = 4 * 1_024;
/// Tries of one batch against a database that comes and goes.
pub const BATCH_TRIES_MAX: u32 = 6;
/// How long a batch waits for the database's answer: longer than the database lets the statement run, so silence after
/// that means that the connection is gone.
pub const BATCH_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two tries of a batch; doubled each time.
pub const BATCH_RETRY_DELAY: Duration = Duration::from_millis(100);
/// Events of one page of a read.
pub const READ_PAGE_EVENTS_MAX: i64 = 1_000;
/// How often the head is asked for when no notification comes.
pub const HEAD_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The least time between two notifications to other processes.
pub const NOTIFY_INTERVAL: Duration = Duration::from_millis(10);
/// Aggregates kept in memory.
pub const AGGREGATES_CACHED_MAX: u64 = 20_000;
/// A snapshot is written each time a stream passes a multiple of this.
pub const SNAPSHOT_EVERY_EVENTS: i64 = 100;
/// Bytes of rows that are gathered before they are sent, when events are taken into an empty log.
pub const TRANSFER_CHUNK_BYTES: usize = 1_024 * 1_024;
/// Events of one page of a timeline, each of which also makes states.
pub const TIMELINE_PAGE_EVENTS: i64 = 500;
