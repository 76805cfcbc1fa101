//! Files that change, and secrets that are opened.

mod host;

use sensor_ebpf::wire::Actor;
use sensor_ebpf::wire::file::Change as ChangeFlags;

pub use host::{HostDeed, HostFile, HostStat};

use super::{Host, Pipeline, key};
use crate::decode::{FileChange as ChangeRecord, FileNames};
use crate::event::field::Category;
use crate::event::{Body, FileAction, FileChange};

impl Pipeline {
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
        if matches!(action, FileAction::Write | FileAction::Close) {
            self.writers.wrote(change.file, key(actor), time);
            self.processes.note_author(key(actor));
        }
        let is_read = action == FileAction::Read;
        let category = if is_read { Category::FileAccess } else { Category::FileEvent };
        if !self.wants(category, key(actor)) {
            return;
        }
        let ChangeRecord { file, path, is_from_mount, bytes, size, flags, .. } = change;
        // A file without a name (`O_TMPFILE`): it is told when it gets one. So do overlays copy up.
        if !is_from_mount && is_unnamed(&path) {
            return;
        }
        let seen =
            if is_from_mount { None } else { host.path(file.device, &path, actor.mnt_ns, actor.pid, time) };
        let path = seen.unwrap_or(path);
        // The kernel half goes by the last name alone.
        if is_read && !self.capture.is_secret(&path) {
            self.passed.no_secrets += 1;
            return;
        }
        if action == FileAction::Write {
            self.files.wrote(key(actor), file.inode, time);
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

/// The kernel calls a file without a name after its inode number (`d_tmpfile`, fs/dcache.c), or it has not even
/// that yet. An overlay makes such files in its work directory.
fn is_unnamed(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_scratch = ["/work", "/index"].iter().any(|scratch| directory.ends_with(scratch));
    name.is_empty() || is_scratch && name.starts_with('#')
}
