//! A snapshot in the text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write as _};

use jiff::Timestamp;

use super::table::{self as metric, Metric};
use crate::metric::snapshot::{Canary, Outbox, Rules, Sink, Snapshot};

/// The whole page.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut page = Page::default();
    agent(&mut page, snapshot);
    hooks(&mut page, snapshot);
    records(&mut page, snapshot);
    rules(&mut page, &snapshot.rules);
    alerts(&mut page, snapshot);
    sinks(&mut page, &snapshot.sinks);
    snapshot.outbox.iter().for_each(|outbox| self::outbox(&mut page, outbox));
    snapshot.canary.iter().for_each(|canary| self::canary(&mut page, canary));
    page.text
}

fn agent(page: &mut Page, snapshot: &Snapshot) {
    page.row(&metric::BUILD_INFO, &[&snapshot.version, &snapshot.kernel], 1);
    page.row(&metric::START_TIME, &[], seconds_of(snapshot.started));
    page.row(&metric::UPTIME, &[], milliseconds(snapshot.uptime_ms));
    page.row(&metric::CPU, &[], milliseconds(snapshot.cpu_ms));
    page.row(&metric::RESIDENT, &[], snapshot.resident_bytes);
}

fn hooks(page: &mut Page, snapshot: &Snapshot) {
    /// Shown whether they have hooks or not.
    const TIERS: u8 = 3;
    let attached = || snapshot.hooks.iter().filter(|hook| hook.attached.is_some());
    let last = attached().map(|hook| hook.tier).max().unwrap_or(0).max(TIERS);
    for tier in 1..=last {
        let count = attached().filter(|hook| hook.tier == tier).count();
        page.row(&metric::HOOKS_ATTACHED, &[&tier.to_string()], count);
    }
    page.row(&metric::HOOKS_WEAKENED, &[], attached().filter(|hook| hook.weakens.is_some()).count());
    page.row(&metric::HOOKS_MISSING, &[], snapshot.missing());
    page.row(&metric::HOOKS_DETACHED, &[], snapshot.detached);
    page.row(&metric::HOOKS_BLIND, &[], snapshot.blind);
}

fn records(page: &mut Page, snapshot: &Snapshot) {
    let records = &snapshot.records;
    for kind in &records.kinds {
        page.row(&metric::KERNEL_SEEN, &[&kind.kind], kind.seen);
    }
    for kind in &records.kinds {
        for (fate, count) in [
            ("delivered", kind.delivered),
            ("aggregated", kind.aggregated),
            ("filtered", kind.filtered),
            ("lost", kind.lost),
        ] {
            page.row(&metric::KERNEL_RECORDS, &[&kind.kind, fate], count);
        }
    }
    page.row(&metric::RECORDS, &[], records.taken);
    page.row(&metric::RECORDS_REFUSED, &[], records.refused);
    for category in &snapshot.events.categories {
        page.row(&metric::EVENTS, &[&category.name], category.count);
    }
    page.row(&metric::EVENTS_UNKNOWN, &[], snapshot.events.without_process);
    for loss in &snapshot.losses {
        page.row(&metric::LOST, &[&loss.what, &loss.reason], loss.count);
    }
    for table in &snapshot.tables {
        page.row(&metric::TABLE_ENTRIES, &[&table.name], table.count);
    }
    for evicted in &snapshot.evicted {
        page.row(&metric::TABLE_EVICTED, &[&evicted.name], evicted.count);
    }
}

fn rules(page: &mut Page, rules: &Rules) {
    page.row(&metric::RULES_LOADED, &[], rules.loaded);
    page.row(&metric::RULE_RUNS, &[], rules.runs);
    page.row(&metric::MATCHES, &[], rules.matches);
    for rule in &rules.by_matches {
        page.row(&metric::RULE_MATCHES, &[&rule.id, &rule.title], rule.count);
    }
    page.row(&metric::MATCHES_SUPPRESSED, &[], rules.suppressed);
    page.row(&metric::MATCHES_PENDING, &[], rules.pending);
    page.row(&metric::MATCHES_LATE, &[], rules.late);
    page.row(&metric::RULE_SECONDS, &[], nanoseconds(rules.time_ns));
    page.row(&metric::READING_SECONDS, &[], nanoseconds(rules.reading_ns));
}

