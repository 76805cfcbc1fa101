//! Records of the system family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Header;
use super::text::Text;

/// [`super::Kind::CgroupCreate`] and [`super::Kind::CgroupRemove`]. The actor is the container
/// runtime or whoever else made the directory.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cgroup {
    pub header: Header,
    /// Id of the cgroup: the inode number of its directory.
    pub cgroup_id: u64,
    /// Hierarchy; 0 is v2 (`cgroup_root.hierarchy_id`; v2's default hierarchy has number 0 in
    /// /proc/PID/cgroup, but the kernel counts it from 1: the agent only compares).
    pub hierarchy: u32,
    /// Path within the hierarchy, as the kernel prints it (`/docker/<id>`).
    pub path: Text,
}
