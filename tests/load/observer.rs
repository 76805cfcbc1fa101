//! What the sensor told of one run: every event, every count.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::child::bound;
use tests::wait;

use crate::Stage;

/// The end is told at once; on a loaded machine the rest of the stream takes its time.
const END_MAX: Duration = Duration::from_secs(60);

/// An agent that tells every event of some categories.
pub(crate) struct Observer {
    agent: Agent,
}

/// All it told, to its end.
pub(crate) struct Told {
    pub(crate) lines: Vec<Line>,
    /// By kind of record.
    pub(crate) ledger: BTreeMap<String, Counts>,
}

/// A row of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) generated: u64,
    pub(crate) delivered: u64,
    pub(crate) aggregated: u64,
    pub(crate) filtered: u64,
    pub(crate) lost: u64,
}

impl Observer {
    /// Starts it and waits until it watches.
    pub(crate) fn start(stage: &Stage<'_>, name: &str, categories: &[&str]) -> Result<Self> {
        let arguments: Vec<&str> = categories.iter().flat_map(|category| ["--category", category]).collect();
        let mut agent = stage.world.observer(name, &arguments)?;
        agent.await_ready()?;
        Ok(Self { agent })
    }

    pub(crate) fn agent(&mut self) -> &mut Agent {
        &mut self.agent
    }

    /// Ends it in order and reads the rest.
    pub(crate) fn end(mut self) -> Result<Told> {
        told(&mut self.agent)
    }
}

/// Ends an agent in order and reads all it had to tell.
pub(crate) fn told(agent: &mut Agent) -> Result<Told> {
    let (status, _) = agent.stop()?;
    ensure!(status.success(), "the agent ended with {status}; its log:\n{}", agent.log()?);
    let stopped = agent.await_line(END_MAX, "its last word", |line| line.is("stopped"))?;
    let lines = agent.lines_so_far(|_| true)?;
    let ledger = ledger(&stopped.document)?;
    Ok(Told { lines, ledger })
}

/// An agent that writes what it tells into a file, which nobody reads before its end.
pub(crate) struct Recording {
    agent: Child,
    told: PathBuf,
}

impl Recording {
    /// Starts it and waits until it watches.
    pub(crate) fn start(stage: &Stage<'_>, name: &str, category: &str) -> Result<Self> {
        let told = stage.world.directory().join(format!("{name}.jsonl"));
        let mut command = bound(stage.world.binary());
        command.args(["events", "--format", "json", "--category", category]);
        let agent = command.stdout(File::create(&told)?).stderr(Stdio::null()).spawn()?;
        let recording = Self { agent, told };
        wait::until(END_MAX, "the recording agent's first line", || {
            Ok(fs::read_to_string(&recording.told)?.contains('\n').then_some(()))
        })?;
        Ok(recording)
    }

    /// Ends it in order, hands over each line and returns the ledger of the last.
    pub(crate) fn end(mut self, each: impl Fn(&Value)) -> Result<BTreeMap<String, Counts>> {
        kill_process(Pid::from_child(&self.agent), Signal::TERM)?;
        let agent = &mut self.agent;
        let status = wait::until(END_MAX, "the recording agent's end", || Ok(agent.try_wait()?))?;
        ensure!(status.success(), "the recording agent ended with {status}");
        let mut last = Value::Null;
        for line in BufReader::new(File::open(&self.told)?).lines() {
            last = serde_json::from_str(&line?)?;
            each(&last);
        }
        ledger(&last)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Of use only when a test failed before the end.
        drop(self.agent.kill());
        drop(self.agent.wait());
    }
}

/// The ledger in a last word.
fn ledger(stopped: &Value) -> Result<BTreeMap<String, Counts>> {
    let rows = stopped.pointer("/tidewaiter/ledger").and_then(Value::as_array).context("no ledger")?;
    let kind = |row: &Value| row.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(rows.iter().map(|row| (kind(row), counts(row))).collect())
}

/// Fails unless every row balances to zero.
pub(crate) fn ensure_balanced(ledger: &BTreeMap<String, Counts>) -> Result<()> {
    for (kind, counts) in ledger {
        let Counts { generated, delivered, aggregated, filtered, lost } = *counts;
        ensure!(generated == delivered + aggregated + filtered + lost, "{kind} does not balance: {counts:?}");
    }
    Ok(())
}

fn counts(row: &Value) -> Counts {
    let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    Counts {
        generated: number("generated"),
        delivered: number("delivered"),
        aggregated: number("aggregated"),
        filtered: number("filtered"),
        lost: number("lost"),
    }
}

impl Told {
    /// Fails unless every row of the ledger balances to zero; returns how much was generated in all.
    pub(crate) fn ensure_balanced(&self) -> Result<u64> {
        ensure_balanced(&self.ledger)?;
        Ok(self.sum().generated)
    }

    /// All kinds together.
    pub(crate) fn sum(&self) -> Counts {
        self.ledger.values().fold(Counts::default(), |sum, row| Counts {
            generated: sum.generated + row.generated,
            delivered: sum.delivered + row.delivered,
            aggregated: sum.aggregated + row.aggregated,
            filtered: sum.filtered + row.filtered,
            lost: sum.lost + row.lost,
        })
    }

    /// Events of a category, of a container.
    pub(crate) fn events<'t>(
        &'t self,
        category: &'t str,
        container: &'t str,
    ) -> impl Iterator<Item = &'t Line> {
        self.lines.iter().filter(move |line| {
            line.text("tidewaiter.category") == category && line.text("container.id") == container
        })
    }
}
