//! What cannot be decided yet: events whose rules ask what a container's runtime has not told, and what
//! the processes of those events did since.
//!
//! When the runtime has answered, all of it is gone through again as if the answer had been there from the
//! start: a match makes a story with its own time and the steps that followed, and where none matches it is
//! forgotten. An alert that is true already does not wait here.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sigma::{Matches, RuleIndex};

use super::Pipeline;
use super::undecided::Reason;
use crate::event::Event;
use crate::state::container::{Confirmation, Container, Role};
use crate::state::phase::Phase;
use crate::state::process::{Process, ProcessKey};
use crate::state::standing::Entry;
use crate::story::Stories;

/// Most events and forks kept of one container: a transfer has some dozens, an entrypoint that installs
/// packages hundreds in the fraction of a second that its name takes. Beyond it what comes is not kept,
/// and rules that it leaves open are counted as undecided.
const DEEDS_MAX: usize = 256;
/// Most kept at all, some 2 MiB. Beyond it the container that has waited longest is given up: those that
/// any runtime knows are named within milliseconds.
const ALL_DEEDS_MAX: usize = 2048;

/// Something a process did while it was not known what rules make of it.
#[derive(Debug)]
enum Deed {
    /// With the rules it left open.
    Event(Box<Event>, Vec<RuleIndex>),
    Fork {
        parent: ProcessKey,
        child: ProcessKey,
    },
    Exit {
        time: u64,
        key: ProcessKey,
        process: Option<Arc<Process>>,
        code: u32,
    },
}

/// What waits for one container.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    deeds: Vec<Deed>,
    /// When the first of it happened.
    since: u64,
    /// Processes that events are about, and what came of them.
    members: Vec<ProcessKey>,
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    containers: FxHashMap<Arc<str>, Waiting>,
    members: FxHashMap<ProcessKey, Arc<str>>,
    deeds: usize,
}

impl Held {
    /// Does anything wait that this process belongs to?
    pub(super) fn follows(&self, key: &ProcessKey) -> bool {
        self.members.contains_key(key)
    }

    /// Keeps an event with the rules it left open, or one of a process that is followed. False: there is no
    /// room.
    fn keep(&mut self, event: &Event, id: &Arc<str>, open: &[RuleIndex]) -> bool {
        let waiting = self.containers.entry(Arc::clone(id)).or_default();
        if waiting.deeds.len() >= DEEDS_MAX {
            return false;
        }
        if waiting.deeds.is_empty() {
            waiting.since = event.time;
        }
        waiting.deeds.push(Deed::Event(Box::new(event.clone()), open.to_vec()));
        self.deeds += 1;
        self.enrol(id, event.process.key);
        true
    }

    fn enrol(&mut self, id: &Arc<str>, key: ProcessKey) {
        if !self.members.contains_key(&key)
            && let Some(waiting) = self.containers.get_mut(id)
        {
            waiting.members.push(key);
            self.members.insert(key, Arc::clone(id));
        }
    }

    fn forked(&mut self, parent: ProcessKey, child: ProcessKey) {
        let Some(id) = self.members.get(&parent).cloned() else { return };
        let Some(waiting) = self.containers.get_mut(&id) else { return };
        if waiting.deeds.len() < DEEDS_MAX {
            waiting.deeds.push(Deed::Fork { parent, child });
            self.deeds += 1;
            self.enrol(&id, child);
        }
    }

    /// Ends are always kept: there are no more of them than of what has a bound.
    fn exited(&mut self, time: u64, key: ProcessKey, process: Option<&Arc<Process>>, code: u32) {
        let Some(waiting) = self.members.get(&key).and_then(|id| self.containers.get_mut(id)) else { return };
        waiting.deeds.push(Deed::Exit { time, key, process: process.cloned(), code });
        self.deeds += 1;
    }

    /// The container that has waited longest, if there is no room for all.
    fn beyond(&self) -> Option<Arc<str>> {
        let oldest = || self.containers.iter().min_by_key(|(_, waiting)| waiting.since);
        if self.deeds > ALL_DEEDS_MAX { oldest().map(|(id, _)| Arc::clone(id)) } else { None }
    }

    /// Takes out what waits for a container.
    fn take(&mut self, id: &str) -> Option<Waiting> {
        let waiting = self.containers.remove(id)?;
        self.deeds = self.deeds.saturating_sub(waiting.deeds.len());
        for key in &waiting.members {
            self.members.remove(key);
        }
        Some(waiting)
    }

    /// Other rules took over: what waits for a rule waits for its successor. Gives each match whose rule has
    /// none, with the container it was about.
    pub(super) fn renumber(
        &mut self,
        successor: &impl Fn(RuleIndex) -> Option<RuleIndex>,
    ) -> Vec<(RuleIndex, Arc<Container>)> {
        let mut gone = Vec::new();
        for deed in self.containers.values_mut().flat_map(|waiting| &mut waiting.deeds) {
            let Deed::Event(event, open) = deed else { continue };
            open.retain_mut(|rule| match (successor(*rule), &event.container) {
                (Some(new), _) => {
                    *rule = new;
                    true
                }
                (None, Some(container)) => {
                    gone.push((*rule, Arc::clone(container)));
                    false
                }
                (None, None) => false,
            });
        }
        gone
    }

    fn ids(&self) -> Vec<Arc<str>> {
        self.containers.keys().cloned().collect()
    }
}

impl Pipeline {
    /// After an event was handled: keeps it, where it left rules open or its process is followed for one that did.
    pub(super) fn hold(&mut self, event: &Event) {
        let open = std::mem::take(&mut self.found.pending);
        if !open.is_empty() || self.held.follows(&event.process.key) {
            self.hold_or_count(event, &open);
        }
        self.found.pending = open;
    }

