//! Matches that mean something together: what rules matched is fed to the correlations here, and what those find
//! becomes accounts.
//!
//! The correlator bounds what it keeps: of at most 4,096 events the whole, to be shown. They come without their
//! ancestors, which are looked up when something is told, so that each holds one process alive and its container:
//! 2 KiB most of the time, 8 MiB together; 16 KiB where every process has the longest command line, directory and
//! path there are, 64 MiB together.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use sigma::{Correlated, Correlator, Joined, Lifetime, Owner, RuleIndex, RuleSet, Stats};

use super::Pipeline;
use crate::alert::{Correlation, Member};
use crate::event::field::{container_owner, process_owner};
use crate::event::{Event, LINEAGE_MAX};
use crate::state::process::ProcessKey;

/// How often windows that are over are looked for, nanoseconds.
const BEAT: u64 = 1_000_000_000;
/// How long what belongs to a process or container outlives it, nanoseconds. Its sockets are closed behind it, with
/// the last bytes that they moved; fanotify tells of its files later; and what waited for the container's name is
/// fed when that is there. It is the correlator's own tolerance: what comes later counts for nothing there.
const LINGER: u64 = 15_000_000_000;
/// Most of them that are remembered to have ended: a thousand a second. Beyond it the oldest is let go early.
const ENDED_MAX: usize = 16_384;

/// The correlations' side of the pipeline.
#[derive(Debug, Default)]
pub(super) struct Correlations {
    correlator: Correlator<Arc<Event>>,
    /// Reused for every feed.
    joined: Joined<Arc<Event>>,
    /// Who ended when, oldest first.
    ended: VecDeque<(u64, Ended)>,
    /// When windows were looked at last, `CLOCK_BOOTTIME` nanoseconds.
    looked: u64,
}

#[derive(Debug)]
enum Ended {
    Process(ProcessKey),
    Container(Arc<str>),
}

impl Correlations {
    /// Another rule set takes over.
    pub(super) fn adopt(&mut self, old: &RuleSet, new: &RuleSet) {
        self.correlator.adopt(old, new);
    }

    pub(super) fn stats(&self) -> Stats {
        self.correlator.stats()
    }

    fn note(&mut self, time: u64, ended: Ended) {
        // Nothing is kept that could belong to it.
        if self.correlator.stats().groups > 0 || !self.ended.is_empty() {
            self.ended.push_back((time, ended));
        }
    }

    /// The owners that are over for good. `is_back`: the container is there again.
    fn over(&mut self, now: u64, is_back: impl Fn(&str) -> bool) -> Vec<Owner> {
        let horizon = now.saturating_sub(LINGER);
        let early = self.ended.len().saturating_sub(ENDED_MAX);
        let due = self.ended.iter().take_while(|(time, _)| *time <= horizon).count();
        let over = self.ended.drain(..due.max(early)).filter_map(|(_, ended)| match ended {
            Ended::Process(key) => Some(process_owner(key)),
            Ended::Container(id) if is_back(&id) => None,
            Ended::Container(id) => Some(container_owner(&id)),
        });
        over.collect()
    }
}

impl Pipeline {
    /// An event matched these rules: tells the correlations that read any of them. What a correlation cannot be
    /// told yet is left open, as rules are.
    pub(super) fn correlate(&mut self, event: &Event) {
        if !Correlator::<Arc<Event>>::wants(self.engine.set(), &self.found.matched) {
            return;
        }
        let matched = std::mem::take(&mut self.found.matched);
        let open = self.feed(event, &matched, None);
        self.found.matched = matched;
        self.found.pending.extend(open);
    }

