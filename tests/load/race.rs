//! One thread flips address and port while another connects: what is told must be where it went.

use std::cell::{Cell, RefCell};
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
        let seen = Seen::default();
        // Looked at and not copied: there are a hundred thousand.
        observer.agent().lines_so_far(|line| seen.take(line, &container.id))?;
        if seen.count() < all {
            return Ok(None);
        }
        told = Some(seen);
        Ok(Some(()))
    })?;
    let Seen { told: seen, one_by_one } = told.context("nothing told")?;
    let (mut seen, one_by_one) = (seen.into_inner(), one_by_one.get());
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

/// Connects of a container by destination, told one by one or counted.
#[derive(Default)]
struct Seen {
    told: RefCell<Destinations>,
    one_by_one: Cell<u64>,
}

impl Seen {
    fn count(&self) -> u64 {
        self.told.borrow().values().sum()
    }

    /// Takes what a line tells. False: the line itself is not kept.
    fn take(&self, line: &Line, container: &str) -> bool {
        let is_connect = line.text("tidewaiter.category") == "network_connection";
        if is_connect && line.text("container.id") == container {
            let port = line.field("destination.port").and_then(Value::as_u64).unwrap_or_default();
            self.add((line.text("destination.ip").to_owned(), port), 1);
            self.one_by_one.set(self.one_by_one.get() + 1);
        }
        for row in line.field("tidewaiter.aggregates").and_then(Value::as_array).into_iter().flatten() {
            if row.pointer("/container/id").and_then(Value::as_str) == Some(container) {
                let to = row.get("destination").and_then(|to| destination(to).ok());
                let count = row.get("count").and_then(Value::as_u64).unwrap_or_default();
                self.add(to.unwrap_or_else(|| ("others".to_owned(), 0)), count);
            }
        }
        false
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
