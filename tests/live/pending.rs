//! A container's name comes late, or never: the agent runs in a mount namespace of its own, in which the
//! runtime's directories are covered until the test takes the cover away.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::{Agent, Line};
use tests::child::{bound, run};
use tests::world::World;

use crate::Case;
use crate::transfer::{ALERT_MAX, ensure_container, mark_for};

/// From the first step to the alert, with name or without.
const DELAY_MAX: Duration = Duration::from_secs(1);
/// From the moment the files can be read to the amendment: the longest pause between two questions is 3 s.
const NAMED_MAX: Duration = Duration::from_secs(5);

const CURL: &[&str] = &["curl", "-sS", "-o", "/tmp/file", "http://10.201.0.1/download/payload.bin"];

/// Rules on what is not known at first. The lab's image is in the first list and not in the second.
const RULES: &str = "\
title: Image that is not in the lab
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1a01
status: test
level: medium
logsource: {category: process_creation, product: linux}
detection:
  tool: {Image|endswith: /curl}
  host: {ContainerId: null}
  allowed: {ContainerImage|startswith: lab.invalid/}
  condition: tool and not host and not allowed
---
title: Image that is not in the registry
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1a02
status: test
level: medium
logsource: {category: process_creation, product: linux}
detection:
  tool: {Image|endswith: /curl}
  host: {ContainerId: null}
  allowed: {ContainerImage|startswith: registry.invalid/}
  condition: tool and not host and not allowed
---
title: Nobody's container
id: 0f6f3d52-5f0e-4f0e-9c53-6a2f0c5c1a03
status: test
level: medium
logsource: {category: process_creation, product: linux}
detection:
  tool: {Image|endswith: /curl, ContainerVerified: false}
  condition: tool
";

const NOT_IN_LAB: &str = "Image that is not in the lab";
const NOT_IN_REGISTRY: &str = "Image that is not in the registry";
/// One of the built-in rules asks for the image, too.
const UNKNOWN_REGISTRY: &str = "Container started from an unknown registry";
const NOBODYS: &str = "Nobody's container";
/// No runtime knew a container in time.
const UNDECIDED: &str = "undecided: no runtime knows the container";

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("pending: named late", names_late), Case::new("pending: never named", gives_up)]
}

/// An agent that cannot see what dockerd knows.
struct Blind {
    agent: Agent,
    covers: Vec<PathBuf>,
}

impl Blind {
    fn start(world: &World, name: &str) -> Result<Self> {
        let rules = world.directory().join("pending.yml");
        fs::write(&rules, RULES)?;
        let data = world.docker.data_root();
        let covers = vec![data.join("containers"), data.with_file_name("exec")];
        // New mounts of the host are seen inside, the covers are not seen outside.
        let mut command = bound("unshare");
        command.args(["--mount", "--propagation", "slave", "sh", "-c"]);
        command.arg("mount -t tmpfs cover \"$1\" && mount -t tmpfs cover \"$2\" && shift 2 && exec \"$@\"");
        command.arg("sh").args(&covers).arg(world.binary()).args(["run", "--format", "json", "--config"]);
        command.arg(world.configuration()).arg("--rules").arg(rules);
        let mut agent = Agent::start(command, world.directory().join(format!("agent-{name}.log")))?;
        agent.await_ready()?;
        Ok(Self { agent, covers })
    }

    fn uncover(&self) -> Result<()> {
        for cover in &self.covers {
            let mut command = bound("nsenter");
            command
                .arg(format!("--target={}", self.agent.id()))
                .args(["--mount", "umount", "--lazy"])
                .arg(cover);
            run(&mut command)?;
        }
        Ok(())
    }
}

/// Whether a line is about this container and of this rule.
fn is_of(line: &Line, container: &str, rule: &str) -> bool {
    line.text("container.id") == container && line.text("rule.name") == rule
}

