//! What the process table keeps of one process, and how much memory that takes.

use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::FxHashMap;

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
            command: program.and_then(|program| program.command.clone()),
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
    /// Its children that are in the table.
    pub(super) children: u32,
    /// The parent that counts it among them.
    pub(super) counted_by: Option<ProcessKey>,
    /// It wrote a file that somebody may run.
    pub(super) is_author: bool,
    /// It exited, and is here for its children or its files.
    pub(super) is_kept_for_others: bool,
}

impl Entry {
    /// May somebody ask for it after its end?
    pub(super) fn is_needed(&self) -> bool {
        self.children > 0 || self.is_author
    }

    pub(super) fn new(memory: Memory) -> Self {
        Self {
            memory,
            exited: None,
            has_children: false,
            children: 0,
            counted_by: None,
            is_author: false,
            is_kept_for_others: false,
        }
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
    pub(super) fn key(&self) -> ProcessKey {
        match self {
            Self::Whole(process) => process.key,
            Self::Forked(fork, _) => fork.child,
        }
    }

    pub(super) fn parent(&self) -> Option<ProcessKey> {
        match self {
            Self::Whole(process) => process.parent,
            Self::Forked(fork, _) => Some(fork.parent),
        }
    }

    /// It is in this cgroup, and in no container that is known.
    pub(super) fn is_stranger(&self, cgroup: u64) -> bool {
        match self {
            Self::Whole(process) => process.cgroup_id == cgroup && process.container.is_none(),
            Self::Forked(fork, _) => fork.cgroup_id == cgroup && fork.container.is_none(),
        }
    }

    /// Inode number of the mount namespace.
    pub(super) fn mnt_ns(&self) -> u32 {
        match self {
            Self::Whole(process) => process.mnt_ns,
            Self::Forked(fork, _) => fork.mnt_ns,
        }
    }

    /// The program it keeps alive: its own, or its parent's.
    fn program(&self) -> Option<&Arc<Process>> {
        match self {
            Self::Whole(process) => Some(process),
            Self::Forked(_, program) => program.as_ref(),
        }
    }

    /// Bytes it takes beside its program.
    fn weight(&self) -> usize {
        let own = match self {
            Self::Whole(_) => 0,
            Self::Forked(fork, _) => allocated(size_of::<Fork>()) + allocated(fork.comm.capacity()),
        };
        own + PLACE
    }
}

/// Bytes of a place in the tables and queues: key and entry in a hash table that is three quarters
/// full after it grew (7/16 to 7/8), the pid's, and a place in a queue twice as long as what lives.
const PLACE: usize = (size_of::<ProcessKey>() + size_of::<Entry>() + size_of::<(u32, ProcessKey)>()) * 3 / 2
    + 2 * size_of::<ProcessKey>();
/// The same of a program among the [`Weights`].
const PROGRAM_PLACE: usize = size_of::<(usize, u32)>() * 3 / 2;

/// What malloc takes for that many bytes: a length in front, and a multiple of 16 (malloc/malloc.c of
/// glibc). Nothing for nothing.
const fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + size_of::<usize>()).next_multiple_of(16) }
}

/// How much memory the processes take. Forks share their parent's program: it weighs once, and as long
/// as anybody runs it, whatever its own process runs since.
#[derive(Debug, Default)]
pub(super) struct Weights {
    bytes: usize,
    /// Entries by the address of the program that they keep.
    programs: FxHashMap<usize, u32>,
}

impl Weights {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, memory: &Memory) {
        self.bytes += memory.weight();
        let Some(program) = memory.program() else { return };
        let users = self.programs.entry(Arc::as_ptr(program).addr()).or_default();
        *users += 1;
        if *users == 1 {
            self.bytes += weight(program);
        }
    }

    pub(super) fn take(&mut self, memory: &Memory) {
        self.bytes = self.bytes.saturating_sub(memory.weight());
        let Some(program) = memory.program() else { return };
        let address = Arc::as_ptr(program).addr();
        let Some(users) = self.programs.get_mut(&address) else { return };
        *users -= 1;
        if *users == 0 {
            self.programs.remove(&address);
            self.bytes = self.bytes.saturating_sub(weight(program));
        }
    }
}

/// Bytes of a program and its texts.
fn weight(process: &Process) -> usize {
    let executable = &process.executable;
    let optional = [
        &executable.invoked,
        &executable.applet,
        &executable.loaded,
        &executable.interpreter,
        &process.directory,
        &process.session.terminal,
    ];
    let single = [&executable.path, &process.comm];
    let environment = &process.session.environment;
    let texts = single.into_iter().chain(optional.into_iter().flatten());
    let texts = texts.chain(environment);
    let list = environment.capacity() * size_of::<String>();
    // Counted twice by its Arc.
    allocated(size_of::<Process>() + 2 * size_of::<usize>())
        + allocated(list)
        + process.arguments.allocations().map(allocated).sum::<usize>()
        + texts.map(|text| allocated(text.capacity())).sum::<usize>()
        + process.command.as_ref().map_or(0, |command| allocated(command.size()))
        + PROGRAM_PLACE
}
