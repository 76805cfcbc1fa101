//! Logs as receivers write them, made of the sinks' own documents.

mod form;
mod bound;

use serde_json::Value;

use super::*;
use crate::alert::{self, Subject};
use crate::sink::document::Document;
use crate::sink::{Origin, json, sample};

/// An agent in its `run`th run.
fn agent(number: u128, run: u128) -> Origin {
    Origin {
        hostname: format!("node-{number}"),
        agent_id: Uuid::from_u128(number),
        run_id: Uuid::from_u128(number * 1000 + run),
        ..sample::origin()
    }
}

/// One of its messages as a line without its end.
fn line(origin: &Origin, number: u64, message: alert::Message) -> String {
    let id = Uuid::from_u128(origin.agent_id.as_u128() << 64 | u128::from(number));
    let message = match message {
        alert::Message::Alert(alert) => {
            alert::Message::Alert(Box::new(alert::Alert { id, sequence: number, ..*alert }))
        }
        alert::Message::Notice(notice) => {
            alert::Message::Notice(alert::Notice { id, sequence: number, ..notice })
        }
    };
    json::encode(&Document::new(&message, origin))
}

fn alert(origin: &Origin, number: u64) -> String {
    line(origin, number, sample::message())
}

fn heartbeat(origin: &Origin, number: u64) -> String {
    line(origin, number, sample::heartbeat())
}

fn stopped(origin: &Origin, number: u64) -> String {
    line(origin, number, sample::stopped())
}

fn verify(lines: &[String]) -> Report {
    verify_bytes((lines.join("\n") + "\n").as_bytes(), false)
}

fn verify_bytes(log: &[u8], from_start: bool) -> Report {
    let mut verifier = Verifier::new(from_start);
    verifier.read("log", log).unwrap();
    verifier.finish().unwrap()
}

/// The only agent of a report.
fn only(report: &Report) -> &AgentReport {
    assert_eq!(report.agents.len(), 1, "{report:?}");
    &report.agents[0]
}

fn missing(agent: &AgentReport) -> Vec<(u64, u64)> {
    agent.missing.first.iter().map(|range| (range.from, range.to)).collect()
}

#[test]
fn a_log_from_the_first_message_to_the_last_is_complete() {
    let origin = agent(1, 1);
    let mut log = vec![line(&origin, 1, sample::coverage())];
    log.extend((2..=9).map(|number| alert(&origin, number)));
    log.push(heartbeat(&origin, 10));
    log.push(stopped(&origin, 11));
    let report = verify(&log);
    let agent = only(&report);
    assert!(report.complete);
    assert_eq!((agent.verdict, agent.first, agent.last, agent.received), (Verdict::Complete, 1, 11, 11));
    assert_eq!((agent.complete_up_to, agent.missing.count, agent.duplicates), (11, 0, 0));
    assert_eq!(agent.host.hostname, "node-1");
    assert_eq!(
        agent.heartbeat.as_ref().map(|beat| (beat.number, beat.time.as_str())),
        Some((10, "2026-11-21T12:03:14.281042Z"))
    );
    assert_eq!((report.lines, report.documents, report.foreign, report.damaged.count), (11, 11, 0, 0));
}

#[test]
fn what_is_missing_in_the_middle_is_named() {
    let origin = agent(1, 1);
    let report = verify(&[1, 2, 4, 8, 9].map(|number| alert(&origin, number)));
    let agent = only(&report);
    assert_eq!((agent.verdict, report.complete), (Verdict::Gaps, false));
    assert_eq!((missing(agent), agent.missing.count, agent.complete_up_to), (vec![(3, 3), (5, 7)], 4, 2));
}

