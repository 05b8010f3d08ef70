//! The newest events, in memory and ready to be sent. Positions have no gaps, so a place in the ring is a subtraction.

use std::collections::VecDeque;

use axum::body::Bytes;
use palaver_eventstore::{EventFilter, Position};

use super::frame::Frame;

#[derive(Debug, Default)]
pub(super) struct Ring {
    frames: VecDeque<Frame>,
    /// The position of the last frame; without one, the position after which the first will come.
    ends: Position,
    bytes: usize,
}

/// What the ring has for somebody who stands at a position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// What comes next for them is not in it any more.
    Behind,
    /// What matches, and how far it was looked for. Nothing new when that is where they stand.
    Reached { blocks: Vec<Bytes>, position: Position },
}

impl Ring {
    pub fn ends(&self) -> Position {
        self.ends
    }

    fn begins(&self) -> Position {
        self.ends - self.frames.len() as Position
    }

    /// Forgets what it holds, and goes on after `position`.
    pub fn restart(&mut self, position: Position) {
        *self = Self { ends: position, ..Self::default() };
    }

    /// Adds the event behind its last. Of what is more than it may hold the oldest goes, and the newest always stays.
    pub fn push(&mut self, frame: Frame, events_max: usize, bytes_max: usize) {
        self.ends = frame.position;
        self.bytes += frame.block.len();
        self.frames.push_back(frame);
        while self.frames.len() > events_max.max(1) || (self.bytes > bytes_max && self.frames.len() > 1) {
            let oldest = self.frames.pop_front();
            self.bytes -= oldest.map_or(0, |frame| frame.block.len());
        }
    }

    /// Blocks that match after `position`, until they are `bytes_max` or more.
    pub fn after(&self, position: Position, filter: &EventFilter, bytes_max: usize) -> Found {
        if position >= self.ends {
            return Found::Reached { blocks: Vec::new(), position };
        }
        let Ok(skipped) = usize::try_from(position - self.begins()) else { return Found::Behind };
        let (mut blocks, mut bytes, mut reached) = (Vec::new(), 0, position);
        for frame in self.frames.iter().skip(skipped) {
            reached = frame.position;
            if frame.matches(filter) {
                bytes += frame.block.len();
                blocks.push(frame.block.clone());
                if bytes >= bytes_max {
                    break;
                }
            }
        }
        Found::Reached { blocks, position: reached }
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::AccountId;

    use super::{super::frame::tests::event, *};

    fn filled(positions: std::ops::RangeInclusive<Position>, events_max: usize, bytes_max: usize) -> Ring {
        let mut ring = Ring::default();
        ring.restart(positions.start() - 1);
        positions.for_each(|position| ring.push(Frame::of(event(position), ""), events_max, bytes_max));
        ring
    }

    fn ids(found: &Found) -> (Vec<Position>, Position) {
        let Found::Reached { blocks, position } = found else { panic!("behind") };
        let id = |block: &Bytes| {
            let text = std::str::from_utf8(block).unwrap();
            text.strip_prefix("id: ").unwrap().split('\n').next().unwrap().parse().unwrap()
        };
        (blocks.iter().map(id).collect(), *position)
    }

    #[test]
    fn it_gives_what_comes_after_a_position_and_knows_what_it_has_forgotten() {
        let ring = filled(11..=40, 10, usize::MAX);
        let all = EventFilter::default();
        assert_eq!(ring.ends(), 40);
        assert_eq!(ids(&ring.after(30, &all, usize::MAX)), ((31..=40).collect(), 40));
        assert_eq!(ids(&ring.after(38, &all, usize::MAX)), (vec![39, 40], 40));
        for position in [40, 41, 1_000] {
            assert_eq!(ids(&ring.after(position, &all, usize::MAX)), (vec![], position), "nothing new");
        }
        for position in [0, 10, 29] {
            assert_eq!(ring.after(position, &all, usize::MAX), Found::Behind, "{position}");
        }
        // Not yet anything, and nothing lost.
        assert_eq!(ids(&Ring::default().after(0, &all, 1)), (vec![], 0));
    }

    #[test]
    fn a_filter_passes_over_what_is_not_wanted_and_bytes_end_a_turn() {
        let ring = filled(1..=10, 100, usize::MAX);
        let even = EventFilter { tenant: Some(AccountId::from_bytes([1; 12])), ..EventFilter::default() };
        assert_eq!(ids(&ring.after(0, &even, usize::MAX)), (vec![2, 4, 6, 8, 10], 10));
        assert_eq!(ids(&ring.after(0, &even, 1)), (vec![2], 2));
        assert_eq!(ids(&ring.after(9, &even, 1)), (vec![10], 10));
        let nobody = EventFilter { tenant: Some(AccountId::from_bytes([7; 12])), ..EventFilter::default() };
        assert_eq!(ids(&ring.after(0, &nobody, 1)), (vec![], 10), "searched to its end");
    }

    #[test]
    fn it_is_bounded_in_bytes_and_keeps_the_newest() {
        let one = Frame::of(event(11), "").block.len();
        let ring = filled(11..=40, 100, 3 * one);
        assert!(ring.bytes <= 3 * one && ring.frames.len() == 3, "{} bytes", ring.bytes);
        assert_eq!(filled(11..=40, 100, 1).frames.len(), 1);
        let mut ring = filled(11..=40, 100, usize::MAX);
        ring.restart(90);
        assert_eq!((ring.bytes, ring.ends(), ring.frames.len()), (0, 90, 0));
        assert_eq!(ring.after(40, &EventFilter::default(), 1), Found::Behind);
    }
}
