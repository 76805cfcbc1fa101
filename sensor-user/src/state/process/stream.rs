//! What a program's standard streams led to when it started. Whatever it opens in their place later is not
//! seen: `exec 1>file` in a shell shows at the next program that the shell starts.

use sensor_ebpf::wire::process::Stream as Record;

/// Type bits of `st_mode` (inode(7)).
const TYPE: u32 = 0o170_000;
const FIFO: u32 = 0o010_000;
const CHARACTER: u32 = 0o020_000;
const BLOCK: u32 = 0o060_000;
const REGULAR: u32 = 0o100_000;
const SOCKET: u32 = 0o140_000;

/// Standard input, output and error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    pub input: Stream,
    pub output: Stream,
    pub error: Stream,
}

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// None: it is not known, as of what ran before the sensor and may not be looked at.
    pub kind: Option<StreamKind>,
    /// Inode number.
    pub inode: u64,
}

/// What a stream leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    Terminal,
    /// A pipe, with or without a name.
    Pipe,
    Socket,
    File,
    /// `/dev/null`.
    Null,
    /// Another device: a disk, `/dev/zero`.
    Device,
    /// Neither: a directory, an event counter and the like.
    Other,
    Closed,
}

impl StreamKind {
    /// By `st_mode`, and for a device by its number.
    fn new(mode: u32, major: u32, minor: u32) -> Self {
        match mode & TYPE {
            FIFO => Self::Pipe,
            SOCKET => Self::Socket,
            REGULAR => Self::File,
            BLOCK => Self::Device,
            CHARACTER => match (major, minor) {
                (1, 3) => Self::Null,
                // Consoles and serial lines, /dev/tty and /dev/console, pseudo terminals; the serial lines of
                // other makers (Documentation/admin-guide/devices.txt).
                (4 | 5 | 136..144 | 188 | 204, _) => Self::Terminal,
                _ => Self::Device,
            },
            _ if mode == 0 => Self::Closed,
            _ => Self::Other,
        }
    }

    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::File => "file",
            Self::Null => "null",
            Self::Device => "device",
            Self::Other => "other",
            Self::Closed => "closed",
        }
    }
}

impl Stream {
    /// By what `stat(2)` tells of it.
    #[must_use]
    pub fn new(mode: u32, (major, minor): (u32, u32), inode: u64) -> Self {
        Self { kind: Some(StreamKind::new(mode, major, minor)), inode }
    }

    /// Its inode number, where that joins it with others: the two ends of a pipe, who shares a socket, what a
    /// file is called elsewhere.
    #[must_use]
    pub fn id(self) -> Option<u64> {
        match self.kind? {
            StreamKind::Pipe | StreamKind::Socket | StreamKind::File => Some(self.inode),
            StreamKind::Terminal
            | StreamKind::Null
            | StreamKind::Device
            | StreamKind::Other
            | StreamKind::Closed => None,
        }
    }
}

impl From<Record> for Stream {
    fn from(record: Record) -> Self {
        // The kernel's form: twelve bits and twenty (include/linux/kdev_t.h).
        Self::new(record.mode, (record.special >> 20, record.special & 0xf_ffff), record.inode)
    }
}

impl From<[Record; 3]> for Streams {
    fn from(records: [Record; 3]) -> Self {
        let [input, output, error] = records.map(Stream::from);
        Self { input, output, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_its_mode_and_device_say() {
        for (mode, device, name, has_id) in [
            (0o010_600, (0, 0), "pipe", true),
            (0o140_777, (0, 0), "socket", true),
            (0o100_644, (0, 0), "file", true),
            (0o020_620, (136, 3), "terminal", false),
            (0o020_620, (143, 9), "terminal", false),
            (0o020_620, (4, 64), "terminal", false),
            (0o020_666, (5, 0), "terminal", false),
            (0o020_666, (1, 3), "null", false),
            (0o020_666, (1, 5), "device", false),
            (0o060_660, (8, 1), "device", false),
            (0o040_755, (0, 0), "other", false),
            (0o000_600, (0, 0), "other", false),
            (0, (0, 0), "closed", false),
        ] {
            let stream = Stream::new(mode, device, 7);
            assert_eq!(stream.kind.map(StreamKind::name), Some(name), "{mode:o}");
            assert_eq!(stream.id(), has_id.then_some(7), "{mode:o}");
        }
        assert_eq!(Stream::default().id(), None, "nobody looked");
    }

    #[test]
    fn a_record_has_the_kernels_device_numbers() {
        let null = Record { mode: 0o020_666, special: 1 << 20 | 3, inode: 4, ..Record::default() };
        let pipe = Record { mode: 0o010_600, inode: 5, ..Record::default() };
        let Streams { input, output, error } = Streams::from([null, pipe, Record::default()]);
        assert_eq!(input.kind, Some(StreamKind::Null));
        assert_eq!((output.kind, output.id()), (Some(StreamKind::Pipe), Some(5)));
        assert_eq!(error.kind, Some(StreamKind::Closed));
    }
}
