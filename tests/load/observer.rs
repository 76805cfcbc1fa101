//! What the sensor told of one run: every event, every count.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};

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
    let rows = stopped.field("tidewaiter.ledger").and_then(Value::as_array).context("no ledger")?;
    let kind = |row: &Value| row.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ledger = rows.iter().map(|row| (kind(row), counts(row))).collect();
    Ok(Told { lines, ledger })
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
        for (kind, counts) in &self.ledger {
            let Counts { generated, delivered, aggregated, filtered, lost } = *counts;
            ensure!(
                generated == delivered + aggregated + filtered + lost,
                "{kind} does not balance: {counts:?}"
            );
        }
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
