//! How somebody says when: by a place in the log, a place in the stream, or a time.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};

use crate::{Position, RecordedEvent, Sequence};

/// A moment in the life of a stream.
///
/// A time is compared with the times at which events were decided, which is what everybody is shown. They come from the
/// clocks of several processes and need not rise along the stream, but its order is what counts; so the state at a time is
/// the one after the last event that was decided by then, with all that stands before it. Times are often shown to the
/// millisecond, so one that says no more includes all of its millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Sequence(Sequence),
    Position(Position),
    Time(DateTime<Utc>),
}

impl Moment {
    /// When everything has happened that has.
    pub const END: Self = Self::Sequence(Sequence::MAX);
    /// Before anything has.
    pub const BEGINNING: Self = Self::Sequence(0);

    /// Whether the event had happened by then.
    pub fn includes(&self, event: &RecordedEvent) -> bool {
        match self {
            Self::Sequence(sequence) => event.sequence <= *sequence,
            Self::Position(position) => event.position <= *position,
            Self::Time(time) => event.metadata.time <= with_its_millisecond(*time),
        }
    }

    /// Whether no event from this one on can have happened by then.
    pub(super) fn is_passed_by(&self, event: &RecordedEvent) -> bool {
        !matches!(self, Self::Time(_)) && !self.includes(event)
    }
}

fn with_its_millisecond(time: DateTime<Utc>) -> DateTime<Utc> {
    if time.trunc_subsecs(3) != time {
        return time;
    }
    time.checked_add_signed(TimeDelta::nanoseconds(999_999)).unwrap_or(time)
}

/// The text names no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a position, such as 42, nor a sequence, such as #7, nor a time, such as 2031-05-01T10:00:00Z")]
pub struct InvalidMoment;

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let whole = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain).ok_or(InvalidMoment)
        };
        if let Some(digits) = text.strip_prefix('#') {
            return whole(digits).map(Self::Sequence);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return whole(text).map(Self::Position);
        }
        DateTime::parse_from_rfc3339(text).map(|time| Self::Time(time.to_utc())).map_err(|_| InvalidMoment)
    }
}

/// As it is read.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => write!(f, "#{sequence}"),
            Self::Position(position) => write!(f, "{position}"),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_written() {
        for (text, moment) in [
            ("0", Moment::Position(0)),
            ("42", Moment::Position(42)),
            ("#7", Moment::Sequence(7)),
            ("2031-05-01T10:00:00Z", Moment::Time("2031-05-01T10:00:00Z".parse().unwrap())),
            ("2031-05-01T10:00:00.000001Z", Moment::Time("2031-05-01T10:00:00.000001Z".parse().unwrap())),
        ] {
            assert_eq!((text.parse(), moment.to_string()), (Ok(moment), text.to_owned()));
        }
        assert_eq!("2031-05-01T12:00:00+02:00".parse::<Moment>(), "2031-05-01T10:00:00Z".parse());
        for text in
            ["", "#", "-1", "+1", "#-1", "1.5", "now", "2031-05-01", "99999999999999999999", "2031-05-01T10:00:00"]
        {
            assert_eq!(text.parse::<Moment>(), Err(InvalidMoment), "{text:?}");
        }
    }

    #[test]
    fn a_time_includes_its_millisecond_unless_it_says_more() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(with_its_millisecond(time("2031-05-01T10:00:00.123Z")), time("2031-05-01T10:00:00.123999999Z"));
        assert_eq!(with_its_millisecond(time("2031-05-01T10:00:00Z")), time("2031-05-01T10:00:00.000999999Z"));
        assert_eq!(with_its_millisecond(time("2031-05-01T10:00:00.123456Z")), time("2031-05-01T10:00:00.123456Z"));
        assert_eq!(with_its_millisecond(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MAX_UTC);
    }
}
