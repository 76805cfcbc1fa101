//! A host as full as hosts get: the agent starts into it, names all of it, and sees it go.
//!
//! The processes are real and sleep; their containers are cgroups below one of the tests' own, and a directory of
//! Docker's that the tests wrote.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::agent::{Agent, Line};
use tests::child::{bound, run as run_command};
use tests::wait;

use crate::Stage;
use crate::observer::told;

/// Processes and containers.
const FULL: (u64, usize) = (30_000, 2_000);
const SHORT: (u64, usize) = (3_000, 200);
/// Pids that are left to everybody else.
const PIDS_LEFT: u64 = 1_000;
/// Resident, with all of them known: what README.md and docs/cost.md say.
const RSS_MAX_KIB: u64 = 128 * 1024;
/// Processor time from the agent's start to its word that it watches; a debug build's, since the clock on the
/// wall tells more of the machine.
const START_MAX: Duration = Duration::from_secs(10);
/// For as many processes to be made, and to end.
const MADE_MAX: Duration = Duration::from_secs(300);
/// For the runtime's files to be read.
const NAMED_MAX: Duration = Duration::from_secs(60);

pub(crate) fn run(stage: &Stage<'_>) -> Result<String> {
    let (processes, containers) = if stage.full { FULL } else { SHORT };
    ensure_pids(processes)?;
    let place = stage.world.directory().join("scale");
    fs::create_dir(&place)?;
    let (empty, _) = started(stage, &place, "scale-empty")?;
    let before = (empty.1, empty.0.rss_kib()?);
    told(&mut { empty.0 })?;

    let crowd = Crowd::start(&place, processes, containers)?;
    let (mut agent, ready) = {
        let (agent, coverage) = started(stage, &place, "scale-full")?;
        ensure_covered(&coverage, processes, containers)?;
        agent
    };
    let (cpu, at_start) = (agent.cpu_time()?, agent.rss_kib()?);
    ensure!(cpu < START_MAX, "{cpu:?} of processor until it is ready");
    let began = Instant::now();
    wait::until(NAMED_MAX, "the name of every container", || {
        let picture = picture(stage, &place)?;
        let rows = picture.pointer("/tidewaiter/containers").and_then(Value::as_array);
        let is_named = |row: &&Value| row.pointer("/tidewaiter/container/verified") == Some(&true.into());
        let named = rows.map_or(0, |rows| rows.iter().filter(is_named).count());
        Ok((named >= containers).then_some(()))
    })?;
    let (named_after, named) = (began.elapsed(), agent.rss_kib()?);
    let working = agent.cpu_time()? - cpu;
    crowd.end()?;
    let all = told(&mut agent)?;
    all.ensure_balanced()?;
    let exits = all.ledger.get("process_exit").map_or(0, |row| row.delivered);
    ensure!(exits >= processes, "{exits} ends seen of {processes}");
    ensure_nothing_dropped(&all.lines)?;
    for (what, rss) in [("at its start", at_start), ("with all names", named)] {
        ensure!(rss <= RSS_MAX_KIB, "{rss} KiB resident {what}");
    }
    Ok(format!(
        "{processes} processes, {containers} containers: ready after {} ms by {} ms of processor ({} ms without), {:.0} MiB resident \
         ({:.0} without), all named {} ms later by {} ms of processor, {exits} ends seen, nothing dropped",
        ready.as_millis(),
        cpu.as_millis(),
        before.0.as_millis(),
        named.max(at_start) as f64 / 1024.0,
        before.1 as f64 / 1024.0,
        named_after.as_millis(),
        working.as_millis()
    ))
}

/// What others have is theirs.
fn ensure_pids(processes: u64) -> Result<()> {
    let max: u64 = fs::read_to_string("/proc/sys/kernel/pid_max")?.trim().parse()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let tasks = load.split(['/', ' ']).nth(4).context("no tasks in /proc/loadavg")?.parse::<u64>()?;
    let needed = processes + tasks + PIDS_LEFT;
    ensure!(needed <= max, "{needed} pids are needed, kernel.pid_max is {max}: run this where it is more");
    Ok(())
}

/// An agent that knows of the crowd's Docker alone; how long it took, and what it covers.
fn started(stage: &Stage<'_>, place: &Path, name: &str) -> Result<((Agent, Duration), Line)> {
    let configuration = place.join("tidewaiter.yaml");
    let (docker, control) = (place.join("docker"), place.join("control.sock"));
    let (docker, control) = (docker.display(), control.display());
    let text = format!("containers:\n  docker: [{docker}]\ncontrol: {control}\nmetrics: {{socket: null}}\n");
    fs::write(&configuration, text)?;
    let mut command = bound(stage.world.binary());
    command.args(["run", "--format", "json", "--config"]).arg(&configuration);
    let mut agent = Agent::start(command, place.join(format!("{name}.log")))?;
    let coverage = agent.await_ready()?;
    let ready = coverage.age;
    Ok(((agent, ready), coverage))
}

