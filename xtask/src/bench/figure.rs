//! Figures of one workload and what follows from them. Pure.

use std::fmt;
use std::time::Duration;

use crate::bench::program::ProgramCost;
use crate::bench::workload::Workload;

/// A run with the sensor, between two without it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) before: Duration,
    pub(super) with: Duration,
    /// The next round's `before` too.
    pub(super) after: Duration,
    /// What the agent itself used meanwhile, on any processor.
    pub(super) cpu: Duration,
}

impl Round {
    /// Against the middle of its neighbours, so that a machine that slows down steadily weighs nothing.
    fn ratio(self) -> f64 {
        2.0 * self.with.as_secs_f64() / (self.before + self.after).as_secs_f64()
    }

    /// What the same measurement says where there is nothing to measure.
    fn noise(self) -> f64 {
        self.after.as_secs_f64() / self.before.as_secs_f64()
    }
}

/// Everything seen of one workload.
#[derive(Debug)]
pub(super) struct Measurement {
    pub(super) workload: Workload,
    pub(super) rounds: Vec<Round>,
    /// The most memory the agent ever held.
    pub(super) rss_kib: u64,
    /// What the agent says it took in; proof that it watched.
    pub(super) events: u64,
    /// Records it says it lost. Losing costs less than telling, so a ratio with losses flatters.
    pub(super) lost: u64,
    pub(super) programs: Vec<ProgramCost>,
}

/// A median and how far around it the values lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) lower: f64,
    pub(super) median: f64,
    pub(super) upper: f64,
    pub(super) max: f64,
}

/// Whether a goal was met, and whether that would hold in a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// The goal lies between the quartiles of the rounds: the next run may say otherwise.
    MetNoisy,
    MissedNoisy,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::MetNoisy => "met, noisy",
            Self::MissedNoisy => "missed, noisy",
        })
    }
}

impl Measurement {
    pub(super) fn new(workload: Workload) -> Self {
        Self { workload, rounds: Vec::new(), rss_kib: 0, events: 0, lost: 0, programs: Vec::new() }
    }

    /// Ratio of two runs without the sensor: 1 on a quiet machine.
    pub(super) fn noise(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| round.noise()))
    }

    /// Ratio with to without, round by round.
    pub(super) fn ratio(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| round.ratio()))
    }

    /// Nanoseconds an operation took without the sensor.
    pub(super) fn without(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| self.each(round.before)))
    }

    /// Nanoseconds an operation took with it.
    pub(super) fn with(&self) -> Spread {
        Spread::of(self.rounds.iter().map(|round| self.each(round.with)))
    }

    /// Processor time of the agent, all rounds.
    pub(super) fn cpu(&self) -> Duration {
        self.rounds.iter().map(|round| round.cpu).sum()
    }

    /// Share of one processor that the agent used while the workload ran.
    pub(super) fn cpu_share(&self) -> f64 {
        self.cpu().as_secs_f64() / self.rounds.iter().map(|round| round.with.as_secs_f64()).sum::<f64>()
    }

    /// Nanoseconds that the sensor's programs take in an operation, by the kernel's own count.
    pub(super) fn in_kernel(&self) -> f64 {
        self.each(self.programs.iter().map(|program| program.time).sum())
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.ratio().verdict(self.workload.goal())
    }

    fn each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e9 / f64::from(self.workload.count())
    }
}

impl Spread {
    /// Of no values, all is zero.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        // Between two values their middle, as is usual for medians of an even number.
        let part = |quarters: usize| (at(last * quarters / 4) + at((last * quarters).div_ceil(4))) / 2.0;
        Self { min: at(0), lower: part(1), median: part(2), upper: part(3), max: at(last) }
    }

    fn verdict(self, goal: f64) -> Verdict {
        let is_noisy = self.lower <= goal && goal < self.upper;
        match (self.median <= goal, is_noisy) {
            (true, false) => Verdict::Met,
            (true, true) => Verdict::MetNoisy,
            (false, false) => Verdict::Missed,
            (false, true) => Verdict::MissedNoisy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(before: u64, with: u64, after: u64) -> Round {
        let time = Duration::from_millis;
        Round { before: time(before), with: time(with), after: time(after), cpu: time(with / 10) }
    }

    #[test]
    fn the_middle_is_found_in_any_order() {
        let odd = Spread::of([3.0, 1.0, 2.0, 5.0, 4.0].into_iter());
        assert_eq!(odd, Spread { min: 1.0, lower: 2.0, median: 3.0, upper: 4.0, max: 5.0 });
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0].into_iter()).median, 2.5);
        assert_eq!(Spread::of([7.0].into_iter()).upper, 7.0);
    }

    #[test]
    fn a_machine_that_slows_down_weighs_nothing() {
        let mut measured = Measurement::new(Workload::Getppid);
        measured.rounds = vec![round(100, 165, 200), round(200, 275, 300), round(300, 385, 400)];
        let (ratio, noise) = (measured.ratio(), measured.noise());
        assert!((ratio.min - 1.1).abs() < 1e-9 && (ratio.max - 1.1).abs() < 1e-9, "{ratio:?}");
        assert!((noise.max - 2.0).abs() < 1e-9 && (noise.median - 1.5).abs() < 1e-9, "{noise:?}");
        assert!((measured.cpu_share() - 0.1).abs() < 0.01);
    }

    #[test]
    fn a_verdict_says_when_it_may_not_last() {
        let of = |values: [f64; 5]| Spread::of(values.into_iter()).verdict(1.05);
        assert_eq!(of([1.00, 1.01, 1.02, 1.03, 1.50]), Verdict::Met);
        assert_eq!(of([0.90, 1.01, 1.02, 1.06, 1.07]), Verdict::MetNoisy);
        assert_eq!(of([0.90, 1.01, 1.06, 1.07, 1.08]), Verdict::MissedNoisy);
        assert_eq!(of([1.00, 1.06, 1.07, 1.08, 1.09]), Verdict::Missed);
    }
}
