//! The same image doing what no detection is about: not one alert.
//!
//! Silence is proved by what comes after it: a marker that must alert runs once the quiet command has
//! ended, and when its alert is here, everything before has been judged.

use anyhow::{Result, ensure};
use tests::world::World;

use crate::Case;
use crate::transfer::mark;

const QUIET: [(&str, &[&str]); 6] = [
    ("ls", &["ls", "-l", "/usr/bin"]),
    ("cat", &["cat", "/etc/passwd"]),
    ("cp, local", &["cp", "/lab/payload.bin", "/tmp/payload.bin"]),
    ("rsync, local", &["rsync", "-a", "/etc/", "/tmp/etc/"]),
    ("curl --version", &["curl", "--version"]),
    ("wget --help", &["wget", "--help"]),
];

pub(crate) fn cases() -> Vec<Case> {
    let case =
        |(name, command)| Case::new(format!("silence: {name}"), move |world| ensure_quiet(world, command));
    QUIET.into_iter().map(case).collect()
}

fn ensure_quiet(world: &World, command: &[&str]) -> Result<String> {
    let container = world.container("silence", command)?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "the command itself ended with {}: {}", ended.status, ended.output);
    mark(world)?;
    let alerts = world.agent().alerts_of(&container.id)?;
    let first = alerts.first().map(|alert| alert.document.to_string());
    ensure!(first.is_none(), "{} alerts, first: {}", alerts.len(), first.unwrap_or_default());
    Ok("no alert".to_owned())
}
