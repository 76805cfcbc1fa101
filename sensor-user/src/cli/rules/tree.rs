//! An explanation as lines: what a rule asks on the left, what the event has on the right.
//!
//! Text of events and rules passes through [`visible`], so neither can move a cursor or forge a line. Long lists
//! and long values are cut here; the JSON has all.

use anstyle::{AnsiColor, Effects, Style};
use sigma::{Asked, Clause, Detected, Explanation, Found, Item, Part, Presence, Rule, Search, Truth};
use unicode_width::UnicodeWidthStr as _;

use crate::sink::text::escape::visible;

/// Values of one item shown; a list of hundreds would bury the one that held.
const VALUES_MAX: usize = 8;
/// Longest value shown, characters: a command line that fills a few lines of a terminal.
const VALUE_MAX: usize = 400;
/// Longest text that is repeated from line to line, bytes.
const REPEATED_MAX: usize = 40;
/// Column in which what the event has begins, at most: a longer left side pushes it out.
const COLUMN_MAX: usize = 56;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const OPEN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().effects(Effects::DIMMED);

/// The mark of a truth value.
pub(super) fn mark(truth: Truth) -> char {
    match truth {
        Truth::True => '✔',
        Truth::False => '✘',
        Truth::Unknown => '?',
    }
}

pub(super) fn style(truth: Truth) -> Style {
    match truth {
        Truth::True => GOOD,
        Truth::False => BAD,
        Truth::Unknown => OPEN,
    }
}

