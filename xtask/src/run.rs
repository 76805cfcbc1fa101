//! `cargo xtask run`: from a fresh clone to a running sensor in one command.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::build;
use crate::place::Place;
use crate::setup::require_root;

/// Builds what is missing and becomes the agent, so that signals and the exit code are the agent's own.
pub(crate) fn run(place: &Place, words: &[String]) -> Result<()> {
    require_root("loading eBPF programs", "run")?;
    build::build(place, true)?;
    let agent = place.agent(true);
    let error = Command::new(&agent).arg("run").args(words).exec();
    Err(error).with_context(|| format!("cannot start {}", agent.display()))
}