#[test]
fn what_is_missing_at_the_end_only_a_later_number_proves() {
    let origin = agent(1, 1);
    let mut log = vec![alert(&origin, 1), alert(&origin, 2)];
    let before = verify(&log);
    assert_eq!((only(&before).verdict, before.complete), (Verdict::CompleteUpTo, true));
    assert_eq!(only(&before).complete_up_to, 2);
    // 3 was lost; nobody can know before the next heartbeat comes.
    log.push(heartbeat(&origin, 4));
    let after = verify(&log);
    assert_eq!((only(&after).verdict, missing(only(&after))), (Verdict::Gaps, vec![(3, 3)]));
}

#[test]
fn a_log_that_begins_in_the_middle_says_so_and_is_a_gap_only_where_that_was_asked() {
    let origin = agent(1, 1);
    let log = [17, 18].map(|number| alert(&origin, number)).join("\n");
    let rotated = verify_bytes(log.as_bytes(), false);
    assert_eq!((only(&rotated).verdict, only(&rotated).first), (Verdict::CompleteUpTo, 17));
    let strict = verify_bytes(log.as_bytes(), true);
    let agent = only(&strict);
    assert_eq!((agent.verdict, missing(agent), agent.complete_up_to), (Verdict::Gaps, vec![(1, 16)], 0));
}

#[test]
fn the_same_message_twice_is_no_conflict_and_another_under_its_number_is() {
    let origin = agent(1, 1);
    let log = vec![alert(&origin, 1), alert(&origin, 2), alert(&origin, 1), alert(&origin, 2)];
    let report = verify(&log);
    assert_eq!((only(&report).duplicates, only(&report).received, report.complete), (2, 2, true));

    let forged = alert(&origin, 2).replace("\"event\":{\"id\":\"0", "\"event\":{\"id\":\"f");
    let report = verify(&[log, vec![forged]].concat());
    let agent = only(&report);
    assert_eq!((agent.verdict, agent.conflicts.count, report.complete), (Verdict::Conflicts, 1, false));
    let conflict = &agent.conflicts.first[0];
    assert_eq!((conflict.number, conflict.file.as_str(), conflict.line), (2, "log", 5));
}

#[test]
fn an_amendment_has_its_alerts_id_and_a_number_of_its_own() {
    let origin = agent(1, 1);
    let mut told = sample::alert();
    told.sequence = 1;
    let amended = alert::Alert { is_amendment: true, sequence: 2, ..told.clone() };
    let lines = [told, amended]
        .map(|alert| json::encode(&Document::new(&alert::Message::Alert(Box::new(alert)), &origin)));
    let report = verify(&lines);
    assert_eq!((only(&report).received, only(&report).duplicates, report.complete), (2, 0, true));
}

#[test]
fn agents_are_judged_each_by_its_own_numbers() {
    let (one, two) = (agent(1, 1), agent(2, 1));
    let mut log = Vec::new();
    for number in 1..=6 {
        log.push(alert(&one, number));
        if number != 4 {
            log.push(alert(&two, number));
        }
    }
    log.push(stopped(&one, 7));
    let report = verify(&log);
    let told: Vec<_> =
        report.agents.iter().map(|agent| (agent.host.hostname.as_str(), agent.verdict)).collect();
    assert_eq!(told, [("node-1", Verdict::Complete), ("node-2", Verdict::Gaps)]);
    assert!(!report.complete);
}

#[test]
fn runs_go_on_with_the_numbers_of_their_agent() {
    let (first, second) = (agent(1, 1), agent(1, 2));
    let log =
        [alert(&first, 1), stopped(&first, 2), line(&second, 3, sample::coverage()), heartbeat(&second, 4)];
    let report = verify(&log);
    let agent = only(&report);
    assert_eq!(agent.verdict, Verdict::CompleteUpTo, "the second run goes on");
    let runs: Vec<_> =
        agent.runs.iter().map(|run| (run.first, run.last, run.received, run.stopped)).collect();
    assert_eq!(runs, [(1, 2, 2, true), (3, 4, 2, false)]);
    assert_eq!((agent.run_count, agent.unfinished_runs), (2, 1));
}

