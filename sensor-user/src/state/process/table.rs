//! The process table: who is alive, who was until a while ago, and who started whom.
//!
//! Fed by the inventory at start and by fork, exec and exit records after it. Pure: time is an
//! argument. It never asks the world; a process it does not know stays unknown.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Process, ProcessKey};

/// Most live processes: the kernel's own default limit (`PID_MAX_DEFAULT`, include/linux/threads.h)
/// twice over. Beyond it the oldest is evicted, which is one whose exit was lost more often than not.
const LIVE_MAX: usize = 65_536;
/// Most exited processes that ran a program of their own or had children: lineage needs them. At 50
/// programs a second this is the ten minutes of [`EXITED_KEPT`].
const EXITED_MAX: usize = 32_768;
/// Most exited processes that did neither (a shell's subshells, a flood of forks). A bound of their
/// own, so that such a flood cannot push lineage out.
const EXITED_FORKS_MAX: usize = 16_384;
/// How long an exited process is remembered, nanoseconds: ten minutes, the longest time between a
/// tool's arrival and its use that one story is meant to span.
pub const EXITED_KEPT: u64 = 600 * 1_000_000_000;
/// Most processes with a program of their own that one eviction passes over: keeps it O(1).
const SPARED_MAX: usize = 16;
/// What /proc/PID/stat can tell apart, nanoseconds: one `USER_HZ` tick (proc_pid_stat(5), field 22).
const TICK: u64 = 10_000_000;

/// A new process, as its parent's fork record tells. It runs its parent's program until it execs.
#[derive(Clone, Debug)]
pub struct Fork {
    pub parent: ProcessKey,
    pub child: ProcessKey,
    pub uid: u32,
    pub gid: u32,
    /// The parent's: a namespace of its own comes with `clone` flags this record does not carry.
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub cgroup_id: u64,
    /// What the child's own cgroup says; none where it says nothing.
    pub container: Option<Arc<str>>,
    pub comm: String,
}

/// Sizes now and counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub live: usize,
    pub exited: usize,
    /// Live processes dropped because the table was full.
    pub evicted_live: u64,
    /// Exited processes dropped before [`EXITED_KEPT`] had passed, because the table was full.
    pub evicted_exited: u64,
    /// Exited processes dropped in time.
    pub expired: u64,
    /// Live processes whose pid turned up again: their exit was never seen.
    pub exit_missed: u64,
    /// Inventory processes that a live record turned out to mean.
    pub merged: u64,
    /// Forks, exits and look-ups that named a process the table did not know.
    pub unknown: u64,
}

/// Place of a process: its pid and the tick in which it started. The inventory knows starts by the
/// tick, records by the nanosecond; here they meet. A pid is not given out again within one tick:
/// the kernel goes round all others first (`alloc_pid`, kernel/pid.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Slot {
    pid: u32,
    tick: u64,
}

impl From<ProcessKey> for Slot {
    fn from(key: ProcessKey) -> Self {
        Self { pid: key.pid, tick: key.start_time / TICK }
    }
}

#[derive(Debug)]
struct Entry {
    memory: Memory,
    exited: Option<u64>,
    has_children: bool,
}

#[derive(Debug)]
enum Memory {
    /// A program of its own, or a forked process somebody has asked for.
    Whole(Arc<Process>),
    /// A fork nobody has asked for: what differs from the parent, and the parent's program. Made
    /// whole on demand, for most never are and 30,000 of them must stay small.
    Forked(Box<Fork>, Option<Arc<Process>>),
}

/// All processes the agent remembers. Every operation is O(1) amortised, [`ProcessTable::ancestors`]
/// in the length of its answer.
#[derive(Debug, Default)]
pub struct ProcessTable {
    entries: FxHashMap<Slot, Entry>,
    live: FxHashMap<u32, Slot>,
    /// Order of arrival; an entry that has exited or gone since is skipped.
    arrivals: VecDeque<Slot>,
    exited: VecDeque<Slot>,
    exited_forks: VecDeque<Slot>,
    stats: TableStats,
}

impl ProcessTable {
    /// Takes over what /proc told at start. A process already known by a record is left as it is.
    pub fn seed(&mut self, inventory: impl IntoIterator<Item = Process>) {
        for process in inventory {
            let slot = Slot::from(process.key);
            if self.entries.contains_key(&slot) {
                continue;
            }
            self.note_child(process.parent);
            self.insert(slot, Memory::Whole(Arc::new(process)));
        }
        self.inherit_containers();
    }

    /// A process was created.
    pub fn insert_fork(&mut self, mut fork: Fork) {
        let slot = Slot::from(fork.child);
        if let Some(known) = self.entries.get_mut(&slot) {
            // The inventory saw the child first, and more of it: only the exact start is news.
            if let Memory::Whole(process) = &mut known.memory {
                let parent = process.parent.or(Some(fork.parent));
                let exact = Process { key: fork.child, parent, ..Process::clone(process) };
                *process = Arc::new(exact);
                self.stats.merged += 1;
            }
            return;
        }
        self.note_child(Some(fork.parent));
        let (program, container) = self.inheritance(fork.parent);
        if program.is_none() {
            self.stats.unknown += 1;
        }
        fork.container = fork.container.or(container);
        self.insert(slot, Memory::Forked(Box::new(fork), program));
    }

