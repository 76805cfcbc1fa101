//! What rules cost: counted exactly, timed in samples, held against a budget.
//!
//! The engine keeps no clock; the host lends it one. Without one no time is taken.

use super::rule::RuleIndex;

/// One evaluation in this many is timed, on average. Reading a clock takes about as long as running a rule; like
/// this all of it together stays near one part in a hundred.
const SAMPLED: u64 = 64;
/// Longest that a rule may take for one record, on average, nanoseconds. All public rules together take a tenth
/// of it. A rule that takes more holds up every record that is behind it.
const MEAN_MAX: u64 = 50_000;
/// Largest part of a core that one rule may take, in thousandths. A hundred such rules would take the core.
const SHARE_MAX: u64 = 10;
/// Timed runs before anything is said of a rule. One run that the kernel put aside for some milliseconds would
/// pass for many slow ones; among sixteen it cannot reach the budget of a minute.
const SAMPLES_MIN: u64 = 16;

/// Nanoseconds since any fixed moment. One that counts the thread's own CPU time is not misled by other programs.
pub type Clock = fn() -> u64;

/// Of one rule, since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Records that it was a candidate of: its condition was gone through. One that is evaluated again, since a
    /// field of it was pending, counts again.
    pub runs: u64,
    pub matches: u64,
    /// Matches that a filter kept back.
    pub suppressed: u64,
    /// Nanoseconds, extrapolated from a sample of the runs; with its filters, and with what it was the first to
    /// ask of the record.
    pub time: u64,
    /// Runs in that sample.
    pub sampled: u64,
}

impl Cost {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            runs: self.runs.saturating_sub(before.runs),
            matches: self.matches.saturating_sub(before.matches),
            suppressed: self.suppressed.saturating_sub(before.suppressed),
            time: self.time.saturating_sub(before.time),
            sampled: self.sampled.saturating_sub(before.sampled),
        }
    }

    /// Nanoseconds that a run takes on average, as far as the sample tells; none before any was timed.
    #[must_use]
    pub fn mean(&self) -> Option<u64> {
        // A run is timed, or it is not: the sample need not have the part of the runs that is meant.
        (self.time / SAMPLED).checked_div(self.sampled)
    }

    fn add_time(&mut self, time: Option<u64>) {
        if let Some(time) = time {
            self.time = self.time.saturating_add(time.saturating_mul(SAMPLED));
            self.sampled += 1;
        }
    }
}

/// A rule that takes more than its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    pub rule: RuleIndex,
    /// Nanoseconds a run, on average.
    pub mean: u64,
    /// Thousandths of a core.
    pub share: u64,
}

/// The rules over budget between two snapshots of [`Engine::costs`](super::Engine::costs), `elapsed` nanoseconds
/// apart: those whose runs take more than 50 µs on average, or that take more than 1 % of a core. The
/// most expensive first. A minute is a good window; in much less the samples say little.
#[must_use]
pub fn over_budget(before: &[Cost], after: &[Cost], elapsed: u64) -> Vec<Excess> {
    let mut excesses: Vec<Excess> = (0..)
        .map(RuleIndex)
        .zip(after)
        .filter_map(|(rule, after)| {
            let earlier = before.get(rule.0 as usize).copied().unwrap_or_default();
            let cost = after.since(&earlier);
            let mean = cost.mean().unwrap_or(0);
            let share = cost.time.saturating_mul(1_000).checked_div(elapsed).unwrap_or(0);
            let over = cost.sampled >= SAMPLES_MIN && (mean > MEAN_MAX || share > SHARE_MAX);
            over.then_some(Excess { rule, mean, share })
        })
        .collect();
    excesses.sort_by_key(|excess| std::cmp::Reverse((excess.share, excess.mean)));
    excesses
}

/// Counts and times of the rules of one engine.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// By rule.
    rules: Vec<Cost>,
    scan: Cost,
    clock: Option<Clock>,
    /// Evaluations until the next that is timed.
    wait: u64,
    /// Of the waiting times, so that no rhythm of the records hides in the samples.
    state: u64,
}

/// What became of a rule that ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    Matched,
    Suppressed,
}

/// The time of one evaluation, part by part.
pub(super) struct Stopwatch {
    clock: Clock,
    last: u64,
}

impl Stopwatch {
    /// Nanoseconds since the last part ended.
    fn lap(&mut self) -> u64 {
        let now = (self.clock)();
        now.saturating_sub(std::mem::replace(&mut self.last, now))
    }
}

impl Meter {
    pub(super) fn new(rules: usize) -> Self {
        Self { rules: vec![Cost::default(); rules], ..Self::default() }
    }

