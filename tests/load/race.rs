//! One thread flips address and port while another connects: what is told must be where it went.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Line;
use tests::wait;

use crate::observer::Observer;
use crate::{DEED, Stage, truth};

const COUNT: &str = "100000";
/// An epoch of counting lasts 4.3 s and is told when the next one is over; the reader is slow besides.
const TOLD_MAX: Duration = Duration::from_secs(60);

/// Connects by destination.
type Destinations = BTreeMap<(String, u64), u64>;

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let mut observer = Observer::start(stage, "race", &["network_connection"])?;
    let container = stage.container("race", &[DEED, "race", "connect", "--count", COUNT])?;
    let truth = truth(&container.run()?)?;
    let mut told = None;
    // What was only counted is told when its epoch is over.
    let all = number(&truth, "count")?;
    wait::until(TOLD_MAX, "as many connects told or counted as there were", || {
        let (seen, one_by_one) = seen(&observer.agent().lines_so_far(|_| true)?, &container.id)?;
        if seen.values().sum::<u64>() < all {
            return Ok(None);
        }
        told = Some((seen, one_by_one));
        Ok(Some(()))
    })?;
    let (mut seen, one_by_one) = told.context("nothing told")?;
    let told = observer.end()?;
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

/// Connects of a container by destination: told one by one and counted, and how many of them were told.
fn seen(lines: &[Line], container: &str) -> Result<(Destinations, u64)> {
    let mut seen = Destinations::new();
    for event in lines {
        let is_connect = event.text("tidewaiter.category") == "network_connection";
        if is_connect && event.text("container.id") == container {
            let port =
                event.field("destination.port").and_then(Value::as_u64).context("an event has no port")?;
            *seen.entry((event.text("destination.ip").to_owned(), port)).or_default() += 1;
        }
    }
    let one_by_one = seen.values().sum();
    for row in lines.iter().filter_map(|line| line.field("tidewaiter.aggregates")?.as_array()).flatten() {
        if row.pointer("/container/id").and_then(Value::as_str) == Some(container) {
            let to = row.get("destination").context("a row has no destination")?;
            *seen.entry(destination(to)?).or_default() += number(row, "count")?;
        }
    }
    Ok((seen, one_by_one))
}

fn destination(row: &Value) -> Result<(String, u64)> {
    let address = row.get("ip").or_else(|| row.get("address")).and_then(Value::as_str);
    let address = address.with_context(|| format!("a row has no address: {row}"))?;
    Ok((address.to_owned(), number(row, "port")?))
}

fn number(row: &Value, name: &str) -> Result<u64> {
    row.get(name).and_then(Value::as_u64).with_context(|| format!("a row has no {name}: {row}"))
}
