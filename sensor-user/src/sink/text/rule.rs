//! What the sensor says of its rules.

use super::line::{FAINT, Line, PLACE, PLAIN, STRONG, WARNING, wrap};
use super::notice::{GOOD_MARK, WARNING_MARK, detail, mark, some};
use super::quantity::{duration, fine, grouped};
use crate::alert::{Expensive, Reload, RuleChange, RuleMistake, RuleNames, RuleRefusal};

/// Wide enough for `changed`.
const VERB: usize = 12;
/// More than the remedy fills on a narrow terminal.
const REMEDY_LINES: usize = 8;

pub(super) fn reload(reload: &Reload) -> Vec<Line> {
    match reload {
        Reload::Loaded(change) => loaded(change),
        Reload::Refused(refusal) => refused(refusal),
    }
}

/// `● 23 rules in force · 1 added · 2 changed · 12 ms`, then a line for each that is named.
fn loaded(change: &RuleChange) -> Vec<Line> {
    let RuleChange { rules, filters, added, removed, changed, undecided, milliseconds } = change;
    let kinds = [("added", added), ("removed", removed), ("changed", changed)];
    let mut first = mark(GOOD_MARK).with(STRONG, format!("{} in force", some(*rules as u64, "rule")));
    if *filters > 0 {
        first = first.with(PLAIN, format!(" · {}", some(*filters as u64, "filter")));
    }
    let mut is_same = true;
    for (verb, names) in kinds.iter().filter(|(_, names)| names.count > 0) {
        first = first.with(PLAIN, format!(" · {} {verb}", grouped(names.count as u64)));
        is_same = false;
    }
    if is_same {
        first = first.with(PLAIN, " · the same as before");
    }
    let took = duration(std::time::Duration::from_millis(*milliseconds));
    let mut lines = vec![first.with(FAINT, format!(" · {took}"))];
    lines.extend(kinds.into_iter().flat_map(|(verb, names)| self::names(verb, names)));
    if *undecided > 0 {
        let lost = format!("{} undecided", some(*undecided, "match"));
        lines.push(detail().with(WARNING, lost).with(FAINT, "  their rules are gone"));
    }
    lines
}

/// `▲ 2 rules take more time than their budget`, a line for each, then what to do.
pub(super) fn cost(rules: &[Expensive], width: usize) -> Vec<Line> {
    let count = some(rules.len() as u64, "rule");
    let verb =
        if rules.len() == 1 { "takes more time than its budget" } else { "take more time than their budget" };
    let mut lines = vec![mark(WARNING_MARK).with(STRONG, format!("{count} {verb}"))];
    lines.extend(rules.iter().map(|rule| {
        let Expensive { name, source, mean, share, runs, .. } = rule;
        let core = format!("{}.{} % of a core", share / 10, share % 10);
        detail()
            .with(WARNING, format!("{core:>16}"))
            .with(PLAIN, format!("  {}", name.title))
            .with(FAINT, format!("  {} of {}", some(*runs, "run"), fine(*mean)))
            .with(FAINT, format!("  {source}"))
    }));
    let remedy = wrap(FAINT, Expensive::REMEDY, width.saturating_sub(detail().width()), REMEDY_LINES);
    lines.extend(remedy.into_iter().map(|line| detail().join(line)));
    lines
}

fn names(verb: &str, names: &RuleNames) -> Vec<Line> {
    let mut lines: Vec<Line> = names
        .first
        .iter()
        .map(|name| {
            let line = detail().with(FAINT, verb).pad(VERB).with(PLAIN, &name.title);
            name.id.iter().fold(line, |line, id| line.with(FAINT, format!("  {id}")))
        })
        .collect();
    let more = names.count.saturating_sub(names.first.len());
    if more > 0 {
        lines.push(
            detail().with(FAINT, verb).pad(VERB).with(FAINT, format!("and {} more", grouped(more as u64))),
        );
    }
    lines
}

/// `▲ the changed rules have 2 mistakes: the 23 rules of before stay in force`, then the first mistakes.
fn refused(refusal: &RuleRefusal) -> Vec<Line> {
    let RuleRefusal { rules, mistakes, first } = refusal;
    let have = format!("the changed rules have {}", some(*mistakes as u64, "mistake"));
    let stay = match rules {
        1 => ": the rule of before stays in force".to_owned(),
        rules => format!(": the {} rules of before stay in force", grouped(*rules as u64)),
    };
    let mut lines = vec![mark(WARNING_MARK).with(STRONG, have).with(PLAIN, stay)];
    lines.extend(first.iter().flat_map(mistake));
    let more = mistakes.saturating_sub(first.len());
    let shown = match more {
        0 => "with their lines: the log on standard error".to_owned(),
        more => format!("and {} more: the log on standard error", grouped(more as u64)),
    };
    lines.push(detail().with(FAINT, shown));
    lines
}

/// The place on a line of its own: paths are long, and both are to be read to their end.
fn mistake(mistake: &RuleMistake) -> Vec<Line> {
    let RuleMistake { place, message, help } = mistake;
    let said = |line: Line| {
        let line = line.with(WARNING, message);
        help.iter().fold(line, |line, help| line.with(FAINT, format!("  {help}")))
    };
    match place {
        Some(place) => vec![
            detail().with(PLACE, format!("{}:{}:{}", place.file, place.line, place.column)),
            said(detail().with(PLAIN, "  ")),
        ],
        None => vec![said(detail())],
    }
}
