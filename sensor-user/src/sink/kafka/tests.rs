//! The sink against brokers that speak the real protocol, librdkafka's own (`tests/support/kafka.py`), started here on loopback.
//! Runs without root. Where the lab's Python is missing it says so and checks nothing. What these brokers do not do: keep
//! anything over their end, and know a batch that comes twice.

mod brokers;
mod login;
mod setting;
mod stranger;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::brokers::{Brokers, TOPIC};
use crate::sink::http::tests::{id, numbered, start};
use crate::sink::sample::{self, Log, PATIENCE, soon};
use crate::sink::{KafkaTarget, SinkSet, Target};

fn kafka(entry: &str) -> Target {
    let target: Result<KafkaTarget, _> = serde_saphyr::from_str(entry);
    Target::Kafka(target.unwrap_or_else(|error| panic!("{entry}: {error}")))
}

/// The number of each record, by its header.
fn numbers(records: &[Value]) -> Vec<u64> {
    let number = |record: &Value| record["headers"]["event.sequence"].as_str().unwrap().parse().unwrap();
    records.iter().map(number).collect()
}

async fn ends_without_loss(set: SinkSet) {
    assert_eq!(soon("the flush", set.flush(PATIENCE)).await, []);
}

fn field<'v>(rows: &'v [Value], name: &str) -> Vec<&'v Value> {
    rows.iter().map(|row| &row[name]).collect()
}

#[tokio::test]
async fn every_message_comes_once_in_order_under_the_agents_key() {
    let Some(brokers) = Brokers::start(3, json!({})).await else { return };
    let set = start(&[kafka(&brokers.url())]);
    (1..=100).for_each(|number| set.deliver(&numbered(number)));
    let records = brokers.records(100).await;
    assert_eq!(numbers(&records), (1..=100).collect::<Vec<_>>());
    for (record, number) in records.iter().zip(1..=100) {
        // librdkafka's own partitioner says 5 of this key and six partitions.
        assert_eq!((&record["key"], &record["partition"]), (&json!(sample::origin().agent_id), &json!(5)));
        assert_eq!(record["headers"]["event.id"], id(number).to_string());
        assert_eq!(record["headers"]["kind"], "alert");
        assert_eq!(record["time"], 1_795_262_594_281_u64);
        let document: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
        assert_eq!(document["event"]["sequence"], number);
    }
    let batches = brokers.produced();
    assert!(batches.len() < 50, "{} batches of one or two", batches.len());
    let mut next = 0;
    for batch in &batches {
        assert_eq!((batch["sequence"].as_u64(), &batch["producer"]), (Some(next), &batches[0]["producer"]));
        next += batch["count"].as_u64().unwrap();
    }
    ends_without_loss(set).await;
}

#[tokio::test]
async fn other_forms_are_records_too() {
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    let entry = |form| format!("{{url: \"{}\", format: {form}}}", brokers.url());
    let set = start(&[kafka(&entry("cef")), kafka(&entry("ocsf"))]);
    assert!(set.outstanding()[0].name.ends_with("/alerts as cef"), "{:?}", set.outstanding());
    set.deliver(&numbered(1));
    let records = brokers.records(2).await;
    let values = field(&records, "value");
    assert!(values.iter().any(|value| value.as_str().unwrap().starts_with("CEF:0|Tidewaiter|")));
    assert!(values.iter().any(|value| value.as_str().unwrap().contains("\"class_uid\":2004")));
    ends_without_loss(set).await;
}

