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

impl Pipeline {
    /// What full tables dropped since the start: what it is, how many.
    #[must_use]
    pub fn dropped(&self) -> [(&'static str, u64); 16] {
        let (processes, containers) = (self.processes.stats(), self.containers.stats());
        let (pods, groups) = (self.containers.pod_stats(), self.correlations.stats());
        [
            ("process", processes.evicted_live + processes.evicted_exited),
            ("container", containers.evicted + containers.evicted_cgroups),
            ("cgroup that may be a container's", self.strangers.forgotten()),
            ("connection's byte counts", self.flows.forgotten()),
            ("pod", pods.evicted),
            ("label, container or probe of a pod", pods.left_out),
            ("amendment with a container's name", self.awaited.dropped()),
            ("owner of a namespace", self.identities.owners_dropped()),
            ("identity event", self.identities.untold_dropped()),
            ("container's start or end", self.lives.dropped()),
            ("reading of what a container uses", self.resources.dropped()),
            ("writer of a program", self.writers.evicted()),
            ("group of a correlation", groups.evicted_groups),
            ("match of a correlation's group", groups.evicted_entries),
            ("alert of a correlation", self.stories.bare()),
            ("hour of a container's destination", self.novelty.dropped()),
        ]
    }
}
