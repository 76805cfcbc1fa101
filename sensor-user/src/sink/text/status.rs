//! How an agent stands, on one screen: a label and what there is to say of it, then what is wrong.

use std::time::Duration;

use jiff::Timestamp;
use sigma::Level;

use super::View;
use super::line::{FAINT, GOOD, Line, PLACE, PLAIN, STRONG, WARNING, wrap};
use super::notice::some;
use super::quantity::{bytes, duration, fine, grouped};
use crate::metric::snapshot::{Canary, Count, Hook, Outbox, Rule, Sink, Snapshot};

/// Columns before what is said.
const LABEL: usize = 13;
/// Rules that are named, by matches and by cost.
const RULES: usize = 3;
/// Losses that are named; the rest is summed up.
const LOSSES: usize = 8;
/// Lines of a paragraph.
const LINES: usize = 12;

/// All lines, each ended by a newline.
#[must_use]
pub fn render(snapshot: &Snapshot, view: &View) -> String {
    let mut page = Page { lines: Vec::new(), width: view.columns() };
    page.title(snapshot);
    page.hooks(snapshot);
    page.events(snapshot);
    page.alerts(&snapshot.alerts.levels);
    page.rules(snapshot);
    page.sinks(snapshot);
    snapshot.outbox.iter().for_each(|outbox| page.outbox(outbox));
    snapshot.canary.iter().for_each(|canary| page.canary(canary, snapshot.now));
    page.heartbeat(snapshot, view);
    page.losses(snapshot);
    page.cost(snapshot);
    page.verdict(snapshot);
    let mut text = String::new();
    for line in page.lines {
        line.cut(view.columns()).paint(view.colour, &mut text);
        text.push('\n');
    }
    text
}

struct Page {
    lines: Vec<Line>,
    width: usize,
}

impl Page {
    /// What is said under a label; under an empty one it belongs to the line above.
    fn row(&mut self, label: &str, content: Line) {
        let label = Line::new().with(PLAIN, " ").with(FAINT, label).pad(LABEL);
        self.lines.push(label.join(content));
    }

    /// A text that may take several lines.
    fn paragraph(&mut self, style: anstyle::Style, text: &str) {
        let lines = wrap(style, text, self.width.saturating_sub(LABEL), LINES);
        lines.into_iter().for_each(|line| self.row("", line));
    }

    fn title(&mut self, snapshot: &Snapshot) {
        let Snapshot { version, hostname, kernel, pid, uptime_ms, .. } = snapshot;
        let (sign, style) = if snapshot.problems().is_empty() { ("●", GOOD) } else { ("▲", WARNING) };
        let up = duration(Duration::from_millis(*uptime_ms));
        let line = Line::new().with(PLAIN, " ").with(style, sign);
        let line = line.with(STRONG, format!(" tidewaiter {version}")).with(PLAIN, format!(" on {hostname}"));
        let line = line.with(PLAIN, format!(" · up {up}"));
        self.lines.push(line.with(FAINT, format!(" · pid {pid} · Linux {kernel}")));
        self.lines.push(Line::new());
    }

    fn hooks(&mut self, snapshot: &Snapshot) {
        let (all, missing) = (snapshot.hooks.len(), snapshot.missing());
        let line = if missing == 0 {
            Line::new().with(PLAIN, format!("all {all} attached"))
        } else {
            let attached = format!("{} of {all} attached", all - missing);
            Line::new().with(PLAIN, attached).with(WARNING, format!(" · {missing} missing"))
        };
        let is_weakened = |hook: &&Hook| hook.attached.is_some() && hook.weakens.is_some();
        let line = match snapshot.hooks.iter().filter(is_weakened).count() {
            0 => line,
            weakened => line.with(FAINT, format!(" · {weakened} see less than they might")),
        };
        self.row("hooks", line);
        let mut unseen: Vec<&str> = Vec::new();
        let missing = snapshot.hooks.iter().filter(|hook| hook.attached.is_none());
        for sentence in missing.filter_map(|hook| hook.weakens.as_deref()) {
            // Hooks of one place share a sentence.
            if !unseen.contains(&sentence) {
                unseen.push(sentence);
            }
        }
        if !unseen.is_empty() {
            self.paragraph(FAINT, &format!("not seen here: {}", unseen.join(" · ")));
        }
    }

