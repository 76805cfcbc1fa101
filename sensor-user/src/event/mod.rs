//! The enriched event: what rules match and stories are made of.

pub mod field;
pub mod recorded;
pub mod selection;
mod network;
mod life;
mod deed;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sensor_ebpf::wire::FileId;

use crate::state::baseline::Baseline;
use crate::state::container::Container;
pub use crate::state::flow::{Direction, FlowState, Protocol};
use crate::state::phase::Phase;
use crate::state::process::Process;
use crate::state::standing::Trick;
pub use life::{ContainerAction, ContainerLife, Resource, ResourceUse};

/// Something a process did, with all that is known of who it was.
#[derive(Clone, Debug)]
pub struct Event {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// The same by the host's clock of the day.
    pub date: Timestamp,
    pub process: Arc<Process>,
    /// Parent first, at most [`LINEAGE_MAX`].
    pub ancestors: Vec<Arc<Process>>,
    pub container: Option<Arc<Container>>,
    /// What the container was doing; none outside of containers.
    pub phase: Option<Phase>,
    /// Name of the process's user, from the container's own passwd where it has one.
    pub user: Option<Arc<str>>,
    /// Bytes that the container sent to the event's destination within the hour; none of other events, and where
    /// nobody learns or judges by what was learned.
    pub sent_in_hour: Option<u64>,
    /// What is normal for images, where that was learned.
    pub baseline: Option<Arc<Baseline>>,
    pub body: Body,
}

/// Longest lineage an event carries: enough to reach a container's first process through the
/// deepest script nests seen; more would only repeat the runtime's own processes.
pub const LINEAGE_MAX: usize = 16;

/// What was done.
#[derive(Clone, Debug)]
pub enum Body {
    /// A program started: all of it is in [`Event::process`].
    ProcessCreation,
    /// A process reaches into another one, or sends the sensor a signal.
    ProcessAccess(ProcessAccess),
    NetworkConnection(Connection),
    /// A connection moved data, failed or ended.
    NetworkFlow(Flow),
    /// A socket below or beside TCP and UDP.
    NetworkSocket(Socket),
    DnsQuery(DnsQuery),
    FileEvent(FileChange),
    /// The ground under the processes changes.
    SystemChange(SystemChange),
    /// A container starts or ends.
    ContainerEvent(ContainerLife),
    /// A container uses more than it used to.
    ContainerResource(ResourceUse),
}

impl Body {
    /// What went over a connection.
    #[must_use]
    pub fn flow(&self) -> Option<&Flow> {
        if let Self::NetworkFlow(flow) = self { Some(flow) } else { None }
    }

    /// The connection that it is about.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::NetworkConnection(connection) => Some(connection),
            Self::NetworkFlow(flow) => Some(&flow.connection),
            Self::ProcessCreation
            | Self::ProcessAccess(_)
            | Self::NetworkSocket(_)
            | Self::DnsQuery(_)
            | Self::FileEvent(_)
            | Self::SystemChange(_)
            | Self::ContainerEvent(_)
            | Self::ContainerResource(_) => None,
        }
    }

    /// The file that it is about.
    #[must_use]
    pub fn file(&self) -> Option<&FileChange> {
        if let Self::FileEvent(file) = self { Some(file) } else { None }
    }
}

/// What one process does to another.
#[derive(Clone, Debug)]
pub struct ProcessAccess {
    /// None: not known, it started before the sensor or its record was lost.
    pub target: Option<Arc<Process>>,
    pub target_pid: u32,
    /// The signal sent to the agent; none: it may read and change the other's memory (ptrace,
    /// `process_vm_writev`, `/proc/PID/mem`).
    pub signal: Option<u32>,
}

/// A connection, or the first datagram to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Joins the connection with its flows: names the socket while it lives.
    pub socket: u64,
    pub protocol: Protocol,
    /// The other end. IPv4-mapped addresses are given as IPv4.
    pub address: IpAddr,
    pub port: u16,
    /// Name under which the container asked for the address, where it did.
    pub hostname: Option<Arc<str>>,
    pub direction: Direction,
    /// False: seen at `sendmsg` of an unconnected socket.
    pub connected: bool,
}

