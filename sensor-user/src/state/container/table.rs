//! The container table: every id seen in a cgroup path, what its runtime says of it, and which
//! cgroups are its.
//!
//! Names join late: an id is known from the first record, and [`ContainerTable::due`] says whose
//! runtime should be asked (again). Pure: asking is `host::container`'s part.

mod due;
mod present;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{CgroupIdentity, Container};
use crate::state::pod::PodTable;
use crate::state::process::ProcessKey;

pub use present::Present;

/// Most containers, ended ones included: three times the densest node the kubelet supports in
/// practice (about 1,000 containers), so that ten minutes of churn fit. Beyond it the container that
/// ended first is evicted, else the one seen first.
const CONTAINERS_MAX: usize = 4_096;
/// Most cgroups: a container has one of its own and, with systemd inside, some dozens below it.
const CGROUPS_MAX: usize = 65_536;
/// How long a container is known after its last cgroup went, nanoseconds: as long as its processes.
pub const CONTAINER_KEPT: u64 = crate::state::process::EXITED_KEPT;
/// Ids up to this name no cgroup of their own: 0 is unknown, 1 the root of a hierarchy, where the
/// processes of a host without cgroup v2 all are.
const ROOT_CGROUP: u64 = 1;

/// Sizes now and counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerStats {
    pub known: usize,
    pub cgroups: usize,
    /// Known to a runtime.
    pub verified: usize,
    /// Dropped because the table was full.
    pub evicted: u64,
    /// Cgroups dropped because the table was full.
    pub evicted_cgroups: u64,
    /// Dropped [`CONTAINER_KEPT`] after their end.
    pub expired: u64,
    /// No runtime knew them in time.
    pub unconfirmed: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: Arc<str>,
    /// As it was seen first: what its runtime is asked for.
    identity: CgroupIdentity,
    pub(super) container: Arc<Container>,
    /// As events have it: itself, or the nearest container around it that a runtime knows.
    shown: Arc<Container>,
    /// Containers around it, the outermost first.
    outer: Vec<Arc<str>>,
    pub(super) first_seen: u64,
    /// Its first program since it was (re)started.
    began: Option<(u64, ProcessKey)>,
    /// Whoever was moved to its cgroup, or ran a program there, last.
    seen: Option<ProcessKey>,
    /// Questions asked so far; [`ASK_AFTER`] says when the next one is due.
    asked: usize,
    cgroups: u32,
    ended: Option<u64>,
}

/// All containers the agent remembers.
#[derive(Debug, Default)]
pub struct ContainerTable {
    pub(super) containers: FxHashMap<Arc<str>, Entry>,
    /// What the Kubernetes API tells of pods, see `join`.
    pub(super) pods: PodTable,
    by_cgroup: FxHashMap<u64, Arc<str>>,
    /// Order of first sight, of cgroups, of ends; what is gone or alive again is skipped.
    arrivals: VecDeque<Arc<str>>,
    cgroup_arrivals: VecDeque<u64>,
    ended: VecDeque<Arc<str>>,
    /// Still unverified or unnamed.
    pending: Vec<Arc<str>>,
    /// When the first of them is due (boot, nanoseconds): the turns before it have nothing to look at.
    due_at: u64,
    /// Given up since they were taken.
    unconfirmed: Vec<Arc<str>>,
    /// Named or given up since they were taken.
    pub(super) settled: Vec<Arc<str>>,
    stats: ContainerStats,
}

impl ContainerTable {
    /// A cgroup of this container was seen at `now` (boot, nanoseconds). Gives the id to share.
    pub fn see(&mut self, cgroup_id: u64, identity: &CgroupIdentity, now: u64) -> Arc<str> {
        let id = match self.containers.get(identity.id.as_str()) {
            Some(entry) => Arc::clone(&entry.id),
            None => self.create(identity, now),
        };
        if cgroup_id > ROOT_CGROUP {
            self.map_cgroup(cgroup_id, &id);
        }
        id
    }

    /// The container of a cgroup, also after the cgroup's end.
    #[must_use]
    pub fn by_cgroup(&self, cgroup_id: u64) -> Option<Arc<str>> {
        self.by_cgroup.get(&cgroup_id).cloned()
    }