/// The answer is lost, not the batch: what is sent again is the same to the broker, by whose rule it is there once.
#[tokio::test]
async fn what_may_have_arrived_goes_again_under_the_same_numbers() {
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    let set = start(&[kafka(&brokers.url())]);
    set.deliver(&numbered(1));
    brokers.records(1).await;
    brokers.tell(json!({"do": "swallow", "count": 3})).await;
    (2..=30).for_each(|number| set.deliver(&numbered(number)));
    let arrived = |batches: &[Value]| {
        let acknowledged = batches.iter().filter(|batch| batch["swallowed"] == false);
        acknowledged.map(|batch| batch["count"].as_u64().unwrap()).sum::<u64>()
    };
    soon("every message", async {
        while arrived(&brokers.produced()) < 30 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let batches = brokers.produced();
    let (swallowed, others): (Vec<_>, Vec<_>) = batches.iter().partition(|batch| batch["swallowed"] == true);
    assert_eq!(swallowed.len(), 3);
    let mark =
        |batch: &Value| ["producer", "epoch", "sequence", "count", "first"].map(|name| batch[name].clone());
    assert!(
        swallowed.iter().all(|batch| others.iter().any(|other| mark(batch) == mark(other))),
        "{batches:?}"
    );
    assert_eq!(arrived(&batches), 30);
    ends_without_loss(set).await;
}

#[tokio::test]
async fn goes_on_with_the_next_leader_without_a_word() {
    let Some(brokers) = Brokers::start(3, json!({})).await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[kafka(&brokers.url())]);
    for broker in 1..=3 {
        brokers.tell(json!({"do": "leader", "topic": TOPIC, "partition": 5, "broker": broker})).await;
        set.deliver(&numbered(broker));
        brokers.records(usize::try_from(broker).unwrap()).await;
    }
    assert_eq!(numbers(&brokers.records(3).await), [1, 2, 3]);
    let mut asked: Vec<u64> =
        brokers.produced().iter().map(|batch| batch["broker"].as_u64().unwrap()).collect();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 3, "each of them led");
    ends_without_loss(set).await;
    assert_eq!(log.count("away"), 0, "{log:?}");
}

#[tokio::test]
async fn a_cluster_that_comes_late_and_dies_gets_everything() {
    let Some(mut brokers) = Brokers::start(2, json!({})).await else { return };
    brokers.kill();
    let (log, _guard) = Log::start();
    let set = start(&[kafka(&brokers.url())]);
    set.deliver(&numbered(1));
    soon("a refusal", log.holds("is away: Connection refused")).await;
    brokers.restart().await;
    assert_eq!(numbers(&brokers.records(1).await), [1]);
    soon("the news", log.holds("is back after")).await;
    brokers.kill();
    (2..=9).for_each(|number| set.deliver(&numbered(number)));
    soon("another", async {
        while log.count("is away") < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    brokers.restart().await;
    assert_eq!(numbers(&brokers.records(9).await), (1..=9).collect::<Vec<_>>());
    ends_without_loss(set).await;
    assert_eq!((log.count("is away"), log.count("is back after")), (2, 2), "{log:?}");
}

/// One broker of those that were named is enough.
#[tokio::test]
async fn asks_the_next_where_one_is_down() {
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    let nobody = sample::free_port().await;
    let set = start(&[kafka(&brokers.url().replace("://", &format!("://127.0.0.1:{nobody},")))]);
    set.deliver(&numbered(1));
    assert_eq!(numbers(&brokers.records(1).await), [1]);
    ends_without_loss(set).await;
}

/// Codes of the protocol's table: none of these costs a message, and each is told with its remedy.
#[tokio::test]
async fn what_is_wrong_with_the_cluster_is_told_and_waited_for() {
    for (code, reason) in [
        (-1, "it answers with error -1"),
        (7, "its replicas did not have it in time"),
        (19, "too few replicas of topic alerts are in step"),
        (29, "it lets this host not write to topic alerts: give its user the operations Write"),
        (31, "it lets this host not work with the cluster"),
        (43, "topic alerts has a record format of before Kafka 1.0"),
        (56, "its disk fails"),
        (76, "it answers with error 76"),
    ] {
        let Some(brokers) = Brokers::start(1, json!({})).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&brokers.url())]);
        brokers.answer(&[code, code]).await;
        set.deliver(&numbered(1));
        soon(&format!("a word of {code}"), log.holds(&format!("is away: {reason}"))).await;
        assert_eq!(numbers(&brokers.records(1).await), [1], "{code}");
        ends_without_loss(set).await;
        assert_eq!(log.count("away"), 1, "{log:?}");
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_named() {
    for (code, reason) in [
        (3, "it has no topic alerts: make it there"),
        (17, "it takes no topic of the name alerts"),
        (29, "it lets this host not write to topic alerts"),
    ] {
        let Some(brokers) = Brokers::start(1, json!({})).await else { return };
        brokers.tell(json!({"do": "topic_error", "topic": TOPIC, "code": code})).await;
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&brokers.url())]);
        set.deliver(&numbered(1));
        soon("a word", log.holds(&format!("is away: {reason}"))).await;
        brokers.tell(json!({"do": "topic_error", "topic": TOPIC, "code": 0})).await;
        assert_eq!(numbers(&brokers.records(1).await), [1]);
        ends_without_loss(set).await;
    }
}

