//! What a file is when its event is read.

use std::os::fd::BorrowedFd;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Statx, StatxFlags, statx};
use rustix::io::Errno;

/// Execute bits of a mode.
const EXECUTABLE: u16 = 0o111;
/// File type bits of a mode, a regular file's and a character device's (include/uapi/linux/stat.h).
const TYPE: u16 = 0o170_000;
const REGULAR: u16 = 0o100_000;
const CHARACTER: u16 = 0o020_000;

/// A file's own facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    pub links: u32,
    pub mode: u16,
    /// How long ago its content changed.
    pub changed: Duration,
    /// How long ago it was made; none where its file system does not keep that.
    pub born: Option<Duration>,
    /// What an overlay hides a file of a lower layer with.
    pub is_whiteout: bool,
}

impl Stat {
    /// Of a name in a directory; a link is not followed. None: its times make no sense.
    pub(crate) fn of_name(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Self>, Errno> {
        Ok(Self::read(statx(directory, name, FLAGS, WANTED)?))
    }

    /// Of a file that is open.
    pub(super) fn of_file(file: BorrowedFd<'_>) -> Option<Self> {
        Self::read(statx(file, c"", FLAGS | AtFlags::EMPTY_PATH, WANTED).ok()?)
    }

    fn read(found: Statx) -> Option<Self> {
        let since = |seconds: i64, nanoseconds: u32| {
            u64::try_from(seconds).ok().map(|seconds| Duration::new(seconds, nanoseconds))
        };
        let ago = |since: Duration| {
            let then = SystemTime::UNIX_EPOCH.checked_add(since)?;
            // A time in the future is one that somebody has set.
            Some(SystemTime::now().duration_since(then).unwrap_or_default())
        };
        let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        let modified = since(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec)?;
        let born = has_birth.then(|| since(found.stx_btime.tv_sec, found.stx_btime.tv_nsec)).flatten();
        Some(Self {
            inode: found.stx_ino,
            size: found.stx_size,
            links: found.stx_nlink,
            mode: found.stx_mode,
            changed: ago(modified)?,
            born: born.and_then(ago),
            is_whiteout: found.stx_mode & TYPE == CHARACTER
                && (found.stx_rdev_major, found.stx_rdev_minor) == (0, 0),
        })
    }

    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.mode & TYPE == REGULAR
    }

    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.is_regular() && self.mode & EXECUTABLE != 0
    }
}

/// What the kernel has at hand, no question to a file system that may not answer.
const FLAGS: AtFlags = AtFlags::STATX_DONT_SYNC.union(AtFlags::SYMLINK_NOFOLLOW);
const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);
