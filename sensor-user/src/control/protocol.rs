//! What goes over the socket: one line of JSON that asks, then lines of JSON that answer, first a head,
//! then rows, then an end. A line that is not understood ends the conversation.

mod rule;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use rule::{RuleRow, SharedRow, SuppressedRow};

use crate::metric::snapshot::Snapshot;

/// Layout of all of it. Both sides come from one binary most of the time; after an upgrade the agent may
/// be the older one, and says so.
pub const VERSION: u32 = 3;
/// Longest request, bytes.
pub const REQUEST_MAX: usize = 1024;
/// Longest text of a row, bytes; longer ones end in an ellipsis. Terminals show less, and a row stays
/// below [`LINE_MAX`] whatever its texts hold.
pub const TEXT_MAX: usize = 4096;
/// Longest line of an answer, bytes: a dozen texts of [`TEXT_MAX`], each letter escaped.
pub const LINE_MAX: u64 = 512 * 1024;
/// Most rows of an answer: the agent's tables hold 65,536 processes and 4,096 containers and the picture
/// as many connections as processes. What goes beyond is not this agent's answer.
pub const ROWS_MAX: usize = 150_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    #[serde(flatten)]
    pub about: About,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "lowercase")]
pub enum About {
    /// Who runs where.
    Picture {
        /// Also processes of the host that have no connection; else they are counted.
        is_host_wanted: bool,
    },
    /// What the rules did and cost.
    Rules,
    /// The last matches that filters kept back.
    Suppressed,
    /// How the agent stands.
    Status,
}

/// What every version of a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Spoken {
    pub version: u32,
}

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "lowercase")]
pub enum Row {
    Head(Head),
    Container(Box<ContainerRow>),
    Process(Box<ProcessRow>),
    Connection(Box<ConnectionRow>),
    Rule(Box<RuleRow>),
    Shared(SharedRow),
    Suppressed(Box<SuppressedRow>),
    Status(Box<Snapshot>),
    End(End),
    /// In place of everything else: why there is no answer.
    Refusal {
        reason: String,
    },
}

/// Who answers, and when. Times are `CLOCK_BOOTTIME` nanoseconds in all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub version: u32,
    pub agent_version: String,
    pub agent_pid: u32,
    pub hostname: String,
    pub kernel: String,
    pub started: u64,
    pub now: u64,
}

/// What was there and is not among the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// All processes, all of the host's among them.
    pub processes: u64,
    pub host_processes: u64,
    pub connections: u64,
    /// Processes of the host that were not asked for.
    pub omitted_processes: u64,
    /// Connections beyond the bound of a picture.
    pub omitted_connections: u64,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerRow {
    pub id: String,
    pub runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Absent while the runtimes are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_verified: Option<bool>,
    pub role: String,
    /// Ids of the containers around it, the outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outer: Vec<String>,
    /// When its first program started, where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
}

/// The pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodRow {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// `Deployment/web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// A process under its current program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessRow {
    pub pid: u32,
    pub start: u64,
    /// Pid of whoever started it, where that one lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Last part of the name it goes by.
    pub name: String,
    pub executable: String,
    /// All names of the executable, where it has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    pub command_line: String,
    pub uid: u32,
    pub effective_uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    pub is_memfd: bool,
    pub is_deleted: bool,
    pub is_upper_layer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<WriterRow>,
    pub entry: Entry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityRow>,
}

/// By which door it came into its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    #[default]
    Unknown,
    Main,
    Exec,
    Terminal,
    Probe,
}

/// Who wrote a program's file last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterRow {
    pub time: u64,
    pub pid: u32,
    pub image: String,
    pub command_line: String,
}

/// What speaks for a process's container: `host`, an id, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trick: Option<String>,
}

/// What a process has of a connection that goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionRow {
    pub pid: u32,
    pub transport: String,
    /// `egress`, `ingress` or `unknown`.
    pub direction: String,
    /// Unspecified: several, or not known which.
    pub address: IpAddr,
    pub port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    pub is_connected: bool,
    pub sent: u64,
    pub received: u64,
    /// When the sensor first saw it.
    pub since: u64,
}
