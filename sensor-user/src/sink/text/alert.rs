//! An alert on one screen.

mod who;
mod correlation;
mod story;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::line::{FAINT, FILE, Line, PLACE, PLAIN, STRONG, WARNING, level_style, level_word, span, wrap};
use super::quantity::{bytes, duration};
use super::{View, escape};
use crate::alert::{Action, Alert, Place, Step};
use crate::event::Direction;
use crate::sink::document::program;
use crate::state::process::Process;

/// Column at which contents start; labels stand before it.
const CONTENT: usize = 13;

/// A command line longer than this many lines says no more to a reader.
const COMMAND_LINES: usize = 3;

/// Destinations and files listed; a scan has thousands.
const LIST: usize = 4;

/// Steps listed: a screen's worth.
const STEPS: usize = 24;

pub(super) fn lines(alert: &Alert, view: &View) -> Vec<Line> {
    let mut page = Page { lines: vec![heading(alert, view)], width: view.columns() };
    page.rows("container", who::container(alert));
    page.rows(
        "pod",
        alert.container.as_deref().and_then(|it| it.pod.as_ref()).map(who::pod).unwrap_or_default(),
    );
    process(&mut page, alert);
    who::origin(&mut page, alert);
    who::witnesses(&mut page, alert);
    lineage(&mut page, alert);
    page.rows("story", story::stages(&alert.story).into_iter().collect());
    if let Some(found) = &alert.correlation {
        page.rows("correlated", correlation::lines(found, page.room()));
    }
    destinations(&mut page, alert);
    files(&mut page, alert);
    page.rows("also", story::others(alert, page.room()));
    page.rows("processes", story::tree(alert));
    if !alert.pending.is_empty() {
        page.row("unknown yet", Line::new().with(WARNING, alert.pending.join(", ")));
    }
    timeline(&mut page, alert);
    if !alert.is_amendment {
        response(&mut page, alert);
    }
    let reference = format!("#{}  {}  rule {}", alert.sequence, alert.id, alert.detection.id);
    page.row("alert", Line::new().with(FAINT, reference));
    page.lines.push(Line::new());
    page.lines
}

/// The lines so far.
struct Page {
    lines: Vec<Line>,
    width: usize,
}

impl Page {
    /// Columns for contents.
    fn room(&self) -> usize {
        self.width - CONTENT
    }

    fn row(&mut self, label: &str, content: Line) {
        let line = Line::new().with(FAINT, format!("  {label}")).pad(CONTENT).join(content);
        self.lines.push(line.cut(self.width));
    }

    /// A label beside the first of several lines.
    fn rows(&mut self, label: &str, contents: Vec<Line>) {
        for (index, content) in contents.into_iter().enumerate() {
            self.row(if index == 0 { label } else { "" }, content);
        }
    }
}

/// ` HIGH  title                         T1105 · 12:03:14.281`
fn heading(alert: &Alert, view: &View) -> Line {
    let mut right = alert.detection.techniques.join(" ");
    if !right.is_empty() {
        right.push_str(" · ");
    }
    right.push_str(&view.time_of_day(alert.time));
    let right = Line::new().with(FAINT, right).cut(view.columns() / 2);

    let badge = span(level_style(alert.level), format!(" {} ", level_word(alert.level)));
    let mut left = Line::new();
    left.push(badge).push(span(PLAIN, " ")).push(span(STRONG, &alert.detection.title));
    if alert.is_amendment {
        left.push(span(FAINT, "  amended"));
    }
    let start = view.columns().saturating_sub(right.width());
    left.cut(start.saturating_sub(2)).pad(start).join(right)
}

/// The command line, then its circumstances on the same line where they fit.
fn process(page: &mut Page, alert: &Alert) {
    let process = &alert.process;
    let line = process.command_line();
    let mut command = if line.trim().is_empty() { &process.executable.path } else { line }.to_owned();
    if process.arguments_truncated && !command.contains(" …") {
        command.push_str(" …");
    }
    let user = alert.user.as_ref().map_or_else(|| format!("uid {}", process.uid), ToString::to_string);
    let mut facts = Line::new().with(FAINT, format!("pid {}  ", process.key.pid)).with(PLAIN, user);
    if process.effective_uid != process.uid {
        facts = facts.with(WARNING, format!("  as uid {}", process.effective_uid));
    }
    if let Some(uid) = process.session.login_uid.filter(|uid| *uid != process.uid) {
        facts = facts.with(WARNING, format!("  logged in as uid {uid}"));
    }
    if let Some(terminal) = &process.session.terminal {
        facts = facts.with(FAINT, format!("  on {terminal}"));
    }

    let mut lines = wrap(STRONG, &command, page.room(), COMMAND_LINES);
    match lines.pop() {
        Some(last) if last.width() + 3 + facts.width() <= page.room() => {
            lines.push(last.with(PLAIN, "   ").join(facts));
        }
        last => {
            lines.extend(last);
            lines.push(facts);
        }
    }
    page.rows("process", lines);
}