    /// What was not known of an event is: `late` are the rules that it matches by that, and `early` those it did
    /// before. Gives the correlations that go on waiting.
    pub(super) fn correlate_late(
        &mut self,
        event: &Event,
        early: &[RuleIndex],
        late: &[RuleIndex],
        open: &[RuleIndex],
    ) -> Vec<RuleIndex> {
        let set = self.engine.set();
        let is_correlation =
            |rule: &&RuleIndex| set.rule(**rule).is_some_and(|rule| rule.correlation.is_some());
        let open: Vec<RuleIndex> = open.iter().filter(is_correlation).copied().collect();
        let mut rest = if open.is_empty() { Vec::new() } else { self.feed(event, early, Some(&open)) };
        if Correlator::<Arc<Event>>::wants(self.engine.set(), late) {
            for rule in self.feed(event, late, None) {
                if !rest.contains(&rule) {
                    rest.push(rule);
                }
            }
        }
        rest
    }

    fn feed(&mut self, event: &Event, matched: &[RuleIndex], only: Option<&[RuleIndex]>) -> Vec<RuleIndex> {
        let kept = Arc::new(Event { ancestors: Vec::new(), ..event.clone() });
        let Correlations { correlator, joined, .. } = &mut self.correlations;
        correlator.feed(self.engine.set(), event, matched, only, &kept, joined);
        let open = std::mem::take(&mut self.correlations.joined.open);
        self.tell_correlated();
        open
    }

    /// Windows that are over are decided, and what belonged to who is gone is forgotten.
    pub(super) fn look_at_windows(&mut self, now: u64) {
        if now.saturating_sub(self.correlations.looked) < BEAT {
            return;
        }
        self.correlations.looked = now;
        let Correlations { correlator, joined, .. } = &mut self.correlations;
        correlator.due(self.engine.set(), now, joined);
        // A window's last match is known whole by then, or its container never will be.
        joined.open.clear();
        let containers = &self.containers;
        for owner in self.correlations.over(now, |id| containers.is_present(id)) {
            debug_assert!(owner.lifetime != Lifetime::Lasting);
            self.correlations.correlator.ended(owner);
        }
        self.tell_correlated();
    }

    pub(super) fn process_ended(&mut self, time: u64, key: ProcessKey) {
        self.correlations.note(time, Ended::Process(key));
    }

    pub(super) fn container_ended(&mut self, time: u64, id: &Arc<str>) {
        self.stories.container_ended(id);
        self.correlations.note(time, Ended::Container(Arc::clone(id)));
    }

    fn tell_correlated(&mut self) {
        let mut found = std::mem::take(&mut self.correlations.joined.correlated);
        for found in found.drain(..) {
            self.passed.correlated += 1;
            self.tell_one(found);
        }
        // Its room is used again.
        self.correlations.joined.correlated = found;
    }

    fn tell_one(&mut self, mut found: Correlated<Arc<Event>>) {
        // One that only others read is not told by itself.
        let rule = self.engine.rule(found.rule).filter(|rule| rule.reports);
        let Some(about) = rule.and_then(|rule| rule.correlation.as_ref()) else {
            return;
        };
        let last = found.steps.last_mut();
        let is_inside = last.as_ref().is_some_and(|step| step.event.container.is_some());
        let Some(detection) = self.detections.get(found.rule, is_inside) else { return };
        if let Some(step) = last {
            let ancestors = self.processes.ancestors(&step.event.process, LINEAGE_MAX);
            step.event = Arc::new(Event { ancestors, ..Event::clone(&step.event) });
        }
        if let Some(step) = found.steps.last() {
            self.lives.note_match(&step.event.process, detection.level);
        }
        let mut seen = FxHashSet::default();
        let rules = found.steps.iter().filter(|step| seen.insert(step.rule));
        let rules = rules.filter_map(|step| self.detections.get(step.rule, true));
        let correlation = Correlation {
            kind: about.kind,
            condition: about.condition.clone(),
            timespan: about.timespan,
            value: found.value,
            matches: found.matches,
            duration: found.last.saturating_sub(found.first),
            group: std::mem::take(&mut found.group),
            repeats: found.repeats,
            rules: rules.map(|rule| Member { id: rule.id, title: rule.title }).collect(),
        };
        self.stories.correlated(&found, detection, correlation);
    }
}
