//! Where the tricks are done: `deed` on the host and in containers, gates that it waits at, and control groups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::docker::{Container, Ended};
use tests::wait;
use tests::world::World;

use super::{DEED, GATE};
use crate::transfer::ALERT_MAX;

/// Processes that were killed leave their group when they are waited for.
const EMPTY_MAX: Duration = Duration::from_secs(5);

/// Does a deed on the host: what it tells.
pub(super) fn on_host(words: &[&str]) -> Result<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_deed")).args(words).output().context("starting deed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "deed {} ended with {}: {said}", words.join(" "), output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// A container, not started, that finds `deed`.
pub(super) fn container<'w>(
    world: &'w World,
    name: &str,
    options: &[&str],
    command: &[&str],
) -> Result<Container<'w>> {
    let folder = world.directory().join("deed");
    if !folder.is_dir() {
        fs::create_dir(&folder)?;
        fs::copy(env!("CARGO_BIN_EXE_deed"), folder.join("deed")).context("copying deed")?;
    }
    let inside = Path::new(DEED).parent().context("deed lies in a directory")?;
    let volume = format!("{}:{}:ro", folder.display(), inside.display());
    world.container_with(name, &[&["--volume", &volume], options].concat(), command)
}

/// The line that a deed in a container tells.
pub(super) fn truth(ended: &Ended) -> Result<Value> {
    ensure!(ended.status.success(), "the deed ended with {}: {}", ended.status, ended.output);
    let line = ended.output.lines().find(|line| line.starts_with('{')).context("the deed told nothing")?;
    Ok(serde_json::from_str(line)?)
}

/// Waits until a container's process waits at its gate.
pub(super) fn await_gate(container: &Container<'_>) -> Result<()> {
    wait::until(ALERT_MAX, "the gate", || {
        Ok(container.exec(&["test", "-p", GATE])?.status.success().then_some(()))
    })
}

pub(super) fn open_gate(container: &Container<'_>) -> Result<()> {
    let ended = container.exec(&["sh", "-c", &format!("echo go > {GATE}")])?;
    ensure!(ended.status.success(), "opening the gate: {}", ended.output);
    Ok(())
}

/// The child of a process whose first thread has ended, if there is one.
pub(super) fn ended_leader(parent: u32) -> Result<Option<u32>> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    for child in children.split_ascii_whitespace() {
        let stat = fs::read_to_string(format!("/proc/{child}/stat"))?;
        let state = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_ascii_whitespace().next());
        if state == Some("Z") {
            return Ok(Some(child.parse()?));
        }
    }
    Ok(None)
}

/// Directory of a process's group in the v2 hierarchy.
pub(super) fn group_of(pid: u32) -> Result<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::")).context("no v2 group")?;
    Ok(hierarchy()?.join(path.trim_start_matches('/')))
}

/// Where the v2 hierarchy is mounted (proc_pid_mountinfo(5): the fifth word; the type is behind `-`).
fn hierarchy() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        source.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4)).flatten()
    });
    found.map(PathBuf::from).context("no cgroup v2 hierarchy is mounted")
}

/// A control group of the tests', no container's. Removed when dropped, by when its processes have ended.
pub(super) struct Group(PathBuf);

impl Group {
    pub(super) fn new(name: &str) -> Result<Self> {
        let path = hierarchy()?.join(format!("tidewaiter-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// Moves a process there.
    pub(super) fn take(&self, pid: u32) -> Result<()> {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).context("moving a process")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left to tell.
        drop(wait::until(EMPTY_MAX, "an empty group", || match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(None),
            done => Ok(Some(done?)),
        }));
    }
}