    fn events(&mut self, snapshot: &Snapshot) {
        let events = &snapshot.events;
        let pace = match events.lately_ms {
            0 => Line::new(),
            window => {
                let tenths = events.lately.saturating_mul(10_000) / window;
                let pace = format!("{}.{} a second", grouped(tenths / 10), tenths % 10);
                Line::new().with(PLAIN, pace).with(FAINT, " · ")
            }
        };
        let all = format!("{} of {}", some(events.total, "event"), some(snapshot.records.taken, "record"));
        self.row("events", pace.with(PLAIN, all));
        let known = snapshot.tables.iter().filter(|table| table.count > 0);
        let known = known.map(|table| format!("{} {}", table.name.replace('_', " "), grouped(table.count)));
        let known: Vec<String> = known.collect();
        self.paragraph(FAINT, &format!("knows {}", known.join(" · ")));
    }

    fn alerts(&mut self, levels: &[Count]) {
        let told: Vec<&Count> = levels.iter().filter(|level| level.count > 0).collect();
        if told.is_empty() {
            self.row("alerts", Line::new().with(PLAIN, "none"));
            return;
        }
        let mut line = Line::new();
        for (index, level) in told.iter().enumerate() {
            let is_grave = matches!(level.name.parse(), Ok(Level::Critical | Level::High));
            let between = if index == 0 { "" } else { " · " };
            let style = if is_grave { WARNING } else { PLAIN };
            line = line.with(FAINT, between).with(style, format!("{} {}", grouped(level.count), level.name));
        }
        self.row("alerts", line);
    }

    fn rules(&mut self, snapshot: &Snapshot) {
        let rules = &snapshot.rules;
        let share = share(rules.time_ns.saturating_add(rules.reading_ns) / 1_000_000, snapshot.uptime_ms);
        let line = Line::new().with(PLAIN, format!("{} at work", grouped(rules.loaded)));
        let line = line.with(PLAIN, format!(" · {}", some(rules.matches, "match")));
        self.row("rules", line.with(FAINT, format!(" · {share} of a core")));
        let title = |rule: &Rule| Line::new().with(PLAIN, format!("  {}", rule.title));
        for rule in rules.by_matches.iter().take(RULES) {
            let count = Line::new().with(PLAIN, format!("{:>9} ×", grouped(rule.count)));
            self.row("", count.join(title(rule)));
        }
        for rule in rules.by_time.iter().take(RULES) {
            let time = Line::new().with(FAINT, format!("{:>11}", fine(rule.time_ns)));
            self.row("", time.join(title(rule)));
        }
    }

    fn sinks(&mut self, snapshot: &Snapshot) {
        for (index, sink) in snapshot.sinks.iter().enumerate() {
            let label = if index == 0 { "receivers" } else { "" };
            self.row(label, state(sink, snapshot.now));
            self.row("", Line::new().with(PLAIN, "  ").join(account(sink, snapshot.now)));
        }
    }

    fn outbox(&mut self, outbox: &Outbox) {
        let memory = format!("{} in memory", bytes(outbox.memory_bytes));
        let line = match (outbox.has_folder, outbox.is_on_disk) {
            (false, _) => Line::new().with(WARNING, "no folder").with(PLAIN, format!(" · {memory}")),
            (true, false) => {
                Line::new().with(WARNING, "the disk refuses").with(PLAIN, format!(" · {memory}"))
            }
            (true, true) => {
                let (have, may) = (bytes(outbox.bytes), bytes(outbox.limit_bytes));
                Line::new().with(PLAIN, format!("{have} of {may} on the disk"))
            }
        };
        let line = match outbox.evicted {
            0 => line,
            evicted => line.with(WARNING, format!(" · {} given up", grouped(evicted))),
        };
        self.row("outbox", line);
    }

