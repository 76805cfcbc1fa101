//! One thread flips address and port while another connects: what is told must be where it went.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::observer::{Recording, ensure_balanced};
use crate::{DEED, Stage, truth};

const COUNT: &str = "100000";

/// Connects by destination.
type Destinations = BTreeMap<(String, u64), u64>;

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    // Into a file: a reader that takes its time would fill the ring.
    let recording = Recording::start(stage, "race", "network_connection")?;
    let container = stage.container("race", &[DEED, "race", "connect", "--count", COUNT])?;
    let truth = truth(&container.run()?)?;
    let seen = Seen::default();
    let ledger = recording.end(|line| seen.take(line, &container.id))?;
    let (mut seen, one_by_one) = (seen.told.into_inner(), seen.one_by_one.get());
    let rows = truth.get("destinations").and_then(Value::as_array).context("no destinations")?;
    let expected = rows.iter().map(|row| Ok((destination(row)?, number(row, "count")?)));
    let expected = expected.collect::<Result<Destinations>>()?;
    // What a runtime or libc does besides goes elsewhere.
    seen.retain(|to, _| expected.contains_key(to));
    ensure!(seen == expected, "seen {seen:?}, true {expected:?}");
    ensure_balanced(&ledger)?;
    let all: u64 = expected.values().sum();
    Ok(format!("{all} to {} destinations, exact; {one_by_one} one by one, the rest counted", expected.len()))
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
