//! The heartbeat: a receiver that hears none knows that the sensor is silent, not the host quiet.
//!
//! It repeats sums since the start, so that one that arrives tells what those before it told.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use ring::digest::{Context, SHA256};
use sigma::RuleSet;

use super::Agent;
use crate::alert::{Heartbeat, HookCount, HookCoverage, Loss, LossSum, Subject, Tampering};
use crate::config::{Config, ConfigFiles};

/// How often. Two that fail to come tell of a dead sensor within a minute, which is how soon people look; 2,880
/// documents of 1.2 KiB a day are less than one busy alert an hour.
pub(super) const PERIOD: Duration = Duration::from_secs(30);
/// Most kinds and reasons of losses kept apart: there are some thirty of the sensor's own and a few of each sink.
/// Beyond it they are one row.
const LOSSES_MAX: usize = 64;
/// That row.
const OTHERS: (&str, &str) = ("others", "various");

/// What does not change from beat to beat.
pub(super) struct Beat {
    pub(super) started: Instant,
    hooks: HookCount,
    /// Of the configuration; the rules change.
    configuration: Context,
}

impl Beat {
    pub(super) fn new(started: Instant, config: &Config, hooks: &[HookCoverage]) -> Self {
        let mut configuration = Context::new(&SHA256);
        // In how many files it is written does not count.
        let config = Config { files: ConfigFiles::default(), ..config.clone() };
        // The rendering names every key and value, in the order of declaration; every map in it is sorted.
        configuration.update(format!("{config:?}").as_bytes());
        Self { started, hooks: count(hooks), configuration }
    }

    /// `sha256:` and 64 digits: the same for the same configuration and rules of one version of the agent. The
    /// order of rules does not count, what they say does, with the values of their placeholders.
    pub(super) fn digest(&self, set: &RuleSet) -> String {
        let rules = set.rules().iter().map(|rule| {
            let id = rule.id.map_or_else(|| rule.title.clone(), |id| id.to_string());
            format!("\nrule {id} {:016x}", rule.fingerprint)
        });
        let filters = set.filters().iter().map(|filter| {
            let id = filter.id.map_or_else(|| filter.title.clone(), |id| id.to_string());
            format!("\nfilter {id}")
        });
        let mut lines: Vec<String> = rules.chain(filters).collect();
        lines.sort_unstable();
        let mut context = self.configuration.clone();
        lines.iter().for_each(|line| context.update(line.as_bytes()));
        let digest = context.finish();
        digest.as_ref().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}

fn count(hooks: &[HookCoverage]) -> HookCount {
    let attached: Vec<_> = hooks.iter().filter(|hook| hook.attached.is_some()).collect();
    HookCount {
        attached: attached.len(),
        weakened: attached.iter().filter(|hook| hook.weakens.is_some()).count(),
        missing: hooks.len() - attached.len(),
        detached: 0,
        blind: 0,
    }
}

/// What notices have told since the start.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) losses: Vec<LossSum>,
    pub(super) detached: u64,
}

impl Sums {
    /// Adds what a notice tells.
    pub(super) fn note(&mut self, subject: &Subject) {
        match subject {
            Subject::Loss(losses) => losses.iter().for_each(|loss| self.add(loss)),
            Subject::Tampering(deeds) => {
                let is_unhooked =
                    |deed: &&Tampering| matches!(deed, Tampering::Done(deed) if deed.action.unhooks());
                self.detached += deeds.iter().filter(is_unhooked).count() as u64;
            }
            Subject::Coverage(_)
            | Subject::Aggregation(_)
            | Subject::Reload(_)
            | Subject::Cost(_)
            | Subject::Canary(_)
            | Subject::Heartbeat(_)
            | Subject::Stopped(_) => {}
        }
    }

    fn add(&mut self, loss: &Loss) {
        let (mut what, mut reason) = (loss.what.as_str(), loss.reason);
        let has_room = self.losses.len() < LOSSES_MAX;
        if !has_room && !self.losses.iter().any(|sum| sum.what == what && sum.reason == reason) {
            (what, reason) = OTHERS;
        }
        match self.losses.iter_mut().find(|sum| sum.what == what && sum.reason == reason) {
            Some(sum) => sum.count = sum.count.saturating_add(loss.count),
            None => self.losses.push(LossSum { what: what.to_owned(), reason, count: loss.count }),
        }
    }
}

