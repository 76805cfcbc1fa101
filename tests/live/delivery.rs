//! Receivers over HTTP: webhooks at a real nginx, OpenTelemetry logs at a receiver made of the official definitions. Killed,
//! stopped, started again: each alert comes, and none of them slows another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::collector::{Collector, Record};
use tests::docker::Container;
use tests::nginx::{Nginx, Post};
use tests::rsyslog::free_address;
use tests::wait;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

const URL: &str = "http://10.201.0.1/download/payload.bin";

/// An alert that stands on standard output is at a syslog receiver within this time, whatever other receivers do.
const BESIDE_MAX: Duration = Duration::from_secs(2);

/// The ways of OTLP.
const OVER: [&str; 2] = ["http", "grpc"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("delivery: webhook, receiver killed and started again", webhook_survives),
        Case::new("delivery: webhook that stands still slows nobody", webhook_blocks_nobody),
        Case::new("delivery: webhook in Falco's form", webhook_as_falco),
        Case::new("delivery: OTLP over HTTP and gRPC, receiver killed", otlp_survives),
    ]
}

fn webhook_survives(world: &World) -> Result<String> {
    let (address, directory) = (free_address()?, world.directory().join("nginx-killed"));
    let mut agent =
        world.another_agent("webhook-killed", &["--webhook", &format!("http://{address}/hook")])?;
    agent.await_ready()?;
    let mut told = BTreeSet::from([id(&alert(world, &mut agent)?)]);
    for _ in 0..2 {
        let mut receiver = Nginx::start(&directory, address)?;
        told.insert(id(&alert(world, &mut agent)?));
        await_all(&receiver, &told)?;
        receiver.kill()?;
        told.insert(id(&alert(world, &mut agent)?));
    }
    let receiver = Nginx::start(&directory, address)?;
    await_all(&receiver, &told)?;
    let posts = receiver.posts()?;
    let mut bodies = BTreeMap::new();
    for post in &posts {
        let earlier = bodies.insert(&post.key, &post.body);
        ensure!(
            earlier.is_none_or(|earlier| *earlier == post.body),
            "two messages under one key {}",
            post.key
        );
    }
    let numbers =
        posts.iter().filter_map(Post::document).filter_map(|one| one.pointer("/event/sequence")?.as_u64());
    let numbers: BTreeSet<u64> = numbers.collect();
    let gapless: BTreeSet<u64> = (1..=numbers.last().copied().unwrap_or(0)).collect();
    ensure!(numbers == gapless, "of the numbers {gapless:?} only {numbers:?} came");
    Ok(format!("{} alerts over three receivers, {} messages without a gap", told.len(), numbers.len()))
}

fn webhook_blocks_nobody(world: &World) -> Result<String> {
    let mut receiver = Nginx::start(&world.directory().join("nginx-still"), free_address()?)?;
    let options = [
        "--webhook",
        &format!("http://{}", receiver.address),
        "--syslog",
        &format!("tcp://{}", world.rsyslog.address),
    ];
    let mut agent = world.another_agent("webhook-still", &options)?;
    agent.await_ready()?;
    let mut told = BTreeSet::from([id(&alert(world, &mut agent)?)]);
    await_all(&receiver, &told)?;
    receiver.pause()?;
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        let id = id(&alert(world, &mut agent)?);
        let seen = Instant::now();
        let what = format!("{id} at the other receiver");
        world.rsyslog.await_message(BESIDE_MAX, &what, |message| message.event_id() == id)?;
        slowest = slowest.max(seen.elapsed());
        told.insert(id);
    }
    ensure!(receiver.posts()?.len() < told.len() + 10, "it was to stand still");
    receiver.resume()?;
    await_all(&receiver, &told)?;
    let losses = agent.lines_so_far(|line| line.is("loss"))?;
    ensure!(
        losses.is_empty(),
        "nothing was lost, and it tells: {:?}",
        losses.first().map(|loss| &loss.document)
    );
    Ok(format!("syslog had each alert {} ms after standard output at the latest", slowest.as_millis()))
}

fn webhook_as_falco(world: &World) -> Result<String> {
    let receiver = Nginx::start(&world.directory().join("nginx-falco"), free_address()?)?;
    let outbox = world.directory().join("outbox-falco");
    let settings = format!(
        "outbox: {{directory: {}}}\nwebhook:\n  - {{url: \"http://{}\", format: falco}}\n",
        outbox.display(),
        receiver.address
    );
    let mut agent = world.agent_with("webhook-falco", &settings)?;
    agent.await_ready()?;
    let alert = alert(world, &mut agent)?;
    let uuid = id(&alert);
    let post = receiver.await_post(ALERT_MAX, "the alert", |post| {
        post.document().is_some_and(|document| document.get("uuid").and_then(Value::as_str) == Some(&uuid))
    })?;
    let payload = post.document().context("no JSON")?;
    let field = |name: &str| payload.pointer(&format!("/output_fields/{name}"));
    let container = alert.text("container.id").get(..12).unwrap_or_default();
    ensure!(field("container.id") == Some(&container.into()), "{payload}");
    ensure!(field("proc.name") == Some(&"curl".into()), "{payload}");
    ensure!(field("proc.cmdline") == alert.field("process.command_line"), "{payload}");
    ensure!(payload.get("rule") == alert.field("rule.name"), "{payload}");
    ensure!(payload.get("hostname") == alert.field("host.hostname"), "{payload}");
    let priority = payload.get("priority").and_then(Value::as_str).unwrap_or_default();
    let output = payload.get("output").and_then(Value::as_str).unwrap_or_default();
    ensure!(output.contains(&format!(": {priority} {}", alert.text("message"))), "{payload}");
    Ok(format!(
        "{priority}: {} output fields",
        payload.get("output_fields").and_then(Value::as_object).map_or(0, serde_json::Map::len)
    ))
}

