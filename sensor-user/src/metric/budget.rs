//! Which rules take more than their budget, and when that is told.

use rustc_hash::FxHashMap;
use sigma::{Cost, Excess, RuleSet, over_budget};

use crate::alert::{Expensive, RuleName};

/// How long costs are summed up before they are held against the budget, nanoseconds: in much less the samples
/// say little.
const WINDOW: u64 = 60 * 1_000_000_000;
/// When a rule that is still over its budget is told of again, nanoseconds. What it costs does not change by
/// itself; who has been told once knows.
const AGAIN: u64 = 60 * WINDOW;
/// Most rules told at once: those that cost most. The others are told in the minutes after.
const TOLD_MAX: usize = 8;

/// The costs of the last look, and who was told of.
#[derive(Debug, Default)]
pub struct Budget {
    /// When, `CLOCK_BOOTTIME` nanoseconds.
    looked: u64,
    before: Vec<Cost>,
    /// When each rule was told of.
    told: FxHashMap<Key, u64>,
}

/// Title, id and file of a rule, which stay when its place changes.
type Key = (String, Option<String>, String);

impl Budget {
    /// Other rules, with other places, are at work from `now` on.
    pub fn begin(&mut self, now: u64, costs: &[Cost]) {
        self.looked = now;
        self.before.clear();
        self.before.extend_from_slice(costs);
    }

    /// Rules over budget in the window that ended at `now`, and not told of lately; none before a window is over.
    pub fn look(&mut self, now: u64, set: &RuleSet, costs: &[Cost]) -> Vec<Expensive> {
        let elapsed = now.saturating_sub(self.looked);
        if elapsed < WINDOW {
            return Vec::new();
        }
        let excesses = over_budget(&self.before, costs, elapsed);
        self.told.retain(|_, told| now.saturating_sub(*told) < AGAIN);
        let mut expensive = Vec::new();
        for excess in excesses {
            let Some((key, told)) = self.describe(&excess, set, costs, elapsed) else { continue };
            if expensive.len() < TOLD_MAX && !self.told.contains_key(&key) {
                self.told.insert(key, now);
                expensive.push(told);
            }
        }
        self.begin(now, costs);
        expensive
    }

    fn describe(
        &self,
        excess: &Excess,
        set: &RuleSet,
        costs: &[Cost],
        elapsed: u64,
    ) -> Option<(Key, Expensive)> {
        let Excess { rule: index, mean, share } = *excess;
        let (rule, place) = (set.rule(index)?, index.0 as usize);
        let before = self.before.get(place).copied().unwrap_or_default();
        let runs = costs.get(place)?.since(&before).runs;
        let id = rule.id.map(|id| id.to_string());
        let name = RuleName { title: rule.title.clone(), id: id.clone() };
        let key = (rule.title.clone(), id, rule.source.clone());
        Some((key, Expensive { name, source: rule.source.clone(), mean, share, runs, window: elapsed }))
    }
}

#[cfg(test)]
mod tests {
    use sigma::{Placeholders, Source};

    use super::*;
    use crate::event::field::Fields;

    fn set(titles: &[&str]) -> RuleSet {
        let rule = |title: &&str| {
            let text = format!(
                "title: {title}\nstatus: test\nlevel: low\nlogsource:\n  product: linux\n  \
                 category: process_creation\ndetection:\n  a:\n    Image: /b\n  condition: a\n"
            );
            Source::new(format!("{title}.yml"), text)
        };
        RuleSet::load(titles.iter().map(rule), &Fields, &Placeholders::default()).unwrap()
    }

    /// As if every run took `mean` nanoseconds: the engine extrapolates from one in 64.
    fn cost(sampled: u64, mean: u64) -> Cost {
        Cost { runs: 64 * sampled, time: 64 * sampled * mean, sampled, ..Cost::default() }
    }

    #[test]
    fn a_rule_is_told_of_once_an_hour_and_by_what_it_did_since() {
        let set = set(&["cheap", "dear"]);
        let mut budget = Budget::default();
        budget.begin(WINDOW, &[cost(0, 0), cost(100, 80_000)]);
        let costs = |rounds: u64| [cost(100 * rounds, 1_000), cost(100 * (rounds + 1), 80_000)];
        assert_eq!(budget.look(2 * WINDOW - 1, &set, &costs(1)), [], "too early to say");
        let told = budget.look(2 * WINDOW, &set, &costs(1));
        let expected = Expensive {
            name: RuleName { title: "dear".to_owned(), id: None },
            source: "dear.yml".to_owned(),
            mean: 80_000,
            share: 8,
            runs: 6400,
            window: WINDOW,
        };
        assert_eq!(told, [expected]);
        for round in 2..61 {
            assert_eq!(budget.look((1 + round) * WINDOW, &set, &costs(round)), [], "{round}");
        }
        assert_eq!(budget.look(62 * WINDOW, &set, &costs(61)).len(), 1, "an hour later");
        assert_eq!(budget.look(200 * WINDOW, &set, &costs(61)), [], "it has not run since");
    }

    #[test]
    fn other_rules_begin_anew() {
        let mut budget = Budget::default();
        budget.begin(WINDOW, &[cost(100, 80_000)]);
        let costs = [cost(0, 0), cost(200, 80_000)];
        budget.begin(WINDOW + 1, &costs);
        assert_eq!(budget.look(2 * WINDOW + 1, &set(&["new", "dear"]), &costs), []);
    }

    #[test]
    fn the_dearest_are_told_and_the_rest_a_minute_later() {
        let titles: Vec<String> = (0..12).map(|number| format!("r{number}")).collect();
        let set = set(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        let costs = |rounds: u64| (1..13).map(|nth| cost(100 * rounds, 60_000 * nth)).collect::<Vec<_>>();
        let mut budget = Budget::default();
        let first = budget.look(WINDOW, &set, &costs(1));
        assert_eq!((first.len(), first[0].name.title.as_str()), (TOLD_MAX, "r11"));
        let second = budget.look(2 * WINDOW, &set, &costs(2));
        let titles: Vec<_> = second.iter().map(|it| it.name.title.as_str()).collect();
        assert_eq!(titles, ["r3", "r2", "r1", "r0"]);
    }
}
