//! How the agent stands at one moment: what `/metrics` exposes and `tidewaiter status` shows.
//!
//! Plain values, owned: the loop makes it, whoever asked turns it into text. Counts are since the start of the run.
//! Every list has a bound, and so has every text that is not the sensor's own ([`bounded`]).

mod problem;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use problem::Problem;

/// Most rules that are named, by matches and by time: what a person reads, and few enough series for any store.
pub const RULES_MAX: usize = 20;
/// Longest text of a rule or a receiver, bytes.
const TEXT_MAX: usize = 256;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub version: String,
    pub pid: u32,
    pub agent_id: String,
    pub hostname: String,
    pub kernel: String,
    pub started: Timestamp,
    pub now: Timestamp,
    pub uptime_ms: u64,
    /// Processor time of all threads, and resident memory.
    pub cpu_ms: u64,
    pub resident_bytes: u64,
    /// Digest of configuration and rules, as in heartbeats.
    pub configuration: String,
    pub hooks: Vec<Hook>,
    /// How often somebody unhooked a program, and how many are unhooked now.
    pub detached: u64,
    pub blind: u64,
    pub records: Records,
    pub events: Events,
    /// What was told as lost.
    pub losses: Vec<Lost>,
    pub tables: Vec<Count>,
    /// Dropped from full tables.
    pub evicted: Vec<Count>,
    pub rules: Rules,
    pub alerts: Alerts,
    pub messages: Messages,
    pub sinks: Vec<Sink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<Outbox>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// Something that is watched in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub purpose: String,
    /// The attach point; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached: Option<String>,
    /// 1 is the best.
    pub tier: u8,
    /// What cannot be seen now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weakens: Option<String>,
}

/// A name and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Count {
    pub name: String,
    pub count: u64,
}

impl Count {
    #[must_use]
    pub fn new(name: &str, count: u64) -> Self {
        Self { name: name.to_owned(), count }
    }
}

/// Of the kernel half, and of what came of it here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Records {
    /// The kernel half's ledger.
    pub kinds: Vec<Kind>,
    /// Taken from the ring and understood.
    pub taken: u64,
    /// Made no sense.
    pub refused: u64,
}

/// What became of the records of one kind: seen = delivered + aggregated + filtered + lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kind {
    pub kind: String,
    pub seen: u64,
    pub delivered: u64,
    pub aggregated: u64,
    pub filtered: u64,
    pub lost: u64,
}

/// What rules got to see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Events {
    pub total: u64,
    /// By `logsource.category`.
    pub categories: Vec<Count>,
    /// Of processes that nobody knew.
    pub without_process: u64,
    /// In the last ten seconds or so: how many in how long.
    pub lately: u64,
    pub lately_ms: u64,
}

/// As a loss notice tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    pub what: String,
    pub reason: String,
    pub count: u64,
}

/// The rules together, and a few of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    pub loaded: u64,
    pub runs: u64,
    pub matches: u64,
    pub suppressed: u64,
    /// Matches that waited for a field.
    pub pending: u64,
    /// Matches that came too late for their correlation.
    pub late: u64,
    /// Nanoseconds: conditions of all rules, and reading the fields that they share.
    pub time_ns: u64,
    pub reading_ns: u64,
    /// Those that matched most, and those that took most time: at most [`RULES_MAX`] each.
    pub by_matches: Vec<Rule>,
    pub by_time: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    pub id: String,
    pub title: String,
    pub level: String,
    pub count: u64,
    pub time_ns: u64,
}

/// Alerts of this run, amendments not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alerts {
    /// The gravest first; every level.
    pub levels: Vec<Count>,
    /// By the rule that they are about, in the order of the first; those beyond the bound are one row without an id.
    pub rules: Vec<Rule>,
    /// Matches that were counted in a story that had told them.
    pub repeats: u64,
}

/// Alerts and notices, which share one count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// Of this run.
    pub told: u64,
    pub last_sequence: u64,
    pub heartbeat_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_at: Option<Timestamp>,
}

/// A receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sink {
    pub name: String,
    /// Its messages are kept until it confirms them.
    pub is_kept: bool,
    /// Absent: nothing has shown it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_up: Option<bool>,
    /// Since when it is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub accepted: u64,
    pub delivered: u64,
    /// As loss notices told it.
    pub losses: Vec<Count>,
    pub backlog: u64,
    /// How long the oldest waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// Where messages are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// The disk takes what comes.
    pub is_on_disk: bool,
    /// There is a folder.
    pub has_folder: bool,
    pub bytes: u64,
    pub limit_bytes: u64,
    /// Of messages that are in memory alone.
    pub memory_bytes: u64,
    /// Messages given up for want of room.
    pub evicted: u64,
}

/// The delivery canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Canary {
    pub every_s: u64,
    pub within_s: u64,
    pub passed: u64,
    /// Failures by stage; every stage.
    pub failed: Vec<Count>,
    /// How the last one that ended went; absent before one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_well: Option<bool>,
    /// What was wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_at: Option<Timestamp>,
    /// Of the last one, from the start of its process to each receiver's word.
    pub sinks: Vec<Arrival>,
}

/// A receiver's word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrival {
    pub sink: String,
    /// Absent: it has not confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
}

/// A text that is not the sensor's own, at most [`TEXT_MAX`] bytes of it.
#[must_use]
pub fn bounded(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_MAX);
    match text.get(..end) {
        Some(head) if end < text.len() => format!("{head}…"),
        Some(_) | None => text.to_owned(),
    }
}

impl Snapshot {
    /// Hooks that are attached nowhere.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.hooks.iter().filter(|hook| hook.attached.is_none()).count()
    }
}