pub(super) fn paint(style: Style, text: &str, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A line of the tree.
struct Row {
    depth: usize,
    mark: Option<Truth>,
    left: String,
    /// What the event has; may be empty.
    right: String,
}

/// What stands below the verdict, each line ended by a newline and `indent` columns in.
pub(super) fn tree(rule: &Rule, explanation: &Explanation, indent: usize, colour: bool) -> String {
    let mut rows = Vec::new();
    if !explanation.log_source {
        let left =
            format!("log source: the rule looks at {} only, and the event is another", rule.log_source);
        rows.push(Row { depth: 0, mark: Some(Truth::False), left, right: String::new() });
    }
    detection(&explanation.detection, 0, &mut rows);
    for filter in &explanation.filters {
        let truth = filter.detection.truth;
        let effect = match truth {
            Truth::True => "keeps it back",
            Truth::False => "lets it pass",
            Truth::Unknown => "may keep it back",
        };
        let left = format!("filter `{}` ({}:{}) {effect}", filter.title, filter.source, filter.line);
        rows.push(Row { depth: 0, mark: Some(truth.negated()), left, right: String::new() });
        if truth != Truth::False {
            detection(&filter.detection, 1, &mut rows);
        }
    }
    render(&rows, indent, colour)
}

fn render(rows: &[Row], indent: usize, colour: bool) -> String {
    let width = |row: &Row| indent + 2 * row.depth + 2 + visible(&row.left).width();
    let with_right = rows.iter().filter(|row| !row.right.is_empty());
    let column = with_right.map(width).filter(|width| *width <= COLUMN_MAX).max().unwrap_or_default();
    let mut text = String::new();
    let mut last = "";
    for row in rows {
        let mark = row.mark.map_or(' ', mark).to_string();
        let mark = row.mark.map_or(mark.clone(), |truth| paint(style(truth), &mark, colour));
        let lead = " ".repeat(indent + 2 * row.depth);
        let mut line = format!("{lead}{mark} {}", visible(&row.left));
        if !row.right.is_empty() {
            line.push_str(&" ".repeat(column.saturating_sub(width(row)) + 2));
            // A long value that many items ask in turn is read once.
            let is_again = row.right == last && row.right.len() > REPEATED_MAX;
            let right = if is_again { "the same".into() } else { visible(&row.right) };
            line.push_str(&paint(FAINT, &right, colour));
            last = &row.right;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn detection(detected: &Detected, depth: usize, rows: &mut Vec<Row>) {
    for clause in &detected.conditions {
        let left = format!("condition: {}", clause.text);
        rows.push(Row { depth, mark: Some(clause.truth), left, right: String::new() });
        parts(clause, depth + 1, rows);
    }
    for search in &detected.searches {
        self::search(search, depth + 1, rows);
    }
}

/// The parts of a condition, where they tell more than the search identifiers below.
fn parts(clause: &Clause, depth: usize, rows: &mut Vec<Row>) {
    let is_name = |clause: &Clause| !clause.text.contains(' ') && clause.parts.is_empty();
    if clause.parts.iter().all(is_name) {
        return;
    }
    for part in &clause.parts {
        let left = format!("… {}", part.text);
        rows.push(Row { depth, mark: Some(part.truth), left, right: String::new() });
        parts(part, depth + 1, rows);
    }
}

fn search(search: &Search, depth: usize, rows: &mut Vec<Row>) {
    let mark = Some(search.truth);
    match &search.asks {
        Part::All(_, parts) => {
            rows.push(Row { depth, mark, left: search.name.clone(), right: String::new() });
            parts.iter().for_each(|part| self::part(part, depth + 1, rows));
        }
        Part::Any(_, parts) => {
            let left = format!("{} (one of)", search.name);
            rows.push(Row { depth, mark, left, right: String::new() });
            parts.iter().for_each(|part| self::part(part, depth + 1, rows));
        }
        Part::Item(_) => {
            rows.push(Row { depth, mark, left: search.name.clone(), right: String::new() });
            part(&search.asks, depth + 1, rows);
        }
    }
}

fn part(part: &Part, depth: usize, rows: &mut Vec<Row>) {
    match part {
        Part::All(_, parts) if parts.len() == 1 => {
            parts.iter().for_each(|part| self::part(part, depth, rows));
        }
        Part::All(truth, parts) | Part::Any(truth, parts) => {
            let left = if matches!(part, Part::All(..)) { "all of" } else { "one of" }.to_owned();
            rows.push(Row { depth, mark: Some(*truth), left, right: String::new() });
            parts.iter().for_each(|part| self::part(part, depth + 1, rows));
        }
        Part::Item(item) => self::item(item, depth, rows),
    }
}

fn item(item: &Item, depth: usize, rows: &mut Vec<Row>) {
    let is_keyword = item.key.is_empty() || item.key.starts_with('|');
    let key = if is_keyword { format!("keyword{}", item.key) } else { item.key.clone() };
    let has = if is_keyword { keyword_place(&item.found) } else { told(&item.found) };
    let mark = Some(item.truth);
    match item.values.as_slice() {
        [only] => {
            let left = format!("{key}: {}", written(only));
            rows.push(Row { depth, mark, left, right: format!("{has}{}", other(only)) });
        }
        values => {
            let left = if item.all { format!("{key}: (all of)") } else { format!("{key}: (one of)") };
            rows.push(Row { depth, mark, left, right: has });
            self::values(values, item, depth + 1, rows);
        }
    }
}

/// Those that decided come first; the rest is counted.
fn values(values: &[Asked], item: &Item, depth: usize, rows: &mut Vec<Row>) {
    let decides = |asked: &&Asked| asked.truth == item.truth;
    let (deciding, others): (Vec<&Asked>, Vec<&Asked>) = values.iter().partition(decides);
    let total = values.len();
    let shown: Vec<&Asked> = if total <= VALUES_MAX {
        values.iter().collect()
    } else {
        deciding.into_iter().chain(others).take(VALUES_MAX).collect()
    };
    for asked in &shown {
        rows.push(Row { depth, mark: Some(asked.truth), left: written(asked), right: other(asked) });
    }
    let rest = total - shown.len();
    if rest > 0 {
        let held = |truth| {
            values.iter().filter(|asked| asked.truth == truth).count()
                - shown.iter().filter(|asked| asked.truth == truth).count()
        };
        let (good, open) = (held(Truth::True), held(Truth::Unknown));
        let left = match (good, open) {
            (0, 0) => format!("and {rest} more, none of which holds"),
            (good, 0) => format!("and {rest} more, {good} of which hold"),
            (good, open) => format!("and {rest} more, {good} of which hold and {open} are not known"),
        };
        rows.push(Row { depth, mark: None, left, right: String::new() });
    }
}

fn written(asked: &Asked) -> String {
    match asked.value.as_deref() {
        // Blanks at an end would not be seen.
        Some(text) if text.is_empty() || text.trim() != text => format!("'{}'", cut(text)),
        Some(text) => cut(text),
        None => "null".to_owned(),
    }
}

/// Of a comparison of two fields, the second.
fn other(asked: &Asked) -> String {
    asked.other.as_ref().map(|found| format!(", and that {}", told(found))).unwrap_or_default()
}

fn keyword_place(found: &Found) -> String {
    let open = if found.presence == Some(Presence::Pending) { ", and not all are known yet" } else { "" };
    format!("searched in {} values{open}", found.values.len())
}

/// What the event has in a field.
fn told(found: &Found) -> String {
    let texts = found.values.iter().map(|value| match value.as_str() {
        Some(text) => cut(text),
        None => value.to_string(),
    });
    let texts = texts.collect::<Vec<_>>().join(" | ");
    match found.presence {
        Some(Presence::Present) if found.values.is_empty() => "is empty".to_owned(),
        Some(Presence::Present) => format!("is {texts}"),
        Some(Presence::Absent) | None => "is missing".to_owned(),
        Some(Presence::Pending) if found.values.is_empty() => "is not known yet".to_owned(),
        Some(Presence::Pending) => format!("is {texts}, perhaps more"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
