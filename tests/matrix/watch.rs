//! The sensor at work: `tidewaiter events` on what this process starts, and what it has told.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::world::artefact;

use crate::account::Coverage;
use crate::deed::Deeds;

/// Emulated, the verifier takes many times what it takes natively.
const READY_MAX: Duration = Duration::from_secs(120);

/// From a program's start to its line: some 10 ms, far more where others want the processors too.
const MARKER_MAX: Duration = Duration::from_secs(60);

/// Longest wait for a line before all are looked at again.
const LOOK: Duration = Duration::from_millis(200);

/// The sensor. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Watch {
    agent: Agent,
    release: String,
    coverage: Coverage,
}

impl Watch {
    /// Starts it, with its log in `place` and without the means to be avoided, and waits until it says what it
    /// covers.
    pub(crate) fn start(place: &Path, avoided: &[String]) -> Result<Self> {
        let binary = artefact("TIDEWAITER_BIN", "target/release/tidewaiter", "cargo xtask build --release")?;
        let mut command = Command::new(binary);
        command.args(["events", "--format", "json", "--tree-of", &std::process::id().to_string()]);
        command.args(avoided.iter().flat_map(|means| ["--avoid", means]));
        let mut agent = Agent::start(command, place.join("agent.log"))?;
        let first = agent.await_line(READY_MAX, "the coverage notice", |_| true)?;
        ensure!(first.is("coverage"), "the first line is no coverage notice: {}", first.document);
        let hooks = first.field("tidewaiter.coverage.hooks").context("no hooks in the coverage notice")?;
        let coverage = Coverage::read(hooks)?;
        Ok(Self { agent, release: first.text("host.os.kernel").to_owned(), coverage })
    }

    pub(crate) fn agent_id(&self) -> u32 {
        self.agent.id()
    }

    /// As `uname -r` has it.
    pub(crate) fn release(&self) -> &str {
        &self.release
    }

    pub(crate) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// As the column's title has it.
    pub(crate) fn tier(&self) -> u64 {
        self.coverage.tier()
    }

    pub(crate) fn summary(&self) -> String {
        self.coverage.summary()
    }

    /// Runs a program and waits until the sensor tells it: what was done before is told by then.
    pub(crate) fn await_marker(&mut self, deeds: &Deeds, number: u32) -> Result<()> {
        let marker = format!("matrix-marker-{}-{number}", std::process::id());
        deeds.mark(&marker)?;
        let is_marker = |line: &Line| {
            line.text("event.action") == "exec"
                && line
                    .field("process.args")
                    .and_then(Value::as_array)
                    .is_some_and(|words| words.iter().any(|word| word.as_str() == Some(&marker)))
        };
        self.agent.await_line(MARKER_MAX, "the marker's start", is_marker).map(drop)
    }

    /// Every event so far.
    pub(crate) fn lines(&mut self) -> Result<Vec<Line>> {
        self.agent.lines_so_far(|line| line.is("event"))
    }

    /// Waits for anything new, but not beyond `deadline`.
    pub(crate) fn await_more(&mut self, deadline: Instant) -> Result<()> {
        let patience = deadline.saturating_duration_since(Instant::now()).min(LOOK);
        self.agent.await_any(patience)
    }

    /// What it says was lost, or counted instead of told.
    pub(crate) fn losses(&mut self) -> Result<Vec<String>> {
        let told = self.agent.lines_so_far(|line| line.is("loss") || line.is("aggregation"))?;
        let list =
            |line: &Line, name| line.field(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let rows = told
            .iter()
            .flat_map(|line| [list(line, "tidewaiter.losses"), list(line, "tidewaiter.aggregates")].concat());
        Ok(rows.map(|row| row.to_string()).collect())
    }

    /// Ends it; it must say so in its last line.
    pub(crate) fn stop(mut self) -> Result<()> {
        let (status, _) = self.agent.stop()?;
        ensure!(status.success(), "the agent ended with {status}; its log:\n{}", self.agent.log()?);
        self.agent.await_line(MARKER_MAX, "the notice of its end", |line| line.is("stopped")).map(drop)
    }
}
