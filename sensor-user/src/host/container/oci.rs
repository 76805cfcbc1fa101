//! OCI bundles: the `config.json` a runtime hands to runc or crun, and its annotations (OCI runtime
//! specification, config.md, "Annotations").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::root::Stamp;
use super::{Answer, Question, Root, STATE_MAX};
use crate::state::container::{CgroupIdentity, Confirmation, Container, OCI_ID_DIGITS, Pod, Role, Runtime};

/// Directory of the bundles below containerd's state, one level of namespaces between.
const TASKS: &str = "io.containerd.runtime.v2.task";
/// Namespace in which Docker runs its containers.
const MOBY: &str = "moby";
/// Most containerd namespaces looked into: in practice there are three.
const NAMESPACES_MAX: usize = 64;

/// Most containerds whose namespaces are remembered: the configured ones and those that run.
const DAEMONS_MAX: usize = 64;

/// Most directories looked at from the inside out: containerd's own cgroups lie in the second.
const DEPTH_MAX: usize = 8;

pub(in crate::host) type Annotations = BTreeMap<String, String>;

/// The parts of a bundle's configuration that say who the container is.
#[derive(Deserialize)]
pub(super) struct Bundle {
    #[serde(default)]
    pub(super) annotations: Option<Annotations>,
    #[serde(default)]
    linux: Linux,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Linux {
    cgroups_path: String,
}

/// The namespaces of each containerd, remembered until one comes or goes: they are asked for with each cgroup.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    known: Mutex<FxHashMap<PathBuf, Listed>>,
}

/// Names in a directory, and when they were these.
#[derive(Debug)]
struct Listed {
    stamp: Stamp,
    names: Arc<[String]>,
}

impl Namespaces {
    fn of(&self, state: &Root) -> Arc<[String]> {
        let tasks = Path::new(TASKS);
        // Before the names: what comes between the two is read again next time.
        let Some(stamp) = state.stamp(tasks) else { return Arc::default() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let place = state.join(tasks);
        match known.get(&place) {
            Some(listed) if listed.stamp == stamp => Arc::clone(&listed.names),
            Some(_) | None => {
                let names: Arc<[String]> = state.names(tasks, NAMESPACES_MAX).into();
                if known.len() >= DAEMONS_MAX {
                    known.clear();
                }
                known.insert(place, Listed { stamp, names: Arc::clone(&names) });
                names
            }
        }
    }
}

/// The container as this containerd knows it.
pub(super) fn lookup(state: &Root, question: &Question<'_>) -> Answer {
    for namespace in question.known.namespaces.of(state).iter() {
        let path = Path::new(TASKS).join(namespace).join(&question.identity.id).join("config.json");
        if let Some(bundle) = state.read_json::<Bundle>(&path, STATE_MAX)? {
            let runtime = if namespace == MOBY { Runtime::Docker } else { Runtime::Containerd };
            return Ok(Some(container(question.identity, runtime, &bundle.annotations.unwrap_or_default())));
        }
    }
    Ok(None)
}

/// The container whose bundle names this cgroup, or one above it: `ctr` gives containers any name, and its
/// cgroup bears that.
pub(super) fn lookup_path(state: &Root, path: &str, known: &Namespaces) -> Answer {
    let components: Vec<&str> = path.split('/').filter(|component| !component.is_empty()).collect();
    let namespaces = if components.is_empty() { Arc::default() } else { known.of(state) };
    let depths = (1..=components.len()).rev().take(DEPTH_MAX);
    for (depth, namespace) in depths.flat_map(|depth| namespaces.iter().map(move |name| (depth, name))) {
        let Some((id, above)) = components.get(..depth).and_then(<[&str]>::split_last) else { continue };
        if id.starts_with('.') {
            continue;
        }
        let bundle = Path::new(TASKS).join(namespace).join(id).join("config.json");
        let Some(bundle) = state.read_json::<Bundle>(&bundle, STATE_MAX)? else { continue };
        let cgroup = [&[""], above, &[id]].concat().join("/");
        if bundle.linux.cgroups_path != cgroup {
            continue;
        }
        let identity = CgroupIdentity {
            id: (*id).to_owned(),
            runtime: Runtime::Containerd,
            pod_uid: None,
            outer: Vec::new(),
            user: None,
        };
        let told = container(&identity, Runtime::Containerd, &bundle.annotations.unwrap_or_default());
        let name = told.name.or_else(|| Some(identity.id.clone()));
        return Ok(Some(Container { name, ..told }));
    }
    Ok(None)
}

/// What the annotations of containerd's CRI plug-in, of CRI-O and of nerdctl say.
pub(super) fn container(identity: &CgroupIdentity, runtime: Runtime, annotations: &Annotations) -> Container {
    let pod = pod(annotations);
    let image = first(
        annotations,
        &[
            "io.kubernetes.cri.image-name",
            "io.kubernetes.cri.podsandbox.image-name",
            "io.kubernetes.cri-o.ImageName",
        ],
    );
    // containerd, pkg/cri/annotations; cri-o, pkg/annotations.
    let kind = first(annotations, &["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"]);
    let is_sandbox = kind.is_some_and(|kind| kind == "sandbox");
    Container {
        runtime,
        role: if is_sandbox { Role::Sandbox } else { runtime.role() },
        name: first(
            annotations,
            &[
                "io.kubernetes.cri.container-name",
                "io.kubernetes.container.name",
                "io.kubernetes.cri-o.ContainerName",
                "nerdctl/name",
            ],
        ),
        image_digest: image.as_deref().and_then(digest_of),
        image,
        image_id: first(annotations, &["io.kubernetes.cri-o.ImageRef"]),
        pod_uid: pod.as_ref().map(|pod| pod.uid.clone()).or_else(|| identity.pod_uid.clone()),
        pod,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    }
}

/// The pod: under containerd's names, or under the kubelet's labels, which CRI-O copies. A pod
/// without a name is none.
pub(in crate::host) fn pod(annotations: &Annotations) -> Option<Pod> {
    let name = first(annotations, &["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"])?;
    let namespace =
        first(annotations, &["io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"]);
    let uid = first(annotations, &["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"]);
    Some(Pod {
        name,
        namespace: namespace.unwrap_or_default(),
        uid: uid.unwrap_or_default(),
        ..Pod::default()
    })
}

fn first(annotations: &Annotations, keys: &[&str]) -> Option<String> {
    keys.iter().filter_map(|key| annotations.get(*key)).find(|value| !value.is_empty()).cloned()
}

/// Digest in an image reference (`nginx@sha256:...`, or `...:1.25@sha256:...`).
pub(in crate::host) fn digest_of(reference: &str) -> Option<String> {
    let (_, digest) = reference.rsplit_once('@')?;
    let hex = digest.strip_prefix("sha256:")?;
    let is_digest = hex.len() == OCI_ID_DIGITS && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| digest.to_owned())
}
