//! What came of a log, for a person: a row for each agent, then what there is to say of it.

use anstyle::{AnsiColor, Style};

use crate::cli::table::table;
use crate::sink::text::escape::visible;
use crate::sink::text::grouped;
use crate::verify::{AgentReport, Conflicts, Damaged, Missing, Range, Report, RunReport, Verdict};

/// Columns of a label and what stands before it.
const INDENT: usize = 13;
/// Widest paragraph, columns: a longer line is hard to read.
const WIDTH_MAX: usize = 110;
/// Letters of an id that tell it from others.
const SHORT: usize = 8;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// How it is to look.
#[derive(Clone, Copy)]
struct Paper {
    width: usize,
    colour: bool,
}

/// The whole report.
pub(super) fn text(report: &Report, width: usize, colour: bool) -> String {
    let paper = Paper { width: width.min(WIDTH_MAX), colour };
    let header = ["host", "agent", "numbers", "received", "twice", "missing", "verdict"];
    let mut text = table(&header, report.agents.iter().map(cells));
    for agent in &report.agents {
        text.push('\n');
        text.push_str(&paper.agent(agent));
    }
    text.push('\n');
    text.push_str(&paper.lines(report));
    text
}

fn cells(agent: &AgentReport) -> Vec<String> {
    vec![
        agent.host.hostname.clone(),
        agent.agent.id.to_string().chars().take(SHORT).collect(),
        range(agent.first, agent.last),
        grouped(agent.received),
        grouped(agent.duplicates),
        grouped(agent.missing.count),
        verdict(agent),
    ]
}

fn verdict(agent: &AgentReport) -> String {
    match agent.verdict {
        Verdict::Complete => "complete".to_owned(),
        Verdict::CompleteUpTo => format!("complete up to {}", grouped(agent.last)),
        Verdict::Gaps => "gaps".to_owned(),
        Verdict::Conflicts => "conflicts".to_owned(),
        Verdict::Undecided => "undecided".to_owned(),
    }
}

/// `17–902`, `17`.
fn range(first: u64, last: u64) -> String {
    if first == last { grouped(first) } else { format!("{}–{}", grouped(first), grouped(last)) }
}

impl Paper {
    /// The agent's name and verdict, then a paragraph for each thing that is to be said.
    fn agent(self, agent: &AgentReport) -> String {
        let (mark, style) = if agent.verdict.is_good() { ("●", GOOD) } else { ("▲", WARNING) };
        let mut text = format!(
            " {} {}  {}  {}\n",
            self.paint(style, mark),
            self.paint(Style::new().bold(), &visible(&agent.host.hostname)),
            self.paint(FAINT, &agent.agent.id.to_string()),
            self.paint(style, &sentence(agent)),
        );
        if agent.first > 1 {
            let first = grouped(agent.first);
            text.push_str(
                &self.paragraph("begins", &[format!("at {first}: what came before is not in this log")]),
            );
        }
        text.push_str(&self.missing(&agent.missing));
        if agent.duplicates > 0 {
            let count = some(agent.duplicates, "message");
            text.push_str(&self.paragraph("twice", &[format!("{count} came again, the same")]));
        }
        text.push_str(&self.conflicts(&agent.conflicts));
        let unjudged = agent.unjudged.saturating_add(agent.unplaced);
        if unjudged > 0 {
            let count = some(unjudged, "message");
            text.push_str(&self.paragraph("not judged", &[format!("{count}, for want of room")]));
        }
        text.push_str(&self.runs(agent));
        if let Some(beat) = &agent.heartbeat {
            let told = format!("number {} at {}", grouped(beat.number), beat.time);
            text.push_str(&self.paragraph("heartbeat", &[told]));
        }
        let losses = agent
            .losses
            .iter()
            .map(|loss| format!("{} {} ({})", grouped(loss.count), loss.what, loss.reason));
        let others =
            (agent.other_losses > 0).then(|| format!("{} of other kinds", grouped(agent.other_losses)));
        text + &self.paragraph("told lost", &losses.chain(others).collect::<Vec<_>>())
    }

