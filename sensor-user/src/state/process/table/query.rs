//! Questions about a process, and what is learnt of it between its records.

use std::sync::Arc;

use super::entry::{Fork, Memory};
use super::{Process, ProcessKey, ProcessTable, Slot, by_tick};
use crate::state::standing::{Claim, Standing};

/// Where a process was when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub cgroup_id: u64,
    pub mnt_ns: u32,
    pub pid_ns: u32,
}

/// A live process as the table has it. Taking 30,000 of them out costs a few milliseconds, since forks
/// nobody has asked for are made whole by whoever looks at them.
#[derive(Clone, Debug)]
pub enum Resident {
    Whole(Arc<Process>),
    Forked(Box<Fork>, Option<Arc<Process>>),
}

impl Resident {
    #[must_use]
    pub fn key(&self) -> ProcessKey {
        match self {
            Self::Whole(process) => process.key,
            Self::Forked(fork, _) => fork.child,
        }
    }

    /// Id of its container.
    #[must_use]
    pub fn container(&self) -> Option<&Arc<str>> {
        match self {
            Self::Whole(process) => process.container.as_ref(),
            Self::Forked(fork, _) => fork.container.as_ref(),
        }
    }

    /// All of it.
    #[must_use]
    pub fn process(self) -> Arc<Process> {
        match self {
            Self::Whole(process) => process,
            Self::Forked(fork, program) => Arc::new(fork.process(program.as_deref())),
        }
    }
}

impl ProcessTable {
    /// Everybody who lives, in no order.
    pub fn residents(&self) -> impl Iterator<Item = Resident> {
        self.live.values().filter_map(|slot| self.entries.get(slot)).map(|entry| match &entry.memory {
            Memory::Whole(process) => Resident::Whole(Arc::clone(process)),
            Memory::Forked(fork, program) => Resident::Forked(fork.clone(), program.clone()),
        })
    }

    /// Whether the process is known, without making a fork whole for the answer.
    #[must_use]
    pub fn knows(&self, key: ProcessKey) -> bool {
        self.find(key).is_some()
    }

    /// Whether the process has not ended; none where it is not known.
    #[must_use]
    pub fn is_live(&self, key: ProcessKey) -> Option<bool> {
        self.find(key).and_then(|slot| self.entries.get(&slot)).map(|entry| entry.exited.is_none())
    }

    /// It has forked.
    #[must_use]
    pub fn has_children(&self, key: ProcessKey) -> bool {
        self.find(key).and_then(|slot| self.entries.get(&slot)).is_some_and(|entry| entry.has_children)
    }

    /// Where the process, or else the parent that a record names, was before; and what stood for that.
    #[must_use]
    pub fn before(&self, key: ProcessKey, parent: Option<ProcessKey>) -> (Claim, Standing) {
        let known = self.inheritance(key).or_else(|| self.inheritance(parent?));
        let Some((standing, container)) = known else { return (Claim::Unknown, Standing::default()) };
        (container.map_or(Claim::Host, Claim::Container), standing)
    }

    /// Where the process was when it was last looked at.
    #[must_use]
    pub fn place(&self, key: ProcessKey) -> Option<Place> {
        Some(match &self.entries.get(&self.find(key)?)?.memory {
            Memory::Whole(process) => {
                Place { cgroup_id: process.cgroup_id, mnt_ns: process.mnt_ns, pid_ns: process.pid_ns }
            }
            Memory::Forked(fork, _) => {
                Place { cgroup_id: fork.cgroup_id, mnt_ns: fork.mnt_ns, pid_ns: fork.pid_ns }
            }
        })
    }

    /// The oldest who live in a mount namespace, at most `max`: these are there for longest. Looks at
    /// everybody.
    #[must_use]
    pub fn in_mount_namespace(&self, mnt_ns: u32, max: usize) -> Vec<u32> {
        let is_there =
            |slot: &&Slot| self.entries.get(*slot).is_some_and(|entry| entry.memory.mnt_ns() == mnt_ns);
        let mut there: Vec<&Slot> = self.live.values().filter(is_there).collect();
        there.sort_unstable_by_key(|slot| (slot.start_time, slot.pid));
        there.into_iter().take(max).map(|slot| slot.pid).collect()
    }

    /// Changes what is known of a process.
    pub fn amend(&mut self, key: ProcessKey, change: impl FnOnce(&mut Process)) -> Option<Arc<Process>> {
        let slot = self.find(key)?;
        let mut process = self.whole(slot)?;
        change(Arc::make_mut(&mut process));
        self.replace(slot, Memory::Whole(Arc::clone(&process)));
        Some(process)
    }

    /// Id of the process's container, where it is known to have one.
    #[must_use]
    pub fn container(&self, key: ProcessKey) -> Option<&Arc<str>> {
        match &self.entries.get(&self.find(key)?)?.memory {
            Memory::Whole(process) => process.container.as_ref(),
            Memory::Forked(fork, _) => fork.container.as_ref(),
        }
    }

    /// The task's name of whoever has a pid now: a claim.
    #[must_use]
    pub fn comm(&self, pid: u32) -> Option<&str> {
        match &self.entries.get(self.live.get(&pid)?)?.memory {
            Memory::Whole(process) => Some(&process.comm),
            Memory::Forked(fork, _) => Some(&fork.comm),
        }
    }

    /// Where a process is; start 0 means whoever has the pid now.
    pub(super) fn find(&self, key: ProcessKey) -> Option<Slot> {
        if key.start_time == 0 {
            return self.live.get(&key.pid).copied();
        }
        if self.entries.contains_key(&key) {
            return Some(key);
        }
        let slot = by_tick(key);
        if slot == key {
            // Known by the tick only to whoever asks: the latest of that pid.
            let live = self.live.get(&key.pid).copied();
            return live.filter(|live| by_tick(*live) == slot);
        }
        // Found by the inventory. Once its exact start is known, no other start means it.
        let known = self.entries.get(&slot)?.memory.key();
        (known == slot || known == key).then_some(slot)
    }
}
