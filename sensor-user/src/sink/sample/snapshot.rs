//! How an agent stands, for the tests of those who tell it: every field has something, and not all is well.

use super::{origin, time};
use crate::metric::snapshot::{
    Alerts, Arrival, Canary, Count, Events, Hook, Kind, Lost, Messages, Outbox, Records, Rule, Rules, Sink,
    Snapshot,
};

fn hook(purpose: &str, attached: Option<&str>, tier: u8, weakens: Option<&str>) -> Hook {
    let (purpose, weakens) = (purpose.to_owned(), weakens.map(str::to_owned));
    Hook { purpose, attached: attached.map(str::to_owned), tier, weakens }
}

fn rule(title: &str, count: u64, time_ns: u64) -> Rule {
    let (id, level) = (format!("id-{title}"), "high".to_owned());
    Rule { id, title: title.to_owned(), level, count, time_ns }
}

fn sinks() -> Vec<Sink> {
    let up = Sink {
        name: "stdout".to_owned(),
        is_up: Some(true),
        since: Some(time()),
        accepted: 42,
        delivered: 42,
        delivered_at: Some(time()),
        ..Sink::default()
    };
    let away = Sink {
        name: "syslog tls://loghost:6514".to_owned(),
        is_kept: true,
        is_up: Some(false),
        reason: Some("connection \"refused\"\n\u{1b}[31m".to_owned()),
        accepted: 42,
        delivered: 30,
        losses: vec![Count::new("outbox full", 3)],
        backlog: 9,
        oldest_ms: Some(125_000),
        ..up.clone()
    };
    vec![up, away]
}

fn canary() -> Canary {
    Canary {
        every_s: 3600,
        within_s: 60,
        passed: 5,
        failed: ["start", "kernel", "match", "delivery"].map(|stage| Count::new(stage, 1)).to_vec(),
        is_well: Some(false),
        failure: Some("not confirmed by syslog tls://loghost:6514".to_owned()),
        passed_at: Some(time()),
        sinks: vec![
            Arrival { sink: "file /var/log/a.jsonl".to_owned(), took_ms: Some(812) },
            Arrival { sink: "syslog tls://loghost:6514".to_owned(), took_ms: None },
        ],
    }
}

pub(crate) fn snapshot() -> Snapshot {
    let origin = origin();
    let levels = ["critical", "high", "medium", "low", "informational"];
    Snapshot {
        version: origin.version.to_owned(),
        pid: origin.pid,
        agent_id: origin.agent_id.to_string(),
        hostname: origin.hostname,
        kernel: origin.kernel,
        started: time(),
        now: time(),
        uptime_ms: 7_265_250,
        cpu_ms: 61_004,
        resident_bytes: 47 << 20,
        configuration: "sha256:00".to_owned(),
        hooks: vec![
            hook("program started", Some("raw tracepoint sched_process_exec"), 1, None),
            hook("file renamed", Some("fanotify"), 2, Some("renames in other mount namespaces")),
            hook("module loaded", None, 0, Some("module loads")),
        ],
        detached: 3,
        blind: 1,
        records: Records {
            kinds: vec![Kind {
                kind: "process_exec".to_owned(),
                seen: 100,
                delivered: 90,
                aggregated: 5,
                filtered: 3,
                lost: 2,
            }],
            taken: 90,
            refused: 1,
        },
        events: Events {
            total: 80,
            categories: vec![Count::new("process_creation", 80)],
            without_process: 4,
            lately: 50,
            lately_ms: 10_000,
        },
        losses: vec![Lost { what: "process_exec".to_owned(), reason: "ring full".to_owned(), count: 2 }],
        tables: vec![Count::new("processes", 231), Count::new("containers", 3), Count::new("stories", 2)],
        evicted: vec![Count::new("process", 1)],
        rules: Rules {
            loaded: 87,
            runs: 5000,
            matches: 12,
            suppressed: 2,
            pending: 1,
            late: 1,
            time_ns: 1_500_000_000,
            reading_ns: 250_000_000,
            by_matches: vec![rule("curl \"x\"\\y", 11, 5_000_000), rule("rare", 1, 900_000_000)],
            by_time: vec![rule("rare", 1, 900_000_000)],
        },
        alerts: Alerts {
            levels: levels.map(|level| Count::new(level, 2)).to_vec(),
            rules: vec![rule("curl \"x\"\\y", 10, 0)],
            repeats: 7,
        },
        messages: Messages {
            told: 42,
            last_sequence: 142,
            heartbeat_sequence: 140,
            heartbeat_at: Some(time()),
        },
        sinks: sinks(),
        outbox: Some(Outbox {
            is_on_disk: true,
            has_folder: true,
            bytes: 3 << 20,
            limit_bytes: 64 << 20,
            memory_bytes: 0,
            evicted: 3,
        }),
        canary: Some(canary()),
    }
}
