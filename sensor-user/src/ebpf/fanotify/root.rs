//! Which file systems are watched.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, major, minor};
use rustix::io::Errno;

use super::directory::{open_directory, open_in_root};
use super::{FanotifyError, FileWatch};
use crate::state::mount::{MountTable, make_device};

/// Where files of the host and of containers usually live, beside `/`.
const USUAL_ROOTS: [&str; 5] =
    ["/tmp", "/dev/shm", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers"];
/// Types of file systems that keep files. An overlay's are seen on the file system below it.
const STORES: [&str; 11] =
    ["ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "ramfs", "vfat"];
/// Most file systems marked in all. A container has two or three of its own.
const FILE_SYSTEMS_MAX: usize = 4096;
/// Most that one mount namespace adds.
const OF_NAMESPACE_MAX: usize = 16;
/// Most of the host's.
const OF_HOST_MAX: usize = 64;

impl FileWatch {
    /// Watches the file system of one more directory. False: it was watched already.
    ///
    /// # Errors
    /// [`FanotifyError::Refused`] for this root only; other errors mean that no root can be watched.
    pub fn add(&mut self, path: &Path) -> Result<bool, FanotifyError> {
        let refused =
            |errno: Errno| FanotifyError::Refused { path: path.to_owned(), reason: errno.to_string() };
        let directory = open_directory(path).map_err(refused)?;
        let device = fstat(&directory).map_err(refused)?.st_dev;
        if self.directories.knows_device(device) {
            return Ok(false);
        }
        for group in [&self.names, &self.closes].into_iter().flatten() {
            group.mark(path, std::os::fd::AsFd::as_fd(&directory))?;
        }
        self.directories.add(path, directory, device).map_err(refused)?;
        Ok(true)
    }

    /// Watches what is mounted in the namespace of a process and nowhere that is known.
    pub(super) fn add_mounts(&mut self, mnt_ns: u32, pid: u32, table: &MountTable) {
        let mut added = 0;
        for mount in table.iter().filter(|mount| STORES.contains(&mount.fs_type.as_str())) {
            if added >= OF_NAMESPACE_MAX || self.directories.len() >= FILE_SYSTEMS_MAX {
                return;
            }
            if self.directories.knows_number(mount.device) {
                continue;
            }
            let point = Path::new(&mount.point);
            let Some(directory) = open_in_root(pid, point) else { continue };
            // Something may be mounted over it.
            let device = fstat(&directory).map(|stat| stat.st_dev);
            let Ok(device) =
                device.map_err(drop).and_then(|device| number(device).ok_or(()).map(|n| (device, n)))
            else {
                continue;
            };
            if device.1 != mount.device {
                continue;
            }
            let groups = [&self.names, &self.closes].into_iter().flatten();
            let is_marked = groups
                .map(|group| group.mark(point, std::os::fd::AsFd::as_fd(&directory)))
                .all(|it| it.is_ok());
            if is_marked && self.directories.add_of(mnt_ns, point, &directory, device.0).is_ok() {
                added += 1;
            }
        }
    }
}

/// A device number in the kernel's own form, as mountinfo is read.
pub(super) fn number(device: u64) -> Option<u32> {
    make_device(major(device), minor(device))
}

/// The directories whose file systems hold the files of the host and of its containers, as far as
/// they exist: `/` first, each file system once.
#[must_use]
pub fn default_roots() -> Vec<PathBuf> {
    let mut devices = HashSet::new();
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let table = MountTable::parse(&table);
    let stores = table.iter().filter(|mount| STORES.contains(&mount.fs_type.as_str()));
    let roots = std::iter::once("/").chain(USUAL_ROOTS).chain(stores.map(|mount| mount.point.as_str()));
    let roots = roots.filter(|root| rustix::fs::stat(*root).is_ok_and(|stat| devices.insert(stat.st_dev)));
    roots.take(OF_HOST_MAX).map(PathBuf::from).collect()
}

/// fanotify_mark(2), ERRORS.
pub(super) fn refusal(error: &io::Error) -> String {
    let known = match Errno::from_io_error(error) {
        Some(Errno::NODEV) => "its file system has no id (fsid)",
        Some(Errno::OPNOTSUPP) => "its file system cannot name directories by handle",
        Some(Errno::XDEV) => "it is a subvolume with an id of its own: add the root of its file system",
        Some(Errno::NOSPC) => "the limit of marks is reached: raise fs.fanotify.max_user_marks",
        Some(_) | None => return error.to_string(),
    };
    known.to_owned()
}

pub(super) fn list(refused: &[(PathBuf, String)]) -> String {
    if refused.is_empty() {
        return "no directory was given".to_owned();
    }
    let each = refused.iter().map(|(path, reason)| format!("{}: {reason}", path.display()));
    each.collect::<Vec<_>>().join("; ")
}
