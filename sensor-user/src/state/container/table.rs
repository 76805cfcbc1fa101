//! The container table: every id seen in a cgroup path, what its runtime says of it, and which
//! cgroups are its.
//!
//! Names join late: an id is known from the first record, and [`ContainerTable::due`] says whose
//! runtime should be asked (again). Pure: asking is `host::container`'s part.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{CgroupIdentity, Container};
use crate::state::pod::PodTable;

/// Most containers, ended ones included: three times the densest node the kubelet supports in
/// practice (about 1,000 containers), so that ten minutes of churn fit. Beyond it the container that
/// ended first is evicted, else the one seen first.
const CONTAINERS_MAX: usize = 4_096;
/// Most cgroups: a container has one of its own and, with systemd inside, some dozens below it.
const CGROUPS_MAX: usize = 65_536;
/// How long a container is known after its last cgroup went, nanoseconds: as long as its processes.
pub const CONTAINER_KEPT: u64 = crate::state::process::EXITED_KEPT;
/// When a runtime is asked for names, nanoseconds after the first sight. A runtime writes its state
/// before the first program runs; what comes later covers a slow disk and a runtime found later.
const ASK_AFTER: [u64; 6] = [0, 50_000_000, 250_000_000, 1_000_000_000, 5_000_000_000, 30_000_000_000];
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
    /// Given up: no runtime knew them in time.
    pub unconfirmed: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    id: Arc<str>,
    pub(super) container: Arc<Container>,
    pub(super) first_seen: u64,
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
    /// Still unverified and not yet given up.
    pending: Vec<Arc<str>>,
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

    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Container>> {
        self.containers.get(id).map(|entry| Arc::clone(&entry.container))
    }

    /// Takes over what a runtime said. False: the id is not (or no longer) known here.
    pub fn complete(&mut self, id: &str, container: Container) -> bool {
        let Some(entry) = self.containers.get_mut(id) else { return false };
        let is_pod_news = entry.container.pod_uid.is_none();
        entry.container = Arc::new(container.keeping(&entry.container));
        self.join(id, is_pod_news);
        true
    }

    /// Whose runtime should be asked at `now`, at most `max`. Each is told once per step of a short
    /// schedule, until it is verified or given up; an id given here counts as asked, one that did not
    /// fit is given next time.
    pub fn due(&mut self, now: u64, max: usize) -> Vec<CgroupIdentity> {
        let mut due = Vec::new();
        let Self { containers, pending, stats, .. } = self;
        pending.retain(|id| {
            let Some(entry) = containers.get_mut(id) else { return false };
            if entry.container.verified {
                return false;
            }
            if due.len() >= max {
                return true;
            }
            let Some(after) = ASK_AFTER.get(entry.asked) else {
                stats.unconfirmed += 1;
                return false;
            };
            if now >= entry.first_seen.saturating_add(*after) {
                entry.asked += 1;
                due.push(CgroupIdentity {
                    id: entry.container.id.clone(),
                    runtime: entry.container.runtime,
                    pod_uid: entry.container.pod_uid.clone(),
                    outer: Vec::new(),
                });
            }
            true
        });
        due
    }

    /// A cgroup was removed at `time` (boot, nanoseconds); with its last one its container has ended.
    pub fn ended(&mut self, cgroup_id: u64, time: u64) {
        let Some(entry) = self.by_cgroup.get(&cgroup_id).and_then(|id| self.containers.get_mut(id)) else {
            return;
        };
        entry.cgroups = entry.cgroups.saturating_sub(1);
        if entry.cgroups == 0 && entry.ended.is_none() {
            entry.ended = Some(time);
            self.ended.push_back(Arc::clone(&entry.id));
        }
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
            verified: self.containers.values().filter(|entry| entry.container.verified).count(),
            ..self.stats
        }
    }

    fn create(&mut self, identity: &CgroupIdentity, now: u64) -> Arc<str> {
        if self.containers.len() >= CONTAINERS_MAX {
            self.evict();
        }
        let id: Arc<str> = identity.id.as_str().into();
        let entry = Entry {
            id: Arc::clone(&id),
            container: Arc::new(Container::from_cgroup(identity)),
            first_seen: now,
            asked: 0,
            cgroups: 0,
            ended: None,
        };
        self.containers.insert(Arc::clone(&id), entry);
        self.arrivals.push_back(Arc::clone(&id));
        self.pending.push(Arc::clone(&id));
        self.join(&id, true);
        id
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
            if self.containers.remove(&id).is_some() {
                self.stats.evicted += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::container::Runtime;

    const SECOND: u64 = 1_000_000_000;

    fn identity(id: &str) -> CgroupIdentity {
        CgroupIdentity { id: id.to_owned(), runtime: Runtime::Docker, pod_uid: None, outer: vec![] }
    }

    fn named(id: &str) -> Container {
        Container { name: Some("web".into()), verified: true, ..Container::from_cgroup(&identity(id)) }
    }

    #[test]
    fn names_join_late_and_keep_the_pod_uid() {
        let mut table = ContainerTable::default();
        let claim = CgroupIdentity { pod_uid: Some("uid".into()), ..identity("a") };
        let id = table.see(42, &claim, 0);
        assert!(!table.get(&id).unwrap().verified);
        assert!(table.complete("a", named("a")));
        let container = table.get(&table.by_cgroup(42).unwrap()).unwrap();
        assert_eq!((container.name.as_deref(), container.pod_uid.as_deref()), (Some("web"), Some("uid")));
        assert!(!table.complete("b", named("b")));
    }

    #[test]
    fn runtimes_are_asked_on_a_schedule_until_they_answer() {
        let mut table = ContainerTable::default();
        table.see(42, &identity("a"), SECOND);
        assert_eq!(table.due(SECOND, 0), [], "no room: it is not asked, and not counted as asked");
        assert_eq!(table.due(SECOND, usize::MAX), [identity("a")]);
        assert_eq!(table.due(SECOND, usize::MAX), []);
        assert_eq!(table.due(SECOND + 50_000_000, usize::MAX), [identity("a")]);
        table.complete("a", named("a"));
        assert_eq!(table.due(3_600 * SECOND, usize::MAX), []);
        table.see(43, &identity("b"), SECOND);
        let asked = (0..10).map(|_| table.due(3_600 * SECOND, usize::MAX).len()).sum::<usize>();
        assert_eq!((asked, table.stats().unconfirmed), (ASK_AFTER.len(), 1));
    }

    #[test]
    fn a_container_outlives_its_last_cgroup_by_ten_minutes() {
        let mut table = ContainerTable::default();
        table.see(42, &identity("a"), 0);
        table.see(43, &identity("a"), 0);
        table.ended(42, SECOND);
        table.sweep(SECOND + CONTAINER_KEPT);
        assert!(table.get("a").is_some(), "one cgroup is left");
        table.ended(43, 2 * SECOND);
        table.sweep(SECOND + CONTAINER_KEPT);
        assert!(table.by_cgroup(43).is_some());
        let stats = table.sweep(2 * SECOND + CONTAINER_KEPT);
        assert_eq!((stats.known, stats.cgroups, stats.expired), (0, 0, 1));
    }

    #[test]
    fn a_restarted_container_is_not_forgotten() {
        let mut table = ContainerTable::default();
        table.see(42, &identity("a"), 0);
        table.ended(42, SECOND);
        table.see(43, &identity("a"), 2 * SECOND);
        table.sweep(SECOND + CONTAINER_KEPT);
        assert!(table.get("a").is_some());
    }

    #[test]
    fn the_root_cgroup_is_nobodys() {
        let mut table = ContainerTable::default();
        table.see(1, &identity("a"), 0);
        table.see(0, &identity("a"), 0);
        assert_eq!((table.by_cgroup(0), table.by_cgroup(1)), (None, None));
    }

    #[test]
    fn the_table_is_bounded_and_says_what_it_dropped() {
        let mut table = ContainerTable::default();
        let more = 10;
        for number in 0..(CONTAINERS_MAX + more) as u64 {
            table.see(number + 2, &identity(&format!("c{number}")), 0);
        }
        let stats = table.sweep(0);
        assert_eq!((stats.known, stats.evicted), (CONTAINERS_MAX, more as u64));
        assert!(table.get("c0").is_none() && table.by_cgroup(2).is_none());
        assert!(table.get(&format!("c{}", CONTAINERS_MAX + more - 1)).is_some());
    }
}
