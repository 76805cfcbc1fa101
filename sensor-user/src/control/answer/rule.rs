//! Rows about rules, as they are written.

use std::io::{self, Write};

use super::{Writer, cut, tell};
use crate::control::protocol::{End, Row, RuleRow, SharedRow, SuppressedRow};
use crate::pipeline::{RuleStat, RuleStats, SuppressedMatch};

/// What the rules did so far.
pub(super) fn write_stats(writer: &Writer, stats: RuleStats, out: &mut impl Write) -> io::Result<()> {
    let RuleStats { time, rules, reading, correlations } = stats;
    tell(out, &Row::Head(writer.head(time)))?;
    for rule in rules {
        tell(out, &Row::Rule(Box::new(row(&rule))))?;
    }
    tell(
        out,
        &Row::Shared(SharedRow {
            events: reading.runs,
            reading_time: reading.time,
            groups: correlations.groups as u64,
            entries: correlations.entries as u64,
            evicted_groups: correlations.evicted_groups,
            evicted_entries: correlations.evicted_entries,
            late: correlations.late,
        }),
    )?;
    tell(out, &Row::End(End::default()))
}

/// What filters kept back of late, at `now`.
pub(super) fn write_suppressed(
    writer: &Writer,
    now: u64,
    matches: Vec<SuppressedMatch>,
    out: &mut impl Write,
) -> io::Result<()> {
    tell(out, &Row::Head(writer.head(now)))?;
    for mut found in matches {
        writer.origin.redactor.tally().process(&mut found.process);
        tell(out, &Row::Suppressed(Box::new(suppressed(&found))))?;
    }
    tell(out, &Row::End(End::default()))
}

fn row(stat: &RuleStat) -> RuleRow {
    let RuleStat { id, title, level, name, is_correlation, cost } = stat;
    RuleRow {
        id: cut(id),
        title: cut(title),
        level: level.to_string(),
        name: cut(name),
        is_correlation: *is_correlation,
        runs: cost.runs,
        matches: cost.matches,
        suppressed: cost.suppressed,
        time: cost.time,
        mean: cost.mean(),
    }
}

fn suppressed(found: &SuppressedMatch) -> SuppressedRow {
    let SuppressedMatch { time, rule, rule_id, filter, filter_source, category, process, container } = found;
    let container = container.as_deref();
    SuppressedRow {
        time: *time,
        rule: cut(rule),
        rule_id: cut(rule_id),
        filter: cut(filter),
        filter_source: cut(filter_source),
        category: category.name().to_owned(),
        pid: process.key.pid,
        command_line: cut(process.command_line()),
        container_id: container.map(|container| cut(&container.id)),
        container_name: container.and_then(|container| container.name.as_deref()).map(cut),
    }
}
