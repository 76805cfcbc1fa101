//! Asks the container runtimes who a container is, by the files they keep: no socket, no wait.
//!
//! What is asked for is an id from a cgroup path; what comes back is a name, an image, a pod. An id
//! that no runtime's file knows stays unverified: anybody with root can make such a cgroup.

mod discovery;
mod root;
mod list;
mod docker;
mod oci;
mod storage;
mod standalone;
mod rootless;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::file::FileError;
use super::runtime::SocketPlace;
use crate::keeper::{self, Found};
use crate::state::cgroup_path;
use crate::state::container::{CgroupIdentity, Confirmation, Container, OCI_ID_DIGITS, Runtime};
pub(crate) use discovery::running_runtimes;
pub(super) use docker::inspected;
use list::Lists;
pub(super) use oci::{digest_of, pod as pod_of_labels};
use root::Root;
pub(crate) use rootless::USER_WAYS;
use rootless::UserRoots;
use standalone::Standalone;

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
    /// State directories of runc and crun (`--root`), for containers with no engine above them.
    pub runc: Vec<PathBuf>,
    /// Sockets of runtimes, asked where no file tells a name. Asked beside everything else, so a wrong one
    /// delays nothing.
    pub sockets: Vec<SocketPlace>,
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
            runc: paths(&["/run/runc", "/run/crun"]),
            sockets: Vec::new(),
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
            (&mut self.runc, other.runc),
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

    /// Folders below which root's runtimes keep files that are read.
    #[must_use]
    pub fn folders(&self) -> Vec<&Path> {
        let lists = [&self.docker, &self.containerd, &self.storage, &self.runc];
        lists.into_iter().flatten().map(PathBuf::as_path).collect()
    }

    fn none() -> Self {
        Self {
            docker: vec![],
            containerd: vec![],
            storage: vec![],
            lxc: vec![],
            nspawn: vec![],
            runc: vec![],
            sockets: vec![],
        }
    }
}

/// The runtimes of this host.
#[derive(Debug)]
pub struct ContainerSource {
    roots: Mutex<ContainerRoots>,
    /// When /proc was scanned last. Held for as long as a scan takes, apart from the roots: on a host with
    /// 30,000 processes that is a second, and the other questions go on.
    discovered_at: Mutex<Option<Instant>>,
    known: Remembered,
}

/// What was read before and need not be read again until it changes.
#[derive(Debug, Default)]
struct Remembered {
    containers: Lists<storage::Containers>,
    digests: Lists<docker::Digests>,
    standalone: Standalone,
    namespaces: oci::Namespaces,
}

/// Who is asked for, with what is remembered.
struct Question<'a> {
    identity: &'a CgroupIdentity,
    known: &'a Remembered,
}

impl ContainerSource {
    /// The configured roots, and those of the runtimes that run now.
    #[must_use]
    pub fn new(roots: ContainerRoots) -> Self {
        let source =
            Self { roots: Mutex::new(roots), discovered_at: Mutex::default(), known: Remembered::default() };
        source.discover();
        source
    }

    /// What the runtimes' files say of this container: verified, named where its runtime names it.
    /// None: no file knows it (yet, or any more). An error: a file was there and could not be used,
    /// and no other knew better.
    pub fn lookup(&self, identity: &CgroupIdentity) -> Result<Option<Container>, ContainerError> {
        let first = self.ask(identity);
        let is_answer = matches!(&first, Ok(Some(container)) if container.is_named());
        if is_answer || !self.discover() {
            return first;
        }
        self.ask(identity)
    }

    /// What they say of a cgroup whose path is no container's by its form: one that `ctr` made, or runc or
    /// crun with no engine above them. Costs some failed opens while nothing changes.
    pub fn lookup_cgroup(&self, path: &str) -> Result<Option<Container>, ContainerError> {
        let roots = self.roots();
        let user = cgroup_path::user(path).filter(|uid| *uid != 0).map(rootless::roots);
        for root in &hosts(&roots.containerd) {
            if let Some(container) = oci::lookup_path(root, path, &self.known.namespaces)? {
                return Ok(Some(container));
            }
        }
        let found = self.known.standalone.find(&hosts(&roots.runc), path);
        let found = found.or_else(|| self.known.standalone.find(&user.as_ref()?.runc, path));
        let Some(identity) = found else { return Ok(None) };
        // An engine may have put it where nobody looks for its containers.
        if identity.id.len() == OCI_ID_DIGITS {
            let identity = CgroupIdentity { runtime: Runtime::Unknown, ..identity.clone() };
            if let Some(container) = self.ask(&identity)? {
                return Ok(Some(container));
            }
        }
        Ok(Some(Container {
            name: Some(identity.id.clone()),
            confirmation: Confirmation::Known,
            ..Container::from_cgroup(&identity)
        }))
    }

