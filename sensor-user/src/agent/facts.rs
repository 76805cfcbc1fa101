//! What the pipeline asks of this host, answered from memory or one bounded read.

use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use tracing::debug;

use super::report;
pub(super) use crate::host::boot_time as now;
use crate::host::mount;
use crate::host::procfs::{self, Root};
use crate::host::user::UserNames;
use crate::keeper::{self, Kind};
use crate::pipeline::Host;
use crate::state::mount::Mounts;
use crate::state::standing::Namespaces;

/// Most mount namespaces remembered, as many as containers are. Beyond it all are forgotten, which costs each one
/// more reading of its mounts and one more search for its secrets, at its next program.
const KNOWN_MAX: usize = 4096;
/// Most containers entered in one turn; those beyond it are taken up at their next program.
const ENTERED_MAX: usize = 256;

/// User names and mount tables of this host.
pub(super) struct Facts {
    users: UserNames,
    mounts: Mounts,
    /// Mount namespaces of containers in which programs started since the last turn, each with the last of
    /// them.
    entered: FxHashMap<u32, Entered>,
    /// Mount namespaces of containers, and those of which the mounts were read.
    known: FxHashMap<u32, Known>,
}

/// What a mount namespace was when it was looked at last. Its number is used again, and so are those of the devices
/// and inodes of its root.
#[derive(Default)]
struct Known {
    /// Whose it was when a program started in it last.
    container: Option<Arc<str>>,
    /// Below which root its mounts were read, and of which process.
    root: Option<(Root, u32)>,
}

/// A container in which something has happened.
pub(super) struct Entered {
    /// The first process that started a program in it since the last turn, and the last.
    pub(super) pids: [u32; 2],
    /// There is a file system that was not there before.
    pub(super) is_remounted: bool,
    /// All that was known of the namespace was of another container.
    pub(super) is_renewed: bool,
}

/// A mount table that lacks a file system is read again after this long, nanoseconds: a container mounts when
/// it starts, and one that is asked for what nobody can find must not be read for every record.
const READ_AGAIN: u64 = 100_000_000;

impl Facts {
    /// Reads the host's own mounts to begin with.
    pub(super) fn read() -> Self {
        let mounts = mount::host(now()).unwrap_or_else(|error| {
            debug!(%error, "paths below a container's root stay paths of the host");
            Mounts::default()
        });
        Self {
            users: UserNames::new(mounts.host_ns()),
            mounts,
            entered: FxHashMap::default(),
            known: FxHashMap::default(),
        }
    }

    /// What full caches dropped since the start: what it is, how many.
    pub(super) fn dropped(&self) -> [(&'static str, u64); 2] {
        [("mount table", self.mounts.evicted()), ("user names of a container", self.users.evicted())]
    }

    /// Namespace and process of each container that was entered since the last call.
    pub(super) fn take_entered(&mut self) -> FxHashMap<u32, Entered> {
        std::mem::take(&mut self.entered)
    }

    /// Forgets the namespaces that are not among these, but for the host's.
    pub(super) fn keep(&mut self, alive: &FxHashSet<u32>) {
        let host_ns = self.mounts.host_ns();
        self.known.retain(|mnt_ns, _| *mnt_ns == host_ns || alive.contains(mnt_ns));
    }

    /// Nobody knows the namespace yet, or as another container's.
    fn is_new_to(&self, mnt_ns: u32, container: &Arc<str>) -> bool {
        let known = self.known.get(&mnt_ns).and_then(|known| known.container.as_ref());
        mnt_ns != self.mounts.host_ns() && known != Some(container)
    }

    fn known_mut(&mut self, mnt_ns: u32) -> &mut Known {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&mnt_ns) {
            self.known.clear();
        }
        self.known.entry(mnt_ns).or_default()
    }

    /// For [`Facts::take_entered`], together with what is waiting there. False: too many are.
    fn note_entered(&mut self, mnt_ns: u32, entered: Entered) -> bool {
        let is_room = self.entered.len() < ENTERED_MAX;
        match self.entered.entry(mnt_ns) {
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                waiting.pids[1] = entered.pids[1];
                waiting.is_remounted |= entered.is_remounted;
                waiting.is_renewed |= entered.is_renewed;
                true
            }
            Entry::Vacant(place) if is_room => {
                place.insert(entered);
                true
            }
            Entry::Vacant(_) => false,
        }
    }

    fn refresh(&mut self, mnt_ns: u32, pid: u32, now: u64) {
        for (namespace, pid) in [(self.mounts.host_ns(), 1), (mnt_ns, pid)] {
            if !self.mounts.wants(namespace, now) {
                continue;
            }
            let root = procfs::root(pid);
            if let Err(error) = mount::refresh(&mut self.mounts, namespace, pid, now) {
                debug!(%error, namespace, "mount table not read");
            }
            if !self.mounts.wants(namespace, now) {
                self.note_root(namespace, pid, root);
            }
        }
    }

    /// The table was read when `pid` had `root`, unless that has changed meanwhile: then it is not known below which.
    fn note_root(&mut self, mnt_ns: u32, pid: u32, before: Option<Root>) {
        let root = before.filter(|before| procfs::root(pid) == Some(*before));
        self.known_mut(mnt_ns).root = root.map(|root| (root, pid));
    }

    /// A runtime mounts and changes the root before it starts the container's program: what was read of its stage is
    /// not what the program sees.
    fn has_other_root(&self, mnt_ns: u32, pid: u32) -> bool {
        let known = self.known.get(&mnt_ns).and_then(|known| known.root);
        procfs::root(pid).is_some_and(|root| known.is_none_or(|(known, _)| known != root))
    }
}

