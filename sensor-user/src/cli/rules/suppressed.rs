//! `tidewaiter rules suppressed`: what filters keep back in a running agent.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::AgentOptions;
use crate::cli::table::{print, table};
use crate::cli::{Exit, Failure};
use crate::control::client::{self, Rows};
use crate::control::protocol::{About, SuppressedRow};
use crate::pipeline::SUPPRESSED_MAX;
use crate::state::container::short_id;

pub(super) const ABOUT: &str = "\
Show the last matches that filters kept back in a running agent

Each was a true match of a rule, and a filter was true of the same event: no alert was made of it. The agent keeps the \
last 256, in memory; `tidewaiter rules stats` counts all of them by rule.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter rules suppressed
      The last of them, the newest at the end
  sudo tidewaiter rules suppressed --json | jq '.suppressed[] | select(.filter == \"Backups\")'
      Those of one filter";

pub(super) fn suppressed(options: &AgentOptions) -> Result<Exit, Failure> {
    let rows = client::ask(&options.socket, About::Suppressed)?;
    let now = Timestamp::now();
    print(&if options.json { json(&rows, now) } else { text(&rows, now, &TimeZone::system()) });
    Ok(Exit::Good)
}

fn text(rows: &Rows, now: Timestamp, zone: &TimeZone) -> String {
    if rows.suppressed.is_empty() {
        return "no filter has kept back a match since the agent started\n".to_owned();
    }
    let cells = |row: &SuppressedRow| {
        let container = row.container_name.as_deref().or(row.container_id.as_deref().map(short_id));
        vec![
            date(row, rows.head.now, now).to_zoned(zone.clone()).strftime("%F %T").to_string(),
            row.rule.clone(),
            row.filter.clone(),
            container.unwrap_or("host").to_owned(),
            row.pid.to_string(),
            row.command_line.clone(),
        ]
    };
    let header = ["time", "rule", "filter", "in", "pid", "command line"];
    let mut text = table(&header, rows.suppressed.iter().map(cells));
    if rows.suppressed.len() >= SUPPRESSED_MAX {
        text.push_str("\nthe agent keeps no more; `tidewaiter rules stats` counts all\n");
    }
    text
}

/// A moment of the boot clock as a date, given the same moment by both clocks.
fn date(row: &SuppressedRow, boot: u64, now: Timestamp) -> Timestamp {
    let ago = Duration::from_nanos(boot.saturating_sub(row.time));
    now.checked_sub(SignedDuration::try_from(ago).unwrap_or_default()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn json(rows: &Rows, now: Timestamp) -> String {
    let found = |row| Found { timestamp: format!("{:.6}", date(row, rows.head.now, now)), row };
    let document = Document { suppressed: rows.suppressed.iter().map(found).collect() };
    // Texts, numbers and lists of them: there is nothing in it that has no JSON form.
    serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    suppressed: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    #[serde(flatten)]
    row: &'a SuppressedRow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::Head;

    fn rows() -> Rows {
        let row = |seconds: u64, container: Option<&str>| SuppressedRow {
            time: seconds * 1_000_000_000,
            rule: "curl downloads".to_owned(),
            filter: "Backups".to_owned(),
            pid: 42,
            command_line: "curl x".to_owned(),
            container_name: container.map(str::to_owned),
            ..SuppressedRow::default()
        };
        Rows {
            head: Head { now: 100_000_000_000, ..Head::default() },
            suppressed: vec![row(90, Some("web-1")), row(99, None)],
            ..Rows::default()
        }
    }

    #[test]
    fn each_is_told_with_its_rule_and_filter() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let text = text(&rows(), now, &TimeZone::UTC);
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[1], "2026-11-21 11:59:50 curl downloads Backups web-1 42 curl x");
        assert_eq!(lines[2], "2026-11-21 11:59:59 curl downloads Backups host 42 curl x");
        let told: serde_json::Value = serde_json::from_str(&json(&rows(), now)).unwrap();
        assert_eq!(told["suppressed"][0]["@timestamp"], "2026-11-21T11:59:50.000000Z");
        assert_eq!(told["suppressed"][0]["container_name"], "web-1");
    }

    #[test]
    fn none_is_an_answer() {
        let now = Timestamp::UNIX_EPOCH;
        assert!(text(&Rows::default(), now, &TimeZone::UTC).starts_with("no filter has kept back"));
        assert!(json(&Rows::default(), now).contains("[]"));
    }
}
