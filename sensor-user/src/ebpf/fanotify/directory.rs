//! From the directory handles in an event to host paths.
//!
//! A handle is opened on a mount of its file system and asked for its path, once per directory:
//! the answer is kept until a directory is renamed anywhere. So a path is what the directory was
//! called when the event was read, not when the rename happened. Nothing is guessed: a directory
//! that is gone, or lies on a file system that was never added, has no path.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::record::Place;
use crate::ebpf::sys;

/// Directories whose paths are remembered, about 1 MiB. A full table is emptied: that costs three
/// system calls for each directory seen again, and loses nothing.
const DIRECTORIES_MAX: usize = 4096;
/// What the kernel adds to the path of a directory that is removed but still open somewhere.
const DELETED: &str = " (deleted)";

/// The marked file systems and the directories seen on them.
#[derive(Default)]
pub(super) struct Directories {
    file_systems: Vec<FileSystem>,
    known: HashMap<Box<[u8]>, Arc<str>>,
}

struct FileSystem {
    /// `st_dev`.
    device: u64,
    /// `f_fsid`: how events name the file system.
    fsid: u64,
    /// Open on a mount of it, so handles can be opened. Keeps that mount busy while the agent runs.
    mount: OwnedFd,
}

impl Directories {
    pub(super) fn knows_device(&self, device: u64) -> bool {
        self.file_systems.iter().any(|known| known.device == device)
    }

    /// Takes up the file system that `directory`, opened as `path`, lies on.
    pub(super) fn add(&mut self, path: &Path, directory: OwnedFd, device: u64) -> rustix::io::Result<()> {
        let fsid = rustix::fs::fstatvfs(&directory)?.f_fsid;
        let mount = whole_mount(path, device).unwrap_or(directory);
        self.file_systems.push(FileSystem { device, fsid, mount });
        Ok(())
    }

    /// A directory was renamed, or may have been: every path below it, on any file system, is stale.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Where the directory of `place` is now. `None`: it is gone, or it cannot be opened.
    pub(super) fn path(&mut self, place: &Place<'_>) -> Option<Arc<str>> {
        if let Some(path) = self.known.get(place.directory) {
            return Some(Arc::clone(path));
        }
        let file_system = self.file_systems.iter().find(|known| known.fsid == place.fsid)?;
        let path: Arc<str> = resolve(&file_system.mount, place)?.into();
        if self.known.len() >= DIRECTORIES_MAX {
            self.known.clear();
        }
        self.known.insert(place.directory.into(), Arc::clone(&path));
        Some(path)
    }
}

fn resolve(mount: &OwnedFd, place: &Place<'_>) -> Option<String> {
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    let directory = sys::open_by_handle_at(mount.as_fd(), place.handle_type, place.handle, flags).ok()?;
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let target = rustix::fs::readlink(link, Vec::new()).ok()?;
    let path = String::from_utf8_lossy(target.as_bytes());
    // A directory may also be named so: only one without links is deleted.
    let removed =
        path.ends_with(DELETED) && rustix::fs::fstat(&directory).is_ok_and(|stat| stat.st_nlink == 0);
    let path = if removed { path.strip_suffix(DELETED)? } else { &path };
    path.starts_with('/').then(|| path.to_owned())
}

/// A mount that shows the whole of the file system `device`, best the one that `path` is below.
///
/// Seen through a mount of a part of it (a bind mount, a subvolume), directories outside that part
/// would get a path that leads nowhere. Mount points with escaped characters are left out.
fn whole_mount(path: &Path, device: u64) -> Option<OwnedFd> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let points = whole_mount_points(&text, device);
    let point = points.iter().find(|point| path.starts_with(point)).or(points.first())?;
    let mount = open_directory(point).ok()?;
    // Another file system may be mounted over it.
    (rustix::fs::fstat(&mount).ok()?.st_dev == device).then_some(mount)
}

/// proc_pid_mountinfo(5): `id parent major:minor root mount-point ...`.
fn whole_mount_points(mountinfo: &str, device: u64) -> Vec<PathBuf> {
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let points = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let (number, root, point) = (fields.next()?, fields.next()?, fields.next()?);
        (number == wanted && root == "/" && !point.contains('\\')).then(|| PathBuf::from(point))
    });
    points.collect()
}

/// Opened for reading: neither a mark nor a handle may be asked of an `O_PATH` descriptor.
pub(super) fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn only_mounts_of_a_whole_file_system_count() {
        let text = "26 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    30 26 254:0 /srv/docker /var/lib/docker rw - ext4 /dev/vda rw\n\
                    31 26 0:40 / /mnt/a\\040b rw - tmpfs x rw\n\
                    32 26 254:0 / /mnt/again rw - ext4 /dev/vda rw\n\
                    short line\n";
        let root = rustix::fs::makedev(254, 0);
        assert_eq!(whole_mount_points(text, root), [Path::new("/"), Path::new("/mnt/again")]);
        assert!(whole_mount_points(text, rustix::fs::makedev(0, 40)).is_empty());
    }

    #[test]
    fn a_directory_on_a_file_system_never_added_has_no_path() {
        let place = Place { fsid: 1, handle_type: 1, handle: &[0; 8], directory: &[0; 24], name: b"x" };
        assert_eq!(Directories::default().path(&place), None);
    }
}