impl Host for Facts {
    fn entered(&mut self, mnt_ns: u32, container: &Arc<str>, pid: u32, now: u64) {
        let is_renewed = self.is_new_to(mnt_ns, container);
        if is_renewed || self.has_other_root(mnt_ns, pid) {
            self.mounts.expire(mnt_ns);
        }
        // Read anew, it may have what it had not.
        let is_remounted = self.mounts.wants(mnt_ns, now);
        self.refresh(mnt_ns, pid, now);
        if mnt_ns != self.mounts.host_ns()
            && self.note_entered(mnt_ns, Entered { pids: [pid; 2], is_remounted, is_renewed })
        {
            self.known_mut(mnt_ns).container = Some(Arc::clone(container));
        }
    }

    fn user(&mut self, uid: u32, pid: u32, mnt_ns: u32, now: u64) -> Option<Arc<str>> {
        self.users.name(uid, pid, mnt_ns, now)
    }

    fn path(&mut self, device: u32, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String> {
        self.refresh(mnt_ns, pid, now);
        if !self.mounts.knows(device, mnt_ns) && self.mounts.is_older(mnt_ns, READ_AGAIN, now) {
            self.mounts.expire(mnt_ns);
            // Who asks may have ended.
            let first = self.known.get(&mnt_ns).and_then(|known| known.root).map(|(_, pid)| pid);
            for pid in [Some(pid), first].into_iter().flatten() {
                self.refresh(mnt_ns, pid, now);
            }
            if self.mounts.knows(device, mnt_ns) {
                self.note_entered(mnt_ns, Entered { pids: [pid; 2], is_remounted: true, is_renewed: false });
            }
        }
        self.mounts.resolve(device, path, mnt_ns)
    }

    fn path_of_host(&mut self, path: &str, mnt_ns: u32, pid: u32, now: u64) -> Option<String> {
        self.refresh(mnt_ns, pid, now);
        self.mounts.resolve_host(path, mnt_ns)
    }

    fn size(&mut self, path: &str, mnt_ns: u32) -> Option<u64> {
        let path = self.mounts.outside(path, mnt_ns)?;
        keeper::size(Path::new(&path))
    }

    fn date(&mut self, time: u64) -> Timestamp {
        report::date(time)
    }

    fn namespaces(&mut self, pid: u32) -> Option<Namespaces> {
        namespaces(pid)
    }

    fn is_overlay_scratch(&self, path: &str, mnt_ns: u32) -> bool {
        self.mounts.is_overlay_scratch(path, mnt_ns)
    }
}

/// Namespaces of a process. None: it is gone.
pub(super) fn namespaces(pid: u32) -> Option<Namespaces> {
    let namespace = |kind| procfs::namespace(pid, kind);
    Some(Namespaces { mount: namespace(Kind::Mount)?, pid: namespace(Kind::PidForChildren)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No mount namespace has it: numbers begin beyond (`PROC_DYNAMIC_FIRST`, fs/proc/generic.c).
    const SOMEWHERE: u32 = 7;

    fn facts() -> (Facts, u32) {
        (Facts::read(), std::process::id())
    }

    /// What is waiting of [`SOMEWHERE`], once a program of the container has started there.
    fn renewed_by(facts: &mut Facts, container: &str, pid: u32) -> bool {
        facts.entered(SOMEWHERE, &Arc::from(container), pid, now());
        facts.take_entered().remove(&SOMEWHERE).unwrap().is_renewed
    }

    #[test]
    fn a_namespace_is_renewed_when_its_number_is_another_containers() {
        let (mut facts, own) = facts();
        assert!(renewed_by(&mut facts, "a", own));
        assert!(!renewed_by(&mut facts, "a", own), "the same container");
        assert!(renewed_by(&mut facts, "b", own));
        assert!(renewed_by(&mut facts, "a", own), "and back");
    }

    #[test]
    fn its_renewal_is_told_even_if_something_else_happens_in_the_same_turn() {
        let (mut facts, own) = facts();
        facts.entered(SOMEWHERE, &Arc::from("a"), own, now());
        facts.entered(SOMEWHERE, &Arc::from("a"), 1, now());
        let entered = facts.take_entered().remove(&SOMEWHERE).unwrap();
        assert!(entered.is_renewed);
        assert_eq!(entered.pids, [own, 1]);
    }

    #[test]
    fn one_beyond_the_bound_of_a_turn_is_renewed_by_its_next_program() {
        let (mut facts, own) = facts();
        for other in 0..u32::try_from(ENTERED_MAX).unwrap() {
            facts.entered(SOMEWHERE + 1 + other, &Arc::from("other"), own, now());
        }
        facts.entered(SOMEWHERE, &Arc::from("a"), own, now());
        let entered = facts.take_entered();
        assert_eq!((entered.len(), entered.contains_key(&SOMEWHERE)), (ENTERED_MAX, false));
        assert!(renewed_by(&mut facts, "a", own));
    }

    #[test]
    fn what_is_known_stays_within_its_bound() {
        let (mut facts, own) = facts();
        for mnt_ns in 0..u32::try_from(KNOWN_MAX).unwrap() + 10 {
            facts.known_mut(mnt_ns).root = Some(((0, 0), own));
            assert!(facts.known.len() <= KNOWN_MAX);
        }
    }

    #[test]
    fn namespaces_that_are_gone_are_forgotten() {
        let (mut facts, own) = facts();
        assert!(renewed_by(&mut facts, "a", own));
        facts.keep(&FxHashSet::from_iter([SOMEWHERE]));
        assert!(!renewed_by(&mut facts, "a", own));
        facts.keep(&FxHashSet::from_iter([SOMEWHERE + 1]));
        assert!(renewed_by(&mut facts, "a", own));
    }
}