    fn canary(&mut self, canary: &Canary, now: Timestamp) {
        let every = duration(Duration::from_secs(canary.every_s));
        let line = match (canary.is_well, &canary.failure) {
            (None, _) => Line::new().with(PLAIN, "none has ended yet"),
            (Some(true), _) => Line::new().with(GOOD, "●").with(PLAIN, " came through"),
            (Some(false), failure) => {
                let why = failure.as_deref().unwrap_or("did not come through");
                Line::new().with(WARNING, format!("▲ {why}"))
            }
        };
        let line = match canary.passed_at {
            Some(at) => line.with(PLAIN, format!(" · well {} ago", since(at, now))),
            None => line,
        };
        self.row("canary", line.with(FAINT, format!(" · every {every}")));
        let took = canary.sinks.iter().filter_map(|it| Some((it, it.took_ms?)));
        let took = took.map(|(it, took)| format!("{} {}", it.sink, duration(Duration::from_millis(took))));
        let took: Vec<String> = took.collect();
        if !took.is_empty() {
            self.paragraph(FAINT, &took.join(" · "));
        }
    }

    fn heartbeat(&mut self, snapshot: &Snapshot, view: &View) {
        let messages = &snapshot.messages;
        let line = match messages.heartbeat_at {
            Some(at) => Line::new()
                .with(PLAIN, format!("number {}", grouped(messages.heartbeat_sequence)))
                .with(PLAIN, format!(", {} ago", since(at, snapshot.now)))
                .with(FAINT, format!(" at {}", view.time_of_day(at))),
            None => Line::new().with(PLAIN, "none yet"),
        };
        let last = format!(" · last message {}", grouped(messages.last_sequence));
        self.row("heartbeat", line.with(FAINT, last));
    }

    fn losses(&mut self, snapshot: &Snapshot) {
        if snapshot.losses.is_empty() {
            self.row("losses", Line::new().with(PLAIN, "none"));
            return;
        }
        let mut losses: Vec<_> = snapshot.losses.iter().collect();
        losses.sort_by_key(|loss| std::cmp::Reverse(loss.count));
        for (index, loss) in losses.iter().take(LOSSES).enumerate() {
            let label = if index == 0 { "losses" } else { "" };
            let line = Line::new().with(WARNING, format!("{:>9}", grouped(loss.count)));
            let line = line.with(PLAIN, format!("  {}", loss.what));
            self.row(label, line.with(FAINT, format!("  {}", loss.reason)));
        }
        if let Some(rest) = losses.len().checked_sub(LOSSES).filter(|rest| *rest > 0) {
            self.row("", Line::new().with(FAINT, format!("and {rest} kinds more: --json has all")));
        }
    }

    fn cost(&mut self, snapshot: &Snapshot) {
        let core = share(snapshot.cpu_ms, snapshot.uptime_ms);
        let line = Line::new().with(PLAIN, format!("{core} of a core · {}", bytes(snapshot.resident_bytes)));
        self.row("cost", line);
    }

    fn verdict(&mut self, snapshot: &Snapshot) {
        let problems = snapshot.problems();
        self.lines.push(Line::new());
        if problems.is_empty() {
            self.lines.push(Line::new().with(PLAIN, " ").with(GOOD, "●").with(STRONG, " all is well"));
            return;
        }
        for problem in problems {
            for (index, line) in
                wrap(PLAIN, &problem.what, self.width.saturating_sub(3), LINES).into_iter().enumerate()
            {
                let sign = if index == 0 { " ▲ " } else { "   " };
                self.lines.push(Line::new().with(WARNING, sign).join(line));
            }
        }
    }
}

