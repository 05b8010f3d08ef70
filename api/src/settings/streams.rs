//! Settings of the event streams over HTTP.

use std::{ops::RangeInclusive, time::Duration};

use super::{Check, Given};
use crate::events::{StreamLimits, StreamSettings};

/// A process takes as many connections, and something must be left for requests.
const STREAMS_BOUNDS: RangeInclusive<u64> = 1..=8_000;

pub(super) mod default {
    pub const EVENT_STREAMS_MAX: u64 = 2_000;
    pub const EVENT_STREAMS_PER_TENANT: u64 = 500;
    pub const EVENT_STREAMS_PER_CREDENTIAL: u64 = 50;
    pub const EVENT_STREAM_HEARTBEAT_MS: u64 = 15_000;
}

impl Given {
    pub(super) fn event_streams(&self, check: &mut Check) -> StreamSettings {
        let mut limit = |name, given, default| check.number(name, given, default, STREAMS_BOUNDS);
        let limits = StreamLimits {
            all: limit("event_streams_max", self.event_streams_max, default::EVENT_STREAMS_MAX),
            per_tenant: limit(
                "event_streams_per_tenant",
                self.event_streams_per_tenant,
                default::EVENT_STREAMS_PER_TENANT,
            ),
            per_credential: limit(
                "event_streams_per_credential",
                self.event_streams_per_credential,
                default::EVENT_STREAMS_PER_CREDENTIAL,
            ),
        };
        let heartbeat = check.number(
            "event_stream_heartbeat_ms",
            self.event_stream_heartbeat_ms,
            default::EVENT_STREAM_HEARTBEAT_MS,
            100..=300_000,
        );
        StreamSettings { limits, heartbeat: Duration::from_millis(heartbeat) }
    }
}
