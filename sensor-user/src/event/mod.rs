//! The enriched event: what rules match and stories are made of.

pub mod field;

use std::net::IpAddr;
use std::sync::Arc;

use sensor_ebpf::wire::FileId;

use crate::state::container::Container;
use crate::state::process::Process;

/// Something a process did, with all that is known of who it was.
#[derive(Clone, Debug)]
pub struct Event {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub process: Arc<Process>,
    /// Parent first, at most [`LINEAGE_MAX`].
    pub ancestors: Vec<Arc<Process>>,
    pub container: Option<Arc<Container>>,
    /// Name of the process's user, from the container's own passwd where it has one.
    pub user: Option<Arc<str>>,
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
    NetworkConnection(Connection),
    FileEvent(FileChange),
}

/// A connection, or the first datagram to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Joins the connection with its end.
    pub cookie: u64,
    pub protocol: Protocol,
    /// IPv4-mapped addresses are given as IPv4.
    pub address: IpAddr,
    pub port: u16,
    /// False: seen at `sendmsg` of an unconnected socket.
    pub connected: bool,
}

/// Transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    /// Another IANA protocol number.
    Other(u16),
}

impl Protocol {
    /// The name Sigma and ECS use (`network.transport`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Other(1 | 58) => "icmp",
            Self::Other(132) => "sctp",
            Self::Other(_) => "other",
        }
    }
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    pub action: FileAction,
    /// As seen from the process's own root where the mount table tells, else from the host.
    pub path: String,
    /// Former path of a rename.
    pub from: Option<String>,
    pub file: Option<FileId>,
}

/// How a file changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileAction {
    /// Opened for writing.
    Open,
    /// Content changed.
    Write,
    /// Got another name.
    Rename,
}

impl FileAction {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Write => "write",
            Self::Rename => "rename",
        }
    }
}