    fn ask(&self, identity: &CgroupIdentity) -> Answer {
        let answer = search(&self.roots(), identity, &self.known);
        let Some(uid) = identity.user.filter(|uid| *uid != 0) else { return answer };
        // What root's runtimes know is theirs, whatever a user says.
        match answer {
            Ok(Some(container)) => Ok(Some(container)),
            // A user's broken file is no news for the operator: anybody can write one.
            Ok(None) => Ok(search_user(&rootless::roots(uid), identity, &self.known).unwrap_or_default()),
            Err(error) => Err(error),
        }
    }

    fn roots(&self) -> ContainerRoots {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks for runtimes with directories of their own. True if there were new ones; false also while
    /// another question is looking.
    fn discover(&self) -> bool {
        let Ok(mut discovered_at) = self.discovered_at.try_lock() else { return false };
        if discovered_at.is_some_and(|at| at.elapsed() < DISCOVERY_PAUSE) {
            return false;
        }
        let mut found = ContainerRoots::none();
        for runtime in keeper::discover(running_runtimes) {
            match runtime {
                Found::Docker(path) => found.docker.push(path),
                Found::Containerd(path) => found.containerd.push(path),
            }
        }
        *discovered_at = Some(Instant::now());
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).extend(found)
    }
}

type Answer = Result<Option<Container>, ContainerError>;

/// Asks every source that could know the id; the first that knows a name wins, then the first that
/// knows the id at all.
fn search(roots: &ContainerRoots, identity: &CgroupIdentity, known: &Remembered) -> Answer {
    let question = Question { identity, known };
    match identity.runtime {
        // A layout may be shared (`/kubepods/.../<id>`), a Docker container lies in containerd too:
        // an OCI id is asked for everywhere.
        Runtime::Docker | Runtime::Containerd | Runtime::Crio | Runtime::Podman | Runtime::Unknown => {
            engines(&question, &hosts(&roots.docker), &hosts(&roots.storage), &hosts(&roots.containerd))
        }
        Runtime::Buildkit => {
            best(hosts(&roots.docker).iter().map(|root| docker::lookup_step(root, &question)))
        }
        Runtime::Buildah => Ok(Standalone::named(&hosts(&roots.runc), identity)),
        Runtime::Lxc => best(roots.lxc.iter().map(|root| Ok(registered(root, &["config"], identity)))),
        Runtime::Nspawn => best(roots.nspawn.iter().map(|root| Ok(registered(root, &[], identity)))),
        // No path is of their form: they are found by `lookup_cgroup`.
        Runtime::Runc | Runtime::Crun => Ok(None),
    }
}

/// The same, of what a user's own runtimes keep.
fn search_user(roots: &UserRoots, identity: &CgroupIdentity, known: &Remembered) -> Answer {
    let question = Question { identity, known };
    match identity.runtime {
        Runtime::Docker | Runtime::Containerd | Runtime::Crio | Runtime::Podman | Runtime::Unknown => {
            engines(&question, &roots.docker, &roots.storage, &roots.containerd)
        }
        Runtime::Buildkit => best(roots.docker.iter().map(|root| docker::lookup_step(root, &question))),
        Runtime::Buildah => Ok(Standalone::named(&roots.runc, identity)),
        Runtime::Lxc | Runtime::Nspawn | Runtime::Runc | Runtime::Crun => Ok(None),
    }
}

fn engines(question: &Question<'_>, docker: &[Root], storage: &[Root], containerd: &[Root]) -> Answer {
    best(
        (docker.iter().map(|root| docker::lookup(root, question)))
            .chain(std::iter::once_with(|| storage::lookup(storage, question)))
            .chain(containerd.iter().map(|root| oci::lookup(root, question))),
    )
}

fn best(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut best = None;
    let mut error = None;
    for answer in answers {
        match answer {
            Ok(Some(container)) if container.is_named() => return Ok(Some(container)),
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

fn hosts(paths: &[PathBuf]) -> Vec<Root> {
    paths.iter().map(|path| Root::of_host(path)).collect()
}

/// LXC and nspawn know their containers by name: the name is the answer, a file the proof.
fn registered(root: &Path, inside: &[&str], identity: &CgroupIdentity) -> Option<Container> {
    let mut path = root.join(&identity.id);
    path.extend(inside);
    // Incus and LXD keep no `config` but a directory for each container.
    let is_known = path.exists() || (!inside.is_empty() && root.join(&identity.id).is_dir());
    is_known.then(|| Container {
        name: Some(identity.id.clone()),
        confirmation: Confirmation::Known,
        ..Container::from_cgroup(identity)
    })
}

#[cfg(test)]
mod tests;
