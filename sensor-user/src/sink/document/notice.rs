//! A notice of the sensor about itself as a document.

use std::borrow::Cow;

use jiff::Timestamp;

use super::alert::place;
use super::rule;
use super::{
    AggregateReport, BacklogReport, CanaryDocument, ContainerReport, CoverageReport, DeedReport, Document,
    Event, GapReport, HeartbeatReport, Hook, HooksReport, Kind, LedgerReport, LossReport, LossSumReport,
    Refusal, StoppedReport, SuspectReport,
};
use crate::alert::{
    Aggregate, CanaryReport, Coverage, Gap, Heartbeat, HookCount, HookCoverage, LedgerRow, Loss, Mended,
    Notice, Reload, Stopped, Subject, Tampering, Target,
};
use crate::canary::Stage;
use crate::octet;
use crate::sink::Origin;
use crate::state::container::Container;

pub(super) fn document<'a>(notice: &'a Notice, origin: &'a Origin) -> Document<'a> {
    // ECS kinds: `state` for what holds now, `metric` for a count, `event` for what happened.
    let (kind, ecs_kind, severity) = match &notice.subject {
        Subject::Coverage(_) => (Kind::Coverage, "state", 0),
        Subject::Loss(_) => (Kind::Loss, "metric", 50),
        Subject::Tampering(_) => (Kind::Tampering, "event", 73),
        Subject::Aggregation(_) => (Kind::Aggregation, "metric", 25),
        Subject::Reload(Reload::Loaded(_)) => (Kind::Reload, "event", 25),
        Subject::Reload(Reload::Refused(_)) => (Kind::Reload, "event", 73),
        Subject::Cost(_) => (Kind::Cost, "metric", 50),
        Subject::Canary(CanaryReport::Failed { .. }) => (Kind::Canary, "event", 73),
        Subject::Canary(CanaryReport::Well { .. }) => (Kind::Canary, "event", 25),
        Subject::Heartbeat(_) => (Kind::Heartbeat, "metric", 0),
        Subject::Stopped(_) => (Kind::Stopped, "event", 25),
    };
    let event = Event {
        id: notice.id,
        kind: ecs_kind,
        category: vec!["host"],
        r#type: vec!["info"],
        sequence: notice.sequence,
        severity,
        duration: None,
        module: "tidewaiter",
        dataset: format!("tidewaiter.{}", kind.name()),
    };
    let mut document =
        Document::bare(notice.time, kind, Cow::Owned(sentence(&notice.subject)), event, origin);
    match &notice.subject {
        Subject::Coverage(coverage) => document.tidewaiter.coverage = Some(report(coverage)),
        Subject::Loss(losses) => document.tidewaiter.losses = losses.iter().map(loss).collect(),
        Subject::Tampering(deeds) => document.tidewaiter.tampering = deeds.iter().map(deed).collect(),
        Subject::Aggregation(rows) => document.tidewaiter.aggregates = rows.iter().map(aggregate).collect(),
        Subject::Reload(reload) => document.tidewaiter.reload = Some(rule::report(reload)),
        Subject::Cost(rules) => document.tidewaiter.costs = rules.iter().map(rule::cost).collect(),
        Subject::Canary(report) => document.tidewaiter.canary = Some(canary(report)),
        Subject::Heartbeat(beat) => document.tidewaiter.heartbeat = Some(heartbeat(beat)),
        Subject::Stopped(stopped) => {
            let Stopped { alerts, events, untaken_connections, ledger } = stopped;
            let (alerts, events, untaken_connections) = (*alerts, *events, *untaken_connections);
            document.tidewaiter.stopped = Some(StoppedReport { alerts, events, untaken_connections });
            document.tidewaiter.ledger = ledger.iter().map(ledger_row).collect();
        }
    }
    document
}

fn sentence(subject: &Subject) -> String {
    match subject {
        Subject::Coverage(coverage) => {
            let attached = coverage.hooks.iter().filter(|hook| hook.attached.is_some()).count();
            format!("watching {attached} of {} hooks", coverage.hooks.len())
        }
        Subject::Loss(losses) => {
            let count = losses.iter().fold(0_u64, |sum, loss| sum.saturating_add(loss.count));
            let kinds: Vec<&str> = losses.iter().map(|loss| loss.what.as_str()).collect();
            format!("{count} records lost: {}", kinds.join(", "))
        }
        Subject::Tampering(deeds) => {
            let deeds: Vec<String> = deeds
                .iter()
                .map(|deed| match deed {
                    Tampering::Done(deed) => deed.sentence(),
                    Tampering::Loaded { kind, name, map: None, .. } => {
                        format!("BPF program {name} ({kind}) was loaded")
                    }
                    Tampering::Loaded { kind, name, map: Some(map), .. } => {
                        format!("BPF program {name} ({kind}) works on the sensor's map {map}")
                    }
                })
                .collect();
            deeds.join(", ")
        }
        Subject::Aggregation(rows) => {
            let count = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.count));
            let mut kinds: Vec<&str> = rows.iter().map(|row| row.what).collect();
            kinds.dedup();
            format!("{count} records counted instead of told: {}", kinds.join(", "))
        }
        Subject::Reload(reload) => rule::sentence(reload),
        Subject::Cost(rules) => rule::cost_sentence(rules),
        Subject::Canary(report) => report.sentence(),
        Subject::Heartbeat(beat) => {
            let Heartbeat { uptime_seconds, alerts, events, .. } = beat;
            let lost = beat.lost();
            format!("alive for {uptime_seconds} s: {alerts} alerts from {events} events, {lost} lost")
        }
        Subject::Stopped(Stopped { alerts, events, .. }) => {
            format!("stopped after {alerts} alerts from {events} events")
        }
    }
}