    /// A process replaced its program. What it was forked by and the container it was first seen in
    /// stay: the record's parent may be whoever adopted it, its cgroup may have been left.
    pub fn insert_exec(&mut self, mut process: Process) -> Arc<Process> {
        let slot = Slot::from(process.key);
        match self.entries.get(&slot).map(|entry| &entry.memory) {
            Some(Memory::Whole(before)) => {
                process.parent = before.parent.or(process.parent);
                process.container = process.container.or_else(|| before.container.clone());
            }
            Some(Memory::Forked(fork, _)) => {
                process.parent = Some(fork.parent);
                process.container = process.container.or_else(|| fork.container.clone());
            }
            None => {
                self.note_child(process.parent);
                if process.container.is_none() {
                    process.container = process.parent.and_then(|parent| self.inheritance(parent).1);
                }
            }
        }
        let process = Arc::new(process);
        match self.entries.get_mut(&slot) {
            Some(entry) => entry.memory = Memory::Whole(Arc::clone(&process)),
            None => self.insert(slot, Memory::Whole(Arc::clone(&process))),
        }
        process
    }

    /// A process ended at `time` (boot, nanoseconds). It stays known for [`EXITED_KEPT`].
    pub fn exit(&mut self, key: ProcessKey, time: u64) -> Option<Arc<Process>> {
        let Some(slot) = self.find(key) else {
            self.stats.unknown += 1;
            return None;
        };
        self.retire(slot, time);
        // A fork that nobody asked for is not made whole only to be told that it ended.
        match &self.entries.get(&slot)?.memory {
            Memory::Whole(process) => Some(Arc::clone(process)),
            Memory::Forked(..) => None,
        }
    }

    /// The process under its current program, exited ones included. The key's exact start, if the
    /// process was known by the tick only, is learnt on the way.
    pub fn get(&mut self, key: ProcessKey) -> Option<Arc<Process>> {
        let Some(slot) = self.find(key) else {
            self.stats.unknown += 1;
            return None;
        };
        let entry = self.entries.get_mut(&slot)?;
        let process = entry.memory.whole();
        let is_news = key.start_time != 0 && process.key != key && !key.start_time.is_multiple_of(TICK);
        if !is_news {
            return Some(process);
        }
        let exact = Arc::new(Process { key, ..Process::clone(&process) });
        entry.memory = Memory::Whole(Arc::clone(&exact));
        self.stats.merged += 1;
        Some(exact)
    }

    /// As [`ProcessTable::get`], for records by number; start 0 (a kernel without the field) means
    /// whoever has the pid now.
    pub fn get_by_pid(&mut self, pid: u32, start_time: u64) -> Option<Arc<Process>> {
        self.get(ProcessKey { pid, start_time })
    }

    /// Parent, its parent, and so on, at most `max`, exited ones included. A parent that the table
    /// does not know ends the line.
    pub fn ancestors(&mut self, key: ProcessKey, max: usize) -> Vec<Arc<Process>> {
        let mut line = Vec::new();
        let mut next = self.find(key).and_then(|slot| self.parent(slot));
        while let Some(slot) = next.and_then(|key| self.find(key)) {
            let Some(entry) = self.entries.get_mut(&slot) else { break };
            if line.len() >= max {
                break;
            }
            let process = entry.memory.whole();
            // A process is no older than its parent; a line that says so would run in a circle.
            next = process.parent.filter(|parent| Slot::from(*parent).tick <= slot.tick);
            line.push(process);
        }
        line
    }

    /// Forgets what exited longer than [`EXITED_KEPT`] before `now` (boot, nanoseconds).
    pub fn sweep(&mut self, now: u64) -> TableStats {
        for queue in [&mut self.exited, &mut self.exited_forks] {
            while let Some(slot) = queue.front() {
                let exited = self.entries.get(slot).and_then(|entry| entry.exited);
                if exited.is_some_and(|time| now.saturating_sub(time) < EXITED_KEPT) {
                    break;
                }
                if self.entries.remove(slot).is_some() {
                    self.stats.expired += 1;
                }
                queue.pop_front();
            }
        }
        self.stats()
    }

    #[must_use]
    pub fn stats(&self) -> TableStats {
        TableStats { live: self.live.len(), exited: self.entries.len() - self.live.len(), ..self.stats }
    }

    fn find(&self, key: ProcessKey) -> Option<Slot> {
        if key.start_time == 0 {
            return self.live.get(&key.pid).copied();
        }
        let slot = Slot::from(key);
        self.entries.contains_key(&slot).then_some(slot)
    }

    fn parent(&self, slot: Slot) -> Option<ProcessKey> {
        match &self.entries.get(&slot)?.memory {
            Memory::Whole(process) => process.parent,
            Memory::Forked(fork, _) => Some(fork.parent),
        }
    }

