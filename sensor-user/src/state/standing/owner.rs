//! Which container owns which namespaces. Pure and bounded.
//!
//! Learnt from what a runtime starts: the container's first program is in the container's namespaces.
//! Inode numbers of namespaces are used again at once, so an ownership holds only while the process it
//! was learnt from lives.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Claim;
use crate::state::process::ProcessKey;

/// Most namespaces with an owner: two for each container that can be known (`state::container`). Beyond
/// it the one learnt first is forgotten; then that witness says nothing, which is no lie.
const OWNED_MAX: usize = 8_192;

/// Namespaces of the host or of a process, by inode number; zero where they are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub mount: u32,
    pub pid: u32,
}

/// Kind of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Mount,
    Pid,
}

/// Owners by namespace.
#[derive(Debug, Default)]
pub struct Owners {
    host: Namespaces,
    owners: FxHashMap<(Kind, u32), Owner>,
    /// The mount namespace of each container.
    mounts: FxHashMap<Arc<str>, u32>,
    arrivals: VecDeque<(Kind, u32)>,
    evicted: u64,
}

#[derive(Debug)]
struct Owner {
    container: Arc<str>,
    by: ProcessKey,
}

impl Owners {
    #[must_use]
    pub fn new(host: Namespaces) -> Self {
        Self { host, ..Self::default() }
    }

    /// What a mount namespace says. `is_live` tells whether a process still is.
    pub fn mount(&self, inode: u32, is_live: impl Fn(ProcessKey) -> bool) -> Claim {
        self.claim(Kind::Mount, inode, self.host.mount, is_live)
    }

    /// What a pid namespace says.
    pub fn pid(&self, inode: u32, is_live: impl Fn(ProcessKey) -> bool) -> Claim {
        self.claim(Kind::Pid, inode, self.host.pid, is_live)
    }

    /// This container is known to have a mount namespace of its own.
    pub fn has_own_mount(&self, container: &str, is_live: impl Fn(ProcessKey) -> bool) -> bool {
        let owned = self.mounts.get(container).map(|inode| self.mount(*inode, is_live));
        owned.as_ref().and_then(Claim::container).is_some_and(|owner| **owner == *container)
    }

    /// This process is its container's first: its namespaces are the container's, where they are not the
    /// host's. A pid namespace that another owns stays with that one: pods share theirs.
    pub fn learn(
        &mut self,
        container: &Arc<str>,
        by: ProcessKey,
        namespaces: Namespaces,
        is_live: impl Fn(ProcessKey) -> bool,
    ) {
        let Namespaces { mount, pid } = namespaces;
        if mount != 0 && mount != self.host.mount {
            self.own(Kind::Mount, mount, container, by);
            self.mounts.insert(Arc::clone(container), mount);
        }
        if self.pid(pid, is_live) == Claim::Unknown && pid != 0 {
            self.own(Kind::Pid, pid, container, by);
        }
    }

    /// The container has ended: its namespaces are nobody's, and their numbers are given out again at once.
    pub fn release(&mut self, container: &str) {
        self.owners.retain(|_, owner| *owner.container != *container);
        self.mounts.remove(container);
    }

    /// Namespaces forgotten because the table was full.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    fn claim(&self, kind: Kind, inode: u32, host: u32, is_live: impl Fn(ProcessKey) -> bool) -> Claim {
        if inode == 0 {
            return Claim::Unknown;
        }
        if inode == host {
            return Claim::Host;
        }
        match self.owners.get(&(kind, inode)) {
            Some(owner) if is_live(owner.by) => Claim::Container(Arc::clone(&owner.container)),
            Some(_) | None => Claim::Unknown,
        }
    }

    fn own(&mut self, kind: Kind, inode: u32, container: &Arc<str>, by: ProcessKey) {
        let owner = Owner { container: Arc::clone(container), by };
        if self.owners.insert((kind, inode), owner).is_none() {
            self.arrivals.push_back((kind, inode));
        }
        while self.owners.len() > OWNED_MAX
            && let Some(oldest) = self.arrivals.pop_front()
        {
            if let Some(owner) = self.owners.remove(&oldest) {
                self.evicted += 1;
                if oldest.0 == Kind::Mount {
                    self.mounts.remove(&owner.container);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Namespaces = Namespaces { mount: 1, pid: 2 };
    const FIRST: ProcessKey = ProcessKey { pid: 10, start_time: 10 };

    fn id(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn an_owner_counts_while_its_first_process_lives() {
        let mut owners = Owners::new(HOST);
        owners.learn(&id("a"), FIRST, Namespaces { mount: 7, pid: 8 }, |_| true);
        assert_eq!(owners.mount(7, |_| true), Claim::Container(id("a")));
        assert_eq!(owners.pid(8, |_| true), Claim::Container(id("a")));
        assert_eq!(owners.mount(7, |_| false), Claim::Unknown, "the number may be another's by now");
        assert!(owners.has_own_mount("a", |_| true) && !owners.has_own_mount("a", |_| false));
        assert_eq!(owners.mount(8, |_| true), Claim::Unknown, "kinds have numbers of their own");
        assert_eq!((owners.mount(1, |_| true), owners.pid(2, |_| true)), (Claim::Host, Claim::Host));
        assert_eq!(owners.mount(0, |_| true), Claim::Unknown);
    }

    #[test]
    fn what_a_container_owned_is_nobodys_after_its_end() {
        let mut owners = Owners::new(HOST);
        owners.learn(&id("a"), FIRST, Namespaces { mount: 7, pid: 8 }, |_| true);
        owners.learn(&id("b"), FIRST, Namespaces { mount: 9, pid: 10 }, |_| true);
        owners.release("a");
        assert_eq!((owners.mount(7, |_| true), owners.pid(8, |_| true)), (Claim::Unknown, Claim::Unknown));
        assert!(!owners.has_own_mount("a", |_| true) && owners.has_own_mount("b", |_| true));
        // The arrivals of what is gone are passed over.
        for inode in (10..).take(OWNED_MAX) {
            owners.learn(&id("c"), FIRST, Namespaces { mount: inode, pid: 2 }, |_| true);
        }
        assert!(owners.owners.len() <= OWNED_MAX);
    }

    #[test]
    fn a_pod_shares_its_pid_namespace_and_the_host_keeps_its_own() {
        let mut owners = Owners::new(HOST);
        owners.learn(&id("pause"), FIRST, Namespaces { mount: 7, pid: 8 }, |_| true);
        owners.learn(&id("web"), FIRST, Namespaces { mount: 9, pid: 8 }, |_| true);
        assert_eq!(owners.pid(8, |_| true), Claim::Container(id("pause")));
        owners.learn(&id("agent"), FIRST, Namespaces { mount: 1, pid: 2 }, |_| true);
        assert_eq!((owners.mount(1, |_| true), owners.pid(2, |_| true)), (Claim::Host, Claim::Host));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut owners = Owners::new(HOST);
        for inode in (10..).take(OWNED_MAX + 5) {
            owners.learn(&id("a"), FIRST, Namespaces { mount: inode, pid: 2 }, |_| true);
        }
        assert_eq!((owners.owners.len(), owners.evicted()), (OWNED_MAX, 5));
    }
}
