//! Records of the process family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::text::Text;
use super::{FileId, Header};

/// [`super::Kind::ProcessExec`]: made after the point of no return, so it tells what runs, not what
/// was asked for. The actor is the task under its new program.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Exec {
    pub header: Header,
    /// Start of the parent, as [`super::Actor::start_time`].
    pub parent_start_time: u64,
    /// The file that runs (for a script: its interpreter).
    pub file: FileId,
    /// Thread group id of the parent (`real_parent`).
    pub parent_pid: u32,
    /// Thread id that called exec: differs from the pid when a thread other than the leader did.
    pub old_tid: u32,
    /// Hard links of the file; 0 for a memfd or a deleted file.
    pub links: u32,
    /// `st_mode` of the file.
    pub mode: u32,
    /// [`Exec::MEMFD`] and its sisters.
    pub flags: u32,
    /// Number of arguments, also of those that were cut (`bprm->argc`).
    pub argument_count: u32,
    /// Bytes of the whole argument vector, also of what was cut.
    pub arguments_size: u32,
    /// Effective user id in the initial user namespace.
    pub effective_uid: u32,
    /// Path of the file that runs: resolved by the kernel, components.
    pub path: Text,
    /// Path as given to exec (for a script: the script). A claim.
    pub filename: Text,
    /// Path of the interpreter when [`Exec::SCRIPT`], else empty.
    pub interpreter: Text,
    /// Arguments, each ended by NUL. A claim.
    pub arguments: Text,
    /// Working directory, components.
    pub directory: Text,
    /// Path of the cgroup, components. Of the v2 hierarchy; where the task sits in its root, of the
    /// v1 `pids` hierarchy.
    pub cgroup: Text,
}

impl Exec {
    /// The file lives in memory only (`memfd_create`).
    pub const MEMFD: u32 = 1;
    /// The file has no name any more.
    pub const DELETED: u32 = 2;
    /// The file lies in the upper layer of an overlay: not part of the container's image.
    pub const UPPER_LAYER: u32 = 4;
    /// The file given to exec is not the one that runs: `#!` or binfmt_misc.
    pub const SCRIPT: u32 = 8;
    /// The cgroup path comes from a v1 hierarchy.
    pub const CGROUP_V1: u32 = 16;
}

/// [`super::Kind::ProcessFork`]: the actor is the parent. Threads do not make one.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Fork {
    pub header: Header,
    /// Start of the child, as [`super::Actor::start_time`].
    pub child_start_time: u64,
    /// Cgroup of the child.
    pub child_cgroup_id: u64,
    /// Thread group id of the child in the initial pid namespace.
    pub child_pid: u32,
    /// Pid namespace of the child: differs from the actor's for the first process of a container.
    pub child_pid_ns: u32,
}

/// [`super::Kind::ProcessExit`]: the last thread of the actor's thread group ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Exit {
    pub header: Header,
    /// `task_struct.exit_code`: exit status in bits 8-15, signal in bits 0-6.
    pub code: u32,
    pub reserved: u32,
}
