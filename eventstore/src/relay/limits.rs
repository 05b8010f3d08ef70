//! The limits of the relay, in one place.

use std::time::Duration;

/// Events on their way that the stream has not confirmed. More would only wait in the server.
pub const WINDOW_EVENTS_MAX: usize = 8_192;
/// Bytes of them.
pub const WINDOW_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Events that are handed over together from reading to publishing.
pub const CHUNK_EVENTS_MAX: usize = 256;
/// Chunks that are read ahead.
pub const CHUNKS_AHEAD_MAX: usize = 8;
/// How long the stream may leave an event unconfirmed, or the connection take none.
pub const CONFIRM_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long NATS may take to accept a connection, or to answer a question.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the database may take to write a checkpoint.
pub const CHECKPOINT_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often the checkpoint is written while events flow.
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(200);
/// How often a leader that has nothing to do makes sure that it still is the leader.
pub const LEASE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How often somebody who does not lead asks whether the lease is free.
pub const LEASE_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// The first pause after an error; doubled each time.
pub const BACKOFF_MIN: Duration = Duration::from_millis(100);
pub const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Messages of others at the end of the stream that are passed over in search of the last event.
pub const STRAYS_MAX: u64 = 1_000;
/// Bytes that a message needs besides its CloudEvent: subject and headers.
pub const ENVELOPE_BYTES_MAX: usize = 2_048;
/// Bytes of a message that every server takes, unless it says otherwise.
pub const MESSAGE_BYTES_DEFAULT: usize = 1_024 * 1_024;
/// Consumers that a report names.
pub const REPORTED_CONSUMERS_MAX: usize = 256;
