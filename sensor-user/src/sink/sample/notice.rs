//! Notices for the tests of sinks.

use std::sync::Arc;

use sensor_ebpf::wire::counter::Counter;

use super::{container, id, place, time};
use crate::alert::{
    Aggregate, Backlog, CanaryReport, Coverage, Deed, Expensive, Gap, Heartbeat, HookCount, HookCoverage,
    LedgerRow, Loss, LossSum, Mended, Message, Notice, Reload, RuleChange, RuleMistake, RuleName, RuleNames,
    RulePlace, RuleRefusal, Stopped, Subject, Suspect, TamperAction, Tampering, Target, Window,
};
use crate::canary::Stage;

fn notice(subject: Subject) -> Message {
    Message::Notice(Notice { id: id(), sequence: 1, time: time(), subject })
}

pub(crate) fn coverage() -> Message {
    let hook = |purpose, attached: Option<&str>, tier, refused: &[(&str, &str)], weakens| HookCoverage {
        purpose,
        attached: attached.map(str::to_owned),
        tier,
        refused: refused.iter().map(|(point, why)| ((*point).to_owned(), (*why).to_owned())).collect(),
        weakens,
    };
    notice(Subject::Coverage(Coverage {
        kernel: "6.18.5".to_owned(),
        hooks: vec![
            hook("program started", Some("tp_btf sched_process_exec"), 1, &[], None),
            hook("connection", Some("cgroup connect4"), 1, &[], None),
            hook(
                "file renamed",
                Some("fanotify"),
                2,
                &[("fentry security_inode_rename", "EPERM")],
                Some("renames in other mount namespaces"),
            ),
            hook(
                "module loaded",
                None,
                0,
                &[("fentry security_kernel_read_file", "EPERM")],
                Some("module loads"),
            ),
        ],
        detections: 6,
        missing_offsets: vec!["task_struct.loginuid"],
        processes: 231,
        containers: 3,
        start_milliseconds: 180,
    }))
}

pub(crate) fn loss() -> Message {
    notice(Subject::Loss(vec![
        Loss {
            what: "network_connect".to_owned(),
            count: 12_408,
            reason: "ring full",
            container: Some(Arc::new(container())),
            window: Some(window()),
        },
        Loss {
            what: "syslog udp://127.0.0.1:514".to_owned(),
            count: 3,
            reason: "queue full",
            ..Loss::default()
        },
    ]))
}

fn window() -> Window {
    Window { from: "2026-11-21T12:03:12.28Z".parse().unwrap(), to: time() }
}

pub(crate) fn aggregation() -> Message {
    let row = |what, count, target, container| Aggregate { what, count, container, target, window: window() };
    let inside = Some(Arc::new(container()));
    let process = Target::Process { pid: 4242, program: Some("make".to_owned()) };
    notice(Subject::Aggregation(vec![
        row("network_connect", 980_000, Target::Destination(place(None)), inside.clone()),
        row("network_connect", 75, Target::Others, inside),
        row("file_open", 1_200, process, None),
    ]))
}

pub(crate) fn tampering() -> Message {
    notice(Subject::Tampering(vec![
        Tampering::Done(Deed {
            action: TamperAction::Detached,
            name: "connect4".to_owned(),
            window: Some(window()),
            mended: Some(Mended::Proven),
            times: 2,
            detail: None,
            by: vec![Suspect { pid: 4711, program: "bpftool\u{1b}[2J".to_owned() }],
        }),
        Tampering::Done(Deed {
            action: TamperAction::Replaced,
            name: "dns_answer".to_owned(),
            window: Some(window()),
            mended: Some(Mended::Failed("the kernel refuses it: EPERM".to_owned())),
            times: 1,
            detail: Some("it runs hide\u{1b}[2J".to_owned()),
            by: Vec::new(),
        }),
        Tampering::Loaded {
            id: 812,
            kind: "kprobe".to_owned(),
            name: "hide\u{1b}[2J".to_owned(),
            uid: Some(0),
            map: Some("FLOWS".to_owned()),
        },
    ]))
}

pub(crate) fn reload() -> Message {
    let name =
        |title: &str, id: Option<&str>| RuleName { title: title.to_owned(), id: id.map(str::to_owned) };
    let first = vec![name("Odd port", Some("6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11")), name("Metadata", None)];
    notice(Subject::Reload(Reload::Loaded(RuleChange {
        rules: 23,
        filters: 1,
        added: RuleNames { count: 12, first },
        changed: RuleNames { count: 1, first: vec![name("curl downloads", None)] },
        undecided: 2,
        milliseconds: 12,
        ..RuleChange::default()
    })))
}

pub(crate) fn refusal() -> Message {
    let place = RulePlace { file: "/etc/tidewaiter/rules/odd.yml".to_owned(), line: 3, column: 8 };
    let first = vec![
        RuleMistake {
            place: Some(place),
            message: "`hihg` is no level".to_owned(),
            help: Some("write `high`".to_owned()),
        },
        RuleMistake { message: "/rules/b cannot be read: gone".to_owned(), ..RuleMistake::default() },
    ];
    notice(Subject::Reload(Reload::Refused(RuleRefusal { rules: 23, mistakes: 5, first })))
}

pub(crate) fn cost() -> Message {
    let rule = |title: &str, id: Option<&str>, mean, share| Expensive {
        name: RuleName { title: title.to_owned(), id: id.map(str::to_owned) },
        source: "rules/odd.yml".to_owned(),
        mean,
        share,
        runs: 1_200_000,
        window: 60_000_000_000,
    };
    let id = Some("6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11");
    notice(Subject::Cost(vec![rule("Odd port", id, 820, 16), rule("Metadata", None, 52_345, 2)]))
}

pub(crate) fn heartbeat() -> Message {
    let sum = |what: &str, reason, count| LossSum { what: what.to_owned(), reason, count };
    let sink = |name: &str, outstanding| Backlog { name: name.to_owned(), outstanding };
    let receiver = "syslog udp://127.0.0.1:514";
    notice(Subject::Heartbeat(Heartbeat {
        uptime_seconds: 90,
        alerts: 4,
        events: 120_034,
        losses: vec![sum("network_connect", "ring full", 12), sum(receiver, "queue full", 3)],
        hooks: HookCount { attached: 30, weakened: 2, missing: 1, detached: 1, blind: 0 },
        gaps: vec![Gap { what: "connect4".to_owned(), window: window(), is_open: false }],
        configuration: format!("sha256:{}", "ab".repeat(32)),
        sinks: vec![sink("stdout", 0), sink(receiver, 7)],
    }))
}

pub(crate) fn stopped() -> Message {
    let counter = Counter { generated: 120_100, delivered: 120_034, filtered: 66, ..Counter::default() };
    let ledger = vec![LedgerRow { kind: "process_exec", counter }];
    notice(Subject::Stopped(Stopped { alerts: 4, events: 120_034, untaken_connections: 0, ledger }))
}

pub(crate) fn canary_failed() -> Message {
    let details = vec!["syslog tls://loghost:6514".to_owned(), "file /var/log/a.jsonl".to_owned()];
    notice(Subject::Canary(CanaryReport::Failed { stage: Stage::Delivery, details, waited: 60_000 }))
}

pub(crate) fn canary_well() -> Message {
    notice(Subject::Canary(CanaryReport::Well { took: 30_412 }))
}
