//! The parts of a notice: what the sensor says about itself, under `tidewaiter`.

use std::borrow::Cow;

use serde::Serialize;

use super::PlaceReport;

/// `tidewaiter.coverage`: what is attached, and what that leaves unseen.
#[derive(Clone, Debug, Serialize)]
pub struct CoverageReport<'a> {
    pub hooks_attached: usize,
    pub hooks_missing: usize,
    pub detections: usize,
    pub processes: usize,
    pub containers: usize,
    pub start_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_offsets: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook<'a>>,
}

/// A row of `tidewaiter.coverage.hooks`.
#[derive(Clone, Debug, Serialize)]
pub struct Hook<'a> {
    pub purpose: &'static str,
    /// Absent: nothing could be attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached: Option<Cow<'a, str>>,
    /// 1 is the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakens: Option<&'static str>,
}

/// A better attach point that was refused.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal<'a> {
    pub attach_point: Cow<'a, str>,
    pub reason: Cow<'a, str>,
}

/// A row of `tidewaiter.losses`.
#[derive(Clone, Debug, Serialize)]
pub struct LossReport<'a> {
    /// Kind of record, or the place.
    pub what: Cow<'a, str>,
    pub count: u64,
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerReport<'a>>,
    /// RFC 3339, UTC: nothing was lost before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Whose records.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerReport<'a> {
    pub id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
}

/// A row of `tidewaiter.aggregates`: destination or process, or neither where there were too many.
#[derive(Clone, Debug, Serialize)]
pub struct AggregateReport<'a> {
    /// Kind of record.
    pub what: &'static str,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<PlaceReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Cow<'a, str>>,
    pub from: String,
    pub to: String,
}

/// A row of `tidewaiter.ledger`: generated = delivered + aggregated + filtered + lost + difference.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LedgerReport {
    pub kind: &'static str,
    pub generated: u64,
    pub delivered: u64,
    pub aggregated: u64,
    pub filtered: u64,
    pub lost: u64,
    pub difference: u64,
}

/// `tidewaiter.canary`: what became of a delivery canary.
#[derive(Clone, Debug, Serialize)]
pub struct CanaryDocument<'a> {
    /// `failed` or `well`.
    pub outcome: &'static str,
    /// `start`, `kernel`, `match` or `delivery`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// Why its process could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// Receivers that did not confirm it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Cow<'a, str>>,
    /// Until it was given up, or came through.
    pub duration_ms: u64,
}

/// `tidewaiter.heartbeat`: how the run stands. Counts are since its start.
#[derive(Clone, Debug, Serialize)]
pub struct HeartbeatReport<'a> {
    pub uptime_s: u64,
    pub alerts: u64,
    pub events: u64,
    /// The sum of `losses`.
    pub lost: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossSumReport<'a>>,
    pub hooks: HooksReport,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapReport<'a>>,
    /// `sha256:` and 64 hexadecimal digits.
    pub configuration: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<BacklogReport<'a>>,
}

/// A row of `tidewaiter.heartbeat.losses`.
#[derive(Clone, Debug, Serialize)]
pub struct LossSumReport<'a> {
    pub what: Cow<'a, str>,
    pub reason: &'static str,
    pub count: u64,
}

/// `tidewaiter.heartbeat.hooks`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HooksReport {
    pub attached: usize,
    /// Of those attached.
    pub weakened: usize,
    pub missing: usize,
    /// How often somebody unhooked a program since the start.
    pub detached: u64,
    /// Programs that are unhooked now.
    pub blind: usize,
}

/// A row of `tidewaiter.heartbeat.sinks`.
#[derive(Clone, Debug, Serialize)]
pub struct BacklogReport<'a> {
    pub name: Cow<'a, str>,
    pub outstanding: u64,
}

/// `tidewaiter.stopped`.
#[derive(Clone, Debug, Serialize)]
pub struct StoppedReport {
    pub alerts: u64,
    pub events: u64,
    pub untaken_connections: u64,
}

/// A row of `tidewaiter.tampering`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeedReport<'a> {
    /// As [`crate::alert::TamperAction::name`]; `loaded`: a BPF program of somebody else's.
    pub action: &'static str,
    pub name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// As [`crate::alert::Mended::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mended: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<SuspectReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Type of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u32>,
    /// The sensor's map that the program works on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<Cow<'a, str>>,
}

/// A row of `tidewaiter.tampering.by`.
#[derive(Clone, Debug, Serialize)]
pub struct SuspectReport<'a> {
    pub pid: u32,
    pub program: Cow<'a, str>,
}

/// A row of `tidewaiter.heartbeat.gaps`.
#[derive(Clone, Debug, Serialize)]
pub struct GapReport<'a> {
    pub what: Cow<'a, str>,
    pub from: String,
    /// Absent: it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
