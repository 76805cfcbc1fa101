//! One thread flips address and port while another connects: what is told must be where it went.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::observer::{Recording, ensure_balanced};
use crate::{DEED, Stage, truth};

/// At a pace that leaves the agent time on any machine, below what one container may have told one by one: each is told.
const STEADY: [&str; 4] = ["--count", "30000", "--seconds", "6"];

/// As fast as it goes. Both processors are taken then, and an agent that writes each event down may fall behind.
const HASTY: [&str; 2] = ["--count", "100000"];

/// Connects by destination.
type Destinations = BTreeMap<(String, u64), u64>;

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let steady = flipped(stage, "race-steady", &STEADY)?;
    ensure!(steady.lost == 0, "of few a second some were lost: {steady:?}");
    ensure!(steady.seen == steady.truth, "not each was told where it went: {steady:?}");
    ensure!(steady.one_by_one == sum(&steady.truth), "not each was told by itself: {steady:?}");
    let hasty = flipped(stage, "race-hasty", &HASTY)?;
    let count = |to| hasty.seen.get(to).copied().unwrap_or_default();
    ensure!(
        hasty.truth.iter().all(|(to, true_count)| count(to) <= *true_count),
        "one was told too often: {hasty:?}"
    );
    ensure!(sum(&hasty.seen) + hasty.lost >= sum(&hasty.truth), "some are missing in silence: {hasty:?}");
    let Outcome { truth, one_by_one, lost, .. } = hasty;
    let (few, many) = (sum(&steady.truth), sum(&truth));
    let destinations = truth.len();
    Ok(format!(
        "{few} in 6 s, each exact; {many} in haste: {one_by_one} one by one, {lost} told as lost, the rest counted, \
         all to {destinations} destinations, none wrong"
    ))
}

/// Where connects of one container went.
#[derive(Debug)]
struct Outcome {
    truth: Destinations,
    /// Of those destinations alone: what a runtime or libc does besides goes elsewhere.
    seen: Destinations,
    one_by_one: u64,
    /// Connects of anybody that the ledger has as lost.
    lost: u64,
}

fn flipped(stage: &Stage<'_>, name: &str, pace: &[&str]) -> Result<Outcome> {
    // Into a file: a reader that takes its time would fill the ring.
    let recording = Recording::start(stage, name, "network_connection")?;
    let command = [&[DEED, "race", "connect"], pace].concat();
    let container = stage.container(name, &command)?;
    let done = truth(&container.run()?)?;
    let told = Seen::default();
    let ledger = recording.end(|line| told.take(line, &container.id))?;
    ensure_balanced(&ledger)?;
    let rows = done.get("destinations").and_then(Value::as_array).context("no destinations")?;
    let truth = rows.iter().map(|row| Ok((destination(row)?, number(row, "count")?)));
    let truth = truth.collect::<Result<Destinations>>()?;
    let (mut seen, one_by_one) = (told.told.into_inner(), told.one_by_one.get());
    seen.retain(|to, _| truth.contains_key(to));
    let lost = ledger.get("network_connect").map_or(0, |counts| counts.lost);
    Ok(Outcome { truth, seen, one_by_one, lost })
}

fn sum(destinations: &Destinations) -> u64 {
    destinations.values().sum()
}

/// Connects of a container by destination, told one by one or counted.
#[derive(Default)]
struct Seen {
    told: RefCell<Destinations>,
    one_by_one: Cell<u64>,
}

impl Seen {
    /// Takes what a line tells.
    fn take(&self, line: &Value, container: &str) {
        let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/tidewaiter/category") == "network_connection" && text("/container/id") == container {
            let port = line.pointer("/destination/port").and_then(Value::as_u64).unwrap_or_default();
            self.add((text("/destination/ip").to_owned(), port), 1);
            self.one_by_one.set(self.one_by_one.get() + 1);
        }
        for row in line.pointer("/tidewaiter/aggregates").and_then(Value::as_array).into_iter().flatten() {
            if row.pointer("/container/id").and_then(Value::as_str) == Some(container) {
                let to = row.get("destination").and_then(|to| destination(to).ok());
                let count = row.get("count").and_then(Value::as_u64).unwrap_or_default();
                self.add(to.unwrap_or_else(|| ("others".to_owned(), 0)), count);
            }
        }
    }

    fn add(&self, to: (String, u64), count: u64) {
        *self.told.borrow_mut().entry(to).or_default() += count;
    }
}

fn destination(row: &Value) -> Result<(String, u64)> {
    let address = row.get("ip").or_else(|| row.get("address")).and_then(Value::as_str);
    let address = address.with_context(|| format!("a row has no address: {row}"))?;
    Ok((address.to_owned(), number(row, "port")?))
}

fn number(row: &Value, name: &str) -> Result<u64> {
    row.get(name).and_then(Value::as_u64).with_context(|| format!("a row has no {name}: {row}"))
}
