//! Asks the container runtimes who a container is, by the files they keep: no socket, no wait.
//!
//! What is asked for is an id from a cgroup path; what comes back is a name, an image, a pod. An id
//! that no runtime's file knows stays unverified: anybody with root can make such a cgroup.

mod discovery;
mod docker;
mod oci;
mod storage;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::file::{self, FileError};
use crate::state::container::{CgroupIdentity, Confirmation, Container, Runtime};

/// Longest state file of one container read, bytes. An OCI bundle with a long environment and
/// hundreds of mounts has some 100 KiB.
const STATE_MAX: u64 = 4 * 1024 * 1024;
/// How often at most /proc is scanned for runtimes with directories of their own. A scan takes some
/// milliseconds; an unknown id is asked for several times (`state::container`).
const DISCOVERY_PAUSE: Duration = Duration::from_secs(5);

/// Why a runtime's file told nothing. A missing one is no error.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{} is not what its runtime writes: {reason}; the container stays unnamed until it is", .path.display())]
    Malformed { path: PathBuf, reason: String },
}

/// Where the runtimes keep their state, on the host. Each list is tried in order; directories that do
/// not exist cost one failed open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerRoots {
    /// Docker's data roots (`--data-root`).
    pub docker: Vec<PathBuf>,
    /// containerd's state directories (`state` in its configuration): bundles lie below.
    pub containerd: Vec<PathBuf>,
    /// Graph and run roots of containers/storage: Podman and CRI-O.
    pub storage: Vec<PathBuf>,
    /// LXC's and Incus's container directories (`lxc.lxcpath`).
    pub lxc: Vec<PathBuf>,
    /// Where systemd-machined registers machines.
    pub nspawn: Vec<PathBuf>,
}

impl Default for ContainerRoots {
    fn default() -> Self {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect();
        Self {
            docker: paths(&["/var/lib/docker", "/var/snap/docker/common/var-lib-docker"]),
            containerd: paths(&[
                "/run/containerd",
                "/run/docker/containerd/daemon",
                "/run/k3s/containerd",
                "/var/snap/microk8s/common/run/containerd",
            ]),
            storage: paths(&["/run/containers/storage", "/var/lib/containers/storage"]),
            lxc: paths(&["/var/lib/lxc", "/var/lib/lxd/containers", "/var/lib/incus/containers"]),
            nspawn: paths(&["/run/systemd/machines"]),
        }
    }
}

impl ContainerRoots {
    /// Takes over what is not there yet. True if anything was not.
    fn extend(&mut self, other: Self) -> bool {
        let mut grew = false;
        let lists = [
            (&mut self.docker, other.docker),
            (&mut self.containerd, other.containerd),
            (&mut self.storage, other.storage),
            (&mut self.lxc, other.lxc),
            (&mut self.nspawn, other.nspawn),
        ];
        for (list, more) in lists {
            for path in more {
                if !list.contains(&path) {
                    list.push(path);
                    grew = true;
                }
            }
        }
        grew
    }

    fn none() -> Self {
        Self { docker: vec![], containerd: vec![], storage: vec![], lxc: vec![], nspawn: vec![] }
    }
}

/// The runtimes of this host.
#[derive(Debug)]
pub struct ContainerSource {
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    roots: ContainerRoots,
    discovered_at: Option<Instant>,
}

impl ContainerSource {
    /// The configured roots, and those of the runtimes that run now.
    #[must_use]
    pub fn new(roots: ContainerRoots) -> Self {
        let source = Self { known: Mutex::new(Known { roots, discovered_at: None }) };
        source.discover();
        source
    }

    /// What the runtimes' files say of this container: verified, named where its runtime names it.
    /// None: no file knows it (yet, or any more). An error: a file was there and could not be used,
    /// and no other knew better.
    pub fn lookup(&self, identity: &CgroupIdentity) -> Result<Option<Container>, ContainerError> {
        let first = search(&self.roots(), identity);
        let is_answer = matches!(&first, Ok(Some(container)) if container.name.is_some());
        if is_answer || !self.discover() {
            return first;
        }
        search(&self.roots(), identity)
    }

    fn roots(&self) -> ContainerRoots {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).roots.clone()
    }

    /// Looks for runtimes with directories of their own. True if there were new ones.
    fn discover(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.discovered_at.is_some_and(|at| at.elapsed() < DISCOVERY_PAUSE) {
            return false;
        }
        known.discovered_at = Some(Instant::now());
        known.roots.extend(discovery::running_runtimes())
    }
}

type Answer = Result<Option<Container>, ContainerError>;

/// Asks every source that could know the id; the first that knows a name wins, then the first that
/// knows the id at all.
fn search(roots: &ContainerRoots, identity: &CgroupIdentity) -> Answer {
    let mut best = None;
    let mut error = None;
    for answer in answers(roots, identity) {
        match answer {
            Ok(Some(container)) if container.name.is_some() => return Ok(Some(container)),
            Ok(Some(container)) => best = best.or(Some(container)),
            Ok(None) => {}
            Err(reason) => error = error.or(Some(reason)),
        }
    }
    match (best, error) {
        (Some(container), _) => Ok(Some(container)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

fn answers<'a>(
    roots: &'a ContainerRoots,
    identity: &'a CgroupIdentity,
) -> Box<dyn Iterator<Item = Answer> + 'a> {
    match identity.runtime {
        // A layout may be shared (`/kubepods/.../<id>`), a Docker container lies in containerd too:
        // an OCI id is asked for everywhere.
        Runtime::Docker | Runtime::Containerd | Runtime::Crio | Runtime::Podman | Runtime::Unknown => {
            Box::new(
                (roots.docker.iter().map(|root| docker::lookup(root, identity)))
                    .chain(roots.storage.iter().map(|root| storage::lookup(root, identity)))
                    .chain(roots.containerd.iter().map(|root| oci::lookup(root, identity))),
            )
        }
        Runtime::Lxc => Box::new(roots.lxc.iter().map(|root| registered(root, &["config"], identity))),
        Runtime::Nspawn => Box::new(roots.nspawn.iter().map(|root| registered(root, &[], identity))),
    }
}

/// LXC and nspawn know their containers by name: the name is the answer, a file the proof.
fn registered(root: &std::path::Path, inside: &[&str], identity: &CgroupIdentity) -> Answer {
    let mut path = root.join(&identity.id);
    path.extend(inside);
    // Incus and LXD keep no `config` but a directory for each container.
    let is_known = path.exists() || (!inside.is_empty() && root.join(&identity.id).is_dir());
    Ok(is_known.then(|| Container {
        name: Some(identity.id.clone()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    }))
}

/// A JSON file of a runtime. None: not there.
fn read_json<T: DeserializeOwned>(path: &std::path::Path, max: u64) -> Result<Option<T>, ContainerError> {
    let Some(bytes) = file::read(path, max)? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(reason) => Err(ContainerError::Malformed { path: path.to_owned(), reason: reason.to_string() }),
    }
}

#[cfg(test)]
mod tests;
