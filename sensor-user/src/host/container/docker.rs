//! Docker's own record of a container: `<data root>/containers/<id>/config.v2.json`
//! (moby, daemon/container/container.go).

use std::path::Path;

use serde::Deserialize;

use super::oci::{Annotations, pod};
use super::{Answer, ContainerError, STATE_MAX, read_json};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Runtime};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    #[serde(rename = "ID")]
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
}

/// The container as this Docker knows it.
pub(super) fn lookup(root: &Path, identity: &CgroupIdentity) -> Answer {
    let path = root.join("containers").join(&identity.id).join("config.v2.json");
    let Some(record) = read_json::<Record>(&path, STATE_MAX)? else { return Ok(None) };
    if record.id != identity.id {
        let reason = format!("it tells of container {}", record.id);
        return Err(ContainerError::Malformed { path, reason });
    }
    // The kubelet's old Docker door (dockershim, cri-dockerd) leaves the pod in the labels.
    let labels = record.config.labels.unwrap_or_default();
    let pod = pod(&labels);
    let name = match labels.get("io.kubernetes.container.name") {
        Some(name) => Some(name.clone()),
        None => Some(record.name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty()),
    };
    Ok(Some(Container {
        runtime: Runtime::Docker,
        name,
        image: Some(record.config.image).filter(|image| !image.is_empty()),
        image_id: Some(record.image).filter(|image| !image.is_empty()),
        pod_uid: pod.as_ref().map(|pod| pod.uid.clone()).or_else(|| identity.pod_uid.clone()),
        pod,
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    }))
}
