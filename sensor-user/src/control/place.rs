//! The socket's place in the file system: who may have it, whose leftovers go.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::geteuid;

/// Connections that wait to be taken up; the next one is refused.
const BACKLOG: i32 = 8;
/// Nobody but the owner.
const DIRECTORY_MODE: u32 = 0o700;
const SOCKET_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Permission of the group and of all others to write.
const WRITABLE: u32 = 0o022;

/// Why there is no socket. The agent runs on without.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("{path}: {source}")]
    System { path: PathBuf, source: io::Error },
    #[error("{0} names no file in a directory")]
    NoName(PathBuf),
    #[error("{path} belongs to user {owner} or can be written by others (mode {mode:o})")]
    Open { path: PathBuf, owner: u32, mode: u32 },
    #[error("an agent that runs already answers at {0}")]
    Taken(PathBuf),
    #[error("{0} is there and is no socket")]
    Other(PathBuf),
}

/// A socket that listens. Dropping it removes its file.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// Device and inode number of the file.
    file: (u64, u64),
}

impl Place {
    /// Makes the directory where it is missing, takes away a socket that nobody listens at, and listens.
    ///
    /// # Errors
    /// The place is another's, or the system refuses it.
    pub(crate) fn take(path: &Path) -> Result<(Self, UnixListener), PlaceError> {
        let system = |source: io::Error| PlaceError::System { path: path.to_owned(), source };
        let directory = path.parent().filter(|parent| path.is_absolute() && !parent.as_os_str().is_empty());
        let (Some(directory), Some(_)) = (directory, path.file_name()) else {
            return Err(PlaceError::NoName(path.to_owned()));
        };
        // Held until the socket listens: of two agents that start at once one waits its turn outside.
        let _turn = own(directory)?;
        clear(path)?;
        let address = SocketAddrUnix::new(path).map_err(|errno| system(errno.into()))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(|errno| system(errno.into()))?;
        // Before it has a name: the file gets the mode of the socket (`unix_bind_bsd`, net/unix/af_unix.c).
        fchmod(&socket, SOCKET_MODE)
            .and_then(|()| bind(&socket, &address))
            .map_err(|errno| system(errno.into()))?;
        let file = path.symlink_metadata().map(|it| (it.dev(), it.ino())).map_err(system)?;
        let place = Self { path: path.to_owned(), file };
        listen(&socket, BACKLOG).map_err(|errno| system(errno.into()))?;
        Ok((place, UnixListener::from(socket)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_own = self.path.symlink_metadata().is_ok_and(|it| (it.dev(), it.ino()) == self.file);
        if is_own && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "the socket's file stays");
        }
    }
}

/// The directory, made where it is missing, with a lock on it.
fn own(directory: &Path) -> Result<File, PlaceError> {
    let system = |source: io::Error| PlaceError::System { path: directory.to_owned(), source };
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(system(error)),
    }
    let opened = File::open(directory).map_err(system)?;
    let metadata = opened.metadata().map_err(system)?;
    let (owner, mode) = (metadata.uid(), metadata.mode());
    let is_trusted = owner == geteuid().as_raw() || owner == 0;
    if !is_trusted || mode & WRITABLE != 0 {
        return Err(PlaceError::Open { path: directory.to_owned(), owner, mode: mode & 0o7777 });
    }
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(opened),
        Err(Errno::WOULDBLOCK) => Err(PlaceError::Taken(directory.to_owned())),
        Err(errno) => Err(system(errno.into())),
    }
}

/// Removes a socket that nobody listens at.
fn clear(path: &Path) -> Result<(), PlaceError> {
    use std::os::unix::fs::FileTypeExt as _;

    let system = |source: io::Error| PlaceError::System { path: path.to_owned(), source };
    match path.symlink_metadata() {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(PlaceError::Other(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let address = SocketAddrUnix::new(path).map_err(|errno| system(errno.into()))?;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| system(errno.into()))?;
    match connect(&probe, &address) {
        // EAGAIN: somebody listens and is busy (unix(7)).
        Ok(()) | Err(Errno::AGAIN) => Err(PlaceError::Taken(path.to_owned())),
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path).map_err(system),
        Err(errno) => Err(system(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/agent.sock");
        (directory, path)
    }

    #[test]
    fn nobody_else_gets_at_it_and_it_goes_with_its_owner() {
        let (_directory, path) = place();
        let (place, _listener) = Place::take(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn a_live_one_is_left_and_a_dead_one_goes() {
        let (_directory, path) = place();
        let (place, listener) = Place::take(&path).unwrap();
        assert!(matches!(Place::take(&path), Err(PlaceError::Taken(_))));
        // Killed: the file stays, nobody listens.
        std::mem::forget(place);
        drop(listener);
        assert!(path.exists());
        let (_place, _listener) = Place::take(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_busy_one_is_live() {
        let (_directory, path) = place();
        let (_place, _listener) = Place::take(&path).unwrap();
        let clients: Vec<_> = std::iter::from_fn(|| {
            let socket =
                socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
            connect(&socket, &SocketAddrUnix::new(&path).unwrap()).ok().map(|()| socket)
        })
        .take(100)
        .collect();
        assert!(clients.len() < 100, "the backlog is bounded");
        assert!(matches!(Place::take(&path), Err(PlaceError::Taken(_))));
    }

    #[test]
    fn what_is_no_socket_stays() {
        let (_directory, path) = place();
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Place::take(&path), Err(PlaceError::Other(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let (directory, path) = place();
        let parent = directory.path().join("run");
        std::fs::create_dir(&parent).unwrap();
        std::fs::set_permissions(&parent, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Place::take(&path).unwrap_err();
        assert!(matches!(error, PlaceError::Open { mode: 0o777, .. }), "{error}");
        assert!(matches!(Place::take(Path::new("agent.sock")), Err(PlaceError::NoName(_))));
    }

    #[test]
    fn the_file_of_another_stays() {
        let (_directory, path) = place();
        let (place, _listener) = Place::take(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (_other, _other_listener) = Place::take(&path).unwrap();
        drop(place);
        assert!(path.exists());
    }
}
