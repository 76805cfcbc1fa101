//! Topics of Kafka: brokers that speak the real protocol, killed with all they had, stopped, led by one after the other. Each
//! alert comes, in order, and nobody else waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::docker::Container;
use tests::kafka::{Brokers, Record, url};
use tests::rsyslog::free_address;
use tests::schema::ensure_valid;
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// An alert that stands on standard output is at a syslog receiver within this time, whatever other receivers do.
const BESIDE_MAX: Duration = Duration::from_secs(2);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("delivery: Kafka, brokers killed with all they had", survives),
        Case::new("delivery: Kafka, one broker after the other leads", follows_the_leader),
        Case::new("delivery: Kafka that stands still slows nobody", blocks_nobody),
    ]
}

fn survives(world: &World) -> Result<String> {
    let (folder, doors) = (world.directory().join("kafka-killed"), [free_address()?]);
    let mut agent = world.another_agent("kafka-killed", &["--kafka", &url(&doors)])?;
    agent.await_ready()?;
    let mut told = vec![alert(world, &mut agent)?];
    for _ in 0..2 {
        let mut brokers = Brokers::start(&folder, &doors)?;
        told.push(alert(world, &mut agent)?);
        await_all(&brokers, &told)?;
        brokers.kill()?;
        told.push(alert(world, &mut agent)?);
    }
    let brokers = Brokers::start(&folder, &doors)?;
    await_all(&brokers, &told)?;
    let records = brokers.records()?;
    let messages = ensure_whole(&records)?;
    for alert in &told {
        let record = records.iter().find(|record| is_of(record, alert)).context("an alert is missing")?;
        ensure!(record.document == alert.document, "another document: {}", record.row);
        ensure!(record.header("kind") == "alert", "no header: {}", record.row);
        ensure!(record.row.get("key") == alert.field("agent.id"), "another key: {}", record.row);
        ensure_valid(&record.document)?;
    }
    Ok(format!(
        "{} alerts over three lives of the brokers, {messages} messages without a gap, {} came again",
        told.len(),
        records.len() - messages
    ))
}

fn follows_the_leader(world: &World) -> Result<String> {
    let folder = world.directory().join("kafka-led");
    let mut doors = Vec::new();
    let mut taken = Vec::new();
    for _ in 0..3 {
        let door = free_address()?;
        taken.push(std::net::TcpListener::bind(door)?);
        doors.push(door);
    }
    drop(taken);
    let brokers = Brokers::start(&folder, &doors)?;
    // Only one of them is named: it says where the others are.
    let mut agent = world.another_agent("kafka-led", &["--kafka", &url(&doors[..1])])?;
    agent.await_ready()?;
    let mut told = Vec::new();
    for broker in [2, 3, 1, 2] {
        brokers.lead(broker)?;
        told.push(alert(world, &mut agent)?);
        await_all(&brokers, &told)?;
    }
    let records = brokers.records()?;
    let messages = ensure_whole(&records)?;
    ensure!(records.len() == messages, "{} came again", records.len() - messages);
    let log = agent.log()?;
    ensure!(!log.contains("is away"), "a leader that moves is no outage:\n{log}");
    Ok(format!("{messages} messages, each once, over four leaders"))
}

fn blocks_nobody(world: &World) -> Result<String> {
    let doors = [free_address()?];
    let mut brokers = Brokers::start(&world.directory().join("kafka-still"), &doors)?;
    let syslog = format!("tcp://{}", world.rsyslog.address);
    let mut agent = world.another_agent("kafka-still", &["--kafka", &url(&doors), "--syslog", &syslog])?;
    agent.await_ready()?;
    let mut told = vec![alert(world, &mut agent)?];
    await_all(&brokers, &told)?;
    brokers.pause()?;
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        let alert = alert(world, &mut agent)?;
        let (id, seen) = (alert.text("event.id").to_owned(), Instant::now());
        let what = format!("{id} at the other receiver");
        world.rsyslog.await_message(BESIDE_MAX, &what, |message| message.event_id() == id)?;
        slowest = slowest.max(seen.elapsed());
        told.push(alert);
    }
    ensure!(brokers.records()?.iter().all(|record| !is_of(record, &told[3])), "they were to stand still");
    brokers.resume()?;
    await_all(&brokers, &told)?;
    ensure_whole(&brokers.records()?)?;
    let losses = agent.lines_so_far(|line| line.is("loss"))?;
    ensure!(
        losses.is_empty(),
        "nothing was lost, and it tells: {:?}",
        losses.first().map(|loss| &loss.document)
    );
    Ok(format!("syslog had each alert {} ms after standard output at the latest", slowest.as_millis()))
}

/// Every number from the first to the last came, a second time only as the same message, in order but for those, all in one
/// partition. How many messages there are.
fn ensure_whole(records: &[Record]) -> Result<usize> {
    let mut values = BTreeMap::new();
    let mut last = 0;
    for record in records {
        let number: u64 = record.header("event.sequence").parse().context("no number")?;
        ensure!(
            record.document.pointer("/event/sequence") == Some(&number.into()),
            "two numbers: {}",
            record.row
        );
        ensure!(number <= last + 1, "{number} came after {last}");
        let earlier = values.insert(number, &record.document);
        ensure!(earlier.is_none_or(|earlier| *earlier == record.document), "two messages of number {number}");
        last = number.max(last);
    }
    let partitions: BTreeSet<String> =
        records.iter().filter_map(|record| record.row.get("partition")).map(Value::to_string).collect();
    ensure!(partitions.len() == 1, "one agent's records are in the partitions {partitions:?}");
    Ok(values.len())
}

/// An amendment has its alert's id and another number.
fn is_of(record: &Record, alert: &Line) -> bool {
    let number = alert.field("event.sequence").map(Value::to_string).unwrap_or_default();
    record.header("event.id") == alert.text("event.id") && record.header("event.sequence") == number
}

fn await_all(brokers: &Brokers, told: &[Line]) -> Result<()> {
    wait::until(ALERT_MAX, "every alert in the topic", || {
        let records = brokers.records()?;
        Ok(told.iter().all(|alert| records.iter().any(|record| is_of(record, alert))).then_some(()))
    })
}

/// Provokes an alert.
fn alert(world: &World, agent: &mut Agent) -> Result<Line> {
    let container: Container<'_> =
        world.container("delivery", &["curl", "-sS", "-o", "/tmp/payload", URL])?;
    container.start()?;
    agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))
}
