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
    /// Standard input, output and error, as the program finds them: what is closed on exec is closed.
    pub streams: [Stream; 3],
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
    /// Login user id: who logged in, whatever became of it since (`task_struct.loginuid`).
    /// [`Exec::NOBODY`] for who never did.
    pub login_uid: u32,
    /// Controlling terminal, device number in the kernel's form; zero for none.
    pub terminal: u32,
    /// Inode number of the network namespace; zero when unknown.
    pub net_ns: u32,
    /// Inode number of the user namespace; zero when unknown.
    pub user_ns: u32,
    /// Bytes of the whole environment, also of what was left out.
    pub environment_size: u32,
    /// Path of the file that runs: resolved by the kernel, components.
    pub path: Text,
    /// Path as given to exec (for a script: the script). A claim.
    pub filename: Text,
    /// Path of the interpreter when [`Exec::SCRIPT`], else empty.
    pub interpreter: Text,
    /// Arguments, each ended by NUL, from the first on. A claim.
    pub arguments: Text,
    /// The last bytes of an argument vector of which `arguments` has only the first. A claim.
    pub arguments_tail: Text,
    /// Variables of the environment whose names begin as one of the map `ENVIRONMENT_KEYS`, each ended
    /// by NUL and cut at [`super::text::VARIABLE_MAX`]. Truncated: not all of them were looked at. A
    /// claim.
    pub environment: Text,
    pub reserved: u32,
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
    /// A thread other than the leader called exec.
    pub const BY_THREAD: u32 = 32;
    /// [`Exec::login_uid`] of a task that nobody logged in for (`INVALID_UID`, include/linux/uidgid.h).
    pub const NOBODY: u32 = u32::MAX;
}

/// What a file descriptor leads to. All zero where it is closed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Stream {
    /// Inode number: both ends of a pipe have the same.
    pub inode: u64,
    /// Device it lies on, as [`FileId::device`].
    pub device: u32,
    /// Device it stands for (`st_rdev`) in the same form; zero for what is none.
    pub special: u32,
    /// `st_mode`; never zero for an open file.
    pub mode: u32,
    pub reserved: u32,
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

/// [`super::Kind::ProcessAccess`] and [`super::Kind::ProcessSignal`]: what the actor does to another.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Access {
    pub header: Header,
    /// Start of the target, as [`super::Actor::start_time`].
    pub target_start_time: u64,
    /// Thread group id of the target.
    pub target_pid: u32,
    /// `PTRACE_MODE_*` (include/linux/ptrace.h), or the signal's number.
    pub mode: u32,
}
