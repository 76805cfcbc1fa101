//! The sink against a receiver that decodes with OpenTelemetry's own definitions (`tests/support/otlp.py`), over HTTP and gRPC,
//! started here on loopback. Runs without root. Where the lab's Python is missing it says so and checks nothing.

mod receiver;
mod setting;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::receiver::{OVER, Receiver, Record};
use crate::alert::Message;
use crate::sink::http::tests::{id, numbered, start};
use crate::sink::sample::{self, Log, PATIENCE, soon};
use crate::sink::syslog::tests::tls::authority::Authority;
use crate::sink::{OtlpTarget, SinkSet, Target};

fn otlp(entry: &str) -> Target {
    let target: Result<OtlpTarget, _> = serde_saphyr::from_str(entry);
    Target::Otlp(target.unwrap_or_else(|error| panic!("{entry}: {error}")))
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(Record::sequence).collect()
}

/// Ends the set; how many were lost, each under one reason.
async fn lost(set: SinkSet, reason: &str) -> u64 {
    let losses = soon("the flush", set.flush(PATIENCE)).await;
    assert!(losses.iter().all(|loss| loss.reason == reason), "{losses:?}");
    losses.iter().map(|loss| loss.count).sum()
}

#[tokio::test]
async fn every_message_comes_once_with_what_it_says() {
    for over in OVER {
        let Some(receiver) = Receiver::start(None).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[otlp(&receiver.url(over))]);
        (1..=100).for_each(|number| set.deliver(&numbered(number)));
        let Message::Notice(mut loss) = sample::loss() else { panic!("no notice") };
        loss.sequence = 101;
        set.deliver(&Arc::new(Message::Notice(loss)));
        let records = receiver.records(101).await;
        assert_eq!(numbers(&records[..100]), (1..=100).collect::<Vec<_>>());
        for (record, number) in records.iter().zip(1..=100) {
            assert_eq!(record.text("event.id"), id(number).to_string());
        }
        let record = &records[0];
        assert_eq!(record.row["severityNumber"], "SEVERITY_NUMBER_ERROR");
        assert_eq!(
            (&record.row["severityText"], &record.row["eventName"]),
            (&json!("high"), &json!("tidewaiter.alert"))
        );
        assert_eq!(record.row["timeUnixNano"], "1795262594281042000");
        assert!(record.row["body"]["stringValue"].as_str().unwrap().contains("web-1"), "{}", record.row);
        assert_eq!(
            (record.text("container.name"), record.text("threat.technique.id[0]")),
            ("web-1", "T1105")
        );
        let steps = &record.attribute("tidewaiter.steps").unwrap()["arrayValue"]["values"];
        assert_eq!(
            steps[1]["kvlistValue"]["values"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|pair| pair["key"] == "port")
                .count(),
            1
        );
        assert_eq!(record.resource("service.name"), "tidewaiter");
        assert_eq!((record.resource("service.version"), record.resource("host.name")), ("0.1.0", "node-1"));
        assert_eq!(records[100].row["severityNumber"], "SEVERITY_NUMBER_WARN");
        assert_eq!(records[100].row["eventName"], "tidewaiter.loss");
        assert!(receiver.rows().len() < 60, "no batches");
        assert_eq!(lost(set, "").await, 0);
        assert_eq!(log.count("away"), 0, "{log:?}");
    }
}

#[tokio::test]
async fn the_document_is_the_body_where_that_is_wanted() {
    let Some(receiver) = Receiver::start(None).await else { return };
    let set = start(&[otlp(&format!("{{url: \"{}\", body: document}}", receiver.url("grpc")))]);
    set.deliver(&numbered(1));
    let records = receiver.records(1).await;
    let body: Value = serde_json::from_str(records[0].row["body"]["stringValue"].as_str().unwrap()).unwrap();
    assert_eq!((&body["event"]["sequence"], &body["kind"]), (&json!(1), &json!("alert")));
    assert_eq!((records[0].sequence(), records[0].attribute("tidewaiter.steps")), (1, None));
    assert_eq!(lost(set, "").await, 0);
}

/// The statuses that the specification has for "later", and the pause that it is asked for.
#[tokio::test]
async fn what_is_not_taken_now_is_sent_again() {
    for (over, answer, told, pause) in [
        ("http", json!({"status": 503, "message": "full"}), "it answers 503 Service Unavailable: full", 0),
        ("http", json!({"status": 502}), "it answers 502 Bad Gateway", 0),
        ("http", json!({"status": 429, "retry_after": "1"}), "it answers 429 Too Many Requests", 1),
        ("grpc", json!({"code": "UNAVAILABLE", "message": "full"}), "it answers Unavailable (", 0),
        ("grpc", json!({"code": "UNAVAILABLE", "retry_seconds": 1}), "it answers Unavailable (", 1),
        (
            "grpc",
            json!({"code": "RESOURCE_EXHAUSTED", "retry_seconds": 0.1}),
            "it answers ResourceExhausted (",
            0,
        ),
        ("grpc", json!({"code": "ABORTED"}), "it answers Aborted (", 0),
    ] {
        let Some(receiver) = Receiver::start(None).await else { return };
        receiver.answer(&[answer.clone(), answer.clone()]);
        let (log, _guard) = Log::start();
        let begun = Instant::now();
        let set = start(&[otlp(&receiver.url(over))]);
        set.deliver(&numbered(1));
        soon("a refusal", log.holds(&format!("is away: {told}"))).await;
        set.deliver(&numbered(2));
        assert_eq!(numbers(&receiver.records(2).await), [1, 2]);
        assert!(begun.elapsed() >= Duration::from_secs(2 * pause), "{answer}: {:?}", begun.elapsed());
        assert_eq!(lost(set, "").await, 0);
        assert_eq!((log.count("is away"), log.count("is back after")), (1, 1), "{log:?}");
    }
}