fn report(coverage: &Coverage) -> CoverageReport<'_> {
    let attached = coverage.hooks.iter().filter(|hook| hook.attached.is_some()).count();
    CoverageReport {
        hooks_attached: attached,
        hooks_missing: coverage.hooks.len() - attached,
        detections: coverage.detections,
        processes: coverage.processes,
        containers: coverage.containers,
        start_ms: coverage.start_milliseconds,
        missing_offsets: coverage.missing_offsets.clone(),
        hooks: coverage.hooks.iter().map(hook).collect(),
    }
}

fn hook(hook: &HookCoverage) -> Hook<'_> {
    Hook {
        purpose: hook.purpose,
        attached: hook.attached.as_deref().map(Cow::Borrowed),
        tier: hook.attached.is_some().then_some(hook.tier),
        refused: hook
            .refused
            .iter()
            .map(|(attach_point, reason)| Refusal {
                attach_point: Cow::Borrowed(attach_point),
                reason: Cow::Borrowed(reason),
            })
            .collect(),
        weakens: hook.weakens,
    }
}

fn loss(loss: &Loss) -> LossReport<'_> {
    LossReport {
        what: Cow::Borrowed(&loss.what),
        count: loss.count,
        reason: loss.reason,
        container: loss.container.as_deref().map(container),
        from: loss.window.map(|window| date(window.from)),
        to: loss.window.map(|window| date(window.to)),
    }
}

fn aggregate(row: &Aggregate) -> AggregateReport<'_> {
    let mut report = AggregateReport {
        what: row.what,
        count: row.count,
        container: row.container.as_deref().map(container),
        destination: None,
        pid: None,
        program: None,
        from: date(row.window.from),
        to: date(row.window.to),
    };
    match &row.target {
        Target::Destination(destination) => report.destination = Some(place(destination)),
        Target::Process { pid, program } => {
            report.pid = Some(*pid);
            report.program = program.as_deref().map(Cow::Borrowed);
        }
        Target::Others => {}
    }
    report
}

fn heartbeat(beat: &Heartbeat) -> HeartbeatReport<'_> {
    let losses = beat.losses.iter().map(|sum| LossSumReport {
        what: Cow::Borrowed(&sum.what),
        reason: sum.reason,
        count: sum.count,
    });
    let sinks = beat.sinks.iter();
    let HookCount { attached, weakened, missing, detached, blind } = beat.hooks;
    HeartbeatReport {
        uptime_s: beat.uptime_seconds,
        alerts: beat.alerts,
        events: beat.events,
        lost: beat.lost(),
        losses: losses.collect(),
        hooks: HooksReport { attached, weakened, missing, detached, blind },
        gaps: beat.gaps.iter().map(gap).collect(),
        configuration: Cow::Borrowed(&beat.configuration),
        sinks: sinks
            .map(|sink| BacklogReport { name: Cow::Borrowed(&sink.name), outstanding: sink.outstanding })
            .collect(),
    }
}

fn canary(report: &CanaryReport) -> CanaryDocument<'_> {
    let (outcome, missing) = ("failed", Vec::new());
    match report {
        CanaryReport::Failed { stage, details, waited } => {
            let stage_name = Some(stage.name());
            let is_start = *stage == Stage::Start;
            let mut details = details.iter().map(|detail| Cow::Borrowed(detail.as_str()));
            let (reason, missing) =
                if is_start { (details.next(), missing) } else { (None, details.collect()) };
            CanaryDocument { outcome, stage: stage_name, reason, missing, duration_ms: *waited }
        }
        CanaryReport::Well { took } => {
            CanaryDocument { outcome: "well", stage: None, reason: None, missing, duration_ms: *took }
        }
    }
}

fn ledger_row(row: &LedgerRow) -> LedgerReport {
    let counter = row.counter;
    LedgerReport {
        kind: row.kind,
        generated: counter.generated,
        delivered: counter.delivered,
        aggregated: counter.aggregated,
        filtered: counter.filtered,
        lost: counter.lost,
        difference: counter.difference(),
    }
}

fn container(container: &Container) -> ContainerReport<'_> {
    ContainerReport { id: Cow::Borrowed(&container.id), name: container.name.as_deref().map(octet::foreign) }
}

fn date(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn deed(tampering: &Tampering) -> DeedReport<'_> {
    match tampering {
        Tampering::Done(deed) => DeedReport {
            action: deed.action.name(),
            name: octet::foreign(&deed.name),
            from: deed.window.map(|window| date(window.from)),
            to: deed.window.map(|window| date(window.to)),
            mended: deed.mended.as_ref().map(Mended::name),
            reason: deed.mended.as_ref().and_then(Mended::reason).map(octet::foreign),
            times: Some(deed.times),
            detail: deed.detail.as_deref().map(octet::foreign),
            by: deed
                .by
                .iter()
                .map(|suspect| SuspectReport { pid: suspect.pid, program: Cow::Borrowed(&suspect.program) })
                .collect(),
            ..DeedReport::default()
        },
        Tampering::Loaded { id, kind, name, uid, map } => DeedReport {
            action: "loaded",
            name: Cow::Borrowed(name),
            id: Some(*id),
            r#type: Some(Cow::Borrowed(kind)),
            user_id: *uid,
            map: map.as_deref().map(Cow::Borrowed),
            ..DeedReport::default()
        },
    }
}

fn gap(gap: &Gap) -> GapReport<'_> {
    let to = (!gap.is_open).then(|| date(gap.window.to));
    GapReport { what: octet::foreign(&gap.what), from: date(gap.window.from), to }
}
