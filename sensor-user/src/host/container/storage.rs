//! Podman and CRI-O: both keep their containers in containers/storage (its docs,
//! containers-storage(1)): a list of all containers, and a bundle for each.

use std::path::Path;

use serde::Deserialize;

use super::oci::{self, Annotations, Bundle};
use super::{Answer, ContainerError, STATE_MAX, read_json};
use crate::state::container::{CgroupIdentity, Container, Runtime};

/// Longest list of containers read, bytes: about 1 KiB for each.
const LIST_MAX: u64 = 16 * 1024 * 1024;
/// Directory of the list and the bundles, by storage driver; overlay first, it is everybody's default.
const DRIVERS: [&str; 3] = ["overlay-containers", "vfs-containers", "btrfs-containers"];

/// One container in `containers.json`.
#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    /// Id of the image.
    #[serde(default)]
    image: String,
    /// JSON in a string, the runtime's own.
    #[serde(default)]
    metadata: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Metadata {
    image_name: String,
    name: String,
    /// Written by CRI-O only.
    pod_name: Option<String>,
}

/// The container as the runtime that uses this storage knows it.
pub(super) fn lookup(root: &Path, identity: &CgroupIdentity) -> Answer {
    for driver in DRIVERS {
        let directory = root.join(driver);
        let path = directory.join(&identity.id).join("userdata").join("config.json");
        let bundle = read_json::<Bundle>(&path, STATE_MAX)?;
        let listed = listed(&directory.join("containers.json"), identity)?;
        if bundle.is_none() && listed.is_none() {
            continue;
        }
        let annotations = bundle.and_then(|bundle| bundle.annotations).unwrap_or_default();
        return Ok(Some(join(identity, &annotations, listed)));
    }
    Ok(None)
}

fn listed(path: &Path, identity: &CgroupIdentity) -> Result<Option<(Listed, Metadata)>, ContainerError> {
    let list = read_json::<Vec<Listed>>(path, LIST_MAX)?.unwrap_or_default();
    let Some(listed) = list.into_iter().find(|listed| listed.id == identity.id) else { return Ok(None) };
    // Another user of the library may keep anything there; then the names alone must do.
    let metadata = serde_json::from_str(&listed.metadata).unwrap_or_default();
    Ok(Some((listed, metadata)))
}

/// What the list says wins: Podman's bundles bear neither name nor image. In a pod the kubelet's name
/// for the container wins, for the list has CRI-O's composed one.
fn join(
    identity: &CgroupIdentity,
    annotations: &Annotations,
    listed: Option<(Listed, Metadata)>,
) -> Container {
    let manager = annotations.get("io.container.manager").map(String::as_str);
    let wrote_pod = listed.as_ref().is_some_and(|(_, metadata)| metadata.pod_name.is_some());
    let runtime = match manager {
        Some("cri-o") => Runtime::Crio,
        Some("libpod") => Runtime::Podman,
        Some(_) | None if wrote_pod => Runtime::Crio,
        Some(_) | None => identity.runtime,
    };
    let told = oci::container(identity, runtime, annotations);
    let Some((listed, metadata)) = listed else { return told };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let name = filled(metadata.name).or_else(|| listed.names.and_then(|names| names.into_iter().next()));
    Container {
        name: told.name.or(name),
        image: told.image.or_else(|| filled(metadata.image_name)),
        image_id: told.image_id.or_else(|| filled(listed.image)),
        ..told
    }
}
