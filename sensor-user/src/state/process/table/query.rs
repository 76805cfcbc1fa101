//! Questions about a process that change nothing in the table.

use std::sync::Arc;

use super::super::Process;
use super::entry::{Fork, Memory};
use super::{ProcessKey, ProcessTable};

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
}
