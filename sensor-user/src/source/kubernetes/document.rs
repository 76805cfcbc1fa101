//! The parts of Kubernetes' documents that are read, and what becomes of them. Every part may be missing: the API
//! leaves out what is empty, and a bookmark is a pod with nothing but a version.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::state::container::{Owner, Pod, Runtime};
use crate::state::pod::{PodContainer, PodFacts};

/// `PodList`.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    pub(super) metadata: ListMeta,
    #[serde(default)]
    items: Option<Vec<PodDocument>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(default)]
    pub(super) resource_version: String,
}

impl List {
    pub(super) fn pods(self) -> impl Iterator<Item = PodDocument> {
        self.items.into_iter().flatten()
    }
}

/// One line of a watch.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
pub(super) enum Change {
    Added(PodDocument),
    Modified(PodDocument),
    Deleted(PodDocument),
    /// How far the watch is: nothing has changed.
    Bookmark(PodDocument),
    Error(Status),
}

/// `Status`: why not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) message: String,
}

/// `Pod`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodDocument {
    metadata: Metadata,
    spec: Option<Spec>,
    status: Option<PodStatus>,
}

/// `ObjectMeta`, of pods and of what makes them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    owner_references: Option<Vec<OwnerReference>>,
}

/// The one annotation that is read; the last applied configuration, which stands beside it, is long.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    /// Of the API's copy of a static pod: the uid under which the kubelet runs it.
    #[serde(rename = "kubernetes.io/config.mirror")]
    mirror: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    service_account_name: Option<String>,
    init_containers: Option<Vec<ContainerSpec>>,
    containers: Option<Vec<ContainerSpec>>,
    ephemeral_containers: Option<Vec<ContainerSpec>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerSpec {
    name: String,
    image: Option<String>,
    liveness_probe: Option<Probe>,
    readiness_probe: Option<Probe>,
    startup_probe: Option<Probe>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Probe {
    exec: Option<ExecAction>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExecAction {
    command: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    init_container_statuses: Option<Vec<ContainerStatus>>,
    container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
}

/// What makes pods, as far as it is asked for (`PartialObjectMetadata`).
#[derive(Debug, Deserialize)]
pub(super) struct Maker {
    metadata: Metadata,
}

impl Maker {
    /// Its controller.
    pub(super) fn owner(self) -> Option<Owner> {
        controller(self.metadata.owner_references)
    }
}

impl PodDocument {
    pub(super) fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Uid by which the node knows it, in its cgroups and bundles: of a static pod another than the API's own.
    pub(super) fn uid(&self) -> &str {
        let mirror = self.metadata.annotations.as_ref().and_then(|annotations| annotations.mirror.as_deref());
        mirror.filter(|uid| !uid.is_empty()).unwrap_or(&self.metadata.uid)
    }

    /// Node that it says it is on.
    pub(super) fn node(&self) -> Option<&str> {
        self.spec.as_ref()?.node_name.as_deref()
    }

    pub(super) fn facts(self) -> PodFacts {
        let uid = self.uid().to_owned();
        let Self { metadata, spec, status } = self;
        let Spec { node_name, service_account_name, init_containers, containers, ephemeral_containers } =
            spec.unwrap_or_default();
        let status = status.unwrap_or_default();
        let statuses: Vec<ContainerStatus> =
            [status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses]
                .into_iter()
                .flatten()
                .flatten()
                .collect();
        let silent = ContainerStatus::default();
        // Those of the workload first: they are kept where a pod has too many.
        let specs = [containers, init_containers, ephemeral_containers].into_iter().flatten().flatten();
        let containers = specs
            .map(|spec| {
                // Names are unique in a pod, over all three kinds.
                let status = statuses.iter().find(|status| status.name == spec.name).unwrap_or(&silent);
                container(spec, status)
            })
            .collect();
        let pod = Pod {
            name: metadata.name,
            namespace: metadata.namespace,
            uid,
            labels: metadata.labels.unwrap_or_default(),
            owner: controller(metadata.owner_references),
            node: known(node_name),
            service_account: known(service_account_name),
        };
        PodFacts { pod, containers }
    }
}

fn container(spec: ContainerSpec, status: &ContainerStatus) -> PodContainer {
    let (runtime, id) = status.container_id.as_deref().map_or((Runtime::Unknown, None), container_id);
    let (image_id, image_digest) = status.image_id.as_deref().map_or((None, None), image_id);
    let probes = [spec.liveness_probe, spec.readiness_probe, spec.startup_probe].into_iter().flatten();
    let commands = probes.filter_map(|probe| probe.exec?.command.filter(|command| !command.is_empty()));
    PodContainer {
        name: spec.name,
        image: known(spec.image),
        id,
        runtime,
        image_id,
        image_digest,
        probes: commands.collect(),
    }
}

/// `containerd://<id>`: the runtime, by the name it gives itself to the kubelet, and its id.
fn container_id(text: &str) -> (Runtime, Option<String>) {
    let Some((runtime, id)) = text.split_once("://") else { return (Runtime::Unknown, None) };
    let runtime = match runtime {
        "containerd" => Runtime::Containerd,
        "cri-o" => Runtime::Crio,
        "docker" => Runtime::Docker,
        _ => Runtime::Unknown,
    };
    (runtime, known(Some(id.to_owned())))
}

/// `repository@sha256:...` is the manifest's digest; `sha256:...` alone is the image's own, of an image that no
/// registry has.
fn image_id(text: &str) -> (Option<String>, Option<String>) {
    let is_digest = |digest: &str| digest.starts_with("sha256:");
    match text.rsplit_once('@') {
        Some((_, digest)) if is_digest(digest) => (None, Some(digest.to_owned())),
        None if is_digest(text) => (Some(text.to_owned()), None),
        Some(_) | None => (None, None),
    }
}

/// The one owner that acts; others may hold a pod only against being deleted.
fn controller(references: Option<Vec<OwnerReference>>) -> Option<Owner> {
    let controller = references?.into_iter().find(|reference| reference.controller == Some(true))?;
    Some(Owner { kind: controller.kind, name: controller.name })
}

fn known(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
