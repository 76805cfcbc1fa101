//! What a correlation found: how many matches in what time, what they have in common, and what was asked of them.

use sigma::{Condition, Kind};

/// Matches that mean something together. When the first of them was is the alert's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    pub kind: Kind,
    pub condition: Condition,
    /// Longest time between the first match and the last, nanoseconds.
    pub timespan: u64,
    /// What the condition was asked of: the count, sum, average, percentile or number of rules.
    pub value: f64,
    /// How many matches it is made of.
    pub matches: u64,
    /// From the first of them to the last, nanoseconds.
    pub duration: u64,
    /// Name and value of what they have in common; none: they all lack it.
    pub group: Vec<(String, Option<String>)>,
    /// Matches since the same group was told before, which were not told again.
    pub repeats: u64,
    /// The rules that matched, as far as their matches are among the steps; each once.
    pub rules: Vec<Member>,
}

/// A rule that a [`Correlation`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As [`Detection::id`](super::Detection::id).
    pub id: String,
    pub title: String,
}
