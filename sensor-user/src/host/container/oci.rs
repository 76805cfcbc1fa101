//! OCI bundles: the `config.json` a runtime hands to runc or crun, and its annotations (OCI runtime
//! specification, config.md, "Annotations").

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Answer, STATE_MAX, read_json};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Pod, Runtime};

/// Directory of the bundles below containerd's state, one level of namespaces between.
const TASKS: &str = "io.containerd.runtime.v2.task";
/// Namespace in which Docker runs its containers.
const MOBY: &str = "moby";
/// Most containerd namespaces looked into: in practice there are three.
const NAMESPACES_MAX: usize = 64;

pub(super) type Annotations = BTreeMap<String, String>;

/// The one part of a bundle's configuration that says who the container is.
#[derive(Deserialize)]
pub(super) struct Bundle {
    #[serde(default)]
    pub(super) annotations: Option<Annotations>,
}

/// The container as this containerd knows it.
pub(super) fn lookup(state: &Path, identity: &CgroupIdentity) -> Answer {
    let Ok(namespaces) = std::fs::read_dir(state.join(TASKS)) else { return Ok(None) };
    for namespace in namespaces.flatten().take(NAMESPACES_MAX) {
        let path = namespace.path().join(&identity.id).join("config.json");
        if let Some(bundle) = read_json::<Bundle>(&path, STATE_MAX)? {
            let runtime = if namespace.file_name() == MOBY { Runtime::Docker } else { Runtime::Containerd };
            return Ok(Some(container(identity, runtime, &bundle.annotations.unwrap_or_default())));
        }
    }
    Ok(None)
}

/// What the annotations of containerd's CRI plug-in, of CRI-O and of nerdctl say.
pub(super) fn container(identity: &CgroupIdentity, runtime: Runtime, annotations: &Annotations) -> Container {
    let pod = pod(annotations);
    Container {
        runtime,
        name: first(
            annotations,
            &[
                "io.kubernetes.cri.container-name",
                "io.kubernetes.container.name",
                "io.kubernetes.cri-o.ContainerName",
                "nerdctl/name",
            ],
        ),
        image: first(
            annotations,
            &[
                "io.kubernetes.cri.image-name",
                "io.kubernetes.cri.podsandbox.image-name",
                "io.kubernetes.cri-o.ImageName",
            ],
        ),
        image_id: first(annotations, &["io.kubernetes.cri-o.ImageRef"]),
        pod_uid: pod.as_ref().map(|pod| pod.uid.clone()).or_else(|| identity.pod_uid.clone()),
        pod,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    }
}

/// The pod: under containerd's names, or under the kubelet's labels, which CRI-O copies. A pod
/// without a name is none.
pub(super) fn pod(annotations: &Annotations) -> Option<Pod> {
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
