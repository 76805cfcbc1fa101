//! An agent that lives in a container itself: what it is shown of the host is not the host.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tests::agent::Agent;
use tests::child::bound;
use tests::docker::Container;
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// curl over and over: a container that is there before the agent, and one that comes later, do the same.
const BUSY: &[&str] =
    &["sh", "-c", "while :; do curl -sS -o /tmp/busy http://10.201.0.1/download/payload.bin; done"];

/// As unprivileged pods are made on nodes with cgroup v2: a cgroup namespace of their own, whose root is all that they have
/// mounted of the hierarchy, and the host's as a mount of its own. `$0` is the pod's cgroup, `$1` the host's root, `$2` a
/// folder for mounts; what follows is the agent's command line.
const POD: &str = r#"
echo $$ >"$0/cgroup.procs"
exec unshare --cgroup --mount sh -ec '
    root=$1 place=$2; shift 2
    mkdir -p "$place/own" "$place/host"
    mount -t cgroup2 none "$place/own"
    mount --bind "$root" "$place/host"
    umount --lazy "$root"
    exec "$@"' pod "$@"
"#;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("place: agent in a cgroup namespace of its own", sees_out_of_its_namespace)]
}

/// A cgroup of the tests' own. Dropping it removes it, once its processes are gone.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        // Only an empty one goes, as the kernel has it, and nobody is left to tell.
        drop(tests::wait::until(ALERT_MAX, "the agent has left its cgroup", || {
            Ok(fs::remove_dir(&self.0).is_ok().then_some(()))
        }));
    }
}

fn sees_out_of_its_namespace(world: &World) -> Result<String> {
    let before = world.container("before", BUSY)?;
    before.start()?;
    let root = [Path::new("/sys/fs/cgroup/unified"), Path::new("/sys/fs/cgroup")]
        .into_iter()
        .find(|path| path.join("cgroup.controllers").exists())
        .context("there is no cgroup v2 hierarchy")?;
    let group = Group(root.join(format!("tidewaiter-place-{}", std::process::id())));
    fs::create_dir(&group.0)?;
    let mut command = bound("sh");
    command.args(["-ec", POD]).arg(&group.0).arg(root).arg(world.directory().join("place"));
    command.arg(world.binary()).args(["run", "--format", "json", "--config"]).arg(world.configuration());
    let mut agent = Agent::start(command, world.directory().join("agent-place.log"))?;
    agent.await_ready()?;
    let links = ensure_at_root(agent.id())?;
    ensure_seen(&mut agent, &before, "a container that was there before")?;
    drop(before);
    let after = world.container("after", BUSY)?;
    after.start()?;
    ensure_seen(&mut agent, &after, "one that came later")?;
    agent.stop()?;
    drop(agent);
    Ok(format!(
        "{links} programs at the host's root; it names a container from before its start and one from after"
    ))
}

/// Every cgroup program of the agent stands at the root of the hierarchy, whose id is 1 (`bpf_cgroup_link_show_fdinfo`,
/// kernel/bpf/cgroup.c). Returns how many there are.
fn ensure_at_root(agent: u32) -> Result<usize> {
    let mut links = 0;
    for entry in fs::read_dir(format!("/proc/{agent}/fdinfo"))? {
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let Some(cgroup) = text.lines().find_map(|line| line.strip_prefix("cgroup_id:")) else { continue };
        ensure!(
            cgroup.trim() == "1",
            "a program is attached to cgroup {} and not to the root",
            cgroup.trim()
        );
        links += 1;
    }
    ensure!(links > 0, "no program is attached to a cgroup");
    Ok(links)
}

/// The name needs the container's cgroup as the host has it.
fn ensure_seen(agent: &mut Agent, container: &Container<'_>, what: &str) -> Result<()> {
    let alert =
        agent.await_line(ALERT_MAX, &format!("a named alert about {what} with a connection"), |line| {
            let has = |name| line.field(name).is_some();
            line.is_alert_of(&container.id) && has("container.name") && has("destination.ip")
        })?;
    ensure_container(&alert, container)
}