/// What went over a connection, as far as the process of the event moved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub connection: Connection,
    /// Payload bytes since the connection began, or since the sensor started.
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Of these, what no flow of this process and connection told before.
    pub bytes_sent_new: u64,
    pub bytes_received_new: u64,
    pub state: FlowState,
}

/// A socket that goes past TCP and UDP, or that leads to a program with more rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// IP without TCP or UDP (`SOCK_RAW`), with its protocol number.
    Raw { protocol: u16 },
    /// Ethernet frames (`AF_PACKET`).
    Packet,
    /// To the hypervisor or its other guests (`AF_VSOCK`).
    Vsock,
    /// Another family and type (include/linux/socket.h, include/linux/net.h).
    Other { family: u16, kind: u16 },
    /// To the socket of a container runtime, by its path.
    Runtime { path: String },
}

/// A name that was asked for, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuery {
    pub server: IpAddr,
    /// As asked, in lower case, without the last dot.
    pub name: String,
    /// Type of record (`A`, `TXT`).
    pub kind: String,
    /// None: this is the question.
    pub answer: Option<DnsAnswer>,
}

/// An answer to a [`DnsQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsAnswer {
    /// `NOERROR`, `NXDOMAIN` and others (RFC 1035, section 4.1.1).
    pub code: String,
    pub addresses: Vec<IpAddr>,
    /// Names and texts of the other records, in their order.
    pub records: Vec<String>,
}

/// A file that changed, or that holds secrets and was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileChange {
    pub action: FileAction,
    /// As seen from the process's own root where the mount table tells, else from the host.
    pub path: String,
    /// Former path of a rename, other name of a link.
    pub from: Option<String>,
    pub file: Option<FileId>,
    /// Bytes the process wrote, where that is known.
    pub bytes: Option<u64>,
    /// Size of the file after it, where that is known.
    pub size: Option<u64>,
    /// The content is mapped: stores show no more.
    pub is_mapped: bool,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FileAction {
    /// Opened for writing.
    Open,
    /// Content changed.
    #[default]
    Write,
    /// Closed after it was written: how much is known now.
    Close,
    /// Got another name.
    Rename,
    /// Got one more name.
    Link,
    /// Lost a name.
    Delete,
    /// Was made executable.
    Mode,
    /// Holds secrets, and was opened.
    Read,
}

impl FileAction {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Write => "write",
            Self::Close => "close",
            Self::Rename => "rename",
            Self::Link => "link",
            Self::Delete => "delete",
            Self::Mode => "mode",
            Self::Read => "read",
        }
    }
}

/// What [`Body::SystemChange`] tells. All but modules are common in runtimes and rare in containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemChange {
    /// A process was moved to another cgroup.
    CgroupAttach {
        target_pid: u32,
        path: String,
    },
    /// The process has other namespaces now; inode numbers, zero for those it had before.
    NamespaceEnter {
        mnt_ns: u32,
        pid_ns: u32,
        net_ns: u32,
    },
    /// Somebody got hold of a BPF program, most of the time by loading it.
    BpfLoad {
        kind: String,
        name: String,
    },
    ModuleLoad {
        name: String,
    },
    Mount {
        source: String,
        kind: String,
        target: String,
        flags: u64,
    },
    /// The witnesses of the process's container disagree; what they say is in its standing.
    Identity {
        trick: Trick,
    },
}

impl SystemChange {
    /// The name rules use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CgroupAttach { .. } => "cgroup_attach",
            Self::NamespaceEnter { .. } => "namespace_enter",
            Self::BpfLoad { .. } => "bpf_load",
            Self::ModuleLoad { .. } => "module_load",
            Self::Mount { .. } => "mount",
            Self::Identity { .. } => "identity",
        }
    }
}