impl Agent {
    /// Tells that the sensor lives, and how it stands.
    pub(super) fn beat(&mut self) {
        self.guard.beat();
        let sums = self.reporter.sums();
        let mut losses = sums.losses.clone();
        // Who has room for a few only keeps the first.
        losses.sort_by_key(|sum| Reverse(sum.count));
        let heartbeat = Heartbeat {
            uptime_seconds: self.beat.started.elapsed().as_secs(),
            alerts: self.reporter.alerts(),
            events: self.pipeline.passed().events,
            losses,
            hooks: HookCount {
                detached: sums.detached,
                blind: self.kernel.watch.broken_links(),
                ..self.beat.hooks
            },
            gaps: self.guard.gaps(),
            configuration: self.beat.digest(self.pipeline.costs().0),
            sinks: self.reporter.outstanding(),
        };
        self.service.standing(&heartbeat);
        self.reporter.notice(Subject::Heartbeat(heartbeat));
    }
}

#[cfg(test)]
mod tests {
    use sigma::{Placeholders, Source};

    use super::*;
    use crate::alert::{Deed, TamperAction};
    use crate::event::field::Fields;

    fn loss(what: &str, reason: &'static str, count: u64) -> Loss {
        Loss { what: what.to_owned(), reason, count, ..Loss::default() }
    }

    fn rules(texts: &[&str]) -> RuleSet {
        let sources =
            texts.iter().enumerate().map(|(index, text)| Source::new(format!("{index}.yml"), *text));
        RuleSet::load(sources, &Fields, &Placeholders::default()).unwrap()
    }

    const ONE: &str = "title: One\nid: 6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11\nlogsource: {category: process_creation, \
                       product: linux}\ndetection:\n  s: {Image|endswith: /x}\n  condition: s\n";
    const TWO: &str = "title: Two\nlogsource: {category: process_creation, product: linux}\ndetection:\n  s: \
                       {Image|endswith: /y}\n  condition: s\n";

    #[test]
    fn losses_are_summed_by_kind_and_reason_in_bounded_room() {
        let mut sums = Sums::default();
        sums.note(&Subject::Loss(vec![loss("a", "full", 2), loss("a", "gone", 1)]));
        sums.note(&Subject::Loss(vec![loss("a", "full", 40)]));
        let deed = |action| {
            let (name, times) = ("connect4".to_owned(), 1);
            Tampering::Done(Deed {
                action,
                name,
                window: None,
                mended: None,
                times,
                detail: None,
                by: Vec::new(),
            })
        };
        let deeds = [TamperAction::Detached, TamperAction::Restored, TamperAction::Beside].map(deed);
        sums.note(&Subject::Tampering(deeds.into()));
        let told: Vec<_> = sums.losses.iter().map(|sum| (sum.reason, sum.count)).collect();
        assert_eq!((told, sums.detached), (vec![("full", 42), ("gone", 1)], 1));
        for index in 0..2 * LOSSES_MAX {
            sums.note(&Subject::Loss(vec![loss(&index.to_string(), "full", 1)]));
        }
        assert_eq!(sums.losses.len(), LOSSES_MAX + 1, "and one row for the others");
        let all: u64 = sums.losses.iter().map(|sum| sum.count).sum();
        assert_eq!(all, 43 + 2 * LOSSES_MAX as u64, "nothing is forgotten");
    }

    #[test]
    fn the_digest_follows_configuration_and_rules_and_not_their_order() {
        let (now, config) = (Instant::now(), Config::default());
        let beat = Beat::new(now, &config, &[]);
        let both = beat.digest(&rules(&[ONE, TWO]));
        assert!(both.len() == 71 && both.starts_with("sha256:"), "{both}");
        assert_eq!(both, beat.digest(&rules(&[TWO, ONE])));
        let (other, fewer) = (ONE.replace("/x", "/z"), rules(&[ONE]));
        assert_ne!(both, beat.digest(&rules(&[other.as_str(), TWO])));
        assert_ne!(both, beat.digest(&fewer));
        let changed = Config { control: None, ..config };
        assert_ne!(beat.digest(&fewer), Beat::new(now, &changed, &[]).digest(&fewer));
    }

    #[test]
    fn hooks_are_counted_by_how_they_turned_out() {
        let hook = |attached: bool, weakens| HookCoverage {
            purpose: "file written",
            attached: attached.then(|| "fanotify".to_owned()),
            tier: 2,
            refused: Vec::new(),
            weakens,
        };
        let hooks = [hook(true, None), hook(true, Some("renames")), hook(false, Some("module loads"))];
        assert_eq!(count(&hooks), HookCount { attached: 2, weakened: 1, missing: 1, detached: 0, blind: 0 });
    }
}
