//! One thread flips address and port while another connects: what is told must be where it went.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::observer::Observer;
use crate::{DEED, Stage, truth};

const COUNT: &str = "100000";

/// Connects by destination.
type Destinations = BTreeMap<(String, u64), u64>;

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let observer = Observer::start(stage, "race", &["network_connection"])?;
    let container = stage.container("race", &[DEED, "race", "connect", "--count", COUNT])?;
    let truth = truth(&container.run()?)?;
    let told = observer.end()?;
    let mut seen = Destinations::new();
    for event in told.events("network_connection", &container.id) {
        let port = event.field("destination.port").and_then(Value::as_u64).context("an event has no port")?;
        *seen.entry((event.text("destination.ip").to_owned(), port)).or_default() += 1;
    }
    let one_by_one: u64 = seen.values().sum();
    for row in told.lines.iter().filter_map(|line| line.field("tidewaiter.aggregates")?.as_array()).flatten()
    {
        if row.pointer("/container/id").and_then(Value::as_str) == Some(container.id.as_str()) {
            *seen.entry(destination(row)?).or_default() += number(row, "count")?;
        }
    }
    let rows = truth.get("destinations").and_then(Value::as_array).context("no destinations")?;
    let expected = rows.iter().map(|row| Ok((destination(row)?, number(row, "count")?)));
    let expected = expected.collect::<Result<Destinations>>()?;
    // What a runtime or libc does besides goes elsewhere.
    seen.retain(|to, _| expected.contains_key(to));
    ensure!(seen == expected, "seen {seen:?}, true {expected:?}");
    told.ensure_balanced()?;
    let all: u64 = expected.values().sum();
    Ok(format!("{all} to {} destinations, exact; {one_by_one} one by one, the rest counted", expected.len()))
}

fn destination(row: &Value) -> Result<(String, u64)> {
    let address = row.get("address").and_then(Value::as_str).context("a row has no address")?;
    Ok((address.to_owned(), number(row, "port")?))
}

fn number(row: &Value, name: &str) -> Result<u64> {
    row.get(name).and_then(Value::as_u64).with_context(|| format!("a row has no {name}: {row}"))
}
