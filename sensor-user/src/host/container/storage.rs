//! Podman and CRI-O: both keep their containers in containers/storage (its docs,
//! containers-storage(1)): a list of all containers, a bundle for each, and a list of all images.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::docker::Digests;
use super::oci::{self, Annotations, Bundle};
use super::{Answer, ContainerError, Question, Root, STATE_MAX};
use crate::state::container::{CgroupIdentity, Container, OCI_ID_DIGITS, Role, Runtime};

/// Directory of the list and the bundles, by storage driver, and that of the images' list; overlay first, it
/// is everybody's default.
const DRIVERS: [(&str, &str); 3] = [
    ("overlay-containers", "overlay-images"),
    ("vfs-containers", "vfs-images"),
    ("btrfs-containers", "btrfs-images"),
];
/// The image of which Podman makes the container that holds a pod's namespaces (containers/podman,
/// pkg/specgen/generate/pause_image.go).
const PAUSE: &str = "localhost/podman-pause:";

/// The containers of one storage, by id.
pub(super) type Containers = FxHashMap<String, Arc<Listed>>;

/// One container in `containers.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
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

/// One image in `images.json`.
#[derive(Deserialize)]
struct Image {
    id: String,
    /// Of its manifest.
    #[serde(default)]
    digest: String,
}

/// The container as the runtime that uses these directories knows it. The bundle may lie in the run root, the
/// lists in the graph root: what one of them tells is told together.
pub(super) fn lookup(roots: &[Root], question: &Question<'_>) -> Answer {
    let mut bundle = None;
    let mut listed = None;
    let mut error = None;
    for (root, driver) in roots.iter().flat_map(|root| DRIVERS.map(|driver| (root, driver))) {
        match look(root, driver, question) {
            Ok((found, entry)) => {
                bundle = bundle.or(found);
                listed = listed.or(entry);
            }
            Err(reason) => error = error.or(Some(reason)),
        }
    }
    if bundle.is_none() && listed.is_none() {
        return error.map_or(Ok(None), Err);
    }
    let annotations = bundle.and_then(|bundle: Bundle| bundle.annotations).unwrap_or_default();
    let (listed, digest) = listed.unzip();
    let container = join(question.identity, &annotations, listed.as_deref());
    let image_digest = container.image_digest.or(digest.flatten());
    Ok(Some(Container { image_digest, ..container }))
}

/// An entry of the list, with the digest of its image.
type Entry = (Arc<Listed>, Option<String>);

fn look(
    root: &Root,
    (containers, images): (&str, &str),
    question: &Question<'_>,
) -> Result<(Option<Bundle>, Option<Entry>), ContainerError> {
    let directory = Path::new(containers);
    let path = directory.join(&question.identity.id).join("userdata").join("config.json");
    let bundle = root.read_json::<Bundle>(&path, STATE_MAX)?;
    let list = question.known.containers.read(root, &directory.join("containers.json"), read_containers)?;
    let Some(listed) = list.and_then(|list| list.get(&question.identity.id).cloned()) else {
        return Ok((bundle, None));
    };
    let digest = digest(root, question, &Path::new(images).join("images.json"), &listed.image)?;
    Ok((bundle, Some((listed, digest))))
}

fn read_containers(bytes: &[u8]) -> serde_json::Result<Containers> {
    let list: Vec<Listed> = serde_json::from_slice(bytes)?;
    Ok(list.into_iter().map(|listed| (listed.id.clone(), Arc::new(listed))).collect())
}

fn digest(
    root: &Root,
    question: &Question<'_>,
    path: &Path,
    image_id: &str,
) -> Result<Option<String>, ContainerError> {
    let digests = question.known.digests.read(root, path, read_digests)?;
    Ok(digests.and_then(|digests| digests.get(image_id).cloned()))
}

fn read_digests(bytes: &[u8]) -> serde_json::Result<Digests> {
    let images: Vec<Image> = serde_json::from_slice(bytes)?;
    Ok(images
        .into_iter()
        .filter(|image| !image.digest.is_empty())
        .map(|image| (image.id, image.digest))
        .collect())
}

/// What the list says wins: Podman's bundles bear neither name nor image. In a pod the kubelet's name
/// for the container wins, for the list has CRI-O's composed one.
fn join(identity: &CgroupIdentity, annotations: &Annotations, listed: Option<&Listed>) -> Container {
    // Another user of the library may keep anything there; then the names alone must do.
    let metadata: Metadata =
        listed.and_then(|listed| serde_json::from_str(&listed.metadata).ok()).unwrap_or_default();
    let manager = annotations.get("io.container.manager").map(String::as_str);
    let runtime = match manager {
        Some("cri-o") => Runtime::Crio,
        Some("libpod") => Runtime::Podman,
        Some(_) | None if metadata.pod_name.is_some() => Runtime::Crio,
        Some(_) | None => identity.runtime,
    };
    let told = oci::container(identity, runtime, annotations);
    let Some(listed) = listed else { return told };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let name =
        filled(metadata.name).or_else(|| listed.names.as_ref().and_then(|names| names.first().cloned()));
    let image = told.image.or_else(|| filled(metadata.image_name));
    let is_pause = image.as_ref().is_some_and(|image| image.starts_with(PAUSE));
    Container {
        role: if is_pause { Role::Sandbox } else { told.role },
        name: told.name.or(name),
        image_digest: told.image_digest.or_else(|| image.as_deref().and_then(oci::digest_of)),
        image,
        image_id: told.image_id.or_else(|| filled(listed.image.clone())).map(with_algorithm),
        ..told
    }
}

/// containers/storage writes an image's id without its algorithm, Docker with it: told in one way.
fn with_algorithm(id: String) -> String {
    if id.len() == OCI_ID_DIGITS { format!("sha256:{id}") } else { id }
}
