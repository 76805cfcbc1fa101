//! The same act in containers of every runtime: the alert says whose it was in that runtime's own terms.

use anyhow::{Result, anyhow, ensure};
use tests::agent::Line;
use tests::bundle::Program;
use tests::containerd::{POD_NAMESPACE, Pod};
use tests::docker::IMAGE;
use tests::world::{SHARED, World};

use crate::Case;
use crate::transfer::{ALERT_MAX, mark};

const URL: &str = "http://10.201.0.1/upload/runtime.bin";

/// An upload, so that nothing is left in the container.
const UPLOAD: [&str; 5] = ["curl", "-sS", "-T", "/lab/payload.bin", URL];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("runtime: CRI, a pod's container", names_a_pod),
        Case::new("runtime: CRI, exec in a pod", names_what_a_pod_executes),
        Case::new("runtime: Podman", names_podmans),
        Case::new("runtime: containerd by hand", names_by_hand),
        Case::new("runtime: runc alone", |world| tells_the_id(world, Program::Runc)),
        Case::new("runtime: crun alone", |world| tells_the_id(world, Program::Crun)),
    ]
}

fn names_a_pod(world: &World) -> Result<String> {
    let pod = world.containerd()?.pod("courier")?;
    let shared = world.shared().display().to_string();
    let container = pod.container("carrier", IMAGE, Some((&shared, SHARED)), &UPLOAD)?;
    let ended = container.run()?;
    ensure!(ended.status == 0, "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = only_alert(world, &container.id)?;
    ensure_pod(&alert, &pod, "carrier")?;
    Ok(told(&alert))
}

fn names_what_a_pod_executes(world: &World) -> Result<String> {
    let pod = world.containerd()?.pod("depot")?;
    let shared = world.shared().display().to_string();
    let container = pod.container("shelf", IMAGE, Some((&shared, SHARED)), &["sleep", "600"])?;
    container.start()?;
    let ended = container.exec(&UPLOAD)?;
    ensure!(ended.status == 0, "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = only_alert(world, &container.id)?;
    ensure_pod(&alert, &pod, "shelf")?;
    Ok(told(&alert))
}

fn names_podmans(world: &World) -> Result<String> {
    let podman = world.podman()?;
    let container = podman.create("skiff", world.volume(), &UPLOAD)?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = only_alert(world, &container.id)?;
    let names =
        [("container.name", "skiff"), ("container.image.name", IMAGE), ("container.runtime", "podman")];
    ensure_fields(&alert, &names)?;
    Ok(told(&alert))
}

fn names_by_hand(world: &World) -> Result<String> {
    // Another run of these tests on this machine has containers too.
    let (id, shared) = (format!("punt-{}", std::process::id()), world.shared());
    let containerd = world.containerd()?;
    let ended = containerd.run_by_hand(&id, &world.servers.root, (&shared, SHARED), &UPLOAD)?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = only_alert(world, &id)?;
    ensure_fields(&alert, &[("container.id", &id), ("container.runtime", "containerd")])?;
    Ok(told(&alert))
}

/// Nobody gave it a name or an image: its id is all there is to tell, and it is a word.
fn tells_the_id(world: &World, program: Program) -> Result<String> {
    let id = format!("lighter-{}-{}", program.name(), std::process::id());
    // It stays for a moment; those who are gone at once are the load tests' matter.
    let script = format!("{} && exec sleep 1", UPLOAD.join(" "));
    let container = world.bundle(program, &id, &["sh", "-c", &script])?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = only_alert(world, &id)?;
    ensure_fields(&alert, &[("container.id", &id), ("container.runtime", program.name())])?;
    Ok(told(&alert))
}

/// The one alert about a container; no second one comes.
fn only_alert(world: &World, container: &str) -> Result<Line> {
    let what = format!("an alert about {container}");
    let alert = world.agent().await_line(ALERT_MAX, &what, |line| line.is_alert_of(container))?;
    mark(world)?;
    let alerts = world.agent().alerts_of(container)?;
    let all = alerts.iter().map(|alert| format!("\n  {}", alert.document)).collect::<String>();
    ensure!(alerts.len() == 1, "{} alerts about one transfer:{all}", alerts.len());
    Ok(alert)
}

fn ensure_pod(alert: &Line, pod: &Pod<'_>, container: &str) -> Result<()> {
    ensure_fields(
        alert,
        &[
            ("container.name", container),
            ("container.image.name", IMAGE),
            ("container.runtime", "containerd"),
            ("orchestrator.namespace", POD_NAMESPACE),
            ("orchestrator.resource.name", &pod.spec.name),
            ("orchestrator.resource.id", &pod.spec.uid),
        ],
    )
}

/// Every field has its value, and none is left to be learned later.
fn ensure_fields(alert: &Line, expected: &[(&str, &str)]) -> Result<()> {
    for (field, value) in expected {
        let all = |error| anyhow!("{error}; the alert: {}", alert.document);
        alert.ensure_field(field, &(*value).into()).map_err(all)?;
    }
    let pending = alert.field("tidewaiter.pending");
    ensure!(pending.is_none(), "it awaits {pending:?}");
    Ok(())
}

/// The names as they stand in the alert.
fn told(alert: &Line) -> String {
    let names = ["orchestrator.namespace", "orchestrator.resource.name", "container.name", "container.id"];
    let names = names.map(|name| alert.text(name).chars().take(12).collect::<String>());
    names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" / ")
}
