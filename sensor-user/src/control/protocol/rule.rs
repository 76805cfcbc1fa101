//! Rows about rules: what they did, what they cost, and what filters kept back.

use serde::{Deserialize, Serialize};

/// A rule, since it was loaded as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleRow {
    /// Id, else name, else the document it came from.
    pub id: String,
    pub title: String,
    pub level: String,
    /// The detection's folder, or the document it came from.
    pub name: String,
    /// Its matches are those of a window; runs and time are not counted.
    pub is_correlation: bool,
    /// Events that were run through it.
    pub runs: u64,
    pub matches: u64,
    /// Matches that a filter kept back.
    pub suppressed: u64,
    /// Nanoseconds, extrapolated from the sample.
    pub time: u64,
    /// Nanoseconds that a run takes on average; absent before any was timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<u64>,
}

/// What all rules share, since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedRow {
    /// Events that any rule looks at.
    pub events: u64,
    /// Reading their fields, nanoseconds, extrapolated.
    pub reading_time: u64,
    /// Groups and matches that correlations keep now.
    pub groups: u64,
    pub entries: u64,
    /// Dropped, because there was no room.
    pub evicted_groups: u64,
    pub evicted_entries: u64,
    /// Matches that came too late for their correlation.
    pub late: u64,
}

/// A match that a filter kept back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuppressedRow {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub rule: String,
    pub rule_id: String,
    pub filter: String,
    /// The document the filter came from.
    pub filter_source: String,
    /// As `logsource.category` names it.
    pub category: String,
    pub pid: u32,
    pub command_line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
}
