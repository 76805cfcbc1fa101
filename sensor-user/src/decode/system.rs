//! Records of the system family.

use sensor_ebpf::wire::system;

use super::text::{Texts, fixed};
use super::{Body, DecodeError};
use crate::octet;

/// [`system::Namespace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
}

/// [`system::Mount`] with its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub flags: u64,
    pub source: String,
    pub kind: String,
    pub target: String,
}

/// [`system::Cgroup`] with its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    pub id: u64,
    pub hierarchy: u32,
    pub path: String,
    /// Who was moved there; zero for the other kinds.
    pub target_pid: u32,
    pub target_start_time: u64,
}

pub(super) fn cgroup(bytes: &[u8]) -> Result<Cgroup, DecodeError> {
    let (record, tail) = fixed::<system::Cgroup>(bytes, "a cgroup")?;
    let mut texts = Texts(tail);
    let path = texts.string(record.path)?;
    texts.end()?;
    let system::Cgroup { cgroup_id: id, hierarchy, target_pid, target_start_time, .. } = record;
    Ok(Cgroup { id, hierarchy, path, target_pid, target_start_time })
}

pub(super) fn namespace(bytes: &[u8]) -> Result<Namespace, DecodeError> {
    let (record, _) = fixed::<system::Namespace>(bytes, "namespaces")?;
    let system::Namespace { header: _, mnt_ns, pid_ns, net_ns, reserved: _ } = record;
    Ok(Namespace { mnt_ns, pid_ns, net_ns })
}

pub(super) fn bpf_load(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, _) = fixed::<system::Bpf>(bytes, "a BPF program")?;
    let name = octet::text(record.name.split(|byte| *byte == 0).next().unwrap_or_default());
    Ok(Body::BpfLoad { program_type: record.program_type, name })
}

pub(super) fn module_load(bytes: &[u8]) -> Result<Body, DecodeError> {
    let (record, tail) = fixed::<system::Named>(bytes, "a module")?;
    let mut texts = Texts(tail);
    let name = texts.string(record.name)?;
    texts.end()?;
    Ok(Body::ModuleLoad { name })
}

pub(super) fn mount(bytes: &[u8]) -> Result<Mount, DecodeError> {
    let (record, tail) = fixed::<system::Mount>(bytes, "a mount")?;
    let mut texts = Texts(tail);
    let source = texts.string(record.source)?;
    let kind = texts.string(record.kind)?;
    let target = texts.path(record.target)?;
    texts.end()?;
    Ok(Mount { flags: record.flags, source, kind, target })
}
