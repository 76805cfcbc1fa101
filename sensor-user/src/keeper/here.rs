//! The deeds themselves, as who has the privilege does them.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};

use super::{Kind, What};
use crate::canary::{COMMAND, PROGRAM};
use crate::host::procfs::{self, Root};

/// Links lead where they lead for the process, and none out of its root.
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
/// How a path is resolved below a directory of somebody who is not trusted (openat2(2)).
pub(super) const CONFINED: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// NONBLOCK: opening a pipe must not wait for its writer.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// For reading: neither a mark nor a handle may be asked of an `O_PATH` descriptor.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

pub(super) fn namespace(pid: u32, kind: Kind) -> Option<u32> {
    procfs::namespace_in(Path::new(&format!("/proc/{pid}")), kind.name())
}

pub(super) fn root(pid: u32) -> Option<Root> {
    rustix::fs::stat(format!("/proc/{pid}/root")).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

pub(super) fn root_folder(pid: u32) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(format!("/proc/{pid}/root"), FOLDER, Mode::empty())?)
}

pub(super) fn folder(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    Ok(openat2(root, path, FOLDER, Mode::empty(), IN_ROOT)?)
}

/// `is_confined`: not into another mount, so that none that hangs can be put in place of it.
pub(super) fn passwd(root: BorrowedFd<'_>, is_confined: bool) -> io::Result<OwnedFd> {
    let resolve = if is_confined { IN_ROOT | ResolveFlags::NO_XDEV } else { IN_ROOT };
    Ok(openat2(root, "etc/passwd", FILE, Mode::empty(), resolve)?)
}

/// Why there is nothing at a path below a process's root, as far as who asks may look. That takes no privilege and is
/// not limited by Landlock (`O_PATH`): of what is not there nobody else has to be asked.
pub(super) fn absent(root: BorrowedFd<'_>, path: &Path) -> Option<io::Error> {
    let found = openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), IN_ROOT);
    found.err().map(io::Error::from).filter(|error| error.kind() != io::ErrorKind::PermissionDenied)
}

/// A file to be marked, below a process's root.
pub(super) fn file(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    Ok(openat2(root, path, FILE, Mode::empty(), IN_ROOT)?)
}

/// The kernel told the path without links: one that is there now is somebody's trick.
pub(super) fn size(path: &Path) -> Option<u64> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
    let stat = fstat(file).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    u64::try_from(stat.st_size).ok().filter(|_| is_file)
}

/// Links lead to the folder and not on from there: below some of them lies what containers write, too, and a link of theirs
/// would lead anywhere.
pub(super) fn state(root: &Path, path: &Path, what: What) -> io::Result<OwnedFd> {
    let folder = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    below(folder.as_fd(), path, what, ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

pub(super) fn state_of_user(
    home: BorrowedFd<'_>,
    way: &Path,
    path: &Path,
    what: What,
) -> io::Result<OwnedFd> {
    below(home, &way.join(path), what, CONFINED)
}

fn below(folder: BorrowedFd<'_>, path: &Path, what: What, resolve: ResolveFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // A link in the last place is looked at itself.
    let flags = if what == What::Place { what.flags() | OFlags::NOFOLLOW } else { what.flags() };
    Ok(openat2(folder, path, flags, Mode::empty(), resolve)?)
}

impl What {
    fn flags(self) -> OFlags {
        match self {
            Self::File => FILE,
            Self::Folder => FOLDER,
            Self::Place => OFlags::PATH | OFlags::CLOEXEC,
        }
    }
}

/// Runs the canary to its end.
pub(super) fn canary(nonce: &str) -> io::Result<()> {
    let mut command = Command::new(own_program()?);
    command.arg0(PROGRAM).args([COMMAND, nonce]).env_clear().current_dir("/");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("it ended with {status}"))) }
}

/// The agent's own binary; after an upgrade what took its place, since a deleted one that runs is an alert of its own.
fn own_program() -> io::Result<PathBuf> {
    const DELETED: &[u8] = b" (deleted)";
    let path = fs::read_link("/proc/self/exe")?;
    let path = match path.as_os_str().as_bytes().strip_suffix(DELETED) {
        Some(path) => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        None => path,
    };
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn its_own_program_is_a_file_that_is_there() {
        assert!(own_program().unwrap().is_file());
    }

    #[test]
    fn namespaces_are_told_by_number() {
        for kind in Kind::ALL {
            assert!(namespace(std::process::id(), kind).is_some(), "{kind:?}");
            assert_eq!(namespace(u32::MAX, kind), None, "{kind:?}");
        }
    }

    #[test]
    fn nobody_is_asked_of_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), b"1").unwrap();
        std::os::unix::fs::symlink("/file", directory.path().join("link")).unwrap();
        let root = File::open(directory.path()).unwrap();
        let absent = |path: &str| absent(root.as_fd(), Path::new(path)).map(|error| error.kind());
        assert_eq!(absent("file"), None);
        assert_eq!(absent("link"), None, "it leads where it leads within the root");
        assert_eq!(absent("missing"), Some(io::ErrorKind::NotFound));
        assert_eq!(absent("file/below"), Some(io::ErrorKind::NotADirectory));
    }

    #[test]
    fn what_another_may_write_leads_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("in")).unwrap();
        fs::write(directory.path().join("in/file"), b"1").unwrap();
        fs::write(directory.path().join("secret"), b"2").unwrap();
        std::os::unix::fs::symlink("../secret", directory.path().join("in/link")).unwrap();
        std::os::unix::fs::symlink("in", directory.path().join("in2")).unwrap();
        let inside = File::open(directory.path().join("in")).unwrap();
        let open = |inside: &File, path: &str| {
            state_of_user(inside.as_fd(), Path::new(""), Path::new(path), What::File)
        };
        let mut text = String::new();
        File::from(open(&inside, "file").unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "1");
        for path in ["missing", "link", "../secret", "/proc/self/stat"] {
            assert!(open(&inside, path).is_err(), "{path}");
        }
        let above = File::open(directory.path()).unwrap();
        assert!(open(&above, "in2/file").is_err());
        assert!(open(&File::open("/").unwrap(), "proc/version").is_err());
    }
}
