//! Containers as the agent knows them: an id from the cgroup at once, names when they arrive.

mod table;

use serde::Serialize;

pub use table::{CONTAINER_KEPT, ContainerStats, ContainerTable};

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
            Self::Unknown => "unknown",
        }
    }
}

/// What a cgroup path says about a container. Pure text, so a claim until a runtime confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CgroupIdentity {
    /// Container id: 64 hex digits for the OCI runtimes, a name for LXC and nspawn.
    pub id: String,
    pub runtime: Runtime,
    /// Pod uid of a kubelet path (`pod<uid>`), with dashes whatever the driver made of them.
    pub pod_uid: Option<String>,
}

/// A pod, as the container's own state on disk names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pod {
    pub name: String,
    pub namespace: String,
    pub uid: String,
}

/// A container: the id from the cgroup, the rest from its runtime's state on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub runtime: Runtime,
    pub name: Option<String>,
    /// Image reference as the runtime was asked for it (`docker.io/library/nginx:1.25`).
    pub image: Option<String>,
    pub image_id: Option<String>,
    pub pod: Option<Pod>,
    pub pod_uid: Option<String>,
    /// A runtime's own state knows this id. False: only a cgroup path says so.
    pub verified: bool,
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
            pod: None,
            pod_uid: identity.pod_uid.clone(),
            verified: false,
        }
    }

    /// The twelve digits people know from `docker ps`.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}
