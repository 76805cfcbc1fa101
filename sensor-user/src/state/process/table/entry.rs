//! What the process table keeps of one process, and how much memory that takes.

use std::mem::size_of;
use std::sync::Arc;

use super::super::{Process, ProcessKey};

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

impl Fork {
    /// The child: its parent's program under its own identity. Where the parent was not known, the
    /// program is not either.
    pub(super) fn process(&self, program: Option<&Process>) -> Process {
        Process {
            key: self.child,
            parent: Some(self.parent),
            executable: program.map(|program| program.executable.clone()).unwrap_or_default(),
            arguments: program.map(|program| program.arguments.clone()).unwrap_or_default(),
            arguments_truncated: program.is_some_and(|program| program.arguments_truncated),
            session: program.map(|program| program.session.clone()).unwrap_or_default(),
            directory: program.and_then(|program| program.directory.clone()),
            comm: self.comm.clone(),
            uid: self.uid,
            gid: self.gid,
            effective_uid: program.map_or(self.uid, |program| program.effective_uid),
            mnt_ns: self.mnt_ns,
            pid_ns: self.pid_ns,
            cgroup_id: self.cgroup_id,
            container: self.container.clone(),
            standing: program.map(|program| program.standing.clone()).unwrap_or_default(),
            exec_time: self.child.start_time,
        }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) memory: Memory,
    pub(super) exited: Option<u64>,
    pub(super) has_children: bool,
    /// Bytes, as [`Memory::weight`] has them.
    pub(super) weight: usize,
}

impl Entry {
    pub(super) fn new(memory: Memory) -> Self {
        Self { weight: memory.weight(), memory, exited: None, has_children: false }
    }

    pub(super) fn replace(&mut self, memory: Memory) {
        self.weight = memory.weight();
        self.memory = memory;
    }
}

#[derive(Debug)]
pub(super) enum Memory {
    /// A program of its own, or a forked process somebody has asked for.
    Whole(Arc<Process>),
    /// A fork nobody has asked for: what differs from the parent, and the parent's program. Made
    /// whole on demand, for most never are and 30,000 of them must stay small.
    Forked(Box<Fork>, Option<Arc<Process>>),
}

impl Memory {
    /// The same in `container`, if it is in this cgroup and in no container that is known.
    pub(super) fn adopted(&self, cgroup_id: u64, container: &Arc<str>) -> Option<Self> {
        match self {
            Self::Whole(process) if process.cgroup_id == cgroup_id && process.container.is_none() => {
                let container = Some(Arc::clone(container));
                Some(Self::Whole(Arc::new(Process { container, ..Process::clone(process) })))
            }
            Self::Forked(fork, program) if fork.cgroup_id == cgroup_id && fork.container.is_none() => {
                let container = Some(Arc::clone(container));
                Some(Self::Forked(Box::new(Fork { container, ..Fork::clone(fork) }), program.clone()))
            }
            Self::Whole(_) | Self::Forked(..) => None,
        }
    }

    /// Inode number of the mount namespace.
    pub(super) fn mnt_ns(&self) -> u32 {
        match self {
            Self::Whole(process) => process.mnt_ns,
            Self::Forked(fork, _) => fork.mnt_ns,
        }
    }

    /// Bytes, as good as can be told without asking the allocator.
    fn weight(&self) -> usize {
        match self {
            Self::Forked(fork, _) => size_of::<Entry>() + size_of::<Fork>() + fork.comm.capacity(),
            Self::Whole(process) => {
                let executable = &process.executable;
                let optional = [
                    &executable.invoked,
                    &executable.applet,
                    &executable.loaded,
                    &executable.interpreter,
                    &process.directory,
                    &process.session.terminal,
                ];
                let lists = process.arguments.iter().chain(&process.session.environment);
                let texts = lists.map(|text| size_of::<String>() + text.capacity());
                size_of::<Entry>()
                    + size_of::<Process>()
                    + executable.path.capacity()
                    + process.comm.capacity()
                    + optional.into_iter().flatten().map(String::capacity).sum::<usize>()
                    + texts.sum::<usize>()
            }
        }
    }
}
