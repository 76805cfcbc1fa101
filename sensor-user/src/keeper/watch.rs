//! What fanotify needs privilege for: marks, directories by their handles, and files that others opened.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use super::here;
use super::link::{Lane, link};
use super::message::{Deed, Message};
use crate::ebpf::fanotify::Stat;
use crate::ebpf::sys::{self, Opened};

/// Device and inode number of a file.
pub type FileKey = (u64, u64);

/// Marks the file system of a folder that is open (fanotify_mark(2)).
///
/// # Errors
/// What the kernel says.
pub fn mark(group: BorrowedFd<'_>, flags: u32, mask: u64, target: BorrowedFd<'_>) -> io::Result<()> {
    let Some(link) = link() else { return sys::fanotify_mark(group, flags, mask, target) };
    let question = Message::ask(Deed::Mark).numbers([u64::from(flags), mask]);
    link.ask(Lane::Loop, &question, &[group, target]).map(drop)
}

/// Asks for each opening of a regular file below the root of a process. Returns which file it is.
///
/// # Errors
/// It is not there, or no regular file, or cannot be marked.
pub fn mark_file(group: BorrowedFd<'_>, root: BorrowedFd<'_>, path: &Path) -> io::Result<FileKey> {
    let Some(link) = link() else { return mark_file_here(group, root, path) };
    let question = Message::ask(Deed::MarkFile).text(path.as_os_str().as_bytes());
    let (answer, _) = link.ask(Lane::Loop, &question, &[group, root])?;
    Ok((answer.number(0), answer.number(1)))
}

pub(super) fn mark_file_here(
    group: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    path: &Path,
) -> io::Result<FileKey> {
    let file = here::file(root, path)?;
    let stat = rustix::fs::fstat(&file)?;
    if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sys::fanotify_mark(group, libc::FAN_MARK_ADD, libc::FAN_OPEN, file.as_fd())?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Whole file systems are marked, and what is marked may be unmarked; nothing is asked for leave (`FAN_CLASS_CONTENT`
/// groups cannot be made after the start).
pub(super) fn may_mark(flags: u32) -> io::Result<()> {
    let known = [libc::FAN_MARK_ADD, libc::FAN_MARK_REMOVE].map(|deed| deed | libc::FAN_MARK_FILESYSTEM);
    if known.contains(&flags) { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// What a handle means on the file system that `mount` is open on: a place to look at, not into.
///
/// # Errors
/// It is gone.
pub fn by_handle(mount: BorrowedFd<'_>, kind: i32, handle: &[u8]) -> io::Result<OwnedFd> {
    let Some(link) = link() else { return by_handle_here(mount, kind, handle) };
    let question = Message::ask(Deed::ByHandle).numbers([u64::from(kind.cast_unsigned())]).text(handle);
    link.ask_open(Lane::Loop, &question, &[mount])
}

pub(super) fn by_handle_here(mount: BorrowedFd<'_>, kind: i32, handle: &[u8]) -> io::Result<OwnedFd> {
    sys::open_by_handle_at(mount, kind, handle, libc::O_PATH | libc::O_CLOEXEC)
}

/// What a name in a folder is now.
#[must_use]
pub fn stat_of_name(folder: BorrowedFd<'_>, name: &[u8]) -> Option<Stat> {
    let Some(link) = link() else { return Stat::of_name(folder, name) };
    let (answer, _) = link.ask(Lane::Loop, &Message::ask(Deed::Name).text(name), &[folder]).ok()?;
    let nanoseconds = |index| Duration::from_nanos(answer.number(index));
    Some(Stat {
        inode: answer.number(0),
        size: answer.number(1),
        links: answer.small(2),
        mode: u16::try_from(answer.number(3)).ok()?,
        changed: nanoseconds(4),
        born: (answer.number(5) != 0).then(|| nanoseconds(6)),
        is_whiteout: answer.number(7) != 0,
    })
}

pub(super) fn numbers_of(stat: &Stat) -> [u64; 8] {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let Stat { inode, size, links, mode, changed, born, is_whiteout } = *stat;
    let (is_born, born) = (u64::from(born.is_some()), born.map_or(0, nanoseconds));
    [inode, size, links.into(), mode.into(), nanoseconds(changed), is_born, born, is_whiteout.into()]
}

/// Files that others opened, of a group that tells of such; none when there is nothing.
///
/// # Errors
/// The group is of no use any more.
pub fn opened(group: BorrowedFd<'_>) -> io::Result<Vec<Opened>> {
    let Some(link) = link() else { return sys::read_opened(group) };
    if !sys::is_readable(group)? {
        return Ok(Vec::new());
    }
    let (answer, _) = link.ask(Lane::Loop, &Message::ask(Deed::Opened), &[group])?;
    let row = |row: &[u64]| {
        let [pid, is_known, device, inode] = row else { return None };
        Some(Opened { pid: u32::try_from(*pid).ok()?, file: (*is_known != 0).then_some((*device, *inode)) })
    };
    Ok(answer.numbers.chunks_exact(4).filter_map(row).collect())
}

pub(super) fn rows_of(opened: &[Opened]) -> impl Iterator<Item = u64> {
    opened.iter().flat_map(|Opened { pid, file }| {
        let (device, inode) = file.unwrap_or_default();
        [u64::from(*pid), u64::from(file.is_some()), device, inode]
    })
}
