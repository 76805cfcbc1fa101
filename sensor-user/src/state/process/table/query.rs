//! Questions about a process that change nothing in the table.

use super::entry::Memory;
use super::{ProcessKey, ProcessTable};

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
}