/// `● syslog tls://loghost:6514  there for 2 h 01 min`, or since when it is away and why.
fn state(sink: &Sink, now: Timestamp) -> Line {
    let age = sink.since.map_or_else(String::new, |at| format!(" for {}", since(at, now)));
    let name = |line: Line| line.with(PLACE, format!(" {}", sink.name));
    match sink.is_up {
        Some(true) => name(Line::new().with(GOOD, "●")).with(FAINT, format!("  there{age}")),
        None => name(Line::new().with(FAINT, "○")).with(FAINT, "  nothing heard of it yet"),
        Some(false) => {
            let reason = sink.reason.as_deref().unwrap_or("no reason given");
            let line = name(Line::new().with(WARNING, "▲")).with(WARNING, format!("  away{age}"));
            line.with(PLAIN, format!(": {reason}"))
        }
    }
}

/// What it has, what waits, and what it will never have.
fn account(sink: &Sink, now: Timestamp) -> Line {
    let mut line = Line::new().with(PLAIN, format!("{} delivered", grouped(sink.delivered)));
    if let Some(at) = sink.delivered_at {
        line = line.with(FAINT, format!(", last {} ago", since(at, now)));
    }
    if sink.backlog > 0 {
        line = line.with(PLAIN, format!(" · {} waiting", grouped(sink.backlog)));
        let oldest = sink.oldest_ms.map(|age| format!(" for {}", duration(Duration::from_millis(age))));
        line = line.with(FAINT, oldest.unwrap_or_default());
    }
    for loss in &sink.losses {
        line = line.with(WARNING, format!(" · {} lost", grouped(loss.count)));
        line = line.with(FAINT, format!(": {}", loss.name));
    }
    line
}

fn since(at: Timestamp, now: Timestamp) -> String {
    duration(Duration::try_from(now.duration_since(at)).unwrap_or_default())
}

/// Part of a core: `0.02 %`.
fn share(part_ms: u64, whole_ms: u64) -> String {
    let share = u128::from(part_ms) * 10_000 / u128::from(whole_ms.max(1));
    format!("{}.{:02} %", share / 100, share % 100)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::sink::sample;

    fn text(snapshot: &Snapshot, width: usize) -> String {
        render(snapshot, &View { width, colour: false, zone: TimeZone::UTC })
    }

    #[test]
    fn it_says_all_that_counts_on_one_screen() {
        let text = text(&sample::snapshot(), 110);
        println!("{text}");
        for words in [
            "▲ tidewaiter 0.1.0 on node-1 · up 2 h 01 min · pid 77 · Linux 6.18.5",
            "2 of 3 attached · 1 missing",
            "1 see less than they might",
            "not seen here: module loads",
            "5.0 a second · 80 events of 90 records",
            "knows processes 231 · containers 3 · stories 2",
            "2 critical · 2 high · 2 medium · 2 low · 2 informational",
            "87 at work · 12 matches · 0.02 % of a core",
            "● stdout  there for 0 ms",
            "▲ syslog tls://loghost:6514  away for 0 ms: connection",
            "30 delivered, last 0 ms ago · 9 waiting for 2 min 05 s · 3 lost: outbox full",
            "3.0 MiB of 64 MiB on the disk · 3 given up",
            "▲ not confirmed by syslog tls://loghost:6514 · well 0 ms ago · every 1 h 00 min",
            "number 140, 0 ms ago",
            "2  process_exec  ring full",
            "0.83 % of a core · 47 MiB",
            " ▲ 1 of the sensor's programs unhooked by somebody",
        ] {
            assert!(text.contains(words), "{words:?} is not in:\n{text}");
        }
        assert!(text.lines().count() < 40, "one screen");
    }

    #[test]
    fn texts_of_others_move_no_cursor_and_lines_fit() {
        for width in [40, 80, 200] {
            let text = text(&sample::snapshot(), width);
            assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.min(140), "{widest}");
        }
    }

    #[test]
    fn where_all_is_well_it_says_so() {
        let snapshot = Snapshot { version: "0.1.0".to_owned(), ..Snapshot::default() };
        let text = text(&snapshot, 80);
        assert!(text.starts_with(" ● ") && text.ends_with("● all is well\n"), "{text}");
    }
}
