//! What the sensor says about itself: ready and what it does not see, losses, the end.

use std::time::Duration;

use super::View;
use super::escape::visible;
use super::line::{FAINT, GOOD, Line, PLAIN, STRONG, WARNING, wrap};
use super::quantity::{duration, grouped};
use crate::alert::{
    Aggregate, Alert, CanaryReport, Coverage, FAILED, HookCoverage, LedgerRow, Loss, Notice, Stopped,
    Subject, Tampering, Target, Window, reason,
};
use crate::state::container::Container;

pub(super) fn lines(notice: &Notice, view: &View) -> Vec<Line> {
    let mut lines = match &notice.subject {
        Subject::Coverage(coverage) => self::coverage(coverage, view.columns()),
        Subject::Loss(losses) => self::losses(losses),
        Subject::Tampering(deeds) => tampering(deeds),
        Subject::Aggregation(rows) => aggregates(rows),
        Subject::Reload(reload) => super::rule::reload(reload),
        Subject::Cost(rules) => super::rule::cost(rules, view.columns()),
        Subject::Canary(report) => canary(report),
        // For programs: every 30 s a line would disturb a person who waits for alerts.
        Subject::Heartbeat(_) => Vec::new(),
        Subject::Stopped(stopped) => self::stopped(stopped),
    };
    if let Some(first) = lines.first_mut() {
        let time = Line::new().with(FAINT, view.time_of_day(notice.time));
        let start = view.columns().saturating_sub(time.width());
        *first = std::mem::take(first).cut(start.saturating_sub(2)).pad(start).join(time);
    }
    lines.into_iter().map(|line| line.cut(view.columns())).collect()
}

/// A canary on its way disturbs nobody: one faint line.
pub(super) fn lone_canary(alert: &Alert, view: &View) -> Line {
    let time = Line::new().with(FAINT, view.time_of_day(alert.time));
    let start = view.columns().saturating_sub(time.width());
    let line = Line::new().with(FAINT, format!(" · delivery canary, number {}", alert.sequence));
    line.cut(start.saturating_sub(2)).pad(start).join(time)
}