/// Oldest first, what lies outside the container faint; the near end stays when it is too long.
fn lineage(page: &mut Page, alert: &Alert) {
    const JOINT: &str = " ─ ";
    let mut chain = Line::new().with(STRONG, program(&alert.process));
    let is_inside =
        |ancestor: &Process| ancestor.container.is_some() && ancestor.container == alert.process.container;
    // A runtime forks itself several times on the way into a container: told once, with the count.
    let mut groups = alert
        .ancestors
        .chunk_by(|one, next| program(one) == program(next) && is_inside(one) == is_inside(next))
        .filter_map(|group| group.first().map(|first| (first, group.len())))
        .peekable();
    while let Some((ancestor, count)) = groups.next() {
        let style = if is_inside(ancestor) { PLAIN } else { FAINT };
        let mut link = Line::new().with(style, program(ancestor));
        if count > 1 {
            link = link.with(FAINT, format!(" ×{count}"));
        }
        let longer = link.with(FAINT, JOINT).join(chain.clone());
        let reserve = if groups.peek().is_none() { 0 } else { 1 + JOINT.chars().count() };
        if longer.width() + reserve > page.room() {
            chain = Line::new().with(FAINT, "…").with(FAINT, JOINT).join(chain);
            break;
        }
        chain = longer;
    }
    page.row("lineage", chain);
}

fn destinations(page: &mut Page, alert: &Alert) {
    let mut to: Vec<&Place> = Vec::new();
    let mut from: Vec<&Place> = Vec::new();
    // The one that alert documents name stands first.
    for (place, direction) in alert.destination().into_iter().chain(alert.destinations()) {
        let list = if direction == Direction::Inbound { &mut from } else { &mut to };
        if !list.iter().any(|known| known.is_same(place)) {
            list.push(place);
        }
    }
    let moved = alert.bytes().filter(|(sent, received)| sent.saturating_add(*received) > 0);
    let mut amount = moved.map(|(sent, received)| arrows(sent, received));
    for (label, places) in [("to", to), ("from", from)] {
        let mut lines: Vec<Line> = places.iter().take(LIST).copied().map(named).collect();
        if let Some(first) = lines.first_mut()
            && let Some(amount) = amount.take()
        {
            *first = std::mem::take(first).with(PLAIN, amount);
        }
        page.rows(label, and_more(lines, places.len()));
    }
}

fn arrows(sent: u64, received: u64) -> String {
    format!("   ↑ {}  ↓ {}", bytes(sent), bytes(received))
}

/// `10.0.0.2:80 tcp  example.com`
pub(super) fn named(place: &Place) -> Line {
    let line = Line::new().with(PLACE, self::place(place.address, place.port));
    line.with(FAINT, format!(" {}", place.protocol.name())).join(name(place))
}

/// Two blanks and the name, where there is one; a long one must not push out what stands behind it.
fn name(place: &Place) -> Line {
    const NAME: usize = 40;
    match &place.name {
        Some(name) => Line::new().with(PLAIN, "  ").with(PLACE, name).cut(NAME),
        None => Line::new(),
    }
}

/// `10.0.0.2:80   ↑ 92 B  ↓ 1.2 MiB  example.com`: the amounts are the news.
fn amounts(place: &Place, sent: u64, received: u64) -> Line {
    let place_only = Line::new().with(PLACE, self::place(place.address, place.port));
    place_only.with(PLAIN, arrows(sent, received)).join(name(place))
}

fn files(page: &mut Page, alert: &Alert) {
    let files = alert.files();
    let lines = files.iter().take(LIST).map(|path| Line::new().with(FILE, path)).collect();
    page.rows("file", and_more(lines, files.len()));
}

fn and_more(mut lines: Vec<Line>, all: usize) -> Vec<Line> {
    if all > lines.len() {
        let more = all - lines.len();
        lines.push(Line::new().with(FAINT, format!("and {more} more")));
    }
    lines
}

fn place(address: IpAddr, port: u16) -> String {
    match port {
        0 if address.is_unspecified() => "several".to_owned(),
        0 => address.to_string(),
        _ => SocketAddr::new(address, port).to_string(),
    }
}

