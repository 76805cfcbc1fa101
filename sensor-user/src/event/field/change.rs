//! Fields of what processes do to each other and to the ground under them.

use sigma::Presence;

use super::{Each, Field, known, text};
use crate::event::{Body, Event, ProcessAccess, SystemChange};

impl Event {
    pub(super) fn access(&self) -> Option<&ProcessAccess> {
        if let Body::ProcessAccess(access) = &self.body { Some(access) } else { None }
    }

    pub(super) fn system(&self) -> Option<&SystemChange> {
        if let Body::SystemChange(change) = &self.body { Some(change) } else { None }
    }

    pub(super) fn action(&self) -> Option<&'static str> {
        let access = |access: &ProcessAccess| if access.signal.is_some() { "signal" } else { "access" };
        let file = self.body.file().map(|file| file.action.name());
        file.or_else(|| self.system().map(SystemChange::name)).or_else(|| self.access().map(access))
    }

    pub(super) fn target_pid(&self) -> Option<u32> {
        let moved = |change: &SystemChange| {
            if let SystemChange::CgroupAttach { target_pid, .. } = change { Some(*target_pid) } else { None }
        };
        self.access().map(|access| access.target_pid).or_else(|| self.system().and_then(moved))
    }
}

/// The fields of one kind of change; of the others they are absent.
pub(super) fn system(change: &SystemChange, field: Field, each: Each<'_>) -> Presence {
    let value: &str = match (change, field) {
        (SystemChange::NamespaceEnter { mnt_ns, .. }, Field::NewMountNamespace) => {
            return known(*mnt_ns, each);
        }
        (SystemChange::NamespaceEnter { pid_ns, .. }, Field::NewPidNamespace) => return known(*pid_ns, each),
        (SystemChange::NamespaceEnter { net_ns, .. }, Field::NewNetNamespace) => return known(*net_ns, each),
        (SystemChange::CgroupAttach { path, .. }, Field::CgroupPath) => path,
        (SystemChange::BpfLoad { kind, .. }, Field::BpfProgramType) => kind,
        (SystemChange::BpfLoad { name, .. }, Field::BpfProgramName)
        | (SystemChange::ModuleLoad { name }, Field::ModuleName) => name,
        (SystemChange::Mount { source, .. }, Field::MountSource) => source,
        (SystemChange::Mount { target, .. }, Field::MountTarget) => target,
        (SystemChange::Mount { kind, .. }, Field::MountType) => kind,
        _ => return Presence::Absent,
    };
    text(Some(value).filter(|value| !value.is_empty()), each)
}
