//! What the sensor says of itself.

use serde_json::json;

use super::value;
use crate::sink::sample;

#[test]
fn notices() {
    let coverage = value(&sample::coverage());
    assert_eq!(coverage["kind"], "coverage");
    assert_eq!(coverage["message"], "watching 3 of 4 hooks");
    assert_eq!(coverage["tidewaiter"]["coverage"]["hooks_missing"], 1);
    assert_eq!(coverage["tidewaiter"]["coverage"]["hooks"][2]["refused"][0]["reason"], "EPERM");

    let loss = value(&sample::loss());
    assert_eq!(loss["kind"], "loss");
    assert_eq!(loss["message"], "12411 records lost: network_connect, syslog udp://127.0.0.1:514");
    let expected = json!({
        "what": "network_connect", "count": 12_408, "reason": "ring full",
        "container": {"id": sample::container().id, "name": "web-1"},
        "from": "2026-11-21T12:03:12.280000Z", "to": "2026-11-21T12:03:14.281042Z",
    });
    assert_eq!(loss["tidewaiter"]["losses"][0], expected);

    let stopped = value(&sample::stopped());
    assert_eq!(stopped["kind"], "stopped");
    let expected = json!({"alerts": 4, "events": 120_034, "untaken_connections": 0});
    assert_eq!(stopped["tidewaiter"]["stopped"], expected);
    let expected = json!([{
        "kind": "process_exec", "generated": 120_100, "delivered": 120_034, "aggregated": 0, "filtered": 66,
        "lost": 0, "difference": 0,
    }]);
    assert_eq!(stopped["tidewaiter"]["ledger"], expected);

    let aggregation = value(&sample::aggregation());
    assert_eq!(aggregation["kind"], "aggregation");
    let message = "981275 records counted instead of told: network_connect, file_open";
    assert_eq!(aggregation["message"], message);
    let rows = &aggregation["tidewaiter"]["aggregates"];
    assert_eq!(rows[0]["destination"], json!({"transport": "tcp", "ip": "10.0.0.2", "port": 80}));
    assert_eq!((&rows[2]["pid"], &rows[2]["program"]), (&json!(4242), &json!("make")));
}

#[test]
fn a_heartbeat_tells_how_the_run_stands() {
    let beat = value(&sample::heartbeat());
    assert_eq!((&beat["kind"], &beat["event"]["kind"]), (&json!("heartbeat"), &json!("metric")));
    assert_eq!(beat["event"]["severity"], 0);
    assert_eq!(beat["message"], "alive for 90 s: 4 alerts from 120034 events, 15 lost");
    let expected = json!({
        "uptime_s": 90, "alerts": 4, "events": 120_034, "lost": 15,
        "losses": [
            {"what": "network_connect", "reason": "ring full", "count": 12},
            {"what": "syslog udp://127.0.0.1:514", "reason": "queue full", "count": 3},
        ],
        "hooks": {"attached": 30, "weakened": 2, "missing": 1, "detached": 1, "blind": 0},
        "gaps": [{"what": "connect4", "from": "2026-11-21T12:03:12.280000Z", "to": "2026-11-21T12:03:14.281042Z"}],
        "configuration": format!("sha256:{}", "ab".repeat(32)),
        "sinks": [{"name": "stdout", "outstanding": 0}, {"name": "syslog udp://127.0.0.1:514", "outstanding": 7}],
    });
    assert_eq!(beat["tidewaiter"]["heartbeat"], expected);
}

#[test]
fn changed_rules() {
    let reload = value(&sample::reload());
    assert_eq!(reload["kind"], "reload");
    assert_eq!(reload["message"], "23 rules in force: 12 added, 0 removed, 1 changed");
    let expected = json!({
        "outcome": "loaded", "rules": 23, "filters": 1,
        "added": {"count": 12, "first": [
            {"id": "6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11", "title": "Odd port"}, {"title": "Metadata"},
        ]},
        "removed": {"count": 0}, "changed": {"count": 1, "first": [{"title": "curl downloads"}]},
        "undecided": 2, "duration_ms": 12,
    });
    assert_eq!(reload["tidewaiter"]["reload"], expected);

    let refusal = value(&sample::refusal());
    assert_eq!((&refusal["kind"], &refusal["event"]["severity"]), (&json!("reload"), &json!(73)));
    let message = "the changed rules have 5 mistakes: the 23 rules of before stay in force";
    assert_eq!(refusal["message"], message);
    let expected = json!({
        "outcome": "refused", "rules": 23, "mistake_count": 5, "mistakes": [
            {
                "file": "/etc/tidewaiter/rules/odd.yml", "line": 3, "column": 8,
                "message": "`hihg` is no level", "help": "write `high`",
            },
            {"message": "/rules/b cannot be read: gone"},
        ],
    });
    assert_eq!(refusal["tidewaiter"]["reload"], expected);
}

#[test]
fn rules_over_their_budget() {
    let cost = value(&sample::cost());
    assert_eq!((&cost["kind"], &cost["event"]["severity"]), (&json!("cost"), &json!(50)));
    let message = cost["message"].as_str().unwrap();
    assert!(
        message.starts_with("2 rules take more time than their budget: Odd port, Metadata; "),
        "{message}"
    );
    let expected = json!({
        "id": "6f2f0b5c-0d5e-4c58-9d0e-3b3f6c7b1a11", "title": "Odd port", "file": "rules/odd.yml",
        "mean_ns": 820, "core_permille": 16, "runs": 1_200_000, "window_ms": 60_000,
    });
    assert_eq!(cost["tidewaiter"]["costs"][0], expected);
}

#[test]
fn a_canary_that_stays_away_and_comes_again() {
    let failed = value(&sample::canary_failed());
    assert_eq!((&failed["kind"], &failed["event"]["severity"]), (&json!("canary"), &json!(73)));
    assert_eq!(
        failed["message"],
        "the delivery canary did not come through: its alert was not confirmed by syslog tls://loghost:6514, file \
         /var/log/a.jsonl"
    );
    let expected = json!({
        "outcome": "failed", "stage": "delivery", "duration_ms": 60_000,
        "missing": ["syslog tls://loghost:6514", "file /var/log/a.jsonl"],
    });
    assert_eq!(failed["tidewaiter"]["canary"], expected);
    let well = value(&sample::canary_well());
    assert_eq!(well["tidewaiter"]["canary"], json!({"outcome": "well", "duration_ms": 30_412}));
    assert_eq!((&well["kind"], &well["event"]["severity"]), (&json!("canary"), &json!(25)));
}
