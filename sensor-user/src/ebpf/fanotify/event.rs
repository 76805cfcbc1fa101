//! What can be watched, and what is told of it.

use super::directory::Place;
use super::record::Malformed;
use super::stat::Stat;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileEvent {
    Rename,
    /// A new name: of a new file, or one more of a file.
    Create,
    Delete,
    /// Mode, owner, times.
    Attributes,
    /// A file that was open for writing is closed.
    Close,
    /// A file that holds secrets is opened.
    Open,
}

impl FileEvent {
    /// As fanotify(7) calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rename => "fanotify FAN_RENAME",
            Self::Create => "fanotify FAN_CREATE",
            Self::Delete => "fanotify FAN_DELETE",
            Self::Attributes => "fanotify FAN_ATTRIB",
            Self::Close => "fanotify FAN_CLOSE_WRITE",
            Self::Open => "fanotify FAN_OPEN",
        }
    }

    pub(super) const fn mask(self) -> u64 {
        match self {
            Self::Rename => libc::FAN_RENAME,
            Self::Create => libc::FAN_CREATE,
            Self::Delete => libc::FAN_DELETE,
            Self::Attributes => libc::FAN_ATTRIB,
            Self::Close => libc::FAN_CLOSE_WRITE,
            Self::Open => libc::FAN_OPEN,
        }
    }
}

/// One thing that happened.
///
/// A path without a leading slash is the bare name: its directory was gone before it could be asked for.
/// Bytes that are not UTF-8 are replaced by U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Thread group, in the agent's pid namespace; 0 for a process outside of it.
    pub pid: u32,
    /// When the event was read (it happened before), `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    pub deed: Deed,
}

/// What happened. A `stat` is of the moment of reading; none: the file has no such name any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Renamed {
        from: String,
        to: String,
        is_directory: bool,
        /// What lies under the new name now, if the rename may be an overlay's own.
        stat: Option<Stat>,
    },
    Created {
        path: String,
        stat: Option<Stat>,
        /// For [`super::FileWatch::look_again`].
        place: Place,
    },
    Closed {
        path: String,
        stat: Option<Stat>,
    },
    Changed {
        path: String,
        stat: Option<Stat>,
    },
    Deleted {
        path: String,
    },
    /// A secret, by the path that was asked for.
    Opened {
        path: String,
    },
}

/// What one [`super::FileWatch::drain`] read. All counts are of this drain only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Events handed on.
    pub events: u64,
    /// Events of processes that nobody wants to hear of.
    pub unwanted: u64,
    /// Times a queue (`fs.fanotify.max_queued_events`) was full. Each stands for one event or more that is
    /// lost; the kernel does not say how many.
    pub overflowed: Overflowed,
    /// Events of the agent itself: not handed on.
    pub own: u64,
    /// Events handed on with a bare name.
    pub unresolved: u64,
    /// Events that could not be read.
    pub malformed: u64,
    /// What was wrong with the first of them.
    pub first_malformed: Option<Malformed>,
    /// The bound of one drain was met: call again without waiting for readiness.
    pub more: bool,
}

/// Overflows by queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflowed {
    pub names: u64,
    pub closes: u64,
    pub opens: u64,
}
