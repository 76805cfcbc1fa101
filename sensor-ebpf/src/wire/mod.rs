//! Records as they cross the ring buffer.
//!
//! A record is `Header`, then the fixed part of its [`Kind`], then its texts one behind the other
//! (see [`text`]). Numbers are in host byte order: both halves run on one machine. Every struct is
//! free of implicit padding, which `IntoBytes` proves at compile time.

pub mod counter;
pub mod file;
pub mod network;
pub mod process;
pub mod setting;
pub mod system;
pub mod text;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of this layout. A record with another version is refused by the agent and counted.
pub const VERSION: u16 = 1;

/// Largest record, bytes: fixed part, two paths, an argument vector and a cgroup path at their
/// bounds (see [`text`]). Bounds the scratch area in the kernel and the decoder in the agent.
pub const RECORD_MAX: usize = 24 * 1024;

/// What a record tells. Hundreds are families: process, network, file, system.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A task replaced its program ([`process::Exec`]).
    ProcessExec = 100,
    /// A thread group was created ([`process::Fork`]).
    ProcessFork = 101,
    /// The last thread of a thread group ended ([`process::Exit`]).
    ProcessExit = 102,
    /// A socket was connected, or a datagram sent to a new destination ([`network::Connect`]).
    NetworkConnect = 200,
    /// A TCP connection ended; carries its byte counters ([`network::Close`]).
    NetworkClose = 201,
    /// A file was opened for writing ([`file::Change`]).
    FileOpen = 300,
    /// A file's content changed ([`file::Change`]).
    FileWrite = 301,
    /// A file got another name ([`file::Rename`]).
    FileRename = 302,
    /// A cgroup was made ([`system::Cgroup`]).
    CgroupCreate = 400,
    /// A cgroup was removed ([`system::Cgroup`]).
    CgroupRemove = 401,
}

impl Kind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::ProcessExec,
        Self::ProcessFork,
        Self::ProcessExit,
        Self::NetworkConnect,
        Self::NetworkClose,
        Self::FileOpen,
        Self::FileWrite,
        Self::FileRename,
        Self::CgroupCreate,
        Self::CgroupRemove,
    ];

    /// Position in [`Kind::ALL`]: the row of this kind in the counter map.
    #[must_use]
    pub const fn row(self) -> usize {
        match self {
            Self::ProcessExec => 0,
            Self::ProcessFork => 1,
            Self::ProcessExit => 2,
            Self::NetworkConnect => 3,
            Self::NetworkClose => 4,
            Self::FileOpen => 5,
            Self::FileWrite => 6,
            Self::FileRename => 7,
            Self::CgroupCreate => 8,
            Self::CgroupRemove => 9,
        }
    }

    /// Name in metrics and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessExec => "process_exec",
            Self::ProcessFork => "process_fork",
            Self::ProcessExit => "process_exit",
            Self::NetworkConnect => "network_connect",
            Self::NetworkClose => "network_close",
            Self::FileOpen => "file_open",
            Self::FileWrite => "file_write",
            Self::FileRename => "file_rename",
            Self::CgroupCreate => "cgroup_create",
            Self::CgroupRemove => "cgroup_remove",
        }
    }

    /// A record without which identity breaks: it may use the part of the ring that the others must
    /// leave free (see `RESERVED_FOR_CRITICAL` in [`setting`]).
    #[must_use]
    pub const fn is_critical(self) -> bool {
        match self {
            Self::ProcessExec
            | Self::ProcessFork
            | Self::ProcessExit
            | Self::CgroupCreate
            | Self::CgroupRemove => true,
            Self::NetworkConnect
            | Self::NetworkClose
            | Self::FileOpen
            | Self::FileWrite
            | Self::FileRename => false,
        }
    }
}

/// A number that names no [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind(pub u16);

impl TryFrom<u16> for Kind {
    type Error = UnknownKind;

    fn try_from(number: u16) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == number).ok_or(UnknownKind(number))
    }
}

/// First bytes of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// [`VERSION`].
    pub version: u16,
    /// A [`Kind`].
    pub kind: u16,
    /// Length of the whole record, bytes, texts included.
    pub size: u32,
    /// When it happened: `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// Who did it.
    pub actor: Actor,
}

/// The task in whose context the record was made, as the kernel knows it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Actor {
    /// Start of the thread group leader, `CLOCK_BOOTTIME` nanoseconds (`task_struct.start_boottime`).
    /// Zero where the kernel's BTF does not have the field.
    pub start_time: u64,
    /// Id of the task's cgroup in the v2 hierarchy; 1 is its root.
    pub cgroup_id: u64,
    /// Thread group id in the initial pid namespace.
    pub pid: u32,
    /// Thread id in the initial pid namespace.
    pub tid: u32,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Real group id in the initial user namespace.
    pub gid: u32,
    /// Inode number of the mount namespace; zero when unknown.
    pub mnt_ns: u32,
    /// Inode number of the pid namespace for children; zero when unknown.
    pub pid_ns: u32,
    /// The task's name: a claim, the task may set it to anything. NUL-padded.
    pub comm: [u8; COMM_SIZE],
}

/// Length of `task_struct.comm`, bytes (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_SIZE: usize = 16;

/// Which file, whatever its name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct FileId {
    /// Inode number.
    pub inode: u64,
    /// Device in the kernel's form: major in the upper 12 bits, minor in the lower 20
    /// (`MKDEV`, include/linux/kdev_t.h).
    pub device: u32,
    /// Generation of the inode, so that a number used again is not the same file.
    pub generation: u32,
}
