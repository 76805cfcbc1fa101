//! Reads of whole small files, bounded, that can neither block nor be led astray by a special file.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// Why a file was not read. A missing one is no error.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{} cannot be read: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not a regular file, so it is not read", .path.display())]
    NotRegular { path: PathBuf },
    #[error("{} is longer than {max} bytes, more than such a file ever needs, so it is not read", .path.display())]
    TooLong { path: PathBuf, max: u64 },
}

/// The whole file, at most `max` bytes. None: it is not there.
pub(super) fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>, FileError> {
    let Some((bytes, is_whole)) = read_head(path, max)? else { return Ok(None) };
    if !is_whole {
        return Err(FileError::TooLong { path: path.to_owned(), max });
    }
    Ok(Some(bytes))
}

/// The first `max` bytes, and whether that is all. None: it is not there.
pub(super) fn read_head(path: &Path, max: u64) -> Result<Option<(Vec<u8>, bool)>, FileError> {
    // NONBLOCK: opening a pipe must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let read = opened.map_err(io::Error::from).and_then(|file| read_open(file.into(), max));
    match read {
        Ok(Some(head)) => Ok(Some(head)),
        Ok(None) => Err(FileError::NotRegular { path: path.to_owned() }),
        Err(source) if is_gone(&source) => Ok(None),
        Err(source) => Err(FileError::Io { path: path.to_owned(), source }),
    }
}

/// The whole of a file that was opened as `path`, at most `max` bytes. None: it is not there.
pub(super) fn read_opened(
    opened: io::Result<OwnedFd>,
    path: &Path,
    max: u64,
) -> Result<Option<Vec<u8>>, FileError> {
    let path = path.to_owned();
    match opened.and_then(|file| read_open(file.into(), max)) {
        Ok(Some((bytes, true))) => Ok(Some(bytes)),
        Ok(Some((_, false))) => Err(FileError::TooLong { path, max }),
        Ok(None) => Err(FileError::NotRegular { path }),
        Err(source) if is_gone(&source) => Ok(None),
        Err(source) => Err(FileError::Io { path, source }),
    }
}

/// The first `max` bytes of an open file, and whether that is all. None: not a regular file.
pub(super) fn read_open(file: File, max: u64) -> io::Result<Option<(Vec<u8>, bool)>> {
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let is_whole = bytes.len() <= max;
    bytes.truncate(max);
    Ok(Some((bytes, is_whole)))
}

/// The file, a directory above it or the process it tells of does not exist (any more).
pub(super) fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NOTDIR, Errno::SRCH];
    error.raw_os_error().is_some_and(|number| gone.iter().any(|errno| errno.raw_os_error() == number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert!(matches!(read(&path, 4), Err(FileError::TooLong { max: 4, .. })));
        assert_eq!(read_head(&path, 4).unwrap(), Some((b"1234".to_vec(), false)));
    }

    #[test]
    fn what_is_no_file_is_refused_and_what_is_missing_is_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path(), 9), Err(FileError::NotRegular { .. })));
        assert_eq!(read(&directory.path().join("missing"), 9).unwrap(), None);
        assert_eq!(read(Path::new("/proc/0/stat"), 9).unwrap(), None);
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read(&pipe, 9), Err(FileError::NotRegular { .. })), "and did not wait for a writer");
    }
}
