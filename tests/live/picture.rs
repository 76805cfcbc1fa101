//! `tidewaiter ps`: what a running agent says of who lives, and whose the socket is it says it at.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::agent::Agent;
use tests::child::bound;
use tests::wait;
use tests::world::{CONTROL, World};

use crate::Case;

/// Longest wait for a container's command to be where it will stay.
const SETTLED_MAX: Duration = Duration::from_secs(10);

/// A program that is not in the image, with a connection over which five bytes went.
const SCRIPT: &str = "cp /bin/sleep /tmp/stranger; exec 3<>/dev/tcp/10.201.0.1/80; printf 'GET /' >&3; \
                      exec /tmp/stranger 600";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("picture: container, stranger, connection", shows_who_lives),
        Case::new("picture: the socket is the first agent's", leaves_the_socket),
        Case::new("picture: the socket of a dead agent", takes_the_socket_over),
    ]
}

fn shows_who_lives(world: &World) -> Result<String> {
    let container = world.container("picture", &["bash", "-c", SCRIPT])?;
    container.start()?;
    let socket = world.directory().join(CONTROL);
    let document = wait::until(SETTLED_MAX, "the stranger with its connection", || {
        let document = document(world, &socket, &["--container", &container.id])?;
        let process = document.pointer("/tidewaiter/processes/0");
        let is_there = process.and_then(|it| it.pointer("/connections/0/source/bytes")) == Some(&5.into());
        let is_stranger = process.and_then(|it| it.pointer("/process/name")) == Some(&"stranger".into());
        Ok((is_there && is_stranger).then_some(document))
    })?;
    for (pointer, expected) in [
        ("/tidewaiter/containers/0/container/id", Value::from(container.id.as_str())),
        ("/tidewaiter/containers/0/container/name", container.name.as_str().into()),
        ("/tidewaiter/containers/0/tidewaiter/container/verified", true.into()),
        ("/tidewaiter/processes/0/container/id", container.id.as_str().into()),
        ("/tidewaiter/processes/0/process/command_line", "/tmp/stranger 600".into()),
        ("/tidewaiter/processes/0/user/name", "root".into()),
        ("/tidewaiter/processes/0/tidewaiter/executable/upper_layer", true.into()),
        ("/tidewaiter/processes/0/connections/0/destination/ip", "10.201.0.1".into()),
        ("/tidewaiter/processes/0/connections/0/destination/port", 80.into()),
        ("/tidewaiter/processes/0/connections/0/network/direction", "egress".into()),
    ] {
        let found = document.pointer(pointer);
        ensure!(found == Some(&expected), "{pointer} is {found:?}, not {expected}: {document}");
    }
    let processes = document.pointer("/tidewaiter/processes").and_then(Value::as_array);
    ensure!(processes.is_some_and(|all| all.len() == 1), "others are told as well: {document}");

    let text = ps(world, &socket, &["--format", "text", "--container", &container.name])?;
    let text = String::from_utf8(text.stdout)?;
    for word in [container.name.as_str(), "stranger 600", "not in image", "10.201.0.1:80 tcp", "↑ 5 B"] {
        ensure!(text.contains(word), "{word:?} is not in:\n{text}");
    }
    let absent = ps(world, &socket, &["--container", "nobody"])?;
    ensure!(absent.status.code() == Some(1), "an unknown container ends with {}", absent.status);
    Ok("not in image, 5 bytes sent".to_owned())
}

fn leaves_the_socket(world: &World) -> Result<String> {
    let socket = world.directory().join(CONTROL);
    let mut second = world.another_agent("second-door", &[])?;
    second.await_ready()?;
    let first = world.agent().id();
    let answers = || answerer(world, &socket);
    ensure!(answers()? == first, "the first agent does not answer any more");
    let told = second.await_log(SETTLED_MAX, "a warning", |line| line.contains("already answers"))?;
    second.stop()?;
    ensure!(answers()? == first, "the socket went with the second agent");
    ensure!(told.contains(&socket.display().to_string()), "the warning does not name the socket: {told}");
    Ok("the second one runs without".to_owned())
}

fn takes_the_socket_over(world: &World) -> Result<String> {
    let socket = world.directory().join("other/agent.sock");
    let configuration = world.directory().join("other.yaml");
    std::fs::write(&configuration, format!("control: {}\nmetrics: {{socket: null}}\n", socket.display()))?;
    let start = |name: &str| -> Result<Agent> {
        let mut command = bound(world.binary());
        command.args(["run", "--format", "json", "--config"]).arg(&configuration);
        let mut agent = Agent::start(command, log(world, name))?;
        agent.await_ready()?;
        Ok(agent)
    };
    let mut killed = start("killed")?;
    wait::until(SETTLED_MAX, "an answer", || Ok(answerer(world, &socket).ok()))?;
    killed.kill()?;
    ensure!(socket.exists(), "a killed agent cannot have removed its socket");
    let dead = ps(world, &socket, &[])?;
    let told = String::from_utf8_lossy(&dead.stderr).into_owned();
    ensure!(dead.status.code() == Some(2) && told.contains("no agent answers"), "{}: {told}", dead.status);
    let mut heir = start("heir")?;
    let id = wait::until(SETTLED_MAX, "an answer", || Ok(answerer(world, &socket).ok()))?;
    ensure!(id == heir.id(), "process {id} answers");
    heir.stop()?;
    ensure!(!socket.exists(), "the socket stays behind");
    Ok("taken over, and removed at the end".to_owned())
}

fn log(world: &World, name: &str) -> PathBuf {
    world.directory().join(format!("agent-{name}.log"))
}

/// Pid of the agent that answers.
fn answerer(world: &World, socket: &Path) -> Result<u32> {
    let document = document(world, socket, &[])?;
    let pid = document.pointer("/tidewaiter/agent/pid").and_then(Value::as_u64).context("no agent's pid")?;
    Ok(u32::try_from(pid)?)
}

fn document(world: &World, socket: &Path, options: &[&str]) -> Result<Value> {
    let output = ps(world, socket, options)?;
    ensure!(!output.stdout.is_empty(), "it says nothing: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn ps(world: &World, socket: &Path, options: &[&str]) -> Result<Output> {
    Ok(Command::new(world.binary()).arg("ps").arg("--socket").arg(socket).args(options).output()?)
}
