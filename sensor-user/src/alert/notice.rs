//! What the sensor says about itself.

use std::sync::Arc;

use jiff::Timestamp;
use sensor_ebpf::wire::counter::Counter;
use uuid::Uuid;

use super::{CanaryReport, Expensive, Gap, Place, Reload, Tampering};
use crate::state::container::Container;

/// Something about the sensor itself, in the same stream as its alerts.
#[derive(Clone, Debug)]
pub struct Notice {
    pub id: Uuid,
    /// As [`Alert::sequence`], the same count.
    pub sequence: u64,
    pub time: Timestamp,
    pub subject: Subject,
}

/// What a [`Notice`] is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The sensor is ready; what it sees and what it does not.
    Coverage(Coverage),
    /// Records were lost since the last notice.
    Loss(Vec<Loss>),
    /// Records beyond the limit of their cgroup were counted instead of told.
    Aggregation(Vec<Aggregate>),
    /// Somebody works on what the sensor stands on.
    Tampering(Vec<Tampering>),
    /// The rules were read again.
    Reload(Reload),
    /// Rules take more time than their budget.
    Cost(Vec<Expensive>),
    /// Delivery was tried, and did not work; or works again.
    Canary(CanaryReport),
    /// The agent lives, and how it stands.
    Heartbeat(Heartbeat),
    /// The agent ends in order.
    Stopped(Stopped),
}

/// What is attached, and what that leaves unseen.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub kernel: String,
    pub hooks: Vec<HookCoverage>,
    pub detections: usize,
    /// Fields this kernel's BTF lacks.
    pub missing_offsets: Vec<&'static str>,
    /// Processes and containers found at start.
    pub processes: usize,
    pub containers: usize,
    /// From the start of the agent to ready.
    pub start_milliseconds: u64,
}

/// One row of the hook table, as it turned out.
#[derive(Clone, Debug)]
pub struct HookCoverage {
    /// What is observed (`file written`).
    pub purpose: &'static str,
    /// The attach point that was taken (`fentry security_file_open`), or none.
    pub attached: Option<String>,
    /// 1 is the best tier.
    pub tier: u8,
    /// Better attach points that were refused, each with the kernel's reason.
    pub refused: Vec<(String, String)>,
    /// What cannot be seen now.
    pub weakens: Option<&'static str>,
}

/// Losses of one kind of record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Kind of record (`network_connect`) or place (`syslog udp://127.0.0.1:514`).
    pub what: String,
    pub count: u64,
    /// Reason in a few words (`ring full`).
    pub reason: &'static str,
    /// Whose: absent on the host, and where it is not known.
    pub container: Option<Arc<Container>>,
    /// When, where that is known.
    pub window: Option<Window>,
}

/// Between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Records of one kind that were counted only: their container made more than its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Kind of record (`network_connect`).
    pub what: &'static str,
    pub count: u64,
    pub container: Option<Arc<Container>>,
    pub target: Target,
    pub window: Window,
}

/// What records that were counted together have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Destination(Place),
    Process {
        pid: u32,
        /// Where the process is known.
        program: Option<String>,
    },
    /// So many others, or not known.
    Others,
}

/// How a run stands; counts are since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    pub uptime_seconds: u64,
    pub alerts: u64,
    pub events: u64,
    /// What was told as lost, by kind and reason, each once.
    pub losses: Vec<LossSum>,
    pub hooks: HookCount,
    /// When the sensor did not see all that it covers, the newest last.
    pub gaps: Vec<Gap>,
    /// `sha256:` and the digest of configuration and rules in hexadecimal.
    pub configuration: String,
    pub sinks: Vec<Backlog>,
}

impl Heartbeat {
    /// All that was lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.losses.iter().fold(0, |sum, row| sum.saturating_add(row.count))
    }
}

/// All losses of one kind for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossSum {
    /// As [`Loss::what`].
    pub what: String,
    /// As [`Loss::reason`].
    pub reason: &'static str,
    pub count: u64,
}

/// How the hook table turned out at the start, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCount {
    pub attached: usize,
    /// Of those attached: see less than they would at their best place.
    pub weakened: usize,
    /// Nowhere to be attached.
    pub missing: usize,
    /// How often somebody has unhooked a program since.
    pub detached: u64,
    /// Programs that are unhooked now.
    pub blind: usize,
}

/// What waits in a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// As in its losses (`syslog udp://127.0.0.1:514`).
    pub name: String,
    /// Messages neither delivered nor lost yet.
    pub outstanding: u64,
}

/// The end of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    pub alerts: u64,
    pub events: u64,
    /// Connections from outside that ended before a process moved a byte over them.
    pub untaken_connections: u64,
    /// The kernel half's books, read after it was detached: kinds that had any records.
    pub ledger: Vec<LedgerRow>,
}

/// What became of the records of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    pub kind: &'static str,
    pub counter: Counter,
}