    pub(super) fn set_clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
    }

    pub(super) fn rules(&self) -> &[Cost] {
        &self.rules
    }

    pub(super) fn scan(&self) -> Cost {
        self.scan
    }

    /// Other rules take over: `rules` of them, those that `successor` names with the costs they had.
    pub(super) fn replace(&mut self, rules: usize, successor: impl Fn(RuleIndex) -> Option<RuleIndex>) {
        let mut costs = vec![Cost::default(); rules];
        for (index, cost) in (0..).map(RuleIndex).zip(&self.rules) {
            if let Some(place) = successor(index).and_then(|new| costs.get_mut(new.0 as usize)) {
                *place = *cost;
            }
        }
        self.rules = costs;
    }

    /// Starts an evaluation; with a stopwatch, if it is one of the sample.
    pub(super) fn start(&mut self) -> Option<Stopwatch> {
        self.scan.runs += 1;
        let clock = self.clock?;
        if let Some(wait) = self.wait.checked_sub(1) {
            self.wait = wait;
            return None;
        }
        // A linear congruential generator (Knuth's constants); its upper bits are the better ones.
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Waiting for 0 to 126 others is one in 64, on average.
        self.wait = (self.state >> 33) % (2 * SAMPLED - 1);
        Some(Stopwatch { clock, last: clock() })
    }

    /// The fields were read and the candidates are known.
    pub(super) fn scanned(&mut self, watch: Option<&mut Stopwatch>) {
        self.scan.add_time(watch.map(Stopwatch::lap));
    }

    pub(super) fn ran(&mut self, rule: RuleIndex, outcome: Outcome, watch: Option<&mut Stopwatch>) {
        let Some(cost) = self.rules.get_mut(rule.0 as usize) else { return };
        cost.runs += 1;
        for cost in [cost, &mut self.scan] {
            cost.matches += u64::from(outcome == Outcome::Matched);
            cost.suppressed += u64::from(outcome == Outcome::Suppressed);
        }
        if let (Some(watch), Some(cost)) = (watch, self.rules.get_mut(rule.0 as usize)) {
            cost.add_time(Some(watch.lap()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Excess, MEAN_MAX, Meter, Outcome, SAMPLED, SAMPLES_MIN, over_budget};
    use crate::RuleIndex;

    const MINUTE: u64 = 60_000_000_000;

    fn cost(sampled: u64, mean: u64) -> Cost {
        Cost { runs: sampled * SAMPLED, time: sampled * mean * SAMPLED, sampled, ..Cost::default() }
    }

    #[test]
    fn rules_over_budget_are_named_the_most_expensive_first() {
        let (some, few) = (SAMPLES_MIN, SAMPLES_MIN - 1);
        let before = [cost(some, MEAN_MAX * 100), Cost::default(), Cost::default()];
        for (after, expected) in [
            // What was before the window does not count.
            (vec![before[0]], vec![]),
            (vec![cost(some, MEAN_MAX)], vec![]),
            (vec![before[0], cost(some, MEAN_MAX)], vec![]),
            (vec![before[0], cost(some, MEAN_MAX + 1)], vec![(1, MEAN_MAX + 1, 0)]),
            (vec![before[0], cost(few, MEAN_MAX * 1_000)], vec![]),
            // 20,000 samples stand for 1,280,000 runs of 1 µs: 2.1 % of a minute.
            (
                vec![before[0], cost(some, MEAN_MAX + 1), cost(20_000, 1_000)],
                vec![(2, 1_000, 21), (1, MEAN_MAX + 1, 0)],
            ),
            (vec![before[0], cost(9_000, 1_000)], vec![]),
            // A rule that was not there before.
            (
                vec![Cost::default(); 3].into_iter().chain([cost(some, MEAN_MAX * 2)]).collect(),
                vec![(3, MEAN_MAX * 2, 1)],
            ),
        ] {
            let found = over_budget(&before, &after, MINUTE);
            let expected: Vec<Excess> = expected
                .into_iter()
                .map(|(rule, mean, share)| Excess { rule: RuleIndex(rule), mean, share })
                .collect();
            assert_eq!(found, expected, "{after:?}");
        }
        assert_eq!(over_budget(&[], &[cost(some, 1)], 0), [], "no time passed");
    }

    #[test]
    fn samples_stand_for_all_evaluations_and_follow_no_rhythm() {
        thread_local!(static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        fn tick() -> u64 {
            NOW.replace(NOW.get() + 100)
        }
        let mut meter = Meter::new(2);
        meter.set_clock(tick);
        let mut gaps = std::collections::BTreeSet::new();
        let mut last = 0;
        for run in 0..64_000 {
            let mut watch = meter.start();
            if watch.is_some() {
                gaps.insert(run - last);
                last = run;
            }
            meter.scanned(watch.as_mut());
            meter.ran(RuleIndex(1), Outcome::Matched, watch.as_mut());
        }
        let (rule, scan) = (meter.rules()[1], meter.scan());
        assert_eq!((rule.runs, rule.matches, scan.runs, scan.matches), (64_000, 64_000, 64_000, 64_000));
        assert_eq!(rule.time, rule.sampled * 100 * SAMPLED);
        assert_eq!(scan.time, rule.time, "both take one tick");
        assert!((900..1_100).contains(&rule.sampled), "{}", rule.sampled);
        assert!(gaps.len() > 100, "{gaps:?}");
        assert_eq!(meter.rules()[0], Cost::default());
    }

    #[test]
    fn without_a_clock_runs_are_counted_and_nothing_is_timed() {
        let mut meter = Meter::new(1);
        for _ in 0..1_000 {
            let mut watch = meter.start();
            meter.ran(RuleIndex(0), Outcome::Suppressed, watch.as_mut());
        }
        assert_eq!(meter.rules()[0], Cost { runs: 1_000, suppressed: 1_000, ..Cost::default() });
    }
}