/// Sign and style at the start of a notice.
pub(super) type Mark = (&'static str, anstyle::Style);
pub(super) const GOOD_MARK: Mark = ("●", GOOD);
pub(super) const WARNING_MARK: Mark = ("▲", WARNING);
const FAINT_MARK: Mark = ("■", FAINT);

pub(super) fn mark((sign, style): Mark) -> Line {
    Line::new().with(PLAIN, " ").with(style, sign).with(PLAIN, " ")
}

/// `● watching 14 hooks · 6 detections · 231 processes · 3 containers · 180 ms`, then what is not seen.
fn coverage(coverage: &Coverage, width: usize) -> Vec<Line> {
    let attached = coverage.hooks.iter().filter(|hook| hook.attached.is_some()).count();
    let whole = attached == coverage.hooks.len();
    let hooks = if whole {
        some(attached as u64, "hook")
    } else {
        format!("{attached} of {} hooks", coverage.hooks.len())
    };
    let ready = duration(Duration::from_millis(coverage.start_milliseconds));
    let mut lines = vec![
        mark(if whole { GOOD_MARK } else { WARNING_MARK })
            .with(STRONG, format!("watching {hooks}"))
            .with(PLAIN, format!(" · {}", some(coverage.detections as u64, "detection")))
            .with(PLAIN, format!(" · {}", some(coverage.processes as u64, "process")))
            .with(PLAIN, format!(" · {}", some(coverage.containers as u64, "container")))
            .with(FAINT, format!(" · {ready} · Linux {}", coverage.kernel)),
    ];
    lines.extend(gaps(&coverage.hooks, width));
    if !coverage.missing_offsets.is_empty() {
        let missing = coverage.missing_offsets.join(", ");
        lines.push(detail().with(FAINT, "this kernel does not tell ").with(PLAIN, missing));
    }
    lines
}

/// What is not seen, in one paragraph: a gap in what is watched is never cut away, its reasons are told
/// by `tidewaiter check`.
fn gaps(hooks: &[HookCoverage], width: usize) -> Vec<Line> {
    /// More than all gaps of the table fill on a narrow terminal.
    const LINES: usize = 32;
    let mut unseen: Vec<&str> = Vec::new();
    for sentence in hooks.iter().filter_map(|hook| hook.weakens) {
        // Rows of one place share a sentence.
        if !unseen.contains(&sentence) {
            unseen.push(sentence);
        }
    }
    if unseen.is_empty() {
        return Vec::new();
    }
    let label = detail().with(WARNING, "not seen here  ");
    let room = width.saturating_sub(label.width());
    let paragraph = wrap(PLAIN, &unseen.join(" · "), room, LINES);
    let indent = label.width();
    let mut lines: Vec<Line> = paragraph
        .into_iter()
        .enumerate()
        .map(
            |(index, line)| {
                if index == 0 { label.clone().join(line) } else { Line::new().pad(indent).join(line) }
            },
        )
        .collect();
    lines.push(detail().with(FAINT, "why, hook by hook: tidewaiter check"));
    lines
}

/// `▲ somebody works on what the sensor stands on`, then a line for each deed.
fn tampering(deeds: &[Tampering]) -> Vec<Line> {
    let mut lines = vec![mark(WARNING_MARK).with(STRONG, "somebody works on what the sensor stands on")];
    lines.extend(deeds.iter().map(|deed| match deed {
        Tampering::Done(deed) => {
            let line = detail().with(WARNING, deed.sentence());
            let more = [blind(deed.window), deed.outcome(), deed.suspects(), deed.detail.clone()];
            let more: Vec<String> =
                more.into_iter().flatten().map(|text| visible(&text).into_owned()).collect();
            if more.is_empty() { line } else { line.with(FAINT, format!("  {}", more.join(" · "))) }
        }
        Tampering::Loaded { id, kind, name, uid, map } => {
            let user = uid.map_or_else(String::new, |uid| format!(" by user {uid}"));
            let line = detail().with(PLAIN, format!("BPF program {} was loaded{user}", visible(name)));
            let line = match map {
                Some(map) => line.with(WARNING, format!("  it works on the sensor's map {map}")),
                None => line,
            };
            line.with(FAINT, format!("  {kind}, id {id}"))
        }
    }));
    lines
}

/// `blind for up to 2 s`.
fn blind(window: Option<Window>) -> Option<String> {
    let window = window?;
    let time = Duration::try_from(window.to.duration_since(window.from)).unwrap_or_default();
    Some(format!("blind for up to {}", duration(time)))
}

/// `▲ 12,411 records lost`, then a line for each kind.
fn losses(losses: &[Loss]) -> Vec<Line> {
    let all = losses.iter().fold(0_u64, |sum, loss| sum.saturating_add(loss.count));
    let mut lines = vec![
        mark(WARNING_MARK)
            .with(STRONG, format!("{} lost", some(all, "record")))
            .with(FAINT, ": what they would have told is not in any alert"),
    ];
    lines.extend(losses.iter().map(|loss| {
        let line = detail()
            .with(WARNING, format!("{:>9}", grouped(loss.count)))
            .with(PLAIN, format!("  {}", loss.what))
            .with(FAINT, format!("  {}", loss.reason));
        whose(line, loss.container.as_deref())
    }));
    lines
}

/// `● 980,075 records counted instead of told`, then a line for what they have in common.
fn aggregates(rows: &[Aggregate]) -> Vec<Line> {
    let all = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.count));
    let mut lines = vec![
        mark(GOOD_MARK)
            .with(STRONG, format!("{} counted instead of told", some(all, "record")))
            .with(FAINT, ": more than one container's share"),
    ];
    lines.extend(rows.iter().map(|row| {
        let line = detail()
            .with(PLAIN, format!("{:>9}", grouped(row.count)))
            .with(PLAIN, format!("  {}  ", row.what));
        let line = match &row.target {
            Target::Destination(place) => line.join(super::alert::named(place)),
            Target::Process { pid, program: None } => line.with(PLAIN, format!("pid {pid}")),
            Target::Process { pid, program: Some(program) } => {
                line.with(PLAIN, program).with(FAINT, format!(" pid {pid}"))
            }
            Target::Others => line.with(FAINT, "others"),
        };
        whose(line, row.container.as_deref())
    }));
    lines
}

/// `▲ the delivery canary did not come through: …`, or that it does again.
fn canary(report: &CanaryReport) -> Vec<Line> {
    match report {
        CanaryReport::Failed { stage, details, .. } => vec![
            mark(WARNING_MARK).with(STRONG, FAILED),
            detail().with(WARNING, reason(*stage, details)),
            detail().with(FAINT, "alerts may not arrive either: tidewaiter status"),
        ],
        CanaryReport::Well { took } => {
            let took = duration(Duration::from_millis(*took));
            vec![mark(GOOD_MARK).with(STRONG, report.sentence()).with(FAINT, format!(" after {took}"))]
        }
    }
}

fn whose(line: Line, container: Option<&Container>) -> Line {
    match container {
        Some(container) => {
            line.with(FAINT, "  in ").with(PLAIN, container.name.as_deref().unwrap_or(container.short_id()))
        }
        None => line,
    }
}

/// The end, and what the books say where they do not balance.
fn stopped(stopped: &Stopped) -> Vec<Line> {
    let Stopped { alerts, events, ledger, .. } = stopped;
    let told = format!(" after {} from {}", some(*alerts, "alert"), some(*events, "event"));
    let mut lines = vec![mark(FAINT_MARK).with(STRONG, "stopped").with(PLAIN, told)];
    let is_off = |row: &&LedgerRow| row.counter.difference() != 0;
    lines.extend(ledger.iter().filter(is_off).map(|row| {
        let difference = grouped(row.counter.difference());
        detail()
            .with(WARNING, format!("{difference:>9}"))
            .with(PLAIN, format!("  {}", row.kind))
            .with(FAINT, "  neither told nor counted: a defect of the sensor")
    }));
    lines
}

pub(super) fn detail() -> Line {
    Line::new().with(PLAIN, "   ")
}

/// `1 hook`, `14 hooks`, `231 processes`, `2 matches`.
pub(super) fn some(count: u64, noun: &str) -> String {
    let plural = match count {
        1 => "",
        _ if noun.ends_with(['s', 'h']) => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", grouped(count))
}