    /// The container as it is shown: one within another that no runtime of this host knows is the outer
    /// one, with the way to it in [`Container::nested`].
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Container>> {
        self.containers.get(id).map(|entry| Arc::clone(&entry.shown))
    }

    /// Takes over what a runtime said, which settles what was open about the container. False: the id is not
    /// (or no longer) known here.
    pub fn complete(&mut self, id: &str, container: Container) -> bool {
        let Some(entry) = self.containers.get_mut(id) else { return false };
        let is_pod_news = entry.container.pod_uid.is_none();
        let container = container.keeping(&entry.container);
        self.change(id, |known, pods| {
            *known = container;
            known.join(pods, is_pod_news);
        });
        true
    }

    /// Ids that were given up, forgotten or named since the last call, or of whose pods all is known. One that
    /// was given up may be named all the same, and then comes again.
    pub fn settled(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.settled)
    }

    /// Ids that no runtime confirmed in time, since the last call.
    pub fn take_unconfirmed(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.unconfirmed)
    }

    /// A program came into the container at `time` (boot, nanoseconds). True: it is the first since the
    /// container was started.
    pub fn began(&mut self, id: &str, time: u64, process: ProcessKey) -> bool {
        let Some(entry) = self.containers.get_mut(id) else { return false };
        let is_first = entry.began.is_none();
        if is_first {
            entry.began = Some((time, process));
        }
        is_first
    }

    /// When the container ran its first program, and which process that was.
    #[must_use]
    pub fn first(&self, id: &str) -> Option<(u64, ProcessKey)> {
        self.containers.get(id)?.began
    }

    /// A process was moved to the container's cgroup, or runs a program there.
    pub fn note_seen(&mut self, id: &str, process: ProcessKey) {
        if let Some(entry) = self.containers.get_mut(id) {
            entry.seen = Some(process);
        }
    }

    /// Who is known to be, or to have been, in the container's cgroup.
    #[must_use]
    pub fn witness(&self, id: &str) -> Option<ProcessKey> {
        let entry = self.containers.get(id)?;
        entry.began.map(|(_, process)| process).or(entry.seen)
    }

    /// Whether one lies in the other, so that a process may go from `home` there by its own way: inwards, or
    /// outwards to what is shown for both.
    #[must_use]
    pub fn is_related(&self, home: &str, other: &str) -> bool {
        let (Some(from), Some(to)) = (self.containers.get(home), self.containers.get(other)) else {
            return false;
        };
        let lies_in = |inner: &Entry, outer: &str| inner.outer.iter().any(|id| &**id == outer);
        lies_in(to, home) || lies_in(from, other) && from.shown.id == to.shown.id
    }

    /// A cgroup was removed at `time` (boot, nanoseconds); with its last one its container has ended.
    /// True: this one has.
    pub fn ended(&mut self, cgroup_id: u64, time: u64) -> bool {
        let Some(entry) = self.by_cgroup.get(&cgroup_id).and_then(|id| self.containers.get_mut(id)) else {
            return false;
        };
        entry.cgroups = entry.cgroups.saturating_sub(1);
        if entry.cgroups == 0 && entry.ended.is_none() {
            entry.ended = Some(time);
            // Still who was there, if the id turns out to be nobody's.
            entry.seen = entry.began.take().map(|(_, process)| process).or(entry.seen);
            self.ended.push_back(Arc::clone(&entry.id));
            return true;
        }
        false
    }

    /// Forgets what ended longer than [`CONTAINER_KEPT`] before `now` (boot, nanoseconds).
    pub fn sweep(&mut self, now: u64) -> ContainerStats {
        while let Some(id) = self.ended.front() {
            match self.containers.get(id).and_then(|entry| entry.ended) {
                Some(time) if now.saturating_sub(time) < CONTAINER_KEPT => break,
                Some(_) => {
                    self.containers.remove(id);
                    self.stats.expired += 1;
                }
                None => {}
            }
            self.ended.pop_front();
        }
        let containers = &self.containers;
        self.by_cgroup.retain(|_, id| containers.contains_key(id));
        self.cgroup_arrivals.retain(|cgroup| self.by_cgroup.contains_key(cgroup));
        self.arrivals.retain(|id| containers.contains_key(id));
        self.sweep_pods(now);
        self.stats()
    }

    #[must_use]
    pub fn stats(&self) -> ContainerStats {
        ContainerStats {
            known: self.containers.len(),
            cgroups: self.by_cgroup.len(),
            verified: self.containers.values().filter(|entry| entry.container.is_verified()).count(),
            ..self.stats
        }
    }

    fn create(&mut self, identity: &CgroupIdentity, now: u64) -> Arc<str> {
        if self.containers.len() >= CONTAINERS_MAX {
            self.evict();
        }
        let outer = identity.outer.iter().enumerate().map(|(depth, (id, runtime))| {
            let around = identity.outer.get(..depth).unwrap_or_default().to_vec();
            let (id, runtime) = (id.clone(), *runtime);
            CgroupIdentity {
                id,
                runtime,
                pod_uid: identity.pod_uid.clone(),
                outer: around,
                user: identity.user,
            }
        });
        let outer: Vec<Arc<str>> = outer.map(|outer| self.see(0, &outer, now)).collect();
        let id: Arc<str> = identity.id.as_str().into();
        let container = Arc::new(Container::from_cgroup(identity));
        let entry = Entry {
            id: Arc::clone(&id),
            identity: identity.clone(),
            shown: Arc::clone(&container),
            container,
            outer,
            first_seen: now,
            began: None,
            seen: None,
            asked: 0,
            cgroups: 0,
            ended: None,
        };
        self.containers.insert(Arc::clone(&id), entry);
        self.arrivals.push_back(Arc::clone(&id));
        self.pending.push(Arc::clone(&id));
        self.due_at = 0;
        self.change(&id, |container, pods| container.join(pods, true));
        id
    }

    /// Says anew how a container and those within it are shown.
    pub(super) fn show(&mut self, id: &str) {
        let is_concerned = |entry: &Entry| *entry.id == *id || entry.outer.iter().any(|outer| **outer == *id);
        let concerned: Vec<Arc<str>> = self
            .containers
            .values()
            .filter(|entry| is_concerned(entry))
            .map(|entry| Arc::clone(&entry.id))
            .collect();
        for id in concerned {
            let shown = self.containers.get(&id).map(|entry| self.shown(entry));
            if let (Some(shown), Some(entry)) = (shown, self.containers.get_mut(&id)) {
                entry.shown = shown;
            }
        }
    }

    fn shown(&self, entry: &Entry) -> Arc<Container> {
        if entry.container.is_verified() {
            return Arc::clone(&entry.container);
        }
        let around = entry.outer.iter().enumerate().rev();
        let known = around.filter_map(|(depth, id)| Some((depth, self.containers.get(id)?)));
        let Some((depth, outer)) = known.into_iter().find(|(_, outer)| outer.container.is_verified()) else {
            return Arc::clone(&entry.container);
        };
        let within = entry.outer.iter().skip(depth + 1).chain(std::iter::once(&entry.id));
        let nested = within.map(ToString::to_string).collect();
        Arc::new(Container { nested, ..Container::clone(&outer.container) })
    }

    fn map_cgroup(&mut self, cgroup_id: u64, id: &Arc<str>) {
        if self.by_cgroup.get(&cgroup_id) == Some(id) {
            return;
        }
        while self.by_cgroup.len() >= CGROUPS_MAX
            && let Some(oldest) = self.cgroup_arrivals.pop_front()
        {
            if self.by_cgroup.remove(&oldest).is_some() {
                self.stats.evicted_cgroups += 1;
            }
        }
        self.by_cgroup.insert(cgroup_id, Arc::clone(id));
        self.cgroup_arrivals.push_back(cgroup_id);
        if let Some(entry) = self.containers.get_mut(id) {
            entry.cgroups += 1;
            // Stopped and started again: same id, a new cgroup.
            entry.ended = None;
        }
    }

    fn evict(&mut self) {
        while let Some(id) = self.ended.pop_front().or_else(|| self.arrivals.pop_front()) {
            if let Some(entry) = self.containers.remove(&id) {
                if entry.container.is_open() {
                    self.settled.push(id);
                }
                self.stats.evicted += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
