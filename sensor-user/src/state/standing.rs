//! What speaks for a process's container, and where its witnesses disagree.
//!
//! A container is taken at the first sight and inherited by fork. Cgroup, mount namespace and pid
//! namespace are asked each time: each says the host, one container, or nothing. One witness alone can
//! be bought (any root writes itself into any cgroup), so where they differ all are told.

mod judge;
mod owner;
mod period;

use std::sync::Arc;

pub use judge::{Evidence, Judgement, judge};
pub use owner::{Namespaces, Owners};
pub use period::Periods;

/// What one witness says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// It says nothing: not known, or a namespace no container is known to own.
    #[default]
    Unknown,
    Host,
    Container(Arc<str>),
}

impl Claim {
    /// As rules see it: `host`, or the container's id; nothing where it says nothing.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Host => Some("host"),
            Self::Container(id) => Some(id),
        }
    }

    /// The container's id, where one is claimed.
    #[must_use]
    pub fn container(&self) -> Option<&Arc<str>> {
        match self {
            Self::Container(id) => Some(id),
            Self::Unknown | Self::Host => None,
        }
    }
}

/// What the witnesses of one process say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub cgroup: Claim,
    pub mount: Claim,
    pub pid: Claim,
    /// How they differ from each other, or from the container the process was first seen in.
    pub trick: Option<Trick>,
    pub entry: Entry,
}

/// What was done to get from one container to another, or to the host, as far as it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trick {
    /// A container's process sits in a cgroup of the host or of another container.
    CgroupLeft,
    /// A process of the host, or of another container, sits in a container's cgroup and not in its
    /// namespaces.
    CgroupJoined,
    /// It sits in a cgroup that is called like a container's, and no runtime knows that container.
    CgroupForged,
    /// A process of the host, or of another container, is in a container's namespaces and not in its
    /// cgroup (`nsenter`).
    NamespaceEntered,
    /// A container's process is in the host's mount namespace.
    NamespaceLeft,
}

impl Trick {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CgroupLeft => "cgroup_left",
            Self::CgroupJoined => "cgroup_joined",
            Self::CgroupForged => "cgroup_forged",
            Self::NamespaceEntered => "namespace_entered",
            Self::NamespaceLeft => "namespace_left",
        }
    }
}

/// By which door the process, or the ancestor that brought it in, came into its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Not known: it ran before the sensor did, or is no container's.
    #[default]
    Unknown,
    /// The container's own command.
    Main,
    /// A further command (`docker exec`, `kubectl exec`).
    Exec { has_terminal: bool },
    /// The runtime asks for its health.
    Probe,
}
