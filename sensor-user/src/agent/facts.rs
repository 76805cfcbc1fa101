//! What the pipeline asks of this host, answered from memory or one bounded read.

use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use tracing::debug;

use super::report;
pub(super) use crate::host::boot_time as now;
use crate::host::mount;
use crate::host::procfs;
use crate::host::user::UserNames;
use crate::pipeline::Host;
use crate::state::mount::Mounts;
use crate::state::standing::Namespaces;

/// Most roots remembered, as many as containers are. Forgetting one only reads its mounts once more.
const ROOTS_MAX: usize = 4096;
/// Most containers entered in one turn; those beyond it are taken up at their next program.
const ENTERED_MAX: usize = 256;

/// User names and mount tables of this host.
pub(super) struct Facts {
    users: UserNames,
    mounts: Mounts,
    /// Mount namespaces of containers in which programs started since the last turn, each with the last of
    /// them.
    entered: FxHashMap<u32, Entered>,
    /// Whose a mount namespace was when a program started in it last: its number is used again, and so are those of
    /// the devices and inodes of its root.
    homes: FxHashMap<u32, Arc<str>>,
    /// Mount namespaces that are another container's since the last turn.
    renewed: Vec<u32>,
    /// Below which root the table of a mount namespace was read, and of whom.
    roots: FxHashMap<u32, (Root, u32)>,
}

/// Device and inode number of a process's root directory.
type Root = (u64, u64);

/// A container in which something has happened.
pub(super) struct Entered {
    /// The first process that started a program in it since the last turn, and the last.
    pub(super) pids: [u32; 2],
    /// There is a file system that was not there before.
    pub(super) is_remounted: bool,
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
            roots: FxHashMap::default(),
            homes: FxHashMap::default(),
            renewed: Vec::new(),
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

    /// Mount namespaces of which all that was known was another container's, since the last call.
    pub(super) fn take_renewed(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.renewed)
    }

    /// A program of this container starts in the namespace.
    fn settle_in(&mut self, mnt_ns: u32, container: &Arc<str>) {
        if mnt_ns == self.mounts.host_ns() || self.homes.get(&mnt_ns) == Some(container) {
            return;
        }
        if self.homes.len() >= ROOTS_MAX {
            self.homes.clear();
        }
        self.homes.insert(mnt_ns, Arc::clone(container));
        self.roots.remove(&mnt_ns);
        self.mounts.expire(mnt_ns);
        self.renewed.push(mnt_ns);
    }

    fn refresh(&mut self, mnt_ns: u32, pid: u32, now: u64) {
        for (namespace, pid) in [(self.mounts.host_ns(), 1), (mnt_ns, pid)] {
            if !self.mounts.wants(namespace, now) {
                continue;
            }
            let root = root(pid);
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
        match before.filter(|before| root(pid) == Some(*before)) {
            Some(root) => self.roots.insert(mnt_ns, (root, pid)),
            None => self.roots.remove(&mnt_ns),
        };
        if self.roots.len() > ROOTS_MAX {
            self.roots.clear();
        }
    }
}

fn root(pid: u32) -> Option<Root> {
    rustix::fs::stat(format!("/proc/{pid}/root")).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

impl Host for Facts {
    fn entered(&mut self, mnt_ns: u32, container: &Arc<str>, pid: u32, now: u64) {
        self.settle_in(mnt_ns, container);
        // A runtime mounts and changes the root before it starts the container's program. What was read of its stage
        // is not what the program sees, though numbers of namespaces, devices and inodes are used again.
        if root(pid).is_some_and(|root| self.roots.get(&mnt_ns).is_none_or(|(known, _)| *known != root)) {
            self.mounts.expire(mnt_ns);
        }
        // Read anew, it may have what it had not.
        let is_read = self.mounts.wants(mnt_ns, now);
        self.refresh(mnt_ns, pid, now);
        if mnt_ns != self.mounts.host_ns() && self.entered.len() < ENTERED_MAX {
            let entered =
                self.entered.entry(mnt_ns).or_insert(Entered { pids: [pid; 2], is_remounted: false });
            entered.pids[1] = pid;
            entered.is_remounted |= is_read;
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
            let first = self.roots.get(&mnt_ns).map(|(_, pid)| *pid);
            for pid in [Some(pid), first].into_iter().flatten() {
                self.refresh(mnt_ns, pid, now);
            }
            if self.mounts.knows(device, mnt_ns) && self.entered.len() < ENTERED_MAX {
                self.entered.insert(mnt_ns, Entered { pids: [pid; 2], is_remounted: true });
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
        // The kernel told the path without links: one that is there now is somebody's trick.
        let (flags, resolve) = (OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, ResolveFlags::NO_SYMLINKS);
        let file = openat2(CWD, path, flags, Mode::empty(), resolve).ok()?;
        let stat = fstat(file).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
        u64::try_from(stat.st_size).ok().filter(|_| is_file)
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
    Some(Namespaces { mount: namespace("mnt")?, pid: namespace("pid_for_children")? })
}
