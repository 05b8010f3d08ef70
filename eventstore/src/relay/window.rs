//! The events that are on their way to the stream, and how far they are confirmed without a gap.

use std::collections::VecDeque;

use crate::Position;

/// An event is confirmed on its own, but counts as relayed only when all before it are.
#[derive(Debug)]
pub(super) struct Window {
    /// Everything up to here is confirmed.
    confirmed: Position,
    on_the_way: VecDeque<Slot>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    bytes: usize,
    confirmed: bool,
}

impl Window {
    pub fn new(confirmed: Position) -> Self {
        Self { confirmed, on_the_way: VecDeque::new(), bytes: 0 }
    }

    /// The next event, directly behind the one before, was sent.
    pub fn sent(&mut self, bytes: usize) {
        self.on_the_way.push_back(Slot { bytes, confirmed: false });
        self.bytes += bytes;
    }

    /// The event at `position` is in the stream. Whether it was on its way at all.
    pub fn confirm(&mut self, position: Position) -> bool {
        let slot = position.checked_sub(self.confirmed + 1).and_then(|index| usize::try_from(index).ok());
        let Some(slot) = slot.and_then(|index| self.on_the_way.get_mut(index)) else { return false };
        slot.confirmed = true;
        while let Some(&Slot { bytes, confirmed: true }) = self.on_the_way.front() {
            self.on_the_way.pop_front();
            self.confirmed += 1;
            self.bytes -= bytes;
        }
        true
    }

    /// Everything up to here is confirmed.
    pub fn confirmed(&self) -> Position {
        self.confirmed
    }

    pub fn events(&self) -> usize {
        self.on_the_way.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_not_sent_is_not_confirmed() {
        let mut window = Window::new(10);
        assert!(!window.confirm(11));
        window.sent(5);
        assert!(!window.confirm(10) && !window.confirm(12) && !window.confirm(i64::MIN));
        assert!(window.confirm(11));
        assert_eq!((window.confirmed(), window.events(), window.bytes()), (11, 0, 0));
    }

    proptest! {
        #[test]
        fn the_confirmed_are_all_before_the_first_that_is_not(
            order in Just((1..=50_i64).collect::<Vec<_>>()).prop_shuffle(),
            confirmed in 0..50_usize,
        ) {
            let mut window = Window::new(0);
            (0..50).for_each(|_| window.sent(1));
            let (answered, silent) = order.split_at(confirmed);
            for &position in answered {
                prop_assert!(window.confirm(position));
            }
            let first_silent = silent.iter().min().copied().unwrap_or(51);
            prop_assert_eq!(window.confirmed(), first_silent - 1);
            prop_assert_eq!(window.bytes(), usize::try_from(51 - first_silent).unwrap());
        }
    }
}
