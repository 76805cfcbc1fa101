//! What the rules did and cost so far, for whoever asks.

use std::cmp::Reverse;

use sigma::{Cost, Level, Rule, RuleIndex, RuleSet, Stats};

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

/// What the rules did, in as few words as every scrape may cost: sums, and the first few rules.
#[derive(Clone, Debug, Default)]
pub struct RuleSummary {
    pub loaded: usize,
    /// Of all rules together.
    pub cost: Cost,
    /// What all rules share.
    pub reading: Cost,
    /// Those that matched most often, and those that took most time.
    pub by_matches: Vec<RuleStat>,
    pub by_time: Vec<RuleStat>,
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

    /// Sums over the rules, and the first `most` by matches and by time.
    #[must_use]
    pub fn rule_summary(&self, most: usize) -> RuleSummary {
        let costs = self.engine.costs();
        let mut cost = Cost::default();
        for each in costs {
            cost.runs += each.runs;
            cost.matches += each.matches;
            cost.suppressed += each.suppressed;
            cost.time += each.time;
            cost.sampled += each.sampled;
        }
        let first = |key: fn(&Cost) -> u64| -> Vec<RuleStat> {
            let mut order: Vec<usize> = (0..costs.len()).collect();
            order.retain(|at| costs.get(*at).is_some_and(|cost| key(cost) > 0));
            order.sort_by_key(|at| Reverse(costs.get(*at).map(key)));
            order.into_iter().take(most).filter_map(|at| self.rule_stat(at)).collect()
        };
        RuleSummary {
            loaded: self.engine.rules().len(),
            cost,
            reading: self.engine.scan_cost(),
            by_matches: first(|cost| cost.matches),
            by_time: first(|cost| cost.time),
        }
    }

    fn rule_stat(&self, at: usize) -> Option<RuleStat> {
        let index = RuleIndex(u32::try_from(at).ok()?);
        let detection = self.detections.get(index, true)?;
        Some(stat(self.engine.rule(index)?, &detection, *self.engine.costs().get(at)?))
    }

    /// How many each table has.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, u64); 8] {
        let (processes, containers) = (self.processes.stats(), self.containers.stats());
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        [
            ("processes", count(processes.live)),
            ("ended_processes", count(processes.exited)),
            ("containers", count(containers.known)),
            ("cgroups", count(containers.cgroups)),
            ("connections", count(self.flows.len())),
            ("pods", count(self.containers.pod_stats().known)),
            ("stories", count(self.stories.len())),
            ("correlation_groups", count(self.correlations.stats().groups)),
        ]
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
