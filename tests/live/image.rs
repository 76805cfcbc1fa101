//! The image that is handed on, at work: its root under runc, with named capabilities and nothing else of a privileged
//! container, sees a transfer in a neighbour and names that.
//!
//! By runc, because Docker 20.10 knows no `CAP_BPF`. Only where `TIDEWAITER_IMAGE` names the image: `cargo xtask test
//! package` makes it first.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::agent::Agent;
use tests::child::{bound, run};
use tests::docker::IMAGE;
use tests::world::World;

use crate::Case;
use crate::transfer::ALERT_MAX;

/// As docs/install.md names them. The last is of use where fentry is refused, as here: it marks files by fanotify.
const CAPABILITIES: [&str; 6] =
    ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"];

const URL: &str = "http://10.201.0.1/upload/image.bin";

pub(crate) fn cases() -> Vec<Case> {
    let Some(image) = env::var_os("TIDEWAITER_IMAGE").map(PathBuf::from) else { return Vec::new() };
    let other = image.clone();
    vec![
        Case::new("image: there is one file in it, and Docker runs it", move |world| {
            holds_one_file(world, &image)
        }),
        Case::new("image: with named capabilities it names a neighbour", move |world| watches(world, &other)),
    ]
}

/// Loads it; its name and its root.
fn unpack(world: &World, image: &Path) -> Result<(String, PathBuf)> {
    let archive = image.display().to_string();
    let told = world.docker.ask(&["load", "--input", &archive])?;
    let name = told.rsplit("Loaded image: ").next().unwrap_or_default().to_owned();
    ensure!(name.starts_with("tidewaiter:"), "docker load said {told:?}");
    let root = world.directory().join("image-root");
    if !root.exists() {
        let id = world.docker.ask(&["create", &name])?;
        let tar = world.directory().join("image-root.tar").display().to_string();
        world.docker.ask(&["export", "--output", &tar, &id])?;
        world.docker.ask(&["rm", &id])?;
        fs::create_dir(&root)?;
        run(Command::new("tar").arg("-C").arg(&root).args(["-xf", &tar]))?;
    }
    Ok((name, root))
}

fn holds_one_file(world: &World, image: &Path) -> Result<String> {
    let (name, root) = unpack(world, image)?;
    // Docker itself lays empty files and folders into each container.
    let found = run(Command::new("find").arg(&root).args(["-type", "f", "-size", "+0", "-printf", "/%P\n"]))?;
    let files = String::from_utf8(found.stdout)?;
    ensure!(files.trim() == "/usr/bin/tidewaiter", "in it are {files}");
    let said = world.docker.ask(&["run", "--rm", "--network", "none", &name, "version"])?;
    ensure!(said.starts_with("tidewaiter "), "it says {said:?}");
    let labels = world.docker.ask(&["image", "inspect", "--format", "{{json .Config.Labels}}", &name])?;
    let labels: Value = serde_json::from_str(&labels)?;
    let version = labels["org.opencontainers.image.version"].as_str().unwrap_or_default();
    ensure!(said == format!("tidewaiter {version}"), "its label says {version:?}, itself {said:?}");
    Ok(format!("{name}, {} bytes", fs::metadata(root.join("usr/bin/tidewaiter"))?.len()))
}

fn watches(world: &World, image: &Path) -> Result<String> {
    let (_, root) = unpack(world, image)?;
    let bundle = world.directory().join("image-bundle");
    fs::create_dir(&bundle)?;
    let own = world.directory().display().to_string();
    let settings = fs::read_to_string(world.configuration())?;
    // The shared agent has the sockets of the tests' directory.
    let settings =
        settings.lines().filter(|line| !line.starts_with("control:") && !line.starts_with("metrics:"));
    let settings: String = settings.map(|line| format!("{line}\n")).collect();
    fs::write(bundle.join("tidewaiter.yaml"), settings)?;
    fs::write(bundle.join("config.json"), configuration(&root, &bundle, &own).to_string())?;

    let id = format!("tidewaiter-{}", std::process::id());
    let mut command = bound("runc");
    command.arg("--root").arg(bundle.join("state")).args(["run", "--bundle"]).arg(&bundle).arg(&id);
    let mut agent = Agent::start(command, bundle.join("log"))?;
    agent.await_ready()?;
    let container = world.container("neighbour", &["curl", "-sS", "-T", "/lab/payload.bin", URL])?;
    let ended = container.run()?;
    ensure!(ended.status.success(), "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = agent
        .await_line(ALERT_MAX, "an alert about the neighbour", |line| line.is_alert_of(&container.id))?;
    alert.ensure_field("container.name", &container.name.as_str().into())?;
    alert.ensure_field("container.image.name", &IMAGE.into())?;
    let (status, _) = agent.stop()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(format!("{} of {IMAGE}, by {} capabilities", container.name, CAPABILITIES.len()))
}

/// OCI runtime specification, config.md: the namespaces of the host but for mounts, names and System V.
fn configuration(root: &Path, bundle: &Path, own: &str) -> Value {
    let mount = |place: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": place, "type": kind, "source": source, "options": options});
    let settings = bundle.join("tidewaiter.yaml").display().to_string();
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/usr/bin/tidewaiter", "run", "--format", "json", "--config", "/etc/tidewaiter/tidewaiter.yaml"],
            "env": ["PATH=/usr/bin"],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {
                "bounding": CAPABILITIES,
                "effective": CAPABILITIES,
                "permitted": CAPABILITIES,
            },
        },
        "root": {"path": root, "readonly": true},
        "mounts": [
            mount("/proc", "proc", "proc", &[]),
            mount("/sys", "bind", "/sys", &["rbind", "ro"]),
            mount("/dev", "tmpfs", "tmpfs", &["nosuid", "mode=755"]),
            mount("/run", "tmpfs", "tmpfs", &["nosuid", "nodev"]),
            mount("/tmp", "tmpfs", "tmpfs", &["nosuid", "nodev"]),
            mount("/etc/tidewaiter/tidewaiter.yaml", "bind", &settings, &["bind", "ro"]),
            // Where the tests' runtimes keep their state.
            mount(own, "bind", own, &["rbind", "ro"]),
        ],
        "linux": {"cgroupsPath": "/tidewaiter-image", "namespaces": [{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]},
    })
}
