//! What `tidewaiter check` asks of this host: each fact by itself, so that one that is refused hides no other.
//!
//! It reads and changes nothing, and judges nothing: that is `check`'s.

use std::ffi::CStr;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, StatVfsMountFlags, accessat, statvfs};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Resource, getrlimit};

use super::container::ContainerRoots;
use crate::check::clock::ClockFacts;
use crate::check::hierarchy;
use crate::check::runtime::RuntimeFacts;
use crate::check::storage::FolderFacts;
use crate::check::{Fact, Unread};
use crate::ebpf::sys::kernel_clock;

/// Longest of these files, bytes: a mount table with a thousand containers.
const FILE_MAX: u64 = 4 << 20;
/// What v1 says for no limit is near the largest number; no machine has so much memory.
const UNLIMITED: u64 = 1 << 60;
/// Most files of a folder whose sizes are added up; an outbox has one for each MiB or so.
const FILES_MAX: usize = 65_536;

/// A runtime: its name, the configured folders that are its, and where its sockets lie unless told otherwise.
type RuntimePlaces = (&'static str, fn(&ContainerRoots) -> &[PathBuf], &'static [&'static str]);

/// Podman's and CRI-O's storage is one; their sockets tell them apart.
const RUNTIMES: [RuntimePlaces; 6] = [
    ("Docker", |roots| &roots.docker, &["/run/docker.sock"]),
    (
        "containerd",
        |roots| &roots.containerd,
        &["/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock"],
    ),
    ("Podman and CRI-O", |roots| &roots.storage, &["/run/podman/podman.sock", "/run/crio/crio.sock"]),
    ("LXC and Incus", |roots| &roots.lxc, &["/var/lib/incus/unix.socket", "/var/lib/lxd/unix.socket"]),
    ("nspawn", |roots| &roots.nspawn, &[]),
    ("runc and crun", |roots| &roots.runc, &[]),
];

/// A whole text.
pub fn text(path: impl AsRef<Path>) -> Fact<String> {
    let path = path.as_ref();
    let failed = |error: super::FileError| match error {
        super::FileError::Io { source, .. } => Unread::from(source),
        other @ (super::FileError::NotRegular { .. } | super::FileError::TooLong { .. }) => {
            Unread::Failed(other.to_string())
        }
    };
    let bytes = super::file::read(path, FILE_MAX).map_err(failed)?.ok_or(Unread::Absent)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Release and processor.
#[must_use]
pub fn system() -> (String, String) {
    let system = rustix::system::uname();
    let text = |part: &CStr| part.to_string_lossy().into_owned();
    (text(system.release()), text(system.machine()))
}

/// Inode number of a namespace of this process.
pub fn namespace(kind: &str) -> Fact<u64> {
    Ok(std::fs::metadata(format!("/proc/self/ns/{kind}"))?.ino())
}

/// What the kernel knows of its clock.
pub fn clock() -> Fact<ClockFacts> {
    let clock = kernel_clock()?;
    Ok(ClockFacts { is_synchronised: clock.is_synchronised, error_max: clock.error_max })
}

/// The limit of locked memory, bytes. None: unlimited.
#[must_use]
pub fn locked_memory() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// The lowest limit of memory of this process's cgroup and of those above it. None: there is none.
pub fn memory() -> Fact<Option<u64>> {
    let (cgroups, mounts) = (text("/proc/self/cgroup")?, text("/proc/self/mountinfo")?);
    let limits = hierarchy::memory(&cgroups, &mounts).into_iter().flat_map(|(root, path, file)| {
        let below = Path::new(root).join(path.trim_start_matches('/'));
        let levels: Vec<PathBuf> = below.ancestors().map(Path::to_owned).collect();
        // `max`, which is no number, and no file where the controller is off: no limit.
        let limits = levels.into_iter().take_while(move |level| level.starts_with(root));
        limits.filter_map(move |level| text(level.join(file)).ok()?.trim().parse::<u64>().ok())
    });
    Ok(limits.filter(|limit| *limit < UNLIMITED).min())
}

/// What shows of each kind of runtime.
#[must_use]
pub fn runtimes(roots: &ContainerRoots) -> Vec<RuntimeFacts> {
    let of = |(name, folders, sockets): RuntimePlaces| {
        let folders = folders(roots).iter().map(|folder| {
            (folder.display().to_string(), std::fs::read_dir(folder).map(drop).map_err(Unread::from))
        });
        let sockets = sockets.iter().filter(|socket| Path::new(socket).exists());
        RuntimeFacts {
            name,
            folders: folders.collect(),
            sockets: sockets.map(|socket| (*socket).to_owned()).collect(),
        }
    };
    RUNTIMES.into_iter().map(of).collect()
}

/// A folder, or the nearest above it that is there.
pub fn folder(path: &Path) -> Fact<FolderFacts> {
    let (there, metadata) = nearest(path)?;
    if !metadata.is_dir() {
        return Err(Unread::Failed(format!("{} is no folder", there.display())));
    }
    let space = statvfs(there).map_err(io::Error::from)?;
    let is_there = there == path;
    Ok(FolderFacts {
        path: there.display().to_string(),
        is_there,
        is_writable: may_write(there),
        is_read_only: space.f_flag.contains(StatVfsMountFlags::RDONLY),
        free: space.f_bavail.saturating_mul(space.f_frsize),
        used: if is_there { used(there) } else { 0 },
    })
}

/// The path, or the first above it that is there.
pub fn nearest(path: &Path) -> io::Result<(&Path, std::fs::Metadata)> {
    let mut outcome = Err(io::ErrorKind::NotFound.into());
    for level in path.ancestors() {
        match std::fs::metadata(level) {
            Ok(metadata) => return Ok((level, metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => outcome = Err(error),
            Err(error) => return Err(error),
        }
    }
    outcome
}

/// Whether this process may, by its effective ids and capabilities.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

fn used(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.take(FILES_MAX).filter_map(|entry| entry.ok()?.metadata().ok());
    sizes.filter(std::fs::Metadata::is_file).fold(0, |sum: u64, file| sum.saturating_add(file.len()))
}

/// Pid of who listens at a local socket; it is not waited for if it takes nobody.
pub fn listener(path: &Path) -> Fact<i32> {
    let pid = || -> Result<i32, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket_peercred(&socket)?.pid.as_raw_nonzero().get())
    };
    match pid() {
        Ok(pid) => Ok(pid),
        // Its file is left of one that was killed.
        Err(Errno::CONNREFUSED) => Err(Unread::Absent),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_what_it_would_be_made_in() {
        let directory = tempfile::tempdir().unwrap();
        let there = folder(directory.path()).unwrap();
        assert!(there.is_there && there.is_writable && !there.is_read_only && there.free > 0);
        let path = directory.path().join("a/b");
        let above = folder(&path).unwrap();
        assert_eq!((above.is_there, above.path, above.used), (false, there.path, 0));
        std::fs::write(directory.path().join("a"), [0; 5]).unwrap();
        assert!(matches!(folder(&path), Err(Unread::Absent)), "below a file nothing can be made");
        assert_eq!(folder(directory.path()).unwrap().used, 5);
    }

    #[test]
    fn nobody_listens_at_a_socket_that_was_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        assert_eq!(listener(&path), Err(Unread::Absent));
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(listener(&path), Ok(i32::try_from(std::process::id()).unwrap()));
        drop(socket);
        assert_eq!(listener(&path), Err(Unread::Absent));
    }

    #[test]
    fn this_host_has_a_kernel_a_clock_and_processes() {
        assert!(crate::check::kernel::version(&system().0).is_some());
        assert!(clock().is_ok() && memory().is_ok());
        assert!(namespace("pid").is_ok_and(|inode| inode > 0));
        assert_eq!(text("/proc/self/nothing"), Err(Unread::Absent));
        assert_eq!(namespace("nothing"), Err(Unread::Absent));
    }
}