/// `    12 ms  connected  10.0.0.2:80 tcp`, with the program where there are several.
fn timeline(page: &mut Page, alert: &Alert) {
    let mixed = alert.steps.iter().any(|step| step.pid != alert.process.key.pid);
    let shown = alert.steps.iter().take(STEPS);
    let names = shown.clone().map(|step| span(PLAIN, &step.program).width()).max().unwrap_or(0);
    let column = if mixed { names.min(PROGRAM_MAX) + 2 } else { 0 };
    let marks = story::marks(alert, &alert.steps);
    let marked = |(step, titles): (&Step, Vec<&str>)| {
        titles.into_iter().fold(step_line(step, column), |line, title| {
            line.with(PLAIN, "   ").with(WARNING, format!("◆ {title}"))
        })
    };
    let mut lines: Vec<Line> = shown.zip(marks).map(marked).collect();
    let omitted = u64::from(alert.steps_omitted) + alert.steps.len().saturating_sub(STEPS) as u64;
    if omitted > 0 {
        lines.push(Line::new().with(FAINT, format!("and {omitted} more steps")));
    }
    page.rows("timeline", lines);
}

/// Columns for the name of a program; longer ones are cut.
const PROGRAM_MAX: usize = 16;

fn step_line(step: &Step, column: usize) -> Line {
    const OFFSET: usize = 8;
    const VERB: usize = 11;
    let offset = duration(Duration::from_nanos(step.offset));
    let mut line = Line::new().with(FAINT, format!("{offset:>OFFSET$}  "));
    if column > 0 {
        let name = Line::new().with(PLAIN, &step.program).cut(column.saturating_sub(2)).pad(column);
        line = line.join(name);
    }
    let (verb, object) = told(&step.action);
    // A long verb pushes its object.
    line.join(Line::new().with(PLAIN, verb).pad(VERB.max(verb.len() + 2))).join(object)
}

fn told(action: &Action) -> (&'static str, Line) {
    let line = Line::new();
    match action {
        Action::Executed { arguments } => ("ran", line.with(STRONG, arguments.line())),
        Action::Connected { place, direction } => {
            let verb = match direction {
                Direction::Outbound => "connected",
                Direction::Inbound => "accepted",
                Direction::Unknown => "used",
            };
            (verb, named(place))
        }
        Action::Transferred { place, bytes_sent, bytes_received, .. } => {
            ("moved", amounts(place, *bytes_sent, *bytes_received))
        }
        Action::Disconnected { place, bytes_sent, bytes_received } => {
            ("closed", amounts(place, *bytes_sent, *bytes_received))
        }
        Action::Failed { place, error } => (failure(*error), named(place)),
        Action::Opened { path } => ("opened", line.with(FILE, path)),
        Action::Wrote { path, bytes, size } => {
            ("wrote", line.with(FILE, path).with(PLAIN, written(*bytes, *size)))
        }
        Action::Linked { from, to } if from.is_empty() => ("linked", line.with(FILE, to)),
        Action::Linked { from, to } => ("linked", line.with(FILE, from).with(FAINT, " → ").with(FILE, to)),
        Action::Deleted { path } => ("deleted", line.with(FILE, path)),
        Action::MadeExecutable { path } => ("made", line.with(FILE, path).with(WARNING, " executable")),
        Action::Read { path } => ("opened", line.with(WARNING, path)),
        Action::Renamed { from, to } => ("renamed", line.with(FILE, from).with(FAINT, " → ").with(FILE, to)),
        Action::Did { deed, object } => (deed, line.with(PLAIN, object)),
        Action::Exited { status: Some(0), .. } => ("exited", line.with(PLAIN, "0")),
        Action::Exited { status: Some(status), .. } => ("exited", line.with(WARNING, status.to_string())),
        Action::Exited { status: None, signal: Some(signal) } => {
            ("killed", line.with(WARNING, format!("by signal {signal}")))
        }
        Action::Exited { status: None, signal: None } => ("exited", line),
    }
}

/// `   4.0 KiB of 1.2 MiB`: what was written, and what the file has where that is not the same.
fn written(count: Option<u64>, size: Option<u64>) -> String {
    match (count, size) {
        (Some(count), Some(size)) if count != size => format!("   {} of {}", bytes(count), bytes(size)),
        (Some(count), _) => format!("   {}", bytes(count)),
        (None, Some(size)) => format!("   now {}", bytes(size)),
        (None, None) => String::new(),
    }
}

/// Why a connection never came to be (include/uapi/asm-generic/errno.h).
fn failure(error: u32) -> &'static str {
    match error {
        101 | 113 => "no route",
        104 => "reset",
        110 => "no answer",
        111 => "refused",
        _ => "failed",
    }
}

fn response(page: &mut Page, alert: &Alert) {
    const LINES: usize = 4;
    let mut lines = Vec::new();
    for (index, response) in alert.detection.response.iter().enumerate() {
        let number = format!("{}. ", index + 1);
        let indent = number.len();
        let wrapped = wrap(PLAIN, &escape::visible(response), page.room().saturating_sub(indent), LINES);
        for (row, text) in wrapped.into_iter().enumerate() {
            let head = if row == 0 { number.as_str() } else { "" };
            lines.push(Line::new().with(FAINT, head).pad(indent).join(text));
        }
    }
    page.rows("next", lines);
}
