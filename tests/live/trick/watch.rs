//! An agent beside the others that tells every event, and what a test asks of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::docker::Container;
use tests::world::World;

use crate::transfer::ALERT_MAX;

/// An id that no runtime knows is taken for forged when the last of its questions is answered, half a minute
/// after its first sight.
const TRICK_MAX: Duration = Duration::from_secs(60);

/// An agent that tells every program, connect and change of the system.
pub(super) struct Watch(Agent);

impl Watch {
    pub(super) fn start(world: &World, name: &str) -> Result<Self> {
        let categories = ["process_creation", "network_connection", "system_change"];
        let arguments: Vec<_> = categories.iter().flat_map(|category| ["--category", category]).collect();
        let mut agent = world.observer(name, &arguments)?;
        agent.await_ready()?;
        Ok(Self(agent))
    }

    /// The start of the program that has this marker.
    pub(super) fn program(&mut self, marker: &str) -> Result<Line> {
        let what = format!("the start of the program with {marker}");
        self.told(ALERT_MAX, &what, |line| {
            let words = line.field("process.args").and_then(Value::as_array);
            line.text("event.action") == "exec"
                && line.text("process.executable").ends_with("/deed")
                && words.is_some_and(|words| words.iter().any(|word| word == marker))
        })
    }

    /// What is told of a trick that this process did or was made to do.
    pub(super) fn trick(&mut self, process: &str, trick: &str) -> Result<Line> {
        let what = format!("the {trick} of process {process}");
        self.told(TRICK_MAX, &what, |line| {
            line.text("event.action") == "identity"
                && line.text("process.entity_id") == process
                && line.text("tidewaiter.identity.trick") == trick
        })
    }

    /// The first event for which `wanted` holds. The whole machine is told: a complaint shows only what may be
    /// meant.
    pub(super) fn told(
        &mut self,
        timeout: Duration,
        what: &str,
        wanted: impl Fn(&Line) -> bool,
    ) -> Result<Line> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(line) = self.0.lines_so_far(|line| wanted(line))?.into_iter().next() {
                return Ok(line);
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                let near = self.0.lines_so_far(|line| {
                    let executable = line.text("process.executable");
                    line.text("event.action") == "identity" || executable.ends_with("/deed")
                })?;
                let near: String = near.iter().map(|line| format!("\n  {}", line.document)).collect();
                bail!("waited {} s in vain for {what}; told:{near}", timeout.as_secs());
            }
            self.0.await_any(patience)?;
        }
    }

    /// Ends it: every trick it told, by process and kind. None of them twice.
    pub(super) fn end(mut self) -> Result<BTreeMap<(String, String), Line>> {
        let (status, _) = self.0.stop()?;
        ensure!(status.success(), "the agent ended with {status}; its log:\n{}", self.0.log()?);
        self.0.await_line(ALERT_MAX, "its last word", |line| line.is("stopped"))?;
        let mut told = BTreeMap::new();
        for line in self.0.lines_so_far(|line| line.text("event.action") == "identity")? {
            let (process, trick) = (line.text("process.entity_id"), line.text("tidewaiter.identity.trick"));
            let key = (process.to_owned(), trick.to_owned());
            let other = told.insert(key, line.clone());
            ensure!(other.is_none(), "told twice: {}", line.document);
        }
        Ok(told)
    }

    /// Ends it: no trick may have been told of any of these containers, or of the host's `deed`.
    pub(super) fn end_without_trick(self, containers: &[&Container<'_>]) -> Result<()> {
        let told = self.end()?;
        let is_ours = |line: &&Line| {
            let id = line.text("container.id");
            containers.iter().any(|container| container.id == id)
                || line.text("process.executable").ends_with("/deed")
        };
        let first = told.values().find(is_ours).map(|line| line.document.to_string());
        ensure!(first.is_none(), "a trick is told where none was: {first:?}");
        Ok(())
    }
}
