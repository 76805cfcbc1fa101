//! What was told so far, counted for monitoring.

use jiff::Timestamp;
use sigma::Level;

use crate::alert::{Detection, Subject};
use crate::metric::snapshot::{Count, Rule, bounded};

/// Most rules whose alerts are counted each by itself; the built-in ones that ever alert on one host are fewer.
const RULES_MAX: usize = 64;
/// The row of all others.
const OTHERS: &str = "others";

/// Counts since the start of the run.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) alerts: u64,
    levels: [u64; Level::ALL.len()],
    rules: Vec<Rule>,
    pub(super) messages: u64,
    /// Number and time of the last heartbeat.
    pub(super) heartbeat: Option<(u64, Timestamp)>,
}

impl Counts {
    /// An alert was told, which is no amendment.
    pub(super) fn alert(&mut self, detection: &Detection, level: Level) {
        self.alerts += 1;
        if let Some(count) =
            Level::ALL.iter().position(|it| *it == level).and_then(|at| self.levels.get_mut(at))
        {
            *count += 1;
        }
        let (mut id, mut title, mut level) =
            (detection.id.as_str(), detection.title.as_str(), detection.level.name());
        let known = |rules: &[Rule], id: &str| rules.iter().position(|rule| rule.id == id);
        if known(&self.rules, id).is_none() && self.rules.len() >= RULES_MAX {
            (id, title, level) = (OTHERS, "", "");
        }
        match known(&self.rules, id).and_then(|at| self.rules.get_mut(at)) {
            Some(rule) => rule.count += 1,
            None => self.rules.push(Rule {
                id: bounded(id),
                title: bounded(title),
                level: level.to_owned(),
                count: 1,
                time_ns: 0,
            }),
        }
    }

    /// A notice was told.
    pub(super) fn notice(&mut self, subject: &Subject, sequence: u64, time: Timestamp) {
        if matches!(subject, Subject::Heartbeat(_)) {
            self.heartbeat = Some((sequence, time));
        }
    }

    /// The gravest first.
    pub(super) fn levels(&self) -> Vec<Count> {
        let levels = Level::ALL.iter().zip(self.levels).map(|(level, count)| Count::new(level.name(), count));
        let mut levels: Vec<Count> = levels.collect();
        levels.reverse();
        levels
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn rules_beyond_the_bound_are_one_row_and_nothing_is_forgotten() {
        let mut counts = Counts::default();
        for index in 0..2 * RULES_MAX {
            let detection = Detection { id: format!("rule-{index}"), ..sample::detection() };
            counts.alert(&detection, Level::High);
            counts.alert(&detection, Level::Low);
        }
        assert_eq!(counts.rules().len(), RULES_MAX + 1);
        assert_eq!(counts.rules().iter().map(|rule| rule.count).sum::<u64>(), 4 * RULES_MAX as u64);
        let of = |level: Level| counts.levels().iter().find(|it| it.name == level.name()).unwrap().count;
        assert_eq!((of(Level::High), of(Level::Low), of(Level::Critical)), (128, 128, 0));
        assert_eq!(counts.levels()[0].name, "critical");
    }
}
