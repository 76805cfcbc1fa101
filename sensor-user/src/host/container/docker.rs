//! Docker's own records: of a container `<data root>/containers/<id>/config.v2.json` (moby,
//! daemon/container/container.go), of images' names and digests `<data root>/image/<driver>/repositories.json`
//! (moby, daemon/internal/refstore), of a build step `<data root>/buildkit/executor/<id>/config.json`.

use std::path::Path;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::oci::{self, Annotations, Bundle};
use super::{Answer, ContainerError, Question, Root, STATE_MAX};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Role, Runtime};

/// Storage drivers with which a list of images may lie; overlay2 first, it is everybody's default.
const DRIVERS: [&str; 4] = ["overlay2", "vfs", "btrfs", "fuse-overlayfs"];
/// Longest health probe taken, bytes: as much of an argument vector as the kernel half tells.
const PROBE_MAX: usize = 8 * 1024;

/// Digest of the manifest, by the image's id.
pub(super) type Digests = FxHashMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    /// `Id` over the socket.
    #[serde(rename = "ID", alias = "Id")]
    id: String,
    #[serde(default)]
    name: String,
    /// Digest of the image (`sha256:...`).
    #[serde(default)]
    image: String,
    #[serde(default)]
    config: Config,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    /// The image as it was asked for.
    image: String,
    labels: Option<Annotations>,
    healthcheck: Option<Healthcheck>,
    shell: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Healthcheck {
    test: Option<Vec<String>>,
}

/// The part of `hostconfig.json` that tells a builder's container.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    log_config: LogConfig,
}

/// The same, where it comes with the rest.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(default)]
    host_config: Option<HostConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LogConfig {
    #[serde(rename = "Type")]
    kind: String,
}

/// Names of images, by repository: reference to id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Repositories {
    #[serde(default)]
    repositories: FxHashMap<String, FxHashMap<String, String>>,
}

/// The container as this Docker knows it.
pub(super) fn lookup(root: &Root, question: &Question<'_>) -> Answer {
    let identity = question.identity;
    let directory = Path::new("containers").join(&identity.id);
    let path = directory.join("config.v2.json");
    let Some(record) = root.read_json::<Record>(&path, STATE_MAX)? else { return Ok(None) };
    if record.id != identity.id {
        let reason = format!("it tells of container {}", record.id);
        return Err(ContainerError::Malformed { path: root.join(path), reason });
    }
    let read_host = || root.read_json(&directory.join("hostconfig.json"), STATE_MAX);
    let host: Option<HostConfig> = if is_bare(&record) { read_host()? } else { None };
    let digest = digest(root, question, &record.image)?;
    let container = container(record, host.as_ref(), identity);
    Ok(Some(Container { image_digest: container.image_digest.or(digest), ..container }))
}

/// The container as the Engine API tells it (`GET /containers/<id>/json`): the same parts under the same
/// names. None: it tells of another.
pub(in crate::host) fn inspected(
    body: &[u8],
    identity: &CgroupIdentity,
    runtime: Runtime,
) -> serde_json::Result<Option<Container>> {
    let record: Record = serde_json::from_slice(body)?;
    let Inspected { host_config } = serde_json::from_slice(body)?;
    let is_meant = record.id == identity.id;
    Ok(is_meant.then(|| Container { runtime, ..container(record, host_config.as_ref(), identity) }))
}

fn container(record: Record, host: Option<&HostConfig>, identity: &CgroupIdentity) -> Container {
    let role = role(&record, host);
    let probes = probes(&record.config);
    // The kubelet's old Docker door (dockershim, cri-dockerd) leaves the pod in the labels.
    let labels = record.config.labels.unwrap_or_default();
    let pod = oci::pod(&labels);
    let name = match labels.get("io.kubernetes.container.name") {
        Some(name) => Some(name.clone()),
        None => Some(record.name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty()),
    };
    Container {
        runtime: Runtime::Docker,
        name,
        image_digest: oci::digest_of(&record.config.image),
        image: Some(record.config.image).filter(|image| !image.is_empty()),
        image_id: Some(record.image).filter(|image| !image.is_empty()),
        pod_uid: pod.as_ref().map(|pod| pod.uid.clone()).or_else(|| identity.pod_uid.clone()),
        pod,
        role,
        probes,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    }
}

