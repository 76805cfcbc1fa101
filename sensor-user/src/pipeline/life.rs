//! Containers as wholes: when they start and end, and what was found in them meanwhile.
//!
//! An event needs a process: that of a container's life is the first one known of it; at its end the first one that
//! something was found about, if anything was. An end is told when all that was seen in the container is decided, so
//! that matches which waited for its name count.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use sigma::Level;

use super::{Host, Pipeline};
use crate::event::field::Category;
use crate::event::{Body, ContainerAction, ContainerLife};
use crate::state::process::{Process, ProcessKey};

/// Most containers whose life is followed: as many as the container table has. Beyond it a new one is not, and
/// counted.
const LIVES_MAX: usize = 4_096;
/// Most ends that wait: a container waits for 5 s at most, so this is 800 ends a second. Beyond it the oldest is
/// told with what is known.
const ENDING_MAX: usize = 4_096;
/// Longest command line kept of a container's first process, and of the first that something was found about, bytes.
/// They stay when the process table has let them go to keep its own bound, so they must be small: with the rest
/// 0.7 KiB each, 3 MiB for the first ones of all lives.
const FIRST_LINE_MAX: usize = 256;
/// From here on a match says that something is wrong in the container. Jobs that back up, ship or install do what is
/// medium every day, and end.
const GRAVE: Level = Level::High;

/// A nanosecond's part of a second.
const SECOND: u64 = 1_000_000_000;

/// Containers that live, and those whose end is to be told.
#[derive(Debug, Default)]
pub(super) struct Lives {
    present: FxHashMap<Arc<str>, Life>,
    /// Started since the last look: the container, its first process, when.
    begun: Vec<(Arc<str>, ProcessKey, u64)>,
    /// Ended before their start was told.
    gone: Vec<(Arc<str>, u64)>,
    ending: Vec<Ending>,
    /// Not followed: there were too many.
    dropped: u64,
}

/// What is kept of a container.
#[derive(Debug)]
struct Life {
    /// As it started the container; kept since a container may outlive what is known of its first process.
    first: Arc<Process>,
    /// That of the first match.
    found: Option<Arc<Process>>,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    began: u64,
    alerts: u32,
}

#[derive(Debug)]
struct Ending {
    id: Arc<str>,
    time: u64,
    life: Life,
    /// Its name is known or will never be: what waited for it has been decided when this is looked at again.
    is_settled: bool,
}

impl Lives {
    /// A container's first program started.
    pub(super) fn began(&mut self, id: &Arc<str>, process: ProcessKey, time: u64) {
        if self.begun.len() < LIVES_MAX {
            self.begun.push((Arc::clone(id), process, time));
        } else {
            self.dropped += 1;
        }
    }

    /// Containers that were not followed because there were too many.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn keep(&mut self, id: Arc<str>, first: Arc<Process>, began: u64) {
        if self.present.len() < LIVES_MAX || self.present.contains_key(&id) {
            self.present.insert(id, Life { first: abridged(first), found: None, began, alerts: 0 });
        } else {
            self.dropped += 1;
        }
    }

    /// A match of this level is told; it counts for the container of its process, which may have ended since.
    pub(super) fn note_match(&mut self, process: &Arc<Process>, level: Level) {
        let Some(id) = process.container.as_deref().filter(|_| level >= GRAVE) else { return };
        let Self { present, ending, .. } = self;
        let life = present.get_mut(id).or_else(|| {
            ending.iter_mut().rev().find(|ending| *ending.id == *id).map(|ending| &mut ending.life)
        });
        if let Some(life) = life {
            life.alerts = life.alerts.saturating_add(1);
            life.found.get_or_insert_with(|| abridged(Arc::clone(process)));
        }
    }

    /// Containers that live, each with its first process.
    pub(super) fn present(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Process>)> {
        self.present.iter().map(|(id, life)| (id, &life.first))
    }

    /// The first process of a container that lives.
    pub(super) fn first(&self, id: &str) -> Option<Arc<Process>> {
        self.present.get(id).map(|life| Arc::clone(&life.first))
    }

    /// Its last cgroup went.
    pub(super) fn ended(&mut self, id: &Arc<str>, time: u64) {
        if self.begun.iter().any(|(begun, ..)| begun == id) {
            // It turned out to be a container a moment ago: its start is told first.
            self.gone.push((Arc::clone(id), time));
        } else if let Some(life) = self.present.remove(id) {
            self.ending.push(Ending { id: Arc::clone(id), time, life, is_settled: false });
        }
    }

    /// Ends that are to be told now. `is_open`: somebody may still say who the container is.
    fn over(&mut self, is_open: impl Fn(&str) -> bool) -> Vec<Ending> {
        let surplus = self.ending.len().saturating_sub(ENDING_MAX);
        let mut over: Vec<Ending> = self.ending.drain(..surplus).collect();
        over.extend(self.ending.extract_if(.., |ending| ending.is_settled));
        for ending in &mut self.ending {
            ending.is_settled = !is_open(&ending.id);
        }
        over
    }
}

