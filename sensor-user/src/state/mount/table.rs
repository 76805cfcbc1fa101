//! One mount namespace's table, as /proc/PID/mountinfo writes it (proc_pid_mountinfo(5)).

use crate::octet;

/// Most mounts taken from one table: a node with a thousand containers shows some ten thousand. What
/// is beyond is not looked at, and [`MountTable::is_truncated`] says so.
const MOUNTS_MAX: usize = 16_384;

/// One line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Device of the file system, in the kernel's MKDEV form: major in the upper 12 bits.
    pub device: u32,
    /// What of the file system is mounted: a path from its root.
    pub root: String,
    /// Where, as the namespace's processes see it.
    pub point: String,
    pub fs_type: String,
    /// An overlay's writable layer, as the path that was given at mount.
    pub upper: Option<String>,
    /// Scratch directory of an overlay, as its options name it.
    pub work: Option<String>,
}

/// The mounts of one namespace, in the order of mountinfo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable {
    mounts: Vec<Mount>,
    refused: usize,
    truncated: bool,
}

impl MountTable {
    /// Reads mountinfo. A line that is not one is left out and counted ([`MountTable::refused`]).
    #[must_use]
    pub fn parse(mountinfo: &str) -> Self {
        let mut table = Self::default();
        for line in mountinfo.lines() {
            if table.mounts.len() >= MOUNTS_MAX {
                table.truncated = true;
                break;
            }
            match parse_line(line) {
                Some(mount) => table.mounts.push(mount),
                None => table.refused += 1,
            }
        }
        table
    }

    /// Lines that could not be read.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The table was longer than what is here.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Where file systems of a type are mounted (`cgroup2`).
    pub fn points_of_type(&self, fs_type: &str) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter(move |mount| mount.fs_type == fs_type).map(|mount| mount.point.as_str())
    }

    /// Type of the root's file system (`ext4`, `overlay`).
    #[must_use]
    pub fn root_type(&self) -> Option<&str> {
        self.at("/").map(|mount| mount.fs_type.as_str())
    }

    /// Type of the file system that a path lies on.
    #[must_use]
    pub fn type_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(|mount| mount.fs_type.as_str())
    }

    /// Is something of this file system mounted?
    #[must_use]
    pub fn has(&self, device: u32) -> bool {
        self.mounts.iter().any(|mount| mount.device == device)
    }

    /// Each mount, in the order of mountinfo.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.iter()
    }

    /// Writable layer of the root, where that is an overlay: a path of the host.
    #[must_use]
    pub fn root_upper(&self) -> Option<&str> {
        self.at("/")?.upper.as_deref()
    }

    /// Path, in this namespace, of what lies at `fs_path` below the root of the file system `device`.
    /// Where several mounts show it, the most specific that no other mount hides.
    #[must_use]
    pub fn locate(&self, device: u32, fs_path: &str) -> Option<String> {
        let mut best: Option<(bool, usize, String)> = None;
        for mount in self.mounts.iter().filter(|mount| mount.device == device) {
            let Some(rest) = below(fs_path, &mount.root) else { continue };
            let path = join(&mount.point, rest);
            let is_visible = self.at(&path).is_some_and(|top| std::ptr::eq(top, mount));
            let rank = (is_visible, mount.root.len());
            if best.as_ref().is_none_or(|(visible, length, _)| rank >= (*visible, *length)) {
                best = Some((rank.0, rank.1, path));
            }
        }
        best.map(|(_, _, path)| path)
    }

    /// Path, in this namespace, of a file in the writable layer of one of its overlays. The layer's
    /// place is written as a path of the host, so `host` says which file system that is on.
    #[must_use]
    pub fn below_overlay(&self, device: u32, fs_path: &str, host: Option<&Self>) -> Option<String> {
        self.mounts.iter().rev().find_map(|mount| {
            let upper = mount.upper.as_deref()?;
            let rest = match host.and_then(|host| host.place(upper)) {
                Some((upper_device, upper_path)) => {
                    (upper_device == device).then(|| below(fs_path, &upper_path)).flatten()?
                }
                // A relative path, or a host whose table is not known: its end must do.
                None => fs_path.split_once(upper.trim_start_matches('/')).map(|(_, rest)| rest)?,
            };
            (rest.is_empty() || rest.starts_with('/')).then(|| join(&mount.point, rest))
        })
    }

    /// Where a file of an overlay lies in its writable layer: a path of the host.
    #[must_use]
    pub fn in_upper(&self, path: &str) -> Option<String> {
        let mount = self.at(path)?;
        Some(join(mount.upper.as_deref()?, below(path, &mount.point)?))
    }

    /// A path of the host lies in the scratch directory of one of this namespace's overlays.
    #[must_use]
    pub fn has_scratch(&self, path: &str) -> bool {
        self.mounts.iter().filter_map(|mount| mount.work.as_deref()).any(|work| below(path, work).is_some())
    }

    /// File system of a path in this namespace, and the path below that file system's root.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<(u32, String)> {
        if !path.starts_with('/') {
            return None;
        }
        let mount = self.at(path)?;
        Some((mount.device, join(&mount.root, below(path, &mount.point)?)))
    }

    /// The mount a path lies on: the deepest mount point above it, of several there the last.
    fn at(&self, path: &str) -> Option<&Mount> {
        self.mounts
            .iter()
            .filter(|mount| below(path, &mount.point).is_some())
            .max_by_key(|mount| mount.point.trim_end_matches('/').len())
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut fields = left.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let mut fields = right.split(' ');
    let fs_type = fields.next()?.to_owned();
    // A source may be empty, but its blank stays.
    let options = fields.nth(1).unwrap_or_default();
    let directory = |key: &str| {
        let value = options.split(',').find_map(|option| option.strip_prefix(key));
        value.filter(|_| fs_type == "overlay").map(|path| unescape(path).replace("\\:", ":"))
    };
    let (upper, work) = (directory("upperdir="), directory("workdir="));
    Some(Mount {
        device: make_device(major.parse().ok()?, minor.parse().ok()?)?,
        root,
        point,
        fs_type,
        upper,
        work,
    })
}

/// `MKDEV` (include/linux/kdev_t.h): 12 bits of major, 20 of minor.
pub(crate) fn make_device(major: u32, minor: u32) -> Option<u32> {
    (major < 1 << 12 && minor < 1 << 20).then_some(major << 20 | minor)
}

/// Undoes the kernel's octal escapes (`\040` is a blank; `seq_escape`, fs/seq_file.c).
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let text = octet::bytes(text);
    let mut rest = text.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        match (*first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            (byte, tail) => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    octet::text(&bytes)
}

/// What is left of `path` below `directory`: empty for the directory itself, else with its slash.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(directory.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn join(directory: &str, rest: &str) -> String {
    let rest = if rest == "/" { "" } else { rest };
    match directory.trim_end_matches('/') {
        "" if rest.is_empty() => "/".to_owned(),
        directory => format!("{directory}{rest}"),
    }
}

#[cfg(test)]
mod tests;