fn otlp_survives(world: &World) -> Result<String> {
    let directory = world.directory().join("collector");
    let http = free_address()?;
    let mut collector = None;
    // Taken before the next is looked for.
    let grpc = {
        let _taken = std::net::TcpListener::bind(http)?;
        free_address()?
    };
    let options = ["--otlp", &format!("http://{http}"), "--otlp", &format!("grpc://{grpc}")];
    let mut agent = world.another_agent("otlp", &options)?;
    agent.await_ready()?;
    let mut told = Vec::new();
    for _ in 0..3 {
        // Dropped before the next begins.
        drop(collector.take());
        told.push(alert(world, &mut agent)?);
        let mut started = Collector::start(&directory, http, grpc)?;
        told.push(alert(world, &mut agent)?);
        await_records(&started, &told)?;
        started.kill()?;
        collector = Some(started);
    }
    let collector = collector.context("no receiver")?;
    let records = collector.records()?;
    for alert in &told {
        for over in OVER {
            let record =
                records.iter().find(|record| is_of(record, alert, over)).context("an alert is missing")?;
            ensure_same(record, alert)?;
        }
    }
    for over in OVER {
        let of_one = records.iter().filter(|record| record.over == over);
        let numbers: BTreeSet<u64> =
            of_one.filter_map(|record| record.attribute("event.sequence").parse().ok()).collect();
        let gapless: BTreeSet<u64> = (1..=numbers.last().copied().unwrap_or(0)).collect();
        ensure!(numbers == gapless, "over {over} of the numbers {gapless:?} only {numbers:?} came");
    }
    Ok(format!(
        "{} alerts each way over three receivers, {} records without a gap",
        told.len(),
        records.len()
    ))
}

/// The record says what the alert says.
fn ensure_same(record: &Record, alert: &Line) -> Result<()> {
    for name in [
        "rule.name",
        "container.id",
        "container.name",
        "process.executable",
        "process.command_line",
        "destination.ip",
    ] {
        ensure!(record.attribute(name) == alert.text(name), "{name} is another: {}", record.row);
    }
    let body = record.row.pointer("/body/stringValue").and_then(Value::as_str);
    ensure!(body == Some(alert.text("message")), "another sentence: {}", record.row);
    ensure!(record.row.get("eventName") == Some(&"tidewaiter.alert".into()), "no name: {}", record.row);
    let severity = record.row.get("severityNumber").and_then(Value::as_str).unwrap_or_default();
    ensure!(severity.starts_with("SEVERITY_NUMBER_"), "no severity: {}", record.row);
    Ok(())
}

/// An amendment has its alert's id and another number.
fn is_of(record: &Record, alert: &Line, over: &str) -> bool {
    let number = alert.field("event.sequence").map(Value::to_string).unwrap_or_default();
    record.over == over
        && record.attribute("event.id") == alert.text("event.id")
        && record.attribute("event.sequence") == number
}

fn await_records(collector: &Collector, told: &[Line]) -> Result<()> {
    wait::until(ALERT_MAX, "every alert over HTTP and gRPC", || {
        let records = collector.records()?;
        let has = |alert: &Line, over: &str| records.iter().any(|record| is_of(record, alert, over));
        Ok(told.iter().all(|alert| OVER.iter().all(|over| has(alert, over))).then_some(()))
    })
}

fn await_all(receiver: &Nginx, ids: &BTreeSet<String>) -> Result<()> {
    wait::until(ALERT_MAX, "every alert at the receiver", || {
        let documents = receiver.posts()?.into_iter().filter_map(|post| post.document());
        let there = documents.filter_map(|one| Some(one.pointer("/event/id")?.as_str()?.to_owned()));
        Ok(ids.is_subset(&there.collect()).then_some(()))
    })
}

/// Provokes an alert.
fn alert(world: &World, agent: &mut Agent) -> Result<Line> {
    let container: Container<'_> =
        world.container("delivery", &["curl", "-sS", "-o", "/tmp/payload", URL])?;
    container.start()?;
    agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))
}

fn id(alert: &Line) -> String {
    alert.text("event.id").to_owned()
}
