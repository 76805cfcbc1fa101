//! inotify on the places of rules (inotify(7)). What matters in a directory is known by [`Wanted`]: the rest of
//! what happens there wakes this thread and nothing else.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustc_hash::FxHashMap;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::place::{Places, Wanted};

/// A file was written to its end, came, went, or may be read by others now; the directory itself went.
const MASK: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
/// What ends a watch.
const ENDS: ReadFlags = ReadFlags::DELETE_SELF.union(ReadFlags::MOVE_SELF).union(ReadFlags::UNMOUNT);
/// Bytes read at a time: some 100 events.
const BUFFER: usize = 8 * 1024;
/// Most events taken at a time. Who makes more in a directory of rules keeps this thread busy, never for good.
const EVENTS_MAX: usize = 4096;

/// The watches of all places.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
    wanted: FxHashMap<i32, Wanted>,
}

/// What could not be watched.
#[derive(Debug)]
pub(super) struct Unwatched {
    pub(super) directories: usize,
    /// Of the first that was refused; none: there are too many.
    pub(super) refused: Option<(PathBuf, io::Error)>,
}

impl Watch {
    /// # Errors
    /// The system has none left (`fs.inotify.max_user_instances`), or no inotify.
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, wanted: FxHashMap::default() })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Watches these places from now on, and no others.
    ///
    /// # Errors
    /// Some cannot be watched.
    pub(super) fn arm(&mut self, places: Places) -> Result<(), Unwatched> {
        let mut wanted: FxHashMap<i32, Wanted> = FxHashMap::default();
        let mut unwatched = Unwatched { directories: places.left_out, refused: None };
        for (directory, of_it) in places.directories {
            match inotify::add_watch(&self.inotify, &directory, MASK) {
                // Two paths may lead to one directory.
                Ok(watch) => wanted.entry(watch).or_default().join(of_it),
                // It went meanwhile: its parent is watched, and what is there now is about to be read.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => {
                    unwatched.directories += 1;
                    unwatched.refused.get_or_insert((directory, error.into()));
                }
            }
        }
        for watch in self.wanted.keys().filter(|watch| !wanted.contains_key(watch)) {
            // Of a directory that is gone the kernel has taken it away already.
            let _ = inotify::remove_watch(&self.inotify, *watch);
        }
        self.wanted = wanted;
        if unwatched.directories == 0 { Ok(()) } else { Err(unwatched) }
    }

    /// Whether anything has happened that may have changed a rule. Takes what waits, never waits itself.
    pub(super) fn has_news(&mut self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut has_news = false;
        for _ in 0..EVENTS_MAX {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    has_news |= matters(&self.wanted, event.wd(), event.events(), name);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        has_news
    }
}

fn matters(wanted: &FxHashMap<i32, Wanted>, watch: i32, events: ReadFlags, name: Option<&OsStr>) -> bool {
    if events.contains(ReadFlags::QUEUE_OVERFLOW) {
        return true;
    }
    // Else of a watch that has been taken away.
    wanted.get(&watch).is_some_and(|wanted| {
        events.intersects(ENDS) || name.map_or(wanted.is_folder, |name| wanted.has(name))
    })
}