    /// What a child of `parent` starts with: the program it runs, the container it is in.
    fn inheritance(&self, parent: ProcessKey) -> (Option<Arc<Process>>, Option<Arc<str>>) {
        match self.find(parent).and_then(|slot| self.entries.get(&slot)).map(|entry| &entry.memory) {
            Some(Memory::Whole(process)) => (Some(Arc::clone(process)), process.container.clone()),
            // The program itself, not the fork between: a chain of forks shares one.
            Some(Memory::Forked(fork, program)) => (program.clone(), fork.container.clone()),
            None => (None, None),
        }
    }

    /// After the inventory: a process whose own cgroup says nothing is in its parent's container.
    /// Parents may stand behind their children, so by start time.
    fn inherit_containers(&mut self) {
        let mut slots: Vec<Slot> = self.live.values().copied().collect();
        slots.sort_unstable_by_key(|slot| (slot.tick, slot.pid));
        for slot in slots {
            let Some(container) = self.parent(slot).and_then(|parent| self.inheritance(parent).1) else {
                continue;
            };
            let Some(Memory::Whole(process)) = self.entries.get_mut(&slot).map(|entry| &mut entry.memory)
            else {
                continue;
            };
            if process.container.is_none() {
                Arc::make_mut(process).container = Some(container);
            }
        }
    }

    fn note_child(&mut self, parent: Option<ProcessKey>) {
        let slot = parent.and_then(|key| self.find(key));
        if let Some(entry) = slot.and_then(|slot| self.entries.get_mut(&slot)) {
            entry.has_children = true;
        }
    }

    fn insert(&mut self, slot: Slot, memory: Memory) {
        if let Some(before) = self.live.get(&slot.pid).copied() {
            // The pid is in use again, so its former owner is gone; no later than now.
            self.stats.exit_missed += 1;
            self.retire(before, slot.tick * TICK);
        }
        if self.live.len() >= LIVE_MAX {
            self.evict_oldest();
        }
        self.entries.insert(slot, Entry { memory, exited: None, has_children: false });
        self.live.insert(slot.pid, slot);
        self.arrivals.push_back(slot);
        if self.arrivals.len() > 2 * self.live.len() + 1024 {
            let live = &self.live;
            self.arrivals.retain(|slot| live.get(&slot.pid) == Some(slot));
        }
    }

    /// Drops the oldest live process, but a fork that nobody asked for rather than one that ran a
    /// program: a flood of forks must not push out the daemons it came from.
    fn evict_oldest(&mut self) {
        let mut spared = 0;
        while let Some(slot) = self.arrivals.pop_front() {
            if self.live.get(&slot.pid) != Some(&slot) {
                continue;
            }
            let is_whole =
                self.entries.get(&slot).is_some_and(|entry| matches!(entry.memory, Memory::Whole(_)));
            if is_whole && spared < SPARED_MAX {
                spared += 1;
                self.arrivals.push_back(slot);
                continue;
            }
            self.live.remove(&slot.pid);
            self.entries.remove(&slot);
            self.stats.evicted_live += 1;
            return;
        }
    }

    fn retire(&mut self, slot: Slot, time: u64) {
        let Some(entry) = self.entries.get_mut(&slot).filter(|entry| entry.exited.is_none()) else { return };
        entry.exited = Some(time);
        if self.live.get(&slot.pid) == Some(&slot) {
            self.live.remove(&slot.pid);
        }
        let is_lineage = entry.has_children || matches!(entry.memory, Memory::Whole(_));
        let (queue, max) = if is_lineage {
            (&mut self.exited, EXITED_MAX)
        } else {
            (&mut self.exited_forks, EXITED_FORKS_MAX)
        };
        queue.push_back(slot);
        if queue.len() > max
            && let Some(oldest) = queue.pop_front()
            && self.entries.remove(&oldest).is_some()
        {
            self.stats.evicted_exited += 1;
        }
    }
}

impl Memory {
    fn whole(&mut self) -> Arc<Process> {
        match self {
            Self::Whole(process) => Arc::clone(process),
            Self::Forked(fork, program) => {
                let process = Arc::new(forked(fork, program.as_deref()));
                *self = Self::Whole(Arc::clone(&process));
                process
            }
        }
    }
}

/// A forked process: its parent's program under its own identity.
fn forked(fork: &Fork, program: Option<&Process>) -> Process {
    Process {
        key: fork.child,
        parent: Some(fork.parent),
        executable: program.map(|program| program.executable.clone()).unwrap_or_default(),
        arguments: program.map(|program| program.arguments.clone()).unwrap_or_default(),
        arguments_truncated: program.is_some_and(|program| program.arguments_truncated),
        directory: program.and_then(|program| program.directory.clone()),
        comm: fork.comm.clone(),
        uid: fork.uid,
        gid: fork.gid,
        effective_uid: program.map_or(fork.uid, |program| program.effective_uid),
        mnt_ns: fork.mnt_ns,
        pid_ns: fork.pid_ns,
        cgroup_id: fork.cgroup_id,
        container: fork.container.clone(),
        exec_time: fork.child.start_time,
    }
}

#[cfg(test)]
mod tests;