fn ensure_covered(coverage: &Line, processes: u64, containers: usize) -> Result<()> {
    let number = |name: &str| {
        coverage.field(&format!("tidewaiter.coverage.{name}")).and_then(Value::as_u64).unwrap_or_default()
    };
    let (found, known) = (number("processes"), number("containers"));
    ensure!(found >= processes, "{found} processes found: {}", coverage.document);
    ensure!(known >= u64::try_from(containers)?, "{known} containers found: {}", coverage.document);
    Ok(())
}

/// A table that is large enough says nothing of evictions.
fn ensure_nothing_dropped(lines: &[Line]) -> Result<()> {
    for line in lines.iter().filter(|line| line.is("loss")) {
        let losses = line.field("tidewaiter.losses").and_then(Value::as_array).into_iter().flatten();
        let dropped = losses.filter(|loss| {
            let what = loss.get("what").and_then(Value::as_str).unwrap_or_default();
            matches!(what, "process" | "container")
        });
        let dropped: Vec<_> = dropped.map(ToString::to_string).collect();
        ensure!(dropped.is_empty(), "dropped: {}", dropped.join(" "));
    }
    Ok(())
}

/// What `tidewaiter ps` shows.
fn picture(stage: &Stage<'_>, place: &Path) -> Result<Value> {
    let mut command = Command::new(stage.world.binary());
    command.args(["ps", "--format", "json", "--socket"]).arg(place.join("control.sock"));
    let output = run_command(&mut command)?;
    serde_json::from_slice(&output.stdout).context("reading the picture")
}

/// The sleeping processes, with their containers. Dropped, they end.
struct Crowd {
    deed: Child,
    groups: Groups,
}

impl Crowd {
    /// Makes all of them and waits until they are there.
    fn start(place: &Path, processes: u64, containers: usize) -> Result<Self> {
        let groups = Groups::new(containers)?;
        let docker = place.join("docker/containers");
        for id in &groups.ids {
            let folder = docker.join(id);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("config.v2.json"), state(id).to_string())?;
        }
        let mut command = bound(env!("CARGO_BIN_EXE_deed"));
        command.args(["flood", "sleepers", "--count", &processes.to_string(), "--path"]);
        command.arg(groups.root.join("docker")).arg("--dir").arg(place);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let deed = command.spawn().context("starting deed")?;
        let mut crowd = Self { deed, groups };
        // Not by a list of its children: reading one of 30,000 takes the kernel longer than making them.
        let ready = place.join("ready");
        wait::until(MADE_MAX, "the sleeping processes", || {
            ensure!(crowd.deed.try_wait()?.is_none(), "deed ended before its time");
            Ok(ready.is_file().then_some(()))
        })?;
        Ok(crowd)
    }

    /// Ends them, and removes their groups.
    fn end(mut self) -> Result<()> {
        drop(self.deed.stdin.take());
        let deed = &mut self.deed;
        let status = wait::until(MADE_MAX, "the end of the sleeping processes", || Ok(deed.try_wait()?))?;
        ensure!(status.success(), "deed ended with {status}");
        self.groups.remove()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Its children are bound to its life, and the groups go when they have.
        drop(self.deed.kill());
        drop(self.deed.wait());
        drop(wait::until(MADE_MAX, "empty groups", || Ok(self.groups.remove().ok())));
    }
}

/// As dockerd writes it, as far as anybody reads it.
fn state(id: &str) -> Value {
    json!({
        "ID": id,
        "Name": format!("/scale-{}", &id[..8]),
        "Image": format!("sha256:{id}"),
        "State": {"Running": true},
        "Config": {
            "Image": "registry.example/shop/orders:4.17.2",
            "Labels": {
                "io.kubernetes.pod.name": format!("orders-{}", &id[..8]),
                "io.kubernetes.pod.namespace": "production",
                "io.kubernetes.pod.uid": format!("{}-8d55-4a0e-9f21-7b6a5c4d0000", &id[..8]),
                "io.kubernetes.container.name": "orders",
            },
        },
    })
}

/// Control groups named like containers, below one of the tests' own.
struct Groups {
    root: PathBuf,
    ids: Vec<String>,
}

impl Groups {
    fn new(count: usize) -> Result<Self> {
        let root = hierarchy()?.join(format!("tidewaiter-test-{}", std::process::id()));
        let ids = (0..count).map(|number| format!("{number:08x}{:056x}", 0x5ca1e)).collect();
        let groups = Self { root, ids };
        for id in &groups.ids {
            let path = groups.root.join("docker").join(id);
            fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        }
        Ok(groups)
    }

    /// Removes what is still there.
    fn remove(&self) -> Result<()> {
        let docker = self.root.join("docker");
        let groups = self.ids.iter().map(|id| docker.join(id));
        for path in groups.chain([docker.clone(), self.root.clone()]) {
            match fs::remove_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.with_context(|| format!("removing {}", path.display()))?,
            }
        }
        Ok(())
    }
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