fn names_late(world: &World) -> Result<String> {
    let mut blind = Blind::start(world, "named-late")?;
    let container = world.container("late", CURL)?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "the tool itself ended with {}: {}", ended.status, ended.output);

    let first = blind.agent.await_line(ALERT_MAX, "an alert", |line| line.is_alert_of(&container.id))?;
    let delay = first.delay()?;
    ensure!(delay <= DELAY_MAX, "the alert came after {delay:?}");
    let pending = serde_json::json!(["container.name", "container.image.name"]);
    first.ensure_field("tidewaiter.pending", &pending)?;
    let verified = first.field("tidewaiter.container.verified");
    ensure!(verified.is_none(), "nobody has said yet whether it is one: {}", first.document);
    ensure!(first.field("container.name").is_none(), "it has a name: {}", first.document);
    // What was to be judged at once has been when something later is told.
    mark_for(world, &mut blind.agent)?;
    let early = blind.agent.lines_so_far(|line| {
        [NOT_IN_LAB, NOT_IN_REGISTRY, NOBODYS].iter().any(|rule| is_of(line, &container.id, rule))
    })?;
    ensure!(early.is_empty(), "a rule on the image fired without one: {}", early[0].document);

    blind.uncover()?;
    let again = blind.agent.await_line(NAMED_MAX, "the amendment with the name", |line| {
        line.is("amendment") && line.text("event.id") == first.text("event.id")
    })?;
    ensure_container(&again, &container)?;
    for field in ["@timestamp", "rule", "process"] {
        again.ensure_field(field, first.field(field).context("the alert lacks a field")?)?;
    }
    let what = "the alert that needed the image";
    let decided =
        blind.agent.await_line(NAMED_MAX, what, |line| is_of(line, &container.id, NOT_IN_REGISTRY))?;
    ensure_container(&decided, &container)?;
    ensure!(decided.is("alert"), "it amends what was never told: {}", decided.document);
    ensure_steps(&decided)?;
    mark_for(world, &mut blind.agent)?;
    let wrong = blind.agent.lines_so_far(|line| {
        [NOT_IN_LAB, NOBODYS].iter().any(|rule| is_of(line, &container.id, rule)) || is_undecided(line)
    })?;
    ensure!(wrong.is_empty(), "its image is allowed, and it is known: {}", wrong[0].document);
    let messages =
        blind.agent.lines_so_far(|line| line.text("container.id") == container.id && !line.is_of_end())?;
    let kinds: Vec<&str> = messages.iter().map(|line| line.text("kind")).collect();
    let alerts = kinds.iter().filter(|kind| **kind == "alert").count();
    // One with the name; and the end of the connection may come after the late alert, which tells it once more.
    ensure!(alerts == 2 && kinds.len() <= 4, "two alerts and an amendment or two were to come: {kinds:?}");
    Ok(format!("alert after {} ms, amended, and what needed the image told", delay.as_millis()))
}

/// All that happened until the process ended, although no story followed it then.
fn ensure_steps(alert: &Line) -> Result<()> {
    let steps = alert.field("tidewaiter.steps").and_then(Value::as_array).context("no steps")?;
    let actions: Vec<&str> = steps.iter().filter_map(|step| step.get("action")?.as_str()).collect();
    for wanted in ["executed", "connected", "wrote", "exited"] {
        ensure!(actions.contains(&wanted), "nothing was {wanted}: {actions:?}");
    }
    Ok(())
}

fn is_undecided(line: &Line) -> bool {
    let losses = line.field("tidewaiter.losses").and_then(Value::as_array);
    let is_one = |loss: &Value| loss.get("reason").and_then(Value::as_str) == Some(UNDECIDED);
    line.is("loss") && losses.is_some_and(|losses| losses.iter().any(is_one))
}

fn gives_up(world: &World) -> Result<String> {
    let mut blind = Blind::start(world, "never-named")?;
    let container = world.container("nobody", CURL)?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "the tool itself ended with {}: {}", ended.status, ended.output);

    let nobodys = blind.agent.await_line(ALERT_MAX, "the alert about nobody's container", |line| {
        is_of(line, &container.id, NOBODYS)
    })?;
    nobodys.ensure_field("tidewaiter.container.verified", &false.into())?;
    let loss = blind.agent.await_line(ALERT_MAX, "the loss of what stayed undecided", is_undecided)?;
    let losses = loss.field("tidewaiter.losses").and_then(Value::as_array).context("no losses")?;
    let mut told: Vec<&str> = losses
        .iter()
        .filter(|loss| loss.pointer("/container/id").and_then(Value::as_str) == Some(&container.id))
        .filter_map(|loss| loss.get("what")?.as_str())
        .collect();
    told.sort_unstable();
    let expected =
        [UNKNOWN_REGISTRY, NOT_IN_LAB, NOT_IN_REGISTRY].map(|title| format!("match of \"{title}\""));
    ensure!(told == expected, "{told:?} were told as undecided, not {expected:?}");
    let fired = blind.agent.lines_so_far(|line| {
        [NOT_IN_LAB, NOT_IN_REGISTRY].iter().any(|rule| is_of(line, &container.id, rule))
    })?;
    ensure!(fired.is_empty(), "nobody knows its image: {}", fired[0].document);
    let delay = nobodys.delay()?;
    Ok(format!("told as nobody's after {:.1} s, and two rules as undecided", delay.as_secs_f32()))
}
