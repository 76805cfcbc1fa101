//! Manual pages and shell completions: made by an example of the agent's crate, out of the command line itself.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command;
use crate::place::Place;
use crate::progress;

/// Below cargo's output: `man` and `completion`.
pub(super) fn folder(place: &Place) -> PathBuf {
    place.target.join("manual")
}

/// Writes them anew: a command that is gone leaves no page behind.
pub(super) fn make(place: &Place) -> Result<()> {
    let folder = folder(place);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut cargo = command::cargo();
    cargo.current_dir(&place.root).args(["run", "--quiet", "--locked", "--package", "sensor-user"]);
    cargo.args(["--example", "manual", "--"]).arg(&folder);
    command::show(&mut cargo).context("manual pages cannot be made")?;
    progress::good("manual", &folder.display().to_string());
    Ok(())
}