/// A step of a build that Docker's own `BuildKit` runs: its bundle lies there while it runs.
pub(super) fn lookup_step(root: &Root, question: &Question<'_>) -> Answer {
    let path = Path::new("buildkit/executor").join(&question.identity.id).join("config.json");
    let bundle = root.read_json::<Bundle>(&path, STATE_MAX)?;
    Ok(bundle.map(|_| Container {
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(question.identity)
    }))
}

/// What the classic builder makes has no health check (`NONE`), no log, and an image by its id
/// (moby, daemon/builder/dockerfile/internals.go and dispatchers.go: `withoutHealthcheck`,
/// `defaultLogConfig`); seen so of 20.10. Whoever may make such a container by hand may build as well.
fn role(record: &Record, host: Option<&HostConfig>) -> Role {
    let labels = record.config.labels.as_ref();
    let kind = labels.and_then(|labels| labels.get("io.kubernetes.docker.type")).map(String::as_str);
    let has_no_log = host.is_some_and(|host| host.log_config.kind == "none");
    match kind {
        Some("podsandbox") => Role::Sandbox,
        Some(_) | None if has_no_log && is_bare(record) => Role::Build,
        Some(_) | None => Role::Workload,
    }
}

fn is_bare(record: &Record) -> bool {
    let test = record.config.healthcheck.as_ref().and_then(|check| check.test.as_deref());
    test.is_some_and(|test| test == ["NONE"]) && record.config.image == record.image
}

/// The argument vector with which Docker asks for the container's health (moby, daemon/health.go:
/// `CMD` runs it as it is, `CMD-SHELL` by the image's shell, `/bin/sh -c` without one).
fn probes(config: &Config) -> Vec<Vec<String>> {
    let test = config.healthcheck.as_ref().and_then(|check| check.test.as_deref()).unwrap_or_default();
    let Some((kind, command)) = test.split_first() else { return Vec::new() };
    let shell = match kind.as_str() {
        "CMD" => Vec::new(),
        "CMD-SHELL" => match config.shell.as_deref() {
            Some(shell) if !shell.is_empty() => shell.to_vec(),
            Some(_) | None => vec!["/bin/sh".to_owned(), "-c".to_owned()],
        },
        _ => return Vec::new(),
    };
    let probe = [shell.as_slice(), command].concat();
    let size = probe.iter().map(|argument| argument.len() + 1).sum::<usize>();
    if command.is_empty() || size > PROBE_MAX { Vec::new() } else { vec![probe] }
}

/// The digest under which an image was pulled or pushed. None of what was built here.
fn digest(root: &Root, question: &Question<'_>, image_id: &str) -> Result<Option<String>, ContainerError> {
    for driver in DRIVERS {
        let path = Path::new("image").join(driver).join("repositories.json");
        if let Some(digests) = question.known.digests.read(root, &path, read_digests)? {
            return Ok(digests.get(image_id).cloned());
        }
    }
    Ok(None)
}

fn read_digests(bytes: &[u8]) -> serde_json::Result<Digests> {
    let Repositories { repositories } = serde_json::from_slice(bytes)?;
    let mut pairs: Vec<(String, String)> = repositories
        .into_values()
        .flatten()
        .filter_map(|(reference, id)| Some((id, oci::digest_of(&reference)?)))
        .collect();
    // An image may lie in several repositories under several digests: always the same of them.
    pairs.sort_unstable();
    pairs.reverse();
    Ok(pairs.into_iter().collect())
}