    fn missing(self, missing: &Missing) -> String {
        let mut items: Vec<String> =
            missing.first.iter().map(|Range { from, to }| range(*from, *to)).collect();
        items.extend(more(missing.ranges, missing.first.len()));
        self.paragraph("missing", &items)
    }

    fn conflicts(self, conflicts: &Conflicts) -> String {
        let mut items: Vec<String> = conflicts
            .first
            .iter()
            .map(|conflict| {
                format!("{} again as another at {}:{}", conflict.number, conflict.file, conflict.line)
            })
            .collect();
        items.extend(more(conflicts.count, conflicts.first.len()));
        self.paragraph("conflicts", &items)
    }

    fn runs(self, agent: &AgentReport) -> String {
        let mut text = String::new();
        for (index, run) in agent.runs.iter().enumerate() {
            let RunReport { id, first, last, stopped, .. } = run;
            let end = if *stopped { "ended in order" } else { "did not say that it ended" };
            let label = if index == 0 { "runs" } else { "" };
            let id: String = id.to_string().chars().take(SHORT).collect();
            text.push_str(&self.paragraph(label, &[format!("{id}  {}  {end}", range(*first, *last))]));
        }
        let older = agent.run_count.saturating_sub(agent.runs.len());
        if older > 0 {
            let unfinished = agent.unfinished_runs;
            let told = format!("and {older} older; of all {} did not say that they ended", unfinished);
            text.push_str(&self.paragraph("", &[told]));
        }
        text
    }

    /// How the lines of the log were taken.
    fn lines(self, report: &Report) -> String {
        let Report { lines, documents, foreign, damaged, unplaced, .. } = report;
        let mut text = format!(
            "{}: {} ours, {} of other programs, {} damaged\n",
            some(*lines, "line"),
            grouped(*documents),
            grouped(*foreign),
            grouped(damaged.count)
        );
        text.push_str(&self.damaged(damaged));
        if *unplaced > 0 {
            let count = some(*unplaced, "message");
            text.push_str(&self.paragraph(
                "not judged",
                &[format!("{count}, for want of room: verify fewer agents at once")],
            ));
        }
        text
    }

    fn damaged(self, damaged: &Damaged) -> String {
        let mut items: Vec<String> =
            damaged.first.iter().map(|line| format!("{}:{} {}", line.file, line.line, line.reason)).collect();
        items.extend(more(damaged.count, damaged.first.len()));
        self.paragraph("damaged", &items)
    }

