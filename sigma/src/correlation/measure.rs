//! What a match brings to its window, and what a window comes to.

use rustc_hash::FxHashMap;

use super::Kind;
use crate::predicate::{Number, number_of};
use crate::record::Value;

/// What a condition counts of one match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measure {
    /// The match itself.
    Match,
    /// One value, or several together, by a seeded hash of 64 bits: among the 8,192 values of a full group two
    /// different ones have the same with a chance of one in five hundred billion.
    Distinct(u64),
    Whole(i128),
    Decimal(f64),
}

impl Measure {
    /// The number that a value stands for; text in decimal notation is one, too.
    pub(super) fn number(value: Value<'_>) -> Option<Self> {
        match number_of(value)? {
            Number::Whole(whole) => Some(Self::Whole(whole.into())),
            Number::Decimal(decimal) => Some(Self::Decimal(decimal)),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "averages and percentiles are no more exact than their bounds"
    )]
    fn decimal(self) -> f64 {
        match self {
            Self::Match | Self::Distinct(_) => 0.0,
            Self::Whole(whole) => whole as f64,
            Self::Decimal(decimal) => decimal,
        }
    }

    /// Both together, where that means something.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Self::Whole(left.saturating_add(right)),
            (Self::Match | Self::Distinct(_), _) => self,
            (Self::Whole(_) | Self::Decimal(_), _) => Self::Decimal(self.decimal() + other.decimal()),
        }
    }
}

/// A match in its window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) time: u64,
    /// Place of the rule in its correlation.
    pub(super) member: u8,
    /// How many matches it stands for.
    pub(super) weight: u32,
    pub(super) measure: Measure,
}

/// What some entries come to; each can be taken out again.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Matches.
    pub(super) matches: u64,
    /// Entries by what is to be different: values or rules.
    distinct: FxHashMap<u64, u32>,
    whole: i128,
    decimal: f64,
    decimals: usize,
}

impl Tally {
    fn key(kind: Kind, entry: &Entry) -> Option<u64> {
        match (kind, entry.measure) {
            (Kind::Temporal | Kind::TemporalOrdered, _) => Some(entry.member.into()),
            (Kind::ValueCount, Measure::Distinct(hash)) => Some(hash),
            (
                Kind::EventCount | Kind::ValueCount | Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile,
                _,
            ) => None,
        }
    }

    pub(super) fn add(&mut self, kind: Kind, entry: &Entry) {
        self.matches += u64::from(entry.weight);
        if let Some(key) = Self::key(kind, entry) {
            *self.distinct.entry(key).or_default() += 1;
        }
        match entry.measure {
            Measure::Whole(whole) => self.whole = self.whole.saturating_add(whole),
            Measure::Decimal(decimal) => {
                self.decimal += decimal;
                self.decimals += 1;
            }
            Measure::Match | Measure::Distinct(_) => {}
        }
    }

    pub(super) fn remove(&mut self, kind: Kind, entry: &Entry) {
        self.matches = self.matches.saturating_sub(entry.weight.into());
        if let Some(key) = Self::key(kind, entry)
            && let Some(count) = self.distinct.get_mut(&key)
        {
            *count -= 1;
            if *count == 0 {
                self.distinct.remove(&key);
            }
        }
        match entry.measure {
            Measure::Whole(whole) => self.whole = self.whole.saturating_sub(whole),
            Measure::Decimal(decimal) => {
                self.decimal -= decimal;
                self.decimals = self.decimals.saturating_sub(1);
                // What adding and taking away left of rounding goes with the last decimal number.
                if self.decimals == 0 {
                    self.decimal = 0.0;
                }
            }
            Measure::Match | Measure::Distinct(_) => {}
        }
    }

    /// What the condition is asked of. `entries`: those in the tally, oldest first.
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2⁵³; sums are compared with decimals")]
    pub(super) fn value<'e>(
        &self,
        kind: Kind,
        percentile: Option<u8>,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> f64 {
        let sum = self.whole as f64 + self.decimal;
        match kind {
            Kind::EventCount => self.matches as f64,
            Kind::ValueCount | Kind::Temporal => self.distinct.len() as f64,
            Kind::ValueSum => sum,
            Kind::ValueAvg if self.matches == 0 => 0.0,
            Kind::ValueAvg => sum / self.matches as f64,
            Kind::ValuePercentile => nearest_rank(percentile.unwrap_or_default(), entries),
            Kind::TemporalOrdered => longest_chain(entries) as f64,
        }
    }

    /// The most that [`value`](Self::value) can be, told without a look at the entries.
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2⁵³")]
    pub(super) fn most(&self, kind: Kind) -> f64 {
        match kind {
            Kind::EventCount => self.matches as f64,
            Kind::ValueCount | Kind::Temporal | Kind::TemporalOrdered => self.distinct.len() as f64,
            Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile => f64::INFINITY,
        }
    }
}

/// The smallest number that at least so many hundredths of all numbers do not exceed: always one that
/// occurred, unlike an interpolated one.
fn nearest_rank<'e>(percentile: u8, entries: impl Iterator<Item = &'e Entry>) -> f64 {
    let mut numbers: Vec<f64> = entries.map(|entry| entry.measure.decimal()).collect();
    numbers.sort_by(f64::total_cmp);
    let rank = (numbers.len() * usize::from(percentile)).div_ceil(100).max(1);
    numbers.get(rank - 1).copied().unwrap_or_default()
}

/// How many rules, in the order in which the correlation has them, have matches one behind the other. Matches
/// of one nanosecond are taken for one event, which is no two steps.
fn longest_chain<'e>(entries: impl Iterator<Item = &'e Entry>) -> usize {
    // Longest chain that ends with the rule at this place, or one before it.
    let mut longest: Vec<usize> = Vec::new();
    let mut same: Vec<(usize, usize)> = Vec::new();
    let mut time = None;
    for entry in entries {
        if time != Some(entry.time) {
            settle(&mut longest, &mut same);
            time = Some(entry.time);
        }
        let member = usize::from(entry.member);
        let before = match member.checked_sub(1) {
            Some(earlier) => longest.get(earlier).or(longest.last()).copied().unwrap_or_default(),
            None => 0,
        };
        if longest.get(member).is_none_or(|known| *known <= before) {
            same.push((member, before + 1));
        }
    }
    settle(&mut longest, &mut same);
    longest.last().copied().unwrap_or_default()
}

/// Adds the steps of one moment.
fn settle(longest: &mut Vec<usize>, steps: &mut Vec<(usize, usize)>) {
    for (member, length) in steps.drain(..) {
        let reached = longest.last().copied().unwrap_or_default();
        if longest.len() <= member {
            longest.resize(member + 1, reached);
        }
        for known in longest.iter_mut().skip(member) {
            *known = length.max(*known);
        }
    }
}
