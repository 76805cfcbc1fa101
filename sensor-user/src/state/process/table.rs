//! The process table: who is alive, who was until a while ago, and who started whom.
//!
//! Fed by the inventory at start and by fork, exec and exit records after it. Pure: time is an
//! argument. It never asks the world; a process it does not know stays unknown.

mod entry;
mod query;
mod adopt;
mod abridge;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Process, ProcessKey};
use crate::state::standing::Standing;
use abridge::FRESH_MAX;
use entry::{Entry, Memory, Weights};

pub use entry::Fork;
pub use query::{Place, Resident};

/// Most live processes: the kernel's own default limit (`PID_MAX_DEFAULT`, include/linux/threads.h)
/// twice over. Beyond it the oldest is evicted, which is one whose exit was lost more often than not.
const LIVE_MAX: usize = 65_536;
/// Most exited processes that have children or wrote a file: lineage needs them. At 50 a second this is the
/// ten minutes of [`EXITED_KEPT`]. Between two looks there may be twice as many.
const EXITED_MAX: usize = 32_768;
/// Most memory for processes and their texts, bytes. 30,000 usual ones, all found by the inventory, take
/// four fifths of it (tests/scale); who fills it with arguments of 8 KiB each loses the oldest of the
/// exited first.
const BYTES_MAX: usize = 40 * 1024 * 1024;
/// How long an exited process is remembered that has children or wrote a file, nanoseconds: ten minutes, the longest
/// time between a tool's arrival and its use that one story is meant to span. After the others nobody can ask.
pub const EXITED_KEPT: u64 = 600 * 1_000_000_000;
/// Most processes with a program of their own that one eviction passes over: keeps it O(1).
const SPARED_MAX: usize = 16;
/// What /proc/PID/stat can tell apart, nanoseconds: one `USER_HZ` tick (proc_pid_stat(5), field 22).
const TICK: u64 = 10_000_000;

/// Sizes now and counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableStats {
    pub live: usize,
    pub exited: usize,
    /// Memory of the processes and their texts, bytes.
    pub bytes: usize,
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

/// Place of a process: its key as it was first told. The inventory knows starts by the tick, records by
/// the nanosecond; [`ProcessTable::find`] is where they meet. Two of one pid within one tick have a
/// place each: who may choose pids (`set_tid` of clone3(2), `ns_last_pid`) makes such a pair in
/// microseconds.
type Slot = ProcessKey;

/// The same as /proc tells it.
fn by_tick(key: ProcessKey) -> Slot {
    Slot { start_time: key.start_time - key.start_time % TICK, ..key }
}

/// All processes the agent remembers. Every operation is O(1) amortised, [`ProcessTable::ancestors`]
/// in the length of its answer.
#[derive(Debug, Default)]
pub struct ProcessTable {
    entries: FxHashMap<Slot, Entry>,
    live: FxHashMap<u32, Slot>,
    /// Order of arrival; an entry that has exited or gone since is skipped.
    arrivals: VecDeque<Slot>,
    /// Exited a moment ago, and whole still; then those of them that lineage needs. Each in the order of their ends.
    fresh: VecDeque<Slot>,
    exited: VecDeque<Slot>,
    weights: Weights,
    stats: TableStats,
}

impl ProcessTable {
    /// Takes over what /proc told at start. A process already known by a record is left as it is.
    pub fn seed(&mut self, inventory: impl IntoIterator<Item = Process>) {
        for process in inventory {
            let slot = process.key;
            if self.find(slot).is_some() {
                continue;
            }
            self.insert(slot, Memory::Whole(Arc::new(process)));
        }
    }

    /// A process was created.
    pub fn insert_fork(&mut self, mut fork: Fork) {
        let slot = fork.child;
        if let Some(known) = self.find(slot) {
            self.merge_fork(known, &fork);
            return;
        }
        match self.inheritance(fork.parent) {
            // The cgroup may be another one by now (`CLONE_INTO_CGROUP`): whoever was outside stays there until
            // it runs a program.
            Some((_, container)) => fork.container = container,
            None => self.stats.unknown += 1,
        }
        let program = self.program(fork.parent);
        self.insert(slot, Memory::Forked(Box::new(fork), program));
    }

