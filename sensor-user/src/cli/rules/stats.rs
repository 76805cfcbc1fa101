//! `tidewaiter rules stats`: what the rules of a running agent did and cost.

use std::cmp::Reverse;
use std::time::Duration;

use serde::Serialize;

use super::AgentOptions;
use crate::cli::table::{print, table};
use crate::cli::{Exit, Failure};
use crate::control::client::{self, Rows};
use crate::control::protocol::{About, RuleRow, SharedRow};
use crate::sink::text::{duration, fine, grouped};

pub(super) const ABOUT: &str = "\
Show how often each rule of a running agent ran and matched, and what that cost

Counts are exact, times are extrapolated from a sample of one event in 64. Both are since the agent started; those of \
a rule that was changed begin anew. `runs` are the events that were worth running the rule for: most events never \
reach a rule. What correlations take is part of the rules they join.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter rules stats
      All rules, those that took most time first
  sudo tidewaiter rules stats --json | jq '.rules[] | select(.suppressed > 0)'
      Rules whose matches filters keep back";

pub(super) fn stats(options: &AgentOptions) -> Result<Exit, Failure> {
    let mut rows = client::ask(&options.socket, About::Rules)?;
    rows.rules.sort_by_key(|rule| Reverse((rule.time, rule.runs)));
    print(&if options.json { json(&rows) } else { text(&rows) });
    Ok(Exit::Good)
}

fn text(rows: &Rows) -> String {
    let Rows { head, rules, shared, .. } = rows;
    let age = head.now.saturating_sub(head.started);
    let header = ["title", "level", "runs", "matches", "suppressed", "mean", "time", "core", "id"];
    let told = table(&header, rules.iter().map(|rule| cells(rule, age)));
    let SharedRow { events, reading_time, groups, entries, evicted_groups, evicted_entries, late } = shared;
    let mut text = format!(
        "{told}\n{} rules in {}; {} events read for all of them in {} ({})\n",
        grouped(rules.len() as u64),
        duration(Duration::from_nanos(age)),
        grouped(*events),
        fine(*reading_time),
        core(*reading_time, age),
    );
    if rules.iter().any(|rule| rule.is_correlation) {
        text.push_str(&format!(
            "correlations keep {} groups with {} matches; dropped for want of room: {} groups, {} matches; came too \
             late: {}\n",
            grouped(*groups),
            grouped(*entries),
            grouped(*evicted_groups),
            grouped(*evicted_entries),
            grouped(*late),
        ));
    }
    text
}

fn cells(rule: &RuleRow, age: u64) -> Vec<String> {
    let RuleRow { id, title, level, is_correlation, runs, matches, suppressed, time, mean, .. } = rule;
    let measured = |cell: String| if *is_correlation { "-".to_owned() } else { cell };
    vec![
        title.clone(),
        level.clone(),
        measured(grouped(*runs)),
        measured(grouped(*matches)),
        measured(grouped(*suppressed)),
        mean.map_or_else(|| "-".to_owned(), fine),
        measured(fine(*time)),
        measured(core(*time, age)),
        id.clone(),
    ]
}

/// Part of a core: `0.02 %`.
fn core(time: u64, age: u64) -> String {
    let share = u128::from(time) * 10_000 / u128::from(age.max(1));
    format!("{}.{:02} %", share / 100, share % 100)
}

fn json(rows: &Rows) -> String {
    let Rows { head, rules, shared, .. } = rows;
    let age = head.now.saturating_sub(head.started);
    let document = Document { agent_pid: head.agent_pid, age_ms: age / 1_000_000, rules, shared };
    // Texts, numbers and lists of them: there is nothing in it that has no JSON form.
    serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
}

/// Times are nanoseconds.
#[derive(Serialize)]
struct Document<'a> {
    agent_pid: u32,
    age_ms: u64,
    rules: &'a [RuleRow],
    shared: &'a SharedRow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::Head;

    fn rows() -> Rows {
        const SECOND: u64 = 1_000_000_000;
        let rule = |title: &str, runs, time, mean| RuleRow {
            id: format!("id-{title}"),
            title: title.to_owned(),
            level: "high".to_owned(),
            runs,
            matches: 2,
            suppressed: 1,
            time,
            mean,
            ..RuleRow::default()
        };
        let joined = RuleRow { is_correlation: true, ..rule("joined", 0, 0, None) };
        Rows {
            head: Head { started: SECOND, now: 101 * SECOND, agent_pid: 7, ..Head::default() },
            rules: vec![rule("dear", 12_345, 2 * SECOND, Some(52_000)), joined],
            shared: SharedRow { events: 1_000_000, reading_time: SECOND, late: 3, ..SharedRow::default() },
            ..Rows::default()
        }
    }

    #[test]
    fn a_row_tells_counts_and_times_and_the_end_what_is_shared() {
        let text = text(&rows());
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|it| !it.is_empty()).collect())
            .collect();
        assert_eq!(
            lines[0],
            ["TITLE", "LEVEL", "RUNS", "MATCHES", "SUPPRESSED", "MEAN", "TIME", "CORE", "ID"]
        );
        assert_eq!(lines[1], ["dear", "high", "12,345", "2", "1", "52 µs", "2.0 s", "2.00 %", "id-dear"]);
        assert_eq!(lines[2], ["joined", "high", "-", "-", "-", "-", "-", "-", "id-joined"]);
        assert!(
            text.contains("2 rules in 1 min 40 s; 1,000,000 events read for all of them in 1.0 s (1.00 %)")
        );
        assert!(text.contains("came too late: 3"), "{text}");
    }

    #[test]
    fn programs_get_the_same_numbers() {
        let told: serde_json::Value = serde_json::from_str(&json(&rows())).unwrap();
        assert_eq!((&told["agent_pid"], &told["age_ms"]), (&7.into(), &100_000.into()));
        assert_eq!((&told["rules"][0]["runs"], &told["rules"][0]["mean"]), (&12_345.into(), &52_000.into()));
        assert_eq!(told["rules"][1].get("mean"), None);
        assert_eq!(told["shared"]["late"], 3);
    }
}
