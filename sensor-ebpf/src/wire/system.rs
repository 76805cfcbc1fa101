//! Records of the system family.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Header;
use super::text::Text;

/// [`super::Kind::CgroupCreate`], [`super::Kind::CgroupRemove`], [`super::Kind::CgroupAttach`]. The actor
/// is the container runtime or whoever else made, removed or wrote there.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Cgroup {
    pub header: Header,
    /// Id of the cgroup: the inode number of its directory.
    pub cgroup_id: u64,
    /// Who was moved there, as [`super::Actor::start_time`]; zero for the other kinds.
    pub target_start_time: u64,
    pub target_pid: u32,
    /// Hierarchy; 0 is v2 (`cgroup_root.hierarchy_id`; v2's default hierarchy has number 0 in
    /// /proc/PID/cgroup, but the kernel counts it from 1: the agent only compares).
    pub hierarchy: u32,
    /// Path within the hierarchy, as the kernel prints it (`/docker/<id>`).
    pub path: Text,
    pub reserved: u32,
}

/// [`super::Kind::NamespaceEnter`]: the namespaces the actor will have; the header has those before.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Namespace {
    pub header: Header,
    /// Inode numbers; zero when unknown.
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub reserved: u32,
}

/// [`super::Kind::BpfLoad`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Bpf {
    pub header: Header,
    /// `enum bpf_prog_type` (include/uapi/linux/bpf.h).
    pub program_type: u32,
    pub reserved: u32,
    /// Name given by the loader: a claim. NUL-padded.
    pub name: [u8; 16],
}

/// [`super::Kind::ModuleLoad`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Named {
    pub header: Header,
    pub name: Text,
    pub reserved: u32,
}

/// [`super::Kind::Mount`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Mount {
    pub header: Header,
    /// `MS_*` (include/uapi/linux/mount.h).
    pub flags: u64,
    /// What is mounted (a device, a directory): a claim.
    pub source: Text,
    /// Type of the file system; empty for a bind mount.
    pub kind: Text,
    /// Where, components up to the root of the actor's mount namespace.
    pub target: Text,
    pub reserved: u32,
}