    /// The inventory saw the child first, and more of it: only the exact start is news, and who made it,
    /// for /proc names whoever adopted it since.
    fn merge_fork(&mut self, slot: Slot, fork: &Fork) {
        let is_parent_known = self.find(fork.parent).is_some();
        let Some(Memory::Whole(process)) = self.entries.get(&slot).map(|entry| &entry.memory) else { return };
        let parent = process.parent.filter(|_| !is_parent_known).or(Some(fork.parent));
        let exact = Process { key: fork.child, parent, ..Process::clone(process) };
        self.replace(slot, Memory::Whole(Arc::new(exact)));
        self.note_child(parent);
        self.stats.merged += 1;
    }

    /// A process replaced its program. What it was forked by stays: the record's parent may be whoever adopted
    /// it. Whose container's it is the caller has judged.
    pub fn insert_exec(&mut self, mut process: Process) -> Arc<Process> {
        let slot = self.find(process.key).unwrap_or(process.key);
        match self.entries.get(&slot).map(|entry| &entry.memory) {
            Some(Memory::Whole(before)) => {
                process.parent = before.parent.or(process.parent);
            }
            Some(Memory::Forked(fork, _)) => process.parent = Some(fork.parent),
            None => {}
        }
        let process = Arc::new(process);
        let memory = Memory::Whole(Arc::clone(&process));
        if self.entries.contains_key(&slot) {
            self.replace(slot, memory);
        } else {
            self.insert(slot, memory);
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
        let process = self.whole(slot)?;
        let is_news = key.start_time != 0 && process.key != key && !key.start_time.is_multiple_of(TICK);
        if !is_news {
            return Some(process);
        }
        let exact = Arc::new(Process { key, ..Process::clone(&process) });
        self.replace(slot, Memory::Whole(Arc::clone(&exact)));
        self.stats.merged += 1;
        Some(exact)
    }

    /// Mount namespaces that have a live process, as far as is known.
    #[must_use]
    pub fn mount_namespaces(&self) -> FxHashSet<u32> {
        let entries = self.live.values().filter_map(|slot| self.entries.get(slot));
        entries.map(|entry| entry.memory.mnt_ns()).collect()
    }

    /// As [`ProcessTable::get`], for records by number; start 0 (a kernel without the field) means
    /// whoever has the pid now.
    pub fn get_by_pid(&mut self, pid: u32, start_time: u64) -> Option<Arc<Process>> {
        self.get(ProcessKey { pid, start_time })
    }

    /// Parent, its parent, and so on, at most `max`, exited ones included. A parent that the table
    /// does not know ends the line.
    pub fn ancestors(&mut self, process: &Process, max: usize) -> Vec<Arc<Process>> {
        let mut line = Vec::new();
        // The table may have let it go, which somebody else has kept.
        let known = self.find(process.key).and_then(|slot| self.parent(slot));
        let mut next = known.or(process.parent);
        while let Some(slot) = next.and_then(|key| self.find(key)) {
            if line.len() >= max {
                break;
            }
            let Some(process) = self.whole(slot) else { break };
            // A process is no older than its parent; a line that says so would run in a circle.
            next = process.parent.filter(|parent| by_tick(*parent).start_time <= slot.start_time);
            line.push(process);
        }
        line
    }

    /// Forgets what exited longer than [`EXITED_KEPT`] before `now` (boot, nanoseconds), and of what exited a while ago
    /// all but what its descendants show of it.
    pub fn sweep(&mut self, now: u64) -> TableStats {
        let is_kept = |entry: &Entry| entry.exited.is_some_and(|time| now.saturating_sub(time) < EXITED_KEPT);
        self.let_go_until(now);
        while let Some(slot) = self.exited.pop_front_if(|slot| !self.entries.get(slot).is_some_and(is_kept)) {
            self.stats.expired += u64::from(self.remove(slot));
        }
        self.stats()
    }

    #[must_use]
    pub fn stats(&self) -> TableStats {
        TableStats {
            live: self.live.len(),
            exited: self.entries.len() - self.live.len(),
            bytes: self.weights.bytes(),
            ..self.stats
        }
    }

    fn parent(&self, slot: Slot) -> Option<ProcessKey> {
        self.entries.get(&slot)?.memory.parent()
    }

    /// What a child of `parent` starts with: its standing, and the container it is in. None: the parent is
    /// not known, or nothing is known of where it was.
    pub(super) fn inheritance(&self, parent: ProcessKey) -> Option<(Standing, Option<Arc<str>>)> {
        match &self.entries.get(&self.find(parent)?)?.memory {
            Memory::Whole(process) => Some((process.standing.clone(), process.container.clone())),
            Memory::Forked(fork, Some(program)) => Some((program.standing.clone(), fork.container.clone())),
            Memory::Forked(fork, None) => {
                fork.container.is_some().then(|| (Standing::default(), fork.container.clone()))
            }
        }
    }

    /// The program that a child of `parent` runs: not the fork between, a chain of forks shares one.
    fn program(&self, parent: ProcessKey) -> Option<Arc<Process>> {
        match &self.entries.get(&self.find(parent)?)?.memory {
            Memory::Whole(process) => Some(Arc::clone(process)),
            Memory::Forked(_, program) => program.clone(),
        }
    }

    /// A process wrote a file that somebody may run.
    pub fn note_author(&mut self, key: ProcessKey) {
        if let Some(entry) = self.find(key).and_then(|slot| self.entries.get_mut(&slot)) {
            entry.is_author = true;
        }
    }

    /// Gives the parent, where it is known.
    fn note_child(&mut self, parent: Option<ProcessKey>) -> Option<Slot> {
        let slot = parent.and_then(|key| self.find(key))?;
        let entry = self.entries.get_mut(&slot)?;
        entry.has_children = true;
        entry.children = entry.children.saturating_add(1);
        Some(slot)
    }

    fn insert(&mut self, slot: Slot, memory: Memory) {
        if let Some(before) = self.live.get(&slot.pid).copied() {
            // The pid is in use again, so its former owner is gone; no later than now.
            self.stats.exit_missed += 1;
            self.retire(before, slot.start_time);
        }
        if self.live.len() >= LIVE_MAX {
            self.evict_oldest();
        }
        self.weights.add(&memory);
        let counted_by = self.note_child(memory.parent());
        self.entries.insert(slot, Entry { counted_by, ..Entry::new(memory) });
        self.live.insert(slot.pid, slot);
        self.arrivals.push_back(slot);
        if self.arrivals.len() > 2 * self.live.len() + 1024 {
            let live = &self.live;
            self.arrivals.retain(|slot| live.get(&slot.pid) == Some(slot));
        }
        self.keep_to_budget();
    }

    fn replace(&mut self, slot: Slot, memory: Memory) {
        let Some(entry) = self.entries.get_mut(&slot) else { return };
        // First the new one: it may keep the very program that the former did.
        self.weights.add(&memory);
        self.weights.take(&entry.memory);
        entry.memory = memory;
        self.keep_to_budget();
    }

    /// The process itself; a fork nobody has asked for until now is made one.
    fn whole(&mut self, slot: Slot) -> Option<Arc<Process>> {
        let process = match &self.entries.get(&slot)?.memory {
            Memory::Whole(process) => return Some(Arc::clone(process)),
            Memory::Forked(fork, program) => Arc::new(fork.process(program.as_deref())),
        };
        self.replace(slot, Memory::Whole(Arc::clone(&process)));
        Some(process)
    }

    fn remove(&mut self, slot: Slot) -> bool {
        let Some(entry) = self.entries.remove(&slot) else { return false };
        self.weights.take(&entry.memory);
        if self.live.get(&slot.pid) == Some(&slot) {
            self.live.remove(&slot.pid);
        }
        self.release(entry.counted_by);
        true
    }

    fn keep_to_budget(&mut self) {
        while self.weights.bytes() > BYTES_MAX {
            match self.exited.pop_front().or_else(|| self.fresh.pop_front()) {
                Some(slot) => self.stats.evicted_exited += u64::from(self.remove(slot)),
                None if !self.evict_oldest() => return,
                None => {}
            }
        }
    }

    /// Drops the oldest live process, but a fork that nobody asked for rather than one that ran a
    /// program: a flood of forks must not push out the daemons it came from.
    fn evict_oldest(&mut self) -> bool {
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
            self.stats.evicted_live += u64::from(self.remove(slot));
            return true;
        }
        false
    }

    fn retire(&mut self, slot: Slot, time: u64) {
        let Some(entry) = self.entries.get_mut(&slot).filter(|entry| entry.exited.is_none()) else { return };
        entry.exited = Some(time);
        if self.live.get(&slot.pid) == Some(&slot) {
            self.live.remove(&slot.pid);
        }
        self.fresh.push_back(slot);
        if self.fresh.len() > FRESH_MAX
            && let Some(oldest) = self.fresh.pop_front()
        {
            self.stats.evicted_exited += u64::from(!self.let_go(oldest));
        }
    }
}

#[cfg(test)]
mod tests;
