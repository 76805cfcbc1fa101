//! What the rules did and cost so far, for whoever asks.

use sigma::{Cost, Level, Rule, RuleSet, Stats};

use super::Pipeline;
use crate::alert::Detection;

/// Counts of all rules at one moment.
#[derive(Clone, Debug, Default)]
pub struct RuleStats {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub rules: Vec<RuleStat>,
    /// What all rules share: each event is read once for all of them.
    pub reading: Cost,
    /// Of the windows of all correlations.
    pub correlations: Stats,
}

/// Counts of one rule since it was loaded as it is written.
#[derive(Clone, Debug)]
pub struct RuleStat {
    /// Id, else name, else the document it came from.
    pub id: String,
    pub title: String,
    pub level: Level,
    /// The detection's folder, or the document it came from.
    pub name: String,
    pub is_correlation: bool,
    pub cost: Cost,
}

impl Pipeline {
    /// The rules at work and what each cost, in the same order.
    #[must_use]
    pub fn costs(&self) -> (&RuleSet, &[Cost]) {
        (self.engine.set(), self.engine.costs())
    }

    /// What the rules did so far.
    #[must_use]
    pub fn rule_stats(&self, now: u64) -> RuleStats {
        let rules = self.engine.rules().iter().zip(self.detections.iter()).zip(self.engine.costs());
        RuleStats {
            time: now,
            rules: rules.map(|((rule, (detection, _)), cost)| stat(rule, detection, *cost)).collect(),
            reading: self.engine.scan_cost(),
            correlations: self.correlations.stats(),
        }
    }
}

fn stat(rule: &Rule, detection: &Detection, cost: Cost) -> RuleStat {
    RuleStat {
        id: detection.id.clone(),
        title: detection.title.clone(),
        level: detection.level,
        name: detection.name.clone(),
        is_correlation: rule.correlation.is_some(),
        cost,
    }
}
