//! Frames that have been written but may still turn out lost: how many, and since when. The frames themselves are in the
//! outbox, which gives them again when the link breaks before enough time has passed without an error.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Frames written within so long are confirmed together: what bounds the memory of a busy link to a few hundred rows.
const TOGETHER: Duration = Duration::from_millis(100);

/// Written frames, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    rows: VecDeque<Row>,
    /// Of all rows.
    count: usize,
    confirms_after: Duration,
}

#[derive(Debug)]
struct Row {
    first: Instant,
    last: Instant,
    count: usize,
}

impl Window {
    pub(super) fn new(confirms_after: Duration) -> Self {
        Self { rows: VecDeque::new(), count: 0, confirms_after }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Frames that were written and not confirmed.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// When the oldest of them was written.
    pub(super) fn first(&self) -> Option<Instant> {
        self.rows.front().map(|row| row.first)
    }

    /// The next frame has been written.
    pub(super) fn written(&mut self, now: Instant) {
        self.count += 1;
        match self.rows.back_mut().filter(|row| now.saturating_duration_since(row.first) < TOGETHER) {
            Some(row) => (row.last, row.count) = (now, row.count + 1),
            None => self.rows.push_back(Row { first: now, last: now, count: 1 }),
        }
    }

    /// The link broke: none of them counts as received.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.count = 0;
    }

    /// When the oldest frames will count as received, if any were written.
    pub(super) fn next_confirmation(&self) -> Option<Instant> {
        self.rows.front().map(|row| row.last + self.confirms_after)
    }

    /// Lets go of what counts as received by now; returns how many.
    pub(super) fn confirm(&mut self, now: Instant) -> usize {
        let mut confirmed = 0;
        while self.next_confirmation().is_some_and(|due| due <= now)
            && let Some(row) = self.rows.pop_front()
        {
            confirmed += row.count;
        }
        self.count -= confirmed;
        confirmed
    }

    /// Lets go of the oldest `count`.
    pub(super) fn take(&mut self, mut count: usize) {
        while let Some(row) = self.rows.front_mut().filter(|_| count > 0) {
            let taken = count.min(row.count);
            (row.count, count) = (row.count - taken, count - taken);
            self.count -= taken;
            if row.count == 0 {
                self.rows.pop_front();
            }
        }
    }

    /// How many of the oldest were written so long ago.
    pub(super) fn older_than(&self, age: Duration, now: Instant) -> usize {
        let is_old = |row: &&Row| row.last + age <= now;
        self.rows.iter().take_while(is_old).map(|row| row.count).sum()
    }

    /// Lets go of all of it: the receiver has said that it read everything. Returns how many.
    pub(super) fn confirm_all(&mut self) -> usize {
        self.rows.clear();
        std::mem::take(&mut self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(30);

    #[test]
    fn confirms_by_age() {
        let start = Instant::now();
        let mut window = Window::new(AFTER);
        assert_eq!(window.next_confirmation(), None);
        window.written(start);
        window.written(start + Duration::from_secs(1));
        assert_eq!(window.confirm(start + AFTER - Duration::from_millis(1)), 0);
        assert_eq!(window.confirm(start + AFTER), 1);
        assert_eq!(window.confirm_all(), 1);
        assert!(window.is_empty());
    }

    #[test]
    fn none_is_confirmed_before_its_own_time_by_those_written_with_it() {
        let start = Instant::now();
        let mut window = Window::new(AFTER);
        window.written(start);
        window.written(start + TOGETHER / 2);
        assert_eq!(window.confirm(start + AFTER), 0);
        assert_eq!(window.older_than(AFTER / 2, start + AFTER / 2), 0);
        assert_eq!(window.older_than(AFTER / 2, start + AFTER), 2);
        assert_eq!(window.confirm(start + AFTER + TOGETHER / 2), 2);
    }

    #[test]
    fn takes_those_that_are_proven_and_leaves_the_rest() {
        let start = Instant::now();
        let mut window = Window::new(AFTER);
        for frame in 0..5 {
            window.written(start + TOGETHER / 2 * frame);
        }
        window.take(3);
        assert_eq!((window.len(), window.first()), (2, Some(start + TOGETHER)));
        window.take(9);
        assert!(window.is_empty() && window.first().is_none());
    }

    #[test]
    fn a_busy_link_takes_few_rows() {
        let start = Instant::now();
        let mut window = Window::new(AFTER);
        let frames = 5_000 * 30;
        for frame in 0..frames {
            window.written(start + AFTER / frames * frame);
        }
        assert!(window.rows.len() <= 301, "{}", window.rows.len());
        assert_eq!(window.confirm_all(), frames as usize);
    }

    #[test]
    fn a_broken_link_confirms_nothing() {
        let start = Instant::now();
        let mut window = Window::new(Duration::ZERO);
        window.written(start);
        window.clear();
        assert_eq!(window.confirm(start + AFTER), 0);
    }
}