#[test]
fn what_the_agent_tells_as_lost_is_summed_up_once() {
    let origin = agent(1, 1);
    let loss = |number| line(&origin, number, sample::loss());
    let report = verify(&[loss(1), loss(2), loss(2), heartbeat(&origin, 3)]);
    let losses: Vec<_> = only(&report)
        .losses
        .iter()
        .map(|loss| (loss.what.as_str(), loss.reason.as_str(), loss.count))
        .collect();
    let expected =
        [("network_connect", "ring full", 24_816), ("syslog udp://127.0.0.1:514", "queue full", 6)];
    assert_eq!(losses, expected);
    assert!(report.complete, "the numbers are all there: what was lost, was told");
}

#[test]
fn programs_get_every_fact_under_its_name() {
    let origin = agent(1, 1);
    let report = verify(&[alert(&origin, 1), heartbeat(&origin, 3)]);
    let told: Value = serde_json::from_str(&json::encode(&report)).unwrap();
    assert_eq!((&told["complete"], &told["documents"]), (&false.into(), &2.into()));
    let agent = &told["agents"][0];
    assert_eq!(agent["agent"]["id"], origin.agent_id.to_string());
    assert_eq!((&agent["verdict"], &agent["complete_up_to"]), (&"gaps".into(), &1.into()));
    assert_eq!(
        agent["missing"],
        serde_json::json!({"count": 1, "ranges": 1, "first": [{"from": 2, "to": 2}]})
    );
    assert_eq!(agent["runs"][0]["stopped"], false);
    assert_eq!(agent["heartbeat"]["number"], 3);
}

#[test]
fn every_kind_of_message_is_read() {
    let origin = agent(1, 1);
    let all = [
        sample::coverage(),
        sample::loss(),
        sample::aggregation(),
        sample::tampering(),
        sample::reload(),
        sample::refusal(),
        sample::cost(),
        sample::heartbeat(),
        sample::message(),
        alert::Message::Alert(Box::new(sample::hostile())),
        sample::stopped(),
    ];
    let lines: Vec<String> =
        all.into_iter().zip(1..).map(|(message, number)| line(&origin, number, message)).collect();
    assert_eq!(only(&verify(&lines)).verdict, Verdict::Complete);
}

#[test]
fn lines_of_events_count_as_well() {
    let origin = agent(1, 1);
    let event = |number| {
        let time = "2026-11-21T12:03:14.281042Z".parse().unwrap();
        let document = crate::sink::document::EventDocument::new(&sample::event(), time, number, &origin);
        json::encode(&document)
    };
    let report = verify(&[line(&origin, 1, sample::coverage()), event(2), event(3), event(3), event(5)]);
    let agent = only(&report);
    assert_eq!((missing(agent), agent.duplicates, agent.conflicts.count), (vec![(4, 4)], 1, 0));
}

#[test]
fn a_subject_that_is_new_is_a_message_all_the_same() {
    let origin = agent(1, 1);
    let alert::Message::Notice(notice) = sample::stopped() else { panic!("a notice") };
    assert!(matches!(notice.subject, Subject::Stopped(_)));
    let newer = stopped(&origin, 1).replace("\"kind\":\"stopped\"", "\"kind\":\"outage\"");
    assert_eq!(only(&verify(&[newer])).verdict, Verdict::CompleteUpTo, "of a version to come");
}

#[test]
fn fuzzed_logs_are_judged() {
    let origin = agent(1, 1);
    let document = alert(&origin, 1);
    let seeds = [
        format!("{document}\n"),
        format!(
            "<83>1 2026-11-21T12:03:14.281042Z h tidewaiter 7 alert [tidewaiter@32473 id=\"x\"] {document}\n"
        ),
        format!("{}\n", serde_json::json!({ "msg": document })),
    ]
    .map(String::into_bytes);
    crate::fuzz::run(&seeds, |bytes, _| {
        let mut judge = Verifier::new(false);
        if judge.read("log", bytes).is_ok() {
            let _ = judge.finish();
        }
    });
}
