//! Containers as the agent knows them: an id from the cgroup at once, names when they arrive.

mod table;
mod join;
mod stranger;
mod image;

use std::collections::BTreeMap;

use serde::Serialize;

pub use stranger::Strangers;
pub use table::{CONTAINER_KEPT, ContainerStats, ContainerTable, Present};

/// Digits of a container id as all engines make them (32 random bytes in hex).
pub const OCI_ID_DIGITS: usize = 64;

/// Which software runs a container, as far as its cgroup path or its state on disk tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    Docker,
    Containerd,
    #[serde(rename = "cri-o")]
    Crio,
    Podman,
    Lxc,
    Nspawn,
    /// Steps of image builds: Docker's, or `buildkitd`'s own.
    Buildkit,
    /// Steps of image builds: `buildah`'s and `podman build`'s.
    Buildah,
    /// runc without an engine above it.
    Runc,
    /// crun without an engine above it.
    Crun,
    /// A container id in a layout that does not tell whose it is (`/kubepods/.../<id>`).
    Unknown,
}

impl Runtime {
    /// The name ECS's `container.runtime` and rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Podman => "podman",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
            Self::Buildkit => "buildkit",
            Self::Buildah => "buildah",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Unknown => "unknown",
        }
    }

    /// What its containers are there for, where it makes them for one end only.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Buildkit | Self::Buildah => Role::Build,
            Self::Docker
            | Self::Containerd
            | Self::Crio
            | Self::Podman
            | Self::Lxc
            | Self::Nspawn
            | Self::Runc
            | Self::Crun
            | Self::Unknown => Role::Workload,
        }
    }
}

/// What a cgroup path says about a container. Pure text, so a claim until a runtime confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CgroupIdentity {
    /// Container id: 64 hex digits for the engines, 25 digits and letters for `BuildKit`, a name for all
    /// others.
    pub id: String,
    pub runtime: Runtime,
    /// Pod uid of a kubelet path (`pod<uid>`), with dashes whatever the driver made of them.
    pub pod_uid: Option<String>,
    /// Containers around this one by the same path, the outermost first (`/docker/<outer>/docker/<id>`).
    pub outer: Vec<(String, Runtime)>,
    /// Whose it is, where it lies in a user's own part of the tree (`user-1000.slice`): a rootless one.
    pub user: Option<u32>,
}

/// A pod: named by the container's own state on disk, the rest by the Kubernetes API where that is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pod {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    /// By the API; empty without it.
    pub labels: BTreeMap<String, String>,
    /// Who made it: the controller at the top of the line, as far as that may be read.
    pub owner: Option<Owner>,
    pub node: Option<String>,
    pub service_account: Option<String>,
}

/// Controller of a pod (`Deployment/web`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Owner {
    pub kind: String,
    pub name: String,
}

/// What a container is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[default]
    Workload,
    /// Holds the namespaces of a pod (Kubernetes' "pause").
    Sandbox,
    /// A step of an image build (`BuildKit`, Docker's classic builder, Buildah, Kaniko).
    Build,
}

/// What the runtimes say of a container's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// They are being asked: what they tell is neither known nor known to be absent.
    #[default]
    Asked,
    /// The own state of one of them knows it, and not what it is called: others are still asked.
    Partly,
    /// The own state of one of them knows it, and nobody is asked for more in a hurry.
    Known,
    /// None knew it in time: only a cgroup path says so, and anybody with root can make such a cgroup.
    Unknown,
}

impl Role {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Sandbox => "sandbox",
            Self::Build => "build",
        }
    }
}

/// A container: the id from the cgroup, the rest from its runtime's state on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub runtime: Runtime,
    pub name: Option<String>,
    /// Image reference as the runtime was asked for it (`docker.io/library/nginx:1.25`).
    pub image: Option<String>,
    /// Digest of the image's configuration (`sha256:...`), which Docker shows as its id.
    pub image_id: Option<String>,
    /// Digest of the image's manifest (`sha256:...`), by which a registry knows it.
    pub image_digest: Option<String>,
    pub pod: Option<Pod>,
    pub pod_uid: Option<String>,
    pub role: Role,
    /// Argument vectors with which its runtime asks for its health.
    pub probes: Vec<Vec<String>>,
    /// Ids of containers within it that no runtime of this host knows, from the outside in: the process is
    /// in the last of them.
    pub nested: Vec<String>,
    /// Whether more than a cgroup path speaks for this id.
    pub confirmation: Confirmation,
    /// The Kubernetes API is about to tell of its pod: labels, owner and service account are not known yet.
    pub awaits_pod: bool,
}

impl Container {
    /// What is known from the cgroup path alone.
    #[must_use]
    pub fn from_cgroup(identity: &CgroupIdentity) -> Self {
        Self {
            id: identity.id.clone(),
            runtime: identity.runtime,
            name: None,
            image: None,
            image_id: None,
            image_digest: None,
            pod: None,
            pod_uid: identity.pod_uid.clone(),
            role: identity.runtime.role(),
            probes: Vec::new(),
            nested: Vec::new(),
            confirmation: Confirmation::Asked,
            awaits_pod: false,
        }
    }

    /// Nothing more is to be had of its runtime: sandboxes and build steps have no names.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.name.is_some() || self.role != Role::Workload
    }

    /// A runtime's own state knows the id.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.confirmation, Confirmation::Partly | Confirmation::Known)
    }

    /// Nobody need be asked about it any more.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_verified() && self.is_named()
    }

    /// What its runtime has not told by now it does not have.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.confirmation == Confirmation::Known
    }

    /// The runtimes may still say what they know of it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        matches!(self.confirmation, Confirmation::Asked | Confirmation::Partly)
    }

    /// Somebody may still say more of it: its runtimes, or the Kubernetes API of its pod.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_asked() || self.awaits_pod
    }

    /// As people know it, see [`short_id`].
    #[must_use]
    pub fn short_id(&self) -> &str {
        short_id(&self.id)
    }
}

/// The twelve digits people know from `docker ps`; a name stays whole.
#[must_use]
pub fn short_id(id: &str) -> &str {
    id.get(..12).filter(|_| id.len() == OCI_ID_DIGITS).unwrap_or(id)
}
