//! `cargo xtask run`: from a fresh clone to a running sensor in one command.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::command;
use crate::place::Place;

/// Builds what is missing and becomes the agent, so that signals and the exit code are the agent's own.
///
/// Only the agent itself needs root, so an ordinary user gets it built, in files of their own, and is told
/// the line that starts it.
pub(crate) fn run(place: &Place, words: &[String]) -> Result<()> {
    build::build(place, true)?;
    let mut agent = Command::new(place.agent(true));
    agent.arg("run").args(words);
    if !command::is_root() {
        bail!(
            "loading eBPF programs needs root; all is built, start it with `sudo {}`",
            command::line(&agent)
        );
    }
    let error = agent.exec();
    Err(error).with_context(|| format!("cannot start `{}`", command::line(&agent)))
}
