//! Files that change.

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::file::Change as ChangeFlags;

use super::{Host, Pipeline, key};
use crate::decode::{FileChange as ChangeRecord, FileNames};
use crate::event::field::Category;
use crate::event::{Body, FileAction, FileChange};

/// A rename as fanotify tells it, with paths of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRename {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub pid: u32,
    pub from: String,
    pub to: String,
}

impl Pipeline {
    /// Handles a rename that fanotify saw.
    pub fn renamed(&mut self, rename: HostRename, host: &mut impl Host) {
        let HostRename { time, pid, from, to } = rename;
        // By number alone: fanotify does not tell the start, and whoever has the pid now did it.
        let Some(process) = self.processes.get_by_pid(pid, 0) else {
            self.passed.unknown_process += 1;
            return;
        };
        if !self.wants(Category::FileEvent, process.key) {
            return;
        }
        let mut seen = |path: &str| {
            host.path_of_host(path, process.mnt_ns, pid, time).unwrap_or_else(|| path.to_owned())
        };
        let (seen_from, path) = (Some(seen(&from)), seen(&to));
        if [from, to].iter().any(|path| host.is_overlay_scratch(path, process.mnt_ns)) {
            return;
        }
        let from = seen_from;
        let change = FileChange { action: FileAction::Rename, path, from, ..FileChange::default() };
        self.event(time, process.key, Body::FileEvent(change), host);
    }

    pub(super) fn rename(
        &mut self,
        time: u64,
        actor: &Actor,
        names: FileNames,
        action: FileAction,
        host: &mut impl Host,
    ) {
        if !self.wants(Category::FileEvent, key(actor)) {
            return;
        }
        let FileNames { file, is_symbolic, from, to } = names;
        let mut seen =
            |path: String| host.path(file.device, &path, actor.mnt_ns, actor.pid, time).unwrap_or(path);
        let from = if is_symbolic { from } else { seen(from) };
        let (from, path) = (Some(from), seen(to));
        let change = FileChange { action, path, from, file: Some(file), ..FileChange::default() };
        self.event(time, key(actor), Body::FileEvent(change), host);
    }

    pub(super) fn change(
        &mut self,
        time: u64,
        actor: &Actor,
        change: ChangeRecord,
        action: FileAction,
        host: &mut impl Host,
    ) {
        let is_read = action == FileAction::Read;
        let category = if is_read { Category::FileAccess } else { Category::FileEvent };
        if !self.wants(category, key(actor)) {
            return;
        }
        let ChangeRecord { file, path, is_from_mount, bytes, size, flags, .. } = change;
        let seen =
            if is_from_mount { None } else { host.path(file.device, &path, actor.mnt_ns, actor.pid, time) };
        let path = seen.unwrap_or(path);
        // The kernel half goes by the last name alone.
        if is_read && !self.capture.is_secret(&path) {
            self.passed.no_secrets += 1;
            return;
        }
        let is_exact = flags & ChangeFlags::BYTES_EXACT != 0;
        let change = FileChange {
            action,
            path,
            from: None,
            file: Some(file),
            bytes: is_exact.then_some(bytes),
            size: Some(size),
            is_mapped: flags & ChangeFlags::MAPPED != 0,
        };
        self.event(time, key(actor), Body::FileEvent(change), host);
    }
}