#[tokio::test]
async fn what_will_never_be_taken_is_lost_and_counted_and_the_others_go_on() {
    for over in OVER {
        let Some(receiver) = Receiver::start(None).await else { return };
        receiver.answer(&[json!({"refuse": 7, "message": "bad"})]);
        let (log, _guard) = Log::start();
        let set = start(&[otlp(&receiver.url(over))]);
        (1..=20).for_each(|number| set.deliver(&numbered(number)));
        let expected: Vec<u64> = (1..=20).filter(|number| *number != 7).collect();
        assert_eq!(numbers(&receiver.records(19).await), expected);
        assert_eq!(lost(set, "refused by its receiver").await, 1);
        assert_eq!((log.count("refuses messages"), log.count("away")), (1, 0), "{log:?}");
    }
}

/// Statuses after which the specification forbids to send the same again.
#[tokio::test]
async fn other_errors_are_for_good() {
    for (over, answer) in [
        ("http", json!({"status": 500})),
        ("http", json!({"status": 401})),
        ("grpc", json!({"code": "INTERNAL"})),
        ("grpc", json!({"code": "UNAUTHENTICATED"})),
        ("grpc", json!({"code": "RESOURCE_EXHAUSTED"})),
    ] {
        let Some(receiver) = Receiver::start(None).await else { return };
        receiver.answer(std::slice::from_ref(&answer));
        let set = start(&[otlp(&receiver.url(over))]);
        set.deliver(&numbered(1));
        soon("the first request", receiver.asked(1)).await;
        set.deliver(&numbered(2));
        assert_eq!(numbers(&receiver.records(1).await), [2], "{answer}");
        assert_eq!(lost(set, "refused by its receiver").await, 1, "{answer}");
    }
}

#[tokio::test]
async fn what_a_receiver_rejects_of_a_request_is_counted_and_not_sent_again() {
    for over in OVER {
        let Some(receiver) = Receiver::start(None).await else { return };
        // The second only warns.
        receiver.answer(&[json!({"reject": 1, "message": "too old"}), json!({"reject": 0, "message": "hm"})]);
        let (log, _guard) = Log::start();
        let set = start(&[otlp(&receiver.url(over))]);
        set.deliver(&numbered(1));
        soon("the first request", receiver.asked(1)).await;
        set.deliver(&numbered(2));
        assert_eq!(numbers(&receiver.records(2).await), [1, 2]);
        assert_eq!(lost(set, "refused by its receiver").await, 1);
        assert_eq!(log.count("refuses messages, which are counted as lost: too old"), 1, "{log:?}");
    }
}

#[tokio::test]
async fn a_receiver_that_dies_gets_what_it_did_not_answer() {
    for over in OVER {
        let Some(mut receiver) = Receiver::start(None).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[otlp(&receiver.url(over))]);
        set.deliver(&numbered(1));
        receiver.records(1).await;
        // It writes down first and answers then.
        soon("its answer", async {
            while set.outstanding()[0].outstanding > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        receiver.kill();
        (2..=4).for_each(|number| set.deliver(&numbered(number)));
        soon("an outage", log.holds("is away")).await;
        receiver.restart().await;
        assert_eq!(numbers(&receiver.records(4).await), [1, 2, 3, 4]);
        assert_eq!(lost(set, "").await, 0);
        assert_eq!((log.count("is away"), log.count("is back after")), (1, 1), "{log:?}");
    }
}

#[tokio::test]
async fn over_tls_it_is_verified_first() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new("Tests"), Authority::new("Others"));
    let ca = authority.write(folder.path());
    for over in OVER {
        for (leaf, is_trusted) in [(authority.server("localhost"), true), (other.server("localhost"), false)]
        {
            let pair = leaf.write(folder.path(), "server");
            let Some(receiver) = Receiver::start(Some(pair)).await else { return };
            let (log, _guard) = Log::start();
            let set = start(&[otlp(&format!("{{url: \"{}\", ca: {}}}", receiver.url(over), ca.display()))]);
            (1..=3).for_each(|number| set.deliver(&numbered(number)));
            if is_trusted {
                assert_eq!(numbers(&receiver.records(3).await), [1, 2, 3]);
                assert_eq!(lost(set, "").await, 0);
                continue;
            }
            soon("a word", log.holds("is away: its certificate is signed by nobody who is trusted")).await;
            let left = soon("the flush", set.flush(Duration::from_millis(300))).await;
            assert_eq!(left.iter().map(|loss| loss.count).sum::<u64>(), 3, "{left:?}");
            assert_eq!(receiver.rows().len(), 0, "something was sent");
        }
    }
}

/// What attackers write comes to the receiver as it was, in one record.
#[tokio::test]
async fn hostile_texts_stay_what_they_are() {
    let Some(receiver) = Receiver::start(None).await else { return };
    let set = start(&[otlp(&receiver.url("grpc"))]);
    set.deliver(&Arc::new(Message::Alert(Box::new(sample::hostile()))));
    let records = receiver.records(1).await;
    assert!(records[0].text("rule.name").starts_with("x\u{1b}[2J"), "{}", records[0].row);
    assert_eq!(lost(set, "").await, 0);
}
