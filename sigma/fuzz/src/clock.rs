//! How long a case may take, in CPU time of its thread: what other processes do to the machine does not count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The longest that any case has taken, nanoseconds.
pub static LONGEST: AtomicU64 = AtomicU64::new(0);

/// Attempts of which the quickest counts: a page fault or a cold cache strikes once, a slow engine each time.
const ATTEMPTS: u32 = 3;

/// The bound of one call of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    bound: Duration,
    /// Whether a new longest case is told on standard error.
    tell: bool,
}

impl Clock {
    /// For an optimised build. The fuzzer's instrumentation and overflow checks make the engine two to three
    /// times slower than users have it, and no allowance is made for that.
    pub const OPTIMISED: Self = Self { bound: Duration::from_millis(100), tell: true };

    /// For an unoptimised build, which is some twenty times slower.
    pub const UNOPTIMISED: Self = Self { bound: Duration::from_secs(2), tell: false };

    /// Does `work`, again where it took too long.
    ///
    /// # Panics
    /// Where every attempt took longer than the bound.
    pub fn time<T>(self, what: &str, mut work: impl FnMut() -> T) -> T {
        let mut quickest = Duration::MAX;
        let mut attempt = 0;
        loop {
            let start = now();
            let done = work();
            quickest = quickest.min(now().saturating_sub(start));
            attempt += 1;
            if quickest <= self.bound {
                self.note(what, quickest);
                return done;
            }
            assert!(
                attempt < ATTEMPTS,
                "{what} took {quickest:?} of CPU time, the bound is {:?}",
                self.bound
            );
        }
    }

    /// Does `work` that cannot be done again.
    ///
    /// # Panics
    /// Where it took longer than the bound.
    pub fn once<T>(self, what: &str, work: impl FnOnce() -> T) -> T {
        let start = now();
        let done = work();
        let took = now().saturating_sub(start);
        assert!(took <= self.bound, "{what} took {took:?} of CPU time, the bound is {:?}", self.bound);
        self.note(what, took);
        done
    }

    fn note(self, what: &str, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let before = LONGEST.fetch_max(took, Ordering::Relaxed);
        if self.tell && took > before {
            eprintln!("longest: {}.{:03} ms ({what})", took / 1_000_000, took / 1_000 % 1_000);
        }
    }
}

/// CPU time of this thread since it began.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