/// Half of what was refused may be taken; what is refused alone is lost, told, and holds nothing up.
#[tokio::test]
async fn only_the_message_that_is_refused_is_lost() {
    let Some(mut brokers) = Brokers::start(1, json!({})).await else { return };
    brokers.kill();
    let (log, _guard) = Log::start();
    let set = start(&[kafka(&brokers.url())]);
    (1..=4).for_each(|number| set.deliver(&numbered(number)));
    soon("a refusal", log.holds("is away")).await;
    brokers.restart().await;
    // Nothing is sent before the pause is over; then four, two, and the first alone.
    brokers.answer(&[10, 18, 87]).await;
    assert_eq!(numbers(&brokers.records(3).await), [2, 3, 4]);
    let counts =
        field(&brokers.produced(), "count").iter().map(|count| count.as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(counts, [4, 2, 1, 1, 2]);
    let losses = soon("the flush", set.flush(PATIENCE)).await;
    assert_eq!(
        losses.iter().map(|loss| (loss.count, loss.reason)).collect::<Vec<_>>(),
        [(1, "refused by its receiver")]
    );
    assert_eq!(log.count("counted as lost: it is longer than topic alerts takes"), 0);
    assert_eq!(log.count("counted as lost: it is no record that topic alerts takes"), 1, "{log:?}");
}

#[tokio::test]
async fn a_producer_that_is_forgotten_begins_as_another() {
    for code in [45, 47, 49, 59] {
        let Some(brokers) = Brokers::start(1, json!({})).await else { return };
        let (log, _guard) = Log::start();
        let set = start(&[kafka(&brokers.url())]);
        set.deliver(&numbered(1));
        brokers.records(1).await;
        brokers.answer(&[code]).await;
        set.deliver(&numbered(2));
        assert_eq!(numbers(&brokers.records(2).await), [1, 2]);
        let batches = brokers.produced();
        assert_eq!(field(&batches, "sequence"), [0, 1, 0]);
        assert_ne!(batches[1]["producer"], batches[2]["producer"]);
        ends_without_loss(set).await;
        assert_eq!(log.count("away"), 0, "{log:?}");
    }
}

#[tokio::test]
async fn does_without_a_producer_id_where_none_is_given() {
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    brokers.tell(json!({"do": "errors", "api": 22, "codes": [31]})).await;
    let (log, _guard) = Log::start();
    let set = start(&[kafka(&brokers.url())]);
    (1..=2).for_each(|number| set.deliver(&numbered(number)));
    assert_eq!(numbers(&brokers.records(2).await), [1, 2]);
    assert!(brokers.produced().iter().all(|batch| batch["producer"] == -1 && batch["sequence"] == -1));
    soon("a word", log.holds("gives no producer id")).await;
    ends_without_loss(set).await;
}

/// A bound for the age of records costs no message: after an outage it is the time of the sending that stands there.
#[tokio::test]
async fn times_that_are_too_old_are_those_of_now() {
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    let (log, _guard) = Log::start();
    let set = start(&[kafka(&brokers.url())]);
    brokers.answer(&[32]).await;
    let before = jiff::Timestamp::now().as_millisecond();
    set.deliver(&numbered(1));
    let records = brokers.records(1).await;
    assert!(records[0]["time"].as_i64().unwrap() >= before, "{records:?}");
    assert_eq!(log.count("away"), 0, "{log:?}");
    brokers.answer(&[32, 32]).await;
    set.deliver(&numbered(2));
    soon("a word", log.holds("is the clock of this host right")).await;
    assert_eq!(numbers(&brokers.records(2).await), [1, 2]);
    ends_without_loss(set).await;
}

/// It takes a connection and never answers: whoever else there is has everything all the same.
#[tokio::test]
async fn one_that_never_answers_slows_nobody() {
    const MESSAGES: u64 = 200;
    let Some(brokers) = Brokers::start(1, json!({})).await else { return };
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let still = format!("kafka://{}/{TOPIC}", silent.local_addr().unwrap());
    let set = start(&[kafka(&still), kafka(&brokers.url())]);
    let begun = Instant::now();
    (1..=MESSAGES).for_each(|number| set.deliver(&numbered(number)));
    brokers.records(200).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited for the other: {:?}", begun.elapsed());
    let left = soon("the flush", set.flush(Duration::from_millis(300))).await;
    assert_eq!(
        left.iter().map(|loss| loss.count).sum::<u64>(),
        MESSAGES,
        "what is in memory only is counted"
    );
}
