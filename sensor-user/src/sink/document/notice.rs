//! A notice of the sensor about itself as a document.

use std::borrow::Cow;

use super::{CoverageReport, Deed, Document, Event, Hook, Kind, LossReport, Refusal, Stopped};
use crate::alert::{Coverage, HookCoverage, Loss, Notice, Subject, Tampering};
use crate::sink::Origin;

pub(super) fn document<'a>(notice: &'a Notice, origin: &'a Origin) -> Document<'a> {
    // ECS kinds: `state` for what holds now, `metric` for a count, `event` for what happened.
    let (kind, ecs_kind, severity) = match &notice.subject {
        Subject::Coverage(_) => (Kind::Coverage, "state", 0),
        Subject::Loss(_) => (Kind::Loss, "metric", 50),
        Subject::Tampering(_) => (Kind::Tampering, "event", 73),
        Subject::Stopped { .. } => (Kind::Stopped, "event", 25),
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
        Subject::Stopped { alerts, events } => {
            document.tidewaiter.stopped = Some(Stopped { alerts: *alerts, events: *events });
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
                    Tampering::Detached { program } => format!("{program} was detached"),
                    Tampering::Loaded { kind, name, .. } => format!("BPF program {name} ({kind}) was loaded"),
                })
                .collect();
            deeds.join(", ")
        }
        Subject::Stopped { alerts, events } => format!("stopped after {alerts} alerts from {events} events"),
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
    LossReport { what: Cow::Borrowed(&loss.what), count: loss.count, reason: loss.reason }
}

fn deed(deed: &Tampering) -> Deed<'_> {
    match deed {
        Tampering::Detached { program } => {
            Deed { action: "detached", name: Cow::Borrowed(program), id: None, r#type: None, user_id: None }
        }
        Tampering::Loaded { id, kind, name, uid } => Deed {
            action: "loaded",
            name: Cow::Borrowed(name),
            id: Some(*id),
            r#type: Some(Cow::Borrowed(kind)),
            user_id: *uid,
        },
    }
}
