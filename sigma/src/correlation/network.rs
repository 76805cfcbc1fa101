//! All correlations of a set, ready to be fed: which rule feeds which, and where their values come from.

use super::limit::{DECISION, TOLERANCE};
use super::{Condition, Kind};
use crate::record::{FieldId, Lifetime};
use crate::rule::RuleIndex;

/// Where a value of a match is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the record.
    Record(FieldId, Lifetime),
    /// Among the values that the correlation which matched groups by, at this place.
    Group(usize),
}

/// A rule that a correlation reads.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) rule: RuleIndex,
    /// In the order of [`Plan::keys`].
    pub(super) keys: Vec<Origin>,
    /// What the condition counts.
    pub(super) fields: Vec<Origin>,
}

/// A correlation as it runs.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) rule: RuleIndex,
    pub(super) kind: Kind,
    pub(super) timespan: u64,
    pub(super) condition: Condition,
    pub(super) members: Vec<Member>,
    /// Names of what a group has in common.
    pub(super) keys: Vec<String>,
    /// Whether some of its matches come without a record: its own windows, or those of one it reads, are
    /// decided when they are over.
    pub(super) recordless: bool,
    /// How late its matches may come: [`TOLERANCE`], and longer for each step of windows below it.
    pub(super) slack: u64,
    /// The same if it is written the same, and so is all it reads.
    pub(super) fingerprint: u64,
}

impl Plan {
    /// Decided with each match, over the window that ends there; else when a window is over.
    ///
    /// At once go quantities that grow with each match, towards bounds from below. A sum grows as long as
    /// its numbers are not negative; a negative one lowers the sums of the windows it is in.
    pub(super) fn at_once(&self) -> bool {
        match self.kind {
            Kind::EventCount | Kind::ValueCount | Kind::ValueSum | Kind::Temporal | Kind::TemporalOrdered => {
                self.condition.only_grows()
            }
            Kind::ValueAvg | Kind::ValuePercentile => false,
        }
    }

    /// The slack of a correlation that reads this one.
    pub(super) fn slack_above(&self) -> u64 {
        if self.recordless { self.slack.saturating_add(DECISION) } else { TOLERANCE }
    }
}

/// The correlations of a rule set.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(super) plans: Vec<Plan>,
    /// By rule: the correlations that read it, and at which place of theirs. Empty without correlations.
    readers: Vec<Vec<Reading>>,
}

/// That a correlation reads a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) plan: usize,
    pub(super) member: usize,
}

impl Network {
    /// `rules`: how many there are, correlations among them.
    pub(super) fn new(plans: Vec<Plan>, rules: usize) -> Self {
        let mut readers = vec![Vec::new(); if plans.is_empty() { 0 } else { rules }];
        for (plan, of) in plans.iter().enumerate() {
            for (member, read) in of.members.iter().enumerate() {
                if let Some(readers) = readers.get_mut(read.rule.0 as usize) {
                    readers.push(Reading { plan, member });
                }
            }
        }
        Self { plans, readers }
    }

    pub(super) fn readers(&self, rule: RuleIndex) -> &[Reading] {
        self.readers.get(rule.0 as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn plan(&self, at: usize) -> Option<&Plan> {
        self.plans.get(at)
    }
}