/// A process as it is kept for long.
fn abridged(process: Arc<Process>) -> Arc<Process> {
    // One copy more is not worth what is saved where the line is short.
    if process.command_line().len() <= FIRST_LINE_MAX {
        return process;
    }
    Arc::new(process.abridged(FIRST_LINE_MAX))
}

impl Pipeline {
    /// Takes in the containers whose first program started since the last call.
    pub(super) fn begin_lives(&mut self) -> Vec<(u64, Arc<Process>)> {
        let mut begun = Vec::new();
        for (id, key, time) in std::mem::take(&mut self.lives.begun) {
            if let Some(process) = self.processes.get(key) {
                self.lives.keep(id, Arc::clone(&process), time);
                begun.push((time, process));
            }
        }
        begun
    }

    /// Tells that they have started.
    pub(super) fn tell_begun(&mut self, begun: Vec<(u64, Arc<Process>)>, host: &mut impl Host) {
        let life = ContainerLife { action: ContainerAction::Start, age: 0, alerts: 0 };
        for (time, process) in begun {
            self.tell_life(time, process, life, host);
        }
    }

    /// Tells of containers that have ended, and of those that turned out to be containers.
    pub(super) fn settle_lives(&mut self, host: &mut impl Host) {
        let begun = self.begin_lives();
        self.tell_begun(begun, host);
        for (id, time) in std::mem::take(&mut self.lives.gone) {
            self.lives.ended(&id, time);
        }
        let containers = &self.containers;
        let over = self.lives.over(|id| containers.get(id).is_some_and(|container| container.is_open()));
        for Ending { id, time, life: Life { first, found, began, alerts }, is_settled: _ } in over {
            let age = time.saturating_sub(began) / SECOND;
            let life = ContainerLife { action: ContainerAction::End, age, alerts };
            let process = self.resident(&id, found.as_ref().unwrap_or(&first));
            let key = process.key;
            self.tell_life(time, process, life, host);
            if self.processes.is_live(key) != Some(true) {
                // What was told of it has no process whose end could be awaited.
                self.exited(time, key, None, 0);
            }
        }
    }

    /// The process as it is known now, or as it started the container: where it is elsewhere by now it
    /// does not speak for the container.
    pub(super) fn resident(&mut self, id: &str, first: &Arc<Process>) -> Arc<Process> {
        let now = self.processes.get(first.key);
        let now = now.filter(|process| process.container.as_deref() == Some(id));
        now.unwrap_or_else(|| Arc::clone(first))
    }

    fn tell_life(&mut self, time: u64, process: Arc<Process>, life: ContainerLife, host: &mut impl Host) {
        if self.observed.is_some() || self.engine.watches(Category::ContainerEvent.id()) {
            self.passed.count(Category::ContainerEvent);
            self.event_of(time, process, Body::ContainerEvent(life), host);
        }
    }

    /// Forgets lives of containers that the table had to forget.
    pub(super) fn sweep_lives(&mut self) {
        let Self { lives, containers, resources, .. } = self;
        lives.present.retain(|id, _| containers.is_present(id));
        resources.keep(|id| lives.present.contains_key(id));
    }
}