fn alerts(page: &mut Page, snapshot: &Snapshot) {
    let (alerts, messages) = (&snapshot.alerts, &snapshot.messages);
    for level in &alerts.levels {
        page.row(&metric::ALERTS, &[&level.name], level.count);
    }
    for rule in &alerts.rules {
        page.row(&metric::RULE_ALERTS, &[&rule.id, &rule.title, &rule.level], rule.count);
    }
    page.row(&metric::ALERT_REPEATS, &[], alerts.repeats);
    page.row(&metric::MESSAGES, &[], messages.told);
    page.row(&metric::LAST_SEQUENCE, &[], messages.last_sequence);
    page.row(&metric::HEARTBEAT_SEQUENCE, &[], messages.heartbeat_sequence);
    page.rows(&metric::HEARTBEAT_TIME, messages.heartbeat_at.map(|at| ([], seconds_of(at))));
}

fn sinks(page: &mut Page, sinks: &[Sink]) {
    let name = |sink: &Sink| [sink.name.clone()];
    page.rows(&metric::SINK_UP, sinks.iter().filter_map(|it| Some((name(it), u8::from(it.is_up?)))));
    page.rows(&metric::SINK_SINCE, sinks.iter().filter_map(|it| Some((name(it), seconds_of(it.since?)))));
    page.rows(&metric::SINK_ACCEPTED, sinks.iter().map(|it| (name(it), it.accepted)));
    page.rows(&metric::SINK_DELIVERED, sinks.iter().map(|it| (name(it), it.delivered)));
    let losses = sinks
        .iter()
        .flat_map(|sink| sink.losses.iter().map(|loss| ([sink.name.clone(), loss.name.clone()], loss.count)));
    page.rows(&metric::SINK_LOST, losses);
    page.rows(&metric::SINK_BACKLOG, sinks.iter().map(|it| (name(it), it.backlog)));
    page.rows(&metric::SINK_LAG, sinks.iter().map(|it| (name(it), milliseconds(it.oldest_ms.unwrap_or(0)))));
    let last = sinks.iter().filter_map(|it| Some((name(it), seconds_of(it.delivered_at?))));
    page.rows(&metric::SINK_LAST, last);
}

fn outbox(page: &mut Page, outbox: &Outbox) {
    page.row(&metric::OUTBOX_BYTES, &[], outbox.bytes);
    page.row(&metric::OUTBOX_LIMIT, &[], outbox.limit_bytes);
    page.row(&metric::OUTBOX_MEMORY, &[], outbox.memory_bytes);
    page.row(&metric::OUTBOX_ON_DISK, &[], u8::from(outbox.is_on_disk));
    page.row(&metric::OUTBOX_EVICTED, &[], outbox.evicted);
}

fn canary(page: &mut Page, canary: &Canary) {
    page.rows(&metric::CANARY_UP, canary.is_well.map(|is_well| ([], u8::from(is_well))));
    page.row(&metric::CANARY_PASSED, &[], canary.passed);
    for stage in &canary.failed {
        page.row(&metric::CANARY_FAILED, &[&stage.name], stage.count);
    }
    page.rows(&metric::CANARY_SUCCESS, canary.passed_at.map(|at| ([], seconds_of(at))));
    let arrivals = canary.sinks.iter().filter_map(|it| Some(([it.sink.clone()], milliseconds(it.took_ms?))));
    page.rows(&metric::CANARY_SECONDS, arrivals);
}

/// The text so far, and the metric that was written last.
#[derive(Default)]
struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    fn rows<const N: usize, V: Display>(
        &mut self,
        metric: &'static Metric,
        rows: impl IntoIterator<Item = ([String; N], V)>,
    ) {
        for (values, value) in rows {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            self.row(metric, &values, value);
        }
    }

    /// A sample; before the first one of a metric what it is.
    fn row(&mut self, metric: &'static Metric, values: &[&str], value: impl Display) {
        debug_assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
        let Metric { name, kind, labels, help } = metric;
        // Writing to a String cannot fail.
        if self.last != *name {
            self.last = name;
            let _ = writeln!(self.text, "# HELP {name} {}", escape(help, false));
            let _ = writeln!(self.text, "# TYPE {name} {}", kind.name());
        }
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().zip(values).enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escape(value, true));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// Backslash and line feed; of a label's value the quote, too.
fn escape(text: &str, is_label: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if is_label => escaped.push_str("\\\""),
            // No line of its own, whoever reads it: the format has no other escape for these.
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Seconds as an exact decimal.
fn milliseconds(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

fn nanoseconds(count: u64) -> String {
    format!("{}.{:09}", count / 1_000_000_000, count % 1_000_000_000)
}

/// Seconds since 1970.
fn seconds_of(time: Timestamp) -> String {
    milliseconds(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
