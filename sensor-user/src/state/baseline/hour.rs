//! How much each container sent to each destination in an hour.

use std::time::Duration;

use rustc_hash::FxHashMap;

/// The window: a backup or a report that runs every hour is in every window.
pub const HOUR: Duration = Duration::from_secs(3600);

/// Most pairs of container and destination: 100 destinations of each of 160 containers. Beyond it, once those whose hour is
/// over are gone, nothing is known of a new pair, which is counted.
const PAIRS_MAX: usize = 16_384;

/// Bytes by container and destination. An hour begins with the first byte, not with the clock's.
#[derive(Debug, Default)]
pub struct Hours {
    pairs: FxHashMap<(String, String), Window>,
    dropped: u64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Nanoseconds.
    began: u64,
    sent: u64,
}

impl Window {
    fn is_over(self, now: u64) -> bool {
        u128::from(now.saturating_sub(self.began)) >= HOUR.as_nanos()
    }
}

impl Hours {
    /// Adds bytes; returns those of the hour, unless there is no room to count them.
    pub fn add(&mut self, container: &str, destination: String, bytes: u64, now: u64) -> Option<u64> {
        let pair = (container.to_owned(), destination);
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&pair) {
            self.pairs.retain(|_, window| !window.is_over(now));
            if self.pairs.len() >= PAIRS_MAX {
                self.dropped += 1;
                return None;
            }
        }
        let window = self.pairs.entry(pair).or_insert(Window { began: now, sent: 0 });
        if window.is_over(now) {
            *window = Window { began: now, sent: 0 };
        }
        window.sent = window.sent.saturating_add(bytes);
        Some(window.sent)
    }

    /// How often there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_for_an_hour_from_the_first() {
        let hour = u64::try_from(HOUR.as_nanos()).unwrap();
        let mut hours = Hours::default();
        let mut add = |container, bytes, now| hours.add(container, "d:1".to_owned(), bytes, now).unwrap();
        assert_eq!(add("a", 10, 5), 10);
        assert_eq!(add("b", 1, 6), 1);
        assert_eq!(add("a", 5, hour + 4), 15);
        assert_eq!(add("a", 5, hour + 5), 5);
    }

    #[test]
    fn a_full_table_forgets_hours_that_are_over_and_counts_the_rest() {
        let hour = u64::try_from(HOUR.as_nanos()).unwrap();
        let mut hours = Hours::default();
        for number in 0..PAIRS_MAX {
            assert!(hours.add("a", number.to_string(), 1, 0).is_some());
        }
        assert_eq!(hours.add("b", "x".to_owned(), 1, 1), None);
        assert_eq!(hours.add("a", "7".to_owned(), 1, 1), Some(2));
        assert_eq!(hours.dropped(), 1);
        assert_eq!(hours.add("b", "x".to_owned(), 1, hour), Some(1));
    }
}
