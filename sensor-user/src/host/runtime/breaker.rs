//! A circuit breaker: a socket that failed a few times in a row is left alone for a while, then tried with a
//! single question.

use std::time::{Duration, Instant};

/// Failures in a row after which it opens: one may be chance, and each costs a second of waiting at most.
const FAILURES_MAX: u32 = 3;
/// How long it stays open before the next trial.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    /// Open: when the next trial is due.
    retry_at: Option<Instant>,
    /// A trial is under way.
    is_trying: bool,
}

impl Breaker {
    /// Whether a question may be asked at `now`. One that may must be reported back.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let Some(retry_at) = self.retry_at else { return true };
        let is_admitted = now >= retry_at && !self.is_trying;
        self.is_trying |= is_admitted;
        is_admitted
    }

    /// A question failed. True: with it the breaker opened, which is news.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_MAX {
            return false;
        }
        let is_news = self.retry_at.is_none();
        // Of several that were open together the later ones tell nothing new.
        if is_news || self.is_trying {
            self.retry_at = Some(now + PAUSE);
        }
        self.is_trying = false;
        is_news
    }

    /// A question was answered. True: with it the breaker closed, which is news.
    pub(super) fn succeeded(&mut self) -> bool {
        std::mem::take(self).retry_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_once_after_a_pause() {
        let mut breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..FAILURES_MAX - 1 {
            assert!(breaker.admits(start) && !breaker.failed(start));
        }
        assert!(breaker.admits(start) && !breaker.succeeded(), "it was never open: no news");
        let news: Vec<bool> = (0..FAILURES_MAX + 2).map(|_| breaker.failed(start)).collect();
        assert_eq!(news, [false, false, true, false, false], "told once");
        assert!(!breaker.admits(start + PAUSE / 2));

        let later = start + PAUSE;
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later), "one trial at a time");
        assert!(!breaker.failed(later), "told before");
        assert!(!breaker.admits(later + PAUSE / 2));
        assert!(breaker.admits(later + PAUSE));
        assert!(breaker.succeeded(), "works again: told once");
        assert!(breaker.admits(later + PAUSE) && !breaker.succeeded());
    }
}