    /// `  label      item, item, item`, broken between items; nothing where there is none.
    fn paragraph(self, label: &str, items: &[String]) -> String {
        let Some((last, others)) = items.split_last() else { return String::new() };
        let items = others.iter().map(|item| format!("{item},")).chain([last.clone()]);
        let mut lines: Vec<String> = Vec::new();
        for item in items.map(|item| visible(&item).into_owned()) {
            match lines.last_mut() {
                Some(line) if INDENT + line.chars().count() + 1 + item.chars().count() <= self.width => {
                    line.push(' ');
                    line.push_str(&item);
                }
                Some(_) | None => lines.push(item),
            }
        }
        let mut text = String::new();
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            text.push_str(&format!("   {}{line}\n", self.paint(FAINT, &format!("{label:<10}"))));
        }
        text
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn sentence(agent: &AgentReport) -> String {
    match agent.verdict {
        Verdict::Complete => format!("complete: its last message, {}, is its end", grouped(agent.last)),
        Verdict::CompleteUpTo => format!("complete up to number {}", grouped(agent.last)),
        Verdict::Gaps if agent.complete_up_to == 0 => {
            format!("{} missing, from the first on", some(agent.missing.count, "number"))
        }
        Verdict::Gaps => {
            let up_to = grouped(agent.complete_up_to);
            format!("{} missing; complete up to {up_to}", some(agent.missing.count, "number"))
        }
        Verdict::Conflicts => {
            format!("{} twice, as different messages", some(agent.conflicts.count, "number"))
        }
        Verdict::Undecided => "not decided: there was no room for all of it".to_owned(),
    }
}

/// `and 3 more`, where there are.
fn more(all: u64, listed: usize) -> Option<String> {
    let more = all.saturating_sub(listed as u64);
    (more > 0).then(|| format!("and {} more", grouped(more)))
}

/// `1 number`, `3 numbers`.
fn some(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verifier;

    fn line(agent: u8, number: u64, id: &str, kind: &str, more: &str) -> String {
        format!(
            "{{\"@timestamp\":\"2026-11-21T12:03:14.281042Z\",\"kind\":\"{kind}\",\"event\":{{\"id\":\"{id}\",\
             \"sequence\":{number},\"module\":\"tidewaiter\"}},\"host\":{{\"hostname\":\"node-{agent}\"}},\
             \"agent\":{{\"id\":\"{agent:02x}0c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22\",\
             \"ephemeral_id\":\"e3b1d6f8-77aa-4f0e-8c66-9b2d5a7c3f33\"}}{more}}}\n"
        )
    }

    fn report(log: &str) -> Report {
        let mut verifier = Verifier::new(false);
        verifier.read("messages", log.as_bytes()).unwrap();
        verifier.finish().unwrap()
    }

    #[test]
    fn a_gap_is_told_with_all_that_is_known_of_its_agent() {
        let losses =
            r#","tidewaiter":{"losses":[{"what":"network_connect","reason":"ring full","count":12408}]}"#;
        let log = [
            "Nov 22 11:00:00 host sshd[1]: hello\n".to_owned(),
            line(1, 1, "a", "coverage", ""),
            line(1, 2, "b", "stopped", ""),
            line(2, 17, "c", "loss", losses),
            line(2, 19, "d", "heartbeat", ""),
            line(2, 19, "d", "heartbeat", ""),
            line(2, 23, "e", "alert", ""),
            line(2, 23, "f", "alert", ""),
            "Nov 22 11:00:00 host tidewaiter[1]: {\"@times\n".to_owned(),
        ]
        .concat();
        let text = text(&report(&log), 80, false);
        let expected = "\
\x20HOST    AGENT     NUMBERS  RECEIVED  TWICE  MISSING  VERDICT
 node-1  010c2b7e  1–2      2         0      0        complete
 node-2  020c2b7e  17–23    3         1      4        gaps

 ● node-1  010c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22  complete: its last message, 2, is its end
   runs      e3b1d6f8  1–2  ended in order

 ▲ node-2  020c2b7e-8f43-4a55-9a3e-0a4f0c9d1b22  4 numbers missing; complete up to 17
   begins    at 17: what came before is not in this log
   missing   18, 20–22
   twice     1 message came again, the same
   conflicts 23 again as another at messages:8
   runs      e3b1d6f8  17–23  did not say that it ended
   heartbeat number 19 at 2026-11-21T12:03:14.281042Z
   told lost 12,408 network_connect (ring full)

9 lines: 7 ours, 1 of other programs, 1 damaged
   damaged   messages:9 cut short
";
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            expected.lines().skip(1).collect::<Vec<_>>(),
            "{text}"
        );
    }

    #[test]
    fn long_lists_are_broken_within_the_width_and_end_with_how_many_more() {
        let log: String =
            (1..60_u64).map(|number| line(1, number * 1000, &number.to_string(), "alert", "")).collect();
        let text = text(&report(&log), 60, false);
        assert!(text.contains("and 38 more"), "{text}");
        let listed: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.contains("missing  "))
            .take_while(|line| !line.contains("runs"))
            .collect();
        assert!(listed.len() > 4 && listed.iter().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn nothing_of_a_log_reaches_the_terminal_as_it_is() {
        let hostile = line(1, 1, "a", "heartbeat", "")
            .replace("node-1", "x\\u001b[2J")
            .replace("12:03:14.281042Z", "\\u009b31m\\u202e");
        let text = text(&report(&hostile), 80, true);
        let plain = text.replace("\u{1b}[", "").replace('\n', "");
        assert!(!plain.chars().any(crate::sink::text::escape::is_unsafe), "{text:?}");
        assert!(!text.contains("\u{1b}[2J"), "{text:?}");
    }
}
