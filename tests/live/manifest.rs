//! The pod of the manifests, as a kubelet would have a runtime make it: host paths, capabilities, read-only root, filter of
//! system calls and probes are read from `deploy/kubernetes`, overlay `least`. Its agent sees a transfer in a neighbour's pod.
//!
//! containerd makes it, by CRI. What differs from a node: paths of the host that belong to this test's containerd, and the
//! folder of the outbox. Only where `TIDEWAITER_IMAGE` names the image, as in `image.rs`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::containerd::{Containerd, PodContainer};
use tests::cri::{Bind, ContainerSpec, Security};
use tests::docker::IMAGE;
use tests::wait;
use tests::world::{SHARED, World};

use crate::Case;
use crate::transfer::ALERT_MAX;

const DAEMON_SET: &str = include_str!("../../deploy/kubernetes/base/daemonset.yaml");
const LEAST: &str = include_str!("../../deploy/kubernetes/least/kustomization.yaml");
const SETTINGS: &str = include_str!("../../deploy/kubernetes/base/tidewaiter.yaml");
const UPLOAD: [&str; 5] = ["curl", "-sS", "-T", "/lab/payload.bin", "http://10.201.0.1/upload/manifest.bin"];
/// The manifest's startup probe gives up after 30 times 2 s; a sensor is ready in a second.
const READY_MAX: Duration = Duration::from_secs(60);

pub(crate) fn cases() -> Vec<Case> {
    let Some(image) = env::var_os("TIDEWAITER_IMAGE").map(PathBuf::from) else { return Vec::new() };
    vec![Case::new("image: the manifest's pod, by containerd, names a neighbour's", move |world| {
        watches(world, &image)
    })]
}

fn watches(world: &World, image: &Path) -> Result<String> {
    let containerd = world.containerd()?;
    containerd.import(image)?;
    let name = world.docker.ask(&["load", "--input", &image.display().to_string()])?;
    let name = name.rsplit("Loaded image: ").next().context("docker load names no image")?.to_owned();
    let set = yaml(DAEMON_SET)?;
    let spec = set.pointer("/spec/template/spec").context("a DaemonSet without a pod")?;
    ensure!(spec["hostPID"] == true, "the manifest's pod does not see the node's processes");

    let pod = containerd.pod_of_host("tidewaiter-0")?;
    let agent = pod.container_of(&agent(world, spec, name)?)?;
    let began = Instant::now();
    agent.start()?;
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"].map(|kind| command(spec, kind));
    for probe in probes {
        let probe = probe?;
        let words: Vec<&str> = probe.iter().map(String::as_str).collect();
        let what = format!("an answer to {words:?}; its log:\n{}", agent.log().unwrap_or_default());
        wait::until(READY_MAX, &what, || Ok((agent.exec(&words)?.status == 0).then_some(())))?;
    }
    let ready = began.elapsed();

    let neighbour = containerd.pod("neighbour")?;
    let shared = world.shared().display().to_string();
    let uploader = neighbour.container("uploader", IMAGE, Some((&shared, SHARED)), &UPLOAD)?;
    let ended = uploader.run()?;
    ensure!(ended.status == 0, "curl itself ended with {}: {}", ended.status, ended.output);
    let alert = alert(&agent, &uploader.id)?;
    for (field, expected) in [
        ("/orchestrator/resource/name", "neighbour"),
        ("/orchestrator/namespace", neighbour.spec.namespace.as_str()),
        ("/container/image/name", IMAGE),
        ("/process/name", "curl"),
    ] {
        ensure!(alert.pointer(field).is_some_and(|value| value == expected), "{field} of {alert}");
    }
    agent.stop()?;
    let status = agent.ended()?;
    ensure!(status == 0, "it ended with {status}:\n{}", agent.log()?);
    Ok(format!("ready after {} ms by the manifest's own probes", ready.as_millis()))
}

/// The container `agent` of base and overlay.
fn agent(world: &World, spec: &Value, image: String) -> Result<ContainerSpec> {
    let container = container(spec)?;
    let mounts = container["volumeMounts"].as_array().context("no volumeMounts")?;
    let mounts = mounts.iter().map(|mount| bind(world, spec, mount)).collect::<Result<_>>()?;
    Ok(ContainerSpec {
        name: text(&container["name"])?,
        image,
        args: texts(&container["args"])?,
        env: vec![("NODE_NAME".to_owned(), "node-1".to_owned())],
        mounts,
        security: Some(security()?),
        command: Vec::new(),
    })
}

/// A mount, with its volume's place on this host.
fn bind(world: &World, spec: &Value, mount: &Value) -> Result<Bind> {
    let volumes = spec["volumes"].as_array().context("no volumes")?;
    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
    let volume = volume.with_context(|| format!("no volume for {mount}"))?;
    let folder = world.directory().join("manifest").join(text(&mount["name"])?);
    let from = match volume.pointer("/hostPath/path").and_then(Value::as_str) {
        // As it is on each host.
        Some("/sys/fs/cgroup") => PathBuf::from("/sys/fs/cgroup"),
        // Of this test's containerd.
        Some("/run/containerd") => Containerd::state(world.directory()),
        Some("/var/lib/tidewaiter") | None => {
            fs::create_dir_all(&folder)?;
            if !volume["configMap"].is_null() {
                fs::write(folder.join("tidewaiter.yaml"), SETTINGS)?;
            }
            folder
        }
        Some(other) => anyhow::bail!("what {other} is in a test is not said here"),
    };
    Ok(Bind {
        from: from.display().to_string(),
        to: text(&mount["mountPath"])?,
        is_read_only: mount["readOnly"] == true,
    })
}

/// What the overlay adds.
fn security() -> Result<Security> {
    let overlay = yaml(LEAST)?;
    let patch = overlay.pointer("/patches/0/patch").and_then(Value::as_str).context("no patch")?;
    let patch = yaml(patch)?;
    let context = container(patch.pointer("/spec/template/spec").context("no pod in the patch")?)?;
    let context = &context["securityContext"];
    ensure!(context["privileged"] == false && context["seccompProfile"]["type"] == "RuntimeDefault");
    Ok(Security {
        add: texts(&context["capabilities"]["add"])?,
        drop: texts(&context["capabilities"]["drop"])?,
        is_read_only: context["readOnlyRootFilesystem"] == true,
        no_new_privs: context["allowPrivilegeEscalation"] == false,
    })
}

fn container(spec: &Value) -> Result<&Value> {
    spec.pointer("/containers/0").context("a pod without a container")
}

/// Of a probe by command.
fn command(spec: &Value, kind: &str) -> Result<Vec<String>> {
    texts(&container(spec)?[kind]["exec"]["command"])
}

/// The alert about a container in what `kubectl logs` would show.
fn alert(agent: &PodContainer<'_>, id: &str) -> Result<Value> {
    let of = |line: &str| {
        let document: Value = serde_json::from_str(line.get(line.find('{')?..)?).ok()?;
        let is_meant = document["kind"] == "alert" && document["container"]["id"] == id;
        is_meant.then_some(document)
    };
    let found =
        wait::until(ALERT_MAX, "an alert about the neighbour", || Ok(agent.log()?.lines().find_map(of)));
    found.with_context(|| format!("it said:\n{}", agent.log().unwrap_or_default()))
}

fn yaml(text: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(text)?)
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("{value} is no text"))
}

fn texts(value: &Value) -> Result<Vec<String>> {
    value.as_array().with_context(|| format!("{value} is no list"))?.iter().map(text).collect()
}
