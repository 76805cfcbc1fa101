//! Records as they cross the ring buffer.
//!
//! A record is `Header`, then the fixed part of its [`Kind`], then its texts one behind the other
//! (see [`text`]). Numbers are in host byte order: both halves run on one machine. Every struct is
//! free of implicit padding, which `IntoBytes` proves at compile time.

pub mod counter;
pub mod file;
pub mod flow;
pub mod network;
pub mod process;
pub mod setting;
pub mod system;
pub mod text;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of this layout. A record with another version is refused by the agent and counted.
pub const VERSION: u16 = 3;

/// Largest record, bytes: fixed part, two paths, an argument vector and a cgroup path at their
/// bounds (see [`text`]). Bounds the scratch area in the kernel and the decoder in the agent.
pub const RECORD_MAX: usize = 24 * 1024;

/// Declares [`Kind`] and its tables from one list, so that they cannot differ.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $name:literal, $rank:ident;)+) => {
        /// What a record tells. Hundreds are families: process, network, file, system.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind = $number,)+ }

        impl Kind {
            /// Every kind, in the order of its number.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$kind),+];

            /// Position in [`Kind::ALL`]: the row of this kind in the counter map.
            #[must_use]
            pub const fn row(self) -> usize {
                let mut row = 0;
                while row < Self::ALL.len() && Self::ALL[row] as u16 != self as u16 {
                    row += 1;
                }
                row
            }

            /// Name in metrics and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What becomes of it when records come faster than they are read.
            #[must_use]
            pub const fn rank(self) -> Rank {
                match self { $(Self::$kind => Rank::$rank,)+ }
            }
        }
    };
}

/// Which records go first when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Identity breaks without it, or it is rare and grave: never limited, and it may use the part of
    /// the ring that the others must leave free (see `RESERVED_FOR_CRITICAL` in [`setting`]).
    Critical,
    /// One cgroup can make any number of them: limited per cgroup (see `LIMIT_INTERVAL` there), what
    /// is beyond is counted by destination or process, and what the ring has no room for is lost.
    Ordinary,
}

kinds! {
    /// A task replaced its program ([`process::Exec`]).
    ProcessExec = 100, "process_exec", Critical;
    /// A thread group was created ([`process::Fork`]).
    ProcessFork = 101, "process_fork", Critical;
    /// The last thread of a thread group ended ([`process::Exit`]).
    ProcessExit = 102, "process_exit", Critical;
    /// A process wants to look into or control another ([`process::Access`]).
    ProcessAccess = 103, "process_access", Ordinary;
    /// A signal was sent to the agent ([`process::Access`]).
    ProcessSignal = 104, "process_signal", Ordinary;
    /// A socket was connected, or a datagram sent to a new destination ([`network::Connect`]).
    NetworkConnect = 200, "network_connect", Ordinary;
    /// A connection from outside was taken ([`network::Connect`]).
    NetworkAccept = 201, "network_accept", Ordinary;
    /// A process moves data over a socket that it neither connected nor accepted, as far as was seen:
    /// it had the socket before the sensor started, or somebody gave it ([`network::Connect`]).
    NetworkFlow = 202, "network_flow", Ordinary;
    /// A connection ended, or a process let go of its socket; carries byte counters ([`network::Close`]).
    NetworkClose = 203, "network_close", Ordinary;
    /// A socket below the transport layer, or to the hypervisor, was made or used ([`network::Socket`]).
    NetworkSocket = 204, "network_socket", Ordinary;
    /// A socket with a name in the file system was connected ([`network::UnixConnect`]).
    NetworkUnix = 205, "network_unix", Ordinary;
    /// A DNS message passed ([`network::Dns`]).
    NetworkDns = 206, "network_dns", Ordinary;
    /// A file was opened for writing ([`file::Change`]).
    FileOpen = 300, "file_open", Ordinary;
    /// A file's content changed ([`file::Change`]).
    FileWrite = 301, "file_write", Ordinary;
    /// A file got another name ([`file::Rename`]).
    FileRename = 302, "file_rename", Ordinary;
    /// A file that was written was closed: how much was written ([`file::Change`]).
    FileClose = 303, "file_close", Ordinary;
    /// A file got one more name ([`file::Rename`]).
    FileLink = 304, "file_link", Ordinary;
    /// A name of a file was removed ([`file::Change`]).
    FileDelete = 305, "file_delete", Ordinary;
    /// A file was made executable ([`file::Change`]).
    FileMode = 306, "file_mode", Ordinary;
    /// A file that holds secrets was opened ([`file::Change`]).
    FileRead = 307, "file_read", Ordinary;
    /// A cgroup was made ([`system::Cgroup`]).
    CgroupCreate = 400, "cgroup_create", Critical;
    /// A cgroup was removed ([`system::Cgroup`]).
    CgroupRemove = 401, "cgroup_remove", Critical;
    /// A process was moved to another cgroup ([`system::Cgroup`]).
    CgroupAttach = 402, "cgroup_attach", Critical;
    /// A process entered or made namespaces ([`system::Namespace`]).
    NamespaceEnter = 403, "namespace_enter", Ordinary;
    /// A BPF program was loaded by somebody else ([`system::Bpf`]).
    BpfLoad = 404, "bpf_load", Ordinary;
    /// A kernel module was loaded, or somebody tried to ([`system::Named`]: the file's name, or the module's).
    ModuleLoad = 405, "module_load", Critical;
    /// A file system was mounted ([`system::Mount`]).
    Mount = 406, "mount", Ordinary;
}

impl Kind {
    /// Told once per process, file and window; the others each time.
    #[must_use]
    pub const fn is_told_once(self) -> bool {
        matches!(self, Self::FileOpen | Self::FileWrite | Self::FileRead)
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