    fn hold_or_count(&mut self, event: &Event, open: &[RuleIndex]) {
        let asked = event.container.as_ref().filter(|container| container.is_open());
        let id: Option<Arc<str>> = match asked {
            Some(container) if !open.is_empty() => Some(container.id.as_str().into()),
            _ => self.held.members.get(&event.process.key).cloned(),
        };
        let is_kept = id.is_some_and(|id| self.held.keep(event, &id, open));
        while let Some(oldest) = self.held.beyond() {
            self.give_up(&oldest, Reason::TooMany);
        }
        if let (false, Some(container)) = (is_kept && asked.is_some(), &event.container) {
            let reason = if asked.is_some() { Reason::TooMany } else { Reason::NoRuntime };
            open.iter().for_each(|rule| self.undecided.note(*rule, container, reason));
        }
    }

    pub(super) fn forked(&mut self, parent: ProcessKey, child: ProcessKey) {
        self.stories.forked(&parent, child);
        self.held.forked(parent, child);
    }

    pub(super) fn exited(&mut self, time: u64, key: ProcessKey, process: Option<&Arc<Process>>, code: u32) {
        self.stories.exited(time, &key, process.map(|process| &**process), code);
        self.held.exited(time, key, process, code);
    }

    /// A container was named, given up or forgotten: what waited for it is gone through with what is known.
    pub(super) fn decide(&mut self, id: &str) {
        let Some(waiting) = self.held.take(id) else { return };
        let mut told_late = self.stories.beside();
        let mut found = Matches::default();
        for deed in waiting.deeds {
            match deed {
                Deed::Event(mut event, open) => {
                    let container = event.container.take();
                    event.container = container.map(|before| self.decided(&before));
                    event.phase = decided_phase(&event);
                    let mut rest = Vec::new();
                    if !open.is_empty() {
                        self.engine.evaluate(&*event, &mut found);
                        rest = self.matched_late(&event, &open, &found, &mut told_late);
                    }
                    told_late.observe(&event);
                    if !rest.is_empty() || self.held.follows(&event.process.key) {
                        // There was room for all of it a moment ago.
                        self.held.keep(&event, &id.into(), &rest);
                    }
                }
                Deed::Fork { parent, child } => {
                    told_late.forked(&parent, child);
                    self.held.forked(parent, child);
                }
                Deed::Exit { time, key, process, code } => {
                    told_late.exited(time, &key, process.as_deref(), code);
                    self.held.exited(time, key, process.as_ref(), code);
                }
            }
        }
        let processes = &self.processes;
        self.stories.adopt(told_late, |key| processes.is_live(*key) == Some(true));
    }

    /// Tells what matches now. Gives the rules and correlations that go on waiting: for what the Kubernetes API says
    /// of the pod.
    fn matched_late(
        &mut self,
        event: &Event,
        open: &[RuleIndex],
        found: &Matches,
        stories: &mut Stories,
    ) -> Vec<RuleIndex> {
        let (late, early): (Vec<_>, Vec<_>) = found.matched.iter().partition(|rule| open.contains(rule));
        for rule in &late {
            self.passed.matches += 1;
            if self.engine.rule(*rule).is_some_and(|rule| rule.reports)
                && let Some(detection) = self.detections.get(*rule, event.container.is_some())
            {
                self.lives.note_match(&event.process, detection.level);
                stories.matched(event, detection);
            }
        }
        let kept_back = found.suppressed.iter().filter(|(rule, _)| open.contains(rule));
        self.passed.suppressed += kept_back.clone().count() as u64;
        self.suppressed.note_all(event, self.engine.set(), kept_back);
        let mut rest = self.correlate_late(event, &early, &late, open);
        rest.extend(found.pending.iter().filter(|rule| open.contains(rule)));
        let Some(container) = &event.container else { return Vec::new() };
        if container.awaits_pod {
            return rest;
        }
        rest.iter().for_each(|rule| self.undecided.note(*rule, container, Reason::NoRuntime));
        Vec::new()
    }

    /// What waits for a container is not decided any more.
    fn give_up(&mut self, id: &str, reason: Reason) {
        let Some(waiting) = self.held.take(id) else { return };
        for deed in &waiting.deeds {
            if let Deed::Event(event, open) = deed
                && let Some(container) = &event.container
            {
                open.iter().for_each(|rule| self.undecided.note(*rule, container, reason));
            }
        }
    }

    /// The agent ends: what waits stays undecided.
    pub(super) fn give_up_all(&mut self) {
        for id in self.held.ids() {
            self.give_up(&id, Reason::SensorEnded);
        }
    }

    /// A container as it was decided; one that the table had to forget is one that no runtime knew.
    fn decided(&self, before: &Arc<Container>) -> Arc<Container> {
        self.containers.get(&before.id).unwrap_or_else(|| {
            Arc::new(Container { confirmation: Confirmation::Unknown, ..Container::clone(before) })
        })
    }
}

/// The phase by what only the container's runtime knows; the rest was known when it happened.
fn decided_phase(event: &Event) -> Option<Phase> {
    let Some(container) = &event.container else { return event.phase };
    let process = &event.process;
    let is_brought = process.standing.entry == Entry::Exec { has_terminal: false };
    if container.role == Role::Build {
        Some(Phase::Build)
    } else if is_brought && container.probes.iter().any(|probe| process.arguments == **probe) {
        Some(Phase::Probe)
    } else {
        event.phase
    }
}
