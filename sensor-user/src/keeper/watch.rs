//! What fanotify needs privilege for: marks, directories by their handles, and files that others opened.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::here;
use super::link::{Lane, link};
use super::message::{DESCRIPTORS_MAX, Deed, MESSAGE_MAX, Message};
use crate::ebpf::fanotify::Stat;
use crate::ebpf::sys::{self, Opened};

/// Most bytes of the paths in one question: half of what a message holds, the rest being room for its form.
const PATHS_SIZE: usize = MESSAGE_MAX / 2;

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

/// Asks for each opening of regular files below the root of a process, `most` of them in the order of `paths`. Returns which
/// of the paths led to which file: one that is not there, is no regular file or cannot be marked is left out.
#[must_use]
pub fn mark_files(
    group: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    paths: &[&Path],
    most: usize,
) -> Vec<(usize, FileKey)> {
    let Some(link) = link() else { return mark_files_here(group, root, paths, most) };
    let mut marked = Vec::new();
    let there = paths.iter().enumerate().filter(|(_, path)| here::absent(root, path).is_none());
    let mut there = there.peekable();
    while there.peek().is_some() && marked.len() < most {
        let mut question = Message::ask(Deed::MarkFiles).numbers([length(most - marked.len())]);
        let (mut places, mut bytes) = (Vec::new(), 0);
        while let Some((place, path)) =
            there.next_if(|(_, path)| bytes == 0 || bytes + path.as_os_str().len() <= PATHS_SIZE)
        {
            bytes += path.as_os_str().len();
            places.push(place);
            question = question.text(path.as_os_str().as_bytes());
        }
        let Ok((answer, _)) = link.ask(Lane::Loop, &question, &[group, root]) else { break };
        let row = |row: &[u64]| {
            let [index, device, inode] = row else { return None };
            Some((*places.get(usize::try_from(*index).ok()?)?, (*device, *inode)))
        };
        marked.extend(answer.numbers.chunks_exact(3).filter_map(row));
    }
    marked
}

pub(super) fn mark_files_here(
    group: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    paths: &[&Path],
    most: usize,
) -> Vec<(usize, FileKey)> {
    let mark = |(place, path): (usize, &&Path)| Some((place, mark_file(group, root, path).ok()?));
    paths.iter().enumerate().filter_map(mark).take(most).collect()
}

pub(super) fn rows_of_marked(marked: &[(usize, FileKey)]) -> impl Iterator<Item = u64> {
    marked.iter().flat_map(|(place, (device, inode))| [length(*place), *device, *inode])
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn mark_file(group: BorrowedFd<'_>, root: BorrowedFd<'_>, path: &Path) -> io::Result<FileKey> {
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

/// What handles mean on the file system that `mount` is open on: places to look at, not into. In their order; none where
/// it is gone.
#[must_use]
pub fn by_handles(mount: BorrowedFd<'_>, handles: &[(i32, &[u8])]) -> Vec<Option<OwnedFd>> {
    let Some(link) = link() else {
        return handles.iter().map(|handle| by_handle_here(mount, *handle)).collect();
    };
    let ask = |handles: &[(i32, &[u8])]| {
        let kinds = handles.iter().map(|(kind, _)| u64::from(kind.cast_unsigned()));
        let question = Message::ask(Deed::ByHandles).numbers(kinds);
        let question = handles.iter().fold(question, |question, (_, bytes)| question.text(*bytes));
        let mut opened: Vec<Option<OwnedFd>> = handles.iter().map(|_| None).collect();
        if let Ok((answer, descriptors)) = link.ask(Lane::Loop, &question, &[mount]) {
            for (place, open) in answer.numbers.into_iter().zip(descriptors) {
                if let Some(cell) = usize::try_from(place).ok().and_then(|place| opened.get_mut(place)) {
                    *cell = Some(open);
                }
            }
        }
        opened
    };
    handles.chunks(DESCRIPTORS_MAX).flat_map(ask).collect()
}

/// Of more than fit beside an answer the rest is left out.
pub(super) fn by_handles_here(mount: BorrowedFd<'_>, question: &Message) -> (Vec<u64>, Vec<OwnedFd>) {
    let handles = question.numbers.iter().zip(&question.texts).take(DESCRIPTORS_MAX).enumerate();
    let open = |(place, (kind, bytes)): (usize, (&u64, &Vec<u8>))| {
        let kind = u32::try_from(*kind).ok()?.cast_signed();
        Some((length(place), by_handle_here(mount, (kind, bytes))?))
    };
    handles.filter_map(open).unzip()
}

fn by_handle_here(mount: BorrowedFd<'_>, (kind, handle): (i32, &[u8])) -> Option<OwnedFd> {
    sys::open_by_handle_at(mount, kind, handle, libc::O_PATH | libc::O_CLOEXEC).ok()
}

/// What a name in a folder is now. The keeper is asked where the agent may not look into the folder.
#[must_use]
pub fn stat_of_name(folder: BorrowedFd<'_>, name: &[u8]) -> Option<Stat> {
    let own = Stat::of_name(folder, name);
    let (Err(Errno::ACCESS), Some(link)) = (&own, link()) else { return own.ok().flatten() };
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
