//! Correlations: matches that mean something together (correlation specification 2.1).
//!
//! Pure and on event time. Every group of values has a window of its own; all of them together have a
//! bound, and what is dropped for it is counted. A group that belongs to a process or container ends
//! with it. Where the specification leaves a choice, the choice is stated beside the code.

mod limit;
mod document;
mod condition;
mod resolution;
mod order;
mod network;
mod measure;
mod origin;
mod window;
mod group;
mod table;
mod correlator;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::record::FieldId;
use super::rule::RuleIndex;

pub use correlator::Correlator;
pub(super) use document::Draft;
pub(super) use network::Network;
pub(super) use resolution::resolve;

/// What a correlation joins, and when that is enough.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The rules it reads, in the order in which they are written; a rule may be a correlation.
    #[serde(skip)]
    pub rules: Vec<RuleIndex>,
    pub group_by: Vec<Key>,
    /// Nanoseconds.
    pub timespan: u64,
    pub condition: Condition,
}

/// The types of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    EventCount,
    ValueCount,
    ValueSum,
    ValueAvg,
    ValuePercentile,
    Temporal,
    TemporalOrdered,
}

/// One of the values that a group has in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// A field's name, or an alias.
    pub name: String,
    /// The field it stands for, by rule; in the order of [`Correlation::rules`].
    #[serde(skip)]
    pub fields: Vec<FieldId>,
}

/// What must hold of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Condition {
    /// What is counted, summed or averaged; empty where events or rules are counted.
    pub fields: Vec<String>,
    #[serde(skip)]
    pub ids: Vec<FieldId>,
    /// All of them must hold.
    pub bounds: Vec<Bound>,
    /// Which percentile is asked, from 1 to 100; `None` of other types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<u8>,
}

/// `gte: 10`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bound {
    pub operator: Operator,
    pub limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    Gt,
    Gte,
    Lt,
    Lte,
    Eq,
    Neq,
}

/// A correlation that came true. `H` is the host's handle of an event.
#[derive(Clone, Debug)]
pub struct Correlated<H> {
    pub rule: RuleIndex,
    /// Of the first and last match it is made of.
    pub first: u64,
    pub last: u64,
    /// What the condition was asked of: the count, sum, average, percentile or number of rules.
    pub value: f64,
    /// Name and value of what the matches have in common; `None`: they all lack it.
    pub group: Vec<(String, Option<String>)>,
    /// The matches, oldest first; of many the last ones.
    pub steps: Vec<Step<H>>,
    /// How many matches it is made of.
    pub matches: u64,
    /// Matches since the same group was told before, which were not told again.
    pub repeats: u64,
}

/// A match that a correlation is made of.
#[derive(Clone, Debug)]
pub struct Step<H> {
    pub time: u64,
    pub rule: RuleIndex,
    pub event: H,
}

/// What one record did to the correlations.
#[derive(Clone, Debug)]
pub struct Joined<H> {
    /// What came true; those among them that do not [report](crate::Rule::reports) are not to be told by
    /// themselves.
    pub correlated: Vec<Correlated<H>>,
    /// Correlations that the record may belong to: a value they group by or count is not known yet.
    /// The record is to be [fed](Correlator::feed) to them again when it is.
    pub open: Vec<RuleIndex>,
}

impl<H> Default for Joined<H> {
    fn default() -> Self {
        Self { correlated: Vec::new(), open: Vec::new() }
    }
}

/// Numbers since the start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Groups and matches that are kept now.
    pub groups: usize,
    pub entries: usize,
    /// Dropped, because there was no room.
    pub evicted_groups: u64,
    pub evicted_entries: u64,
    /// Matches that came later than the tolerance, and were left out.
    pub late: u64,
}
