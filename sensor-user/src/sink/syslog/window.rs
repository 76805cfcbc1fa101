//! Frames that have been written but may still turn out lost: kept until enough time has passed
//! without an error, sent again when the link breaks before.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// Frames kept at most; of some 3 KiB usually, [`FRAME_MAX`](super::FRAME_MAX) at most, so 8 MB. At
/// more than 34 alerts a second over TCP (this many in the time it takes to confirm one) the oldest
/// count as received a little early.
pub(super) const WINDOW_MAX: usize = 1024;

/// Frames in the order in which they are to arrive.
#[derive(Debug)]
pub(super) struct Window {
    frames: VecDeque<Pending>,
    confirms_after: Duration,
}

#[derive(Debug)]
struct Pending {
    frame: Bytes,
    /// On the present link; none: not written to it yet.
    written: Option<Instant>,
}

impl Window {
    pub(super) fn new(confirms_after: Duration) -> Self {
        Self { frames: VecDeque::new(), confirms_after }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes one more frame, still to be written. Returns how many left as received to make room.
    pub(super) fn push(&mut self, frame: Bytes) -> u64 {
        let full = self.frames.len() >= WINDOW_MAX;
        if full {
            self.frames.pop_front();
        }
        self.frames.push_back(Pending { frame, written: None });
        u64::from(full)
    }

    /// The first frame that is still to be written to the present link.
    pub(super) fn next(&self) -> Option<Bytes> {
        self.frames.iter().find(|pending| pending.written.is_none()).map(|pending| pending.frame.clone())
    }

    /// What [`Window::next`] returned has been written.
    pub(super) fn written(&mut self, now: Instant) {
        if let Some(pending) = self.frames.iter_mut().find(|pending| pending.written.is_none()) {
            pending.written = Some(now);
        }
    }

    /// What [`Window::next`] returned can never be written.
    pub(super) fn give_up(&mut self) {
        if let Some(index) = self.frames.iter().position(|pending| pending.written.is_none()) {
            self.frames.remove(index);
        }
    }

    /// The link broke: everything here is to be written again, in the same order.
    pub(super) fn rewind(&mut self) {
        self.frames.iter_mut().for_each(|pending| pending.written = None);
    }

    /// When the oldest frame will count as received, if it has been written.
    pub(super) fn next_confirmation(&self) -> Option<Instant> {
        self.frames.front()?.written.map(|written| written + self.confirms_after)
    }

    /// Lets go of what counts as received by now; returns how many.
    pub(super) fn confirm(&mut self, now: Instant) -> u64 {
        let mut confirmed = 0;
        while self.next_confirmation().is_some_and(|due| due <= now) {
            self.frames.pop_front();
            confirmed += 1;
        }
        confirmed
    }

    /// Lets go of all of it: the receiver has said that it read everything. Returns how many.
    pub(super) fn confirm_all(&mut self) -> u64 {
        let confirmed = self.frames.len() as u64;
        self.frames.clear();
        confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: usize) -> Bytes {
        Bytes::from(number.to_string())
    }

    #[test]
    fn keeps_order_over_a_broken_link() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(30));
        for number in 0..3 {
            assert_eq!(window.push(frame(number)), 0);
        }
        assert_eq!(window.next(), Some(frame(0)));
        window.written(start);
        window.written(start);
        assert_eq!(window.next(), Some(frame(2)));
        window.rewind();
        assert_eq!(window.next(), Some(frame(0)));
        assert_eq!(window.next_confirmation(), None);
    }

    #[test]
    fn confirms_by_age_only_what_was_written() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(30));
        window.push(frame(0));
        window.push(frame(1));
        window.written(start);
        assert_eq!(window.confirm(start + Duration::from_secs(29)), 0);
        assert_eq!(window.confirm(start + Duration::from_secs(30)), 1);
        assert_eq!(window.confirm(start + Duration::from_secs(3_000)), 0);
        window.give_up();
        assert!(window.is_empty());
    }

    #[test]
    fn is_bounded() {
        let mut window = Window::new(Duration::ZERO);
        let left: u64 = (0..WINDOW_MAX + 5).map(|number| window.push(frame(number))).sum();
        assert_eq!(left, 5);
        assert_eq!(window.next(), Some(frame(5)));
        assert_eq!(window.confirm_all(), WINDOW_MAX as u64);
    }
}
