//! Questions about a process that change nothing in the table.

use super::entry::Memory;
use super::{ProcessKey, ProcessTable, Slot, by_tick};

impl ProcessTable {
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
