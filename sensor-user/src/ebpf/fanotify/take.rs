//! From an event to what is told of it.

use super::directory::Directories;
use super::record::{Handle, Malformed, PlaceRef, Record};
use super::{Deed, Drained, RESCANS_MAX, Seen};
use crate::capture::Capture;
use crate::octet;

/// What taking events needs, and what it counts.
pub(super) struct Taken<'a> {
    pub(super) directories: &'a mut Directories,
    /// With the names of secrets, where their opening is watched.
    pub(super) capture: Option<&'a Capture>,
    pub(super) rescans: &'a mut Vec<u32>,
    pub(super) own_pid: u32,
    pub(super) own_seen: &'a mut u64,
    pub(super) time: u64,
    pub(super) drained: &'a mut Drained,
    pub(super) overflowed: u64,
}

impl Taken<'_> {
    /// Opens what these events will be asked about.
    pub(super) fn prepare<'r>(&mut self, records: impl Iterator<Item = &'r Record<'r>>) {
        let wanted: Vec<Handle<'r>> = records.flat_map(|record| self.wanted(record)).flatten().collect();
        self.directories.prepare(wanted.into_iter());
    }

    /// What one event needs open: the directories whose paths are not known or whose names are looked at, and the file.
    fn wanted<'r>(&self, record: &Record<'r>) -> [Option<Handle<'r>>; 2] {
        let unless_known =
            |place: &PlaceRef<'r>| (!self.directories.is_known(place)).then(|| place.in_directory());
        match record {
            Record::Rename { pid, from, to, .. } if *pid != self.own_pid => {
                [unless_known(from), unless_known(to)]
            }
            Record::Named { pid, mask, place, file } if *pid != self.own_pid => {
                let is_looked_at = file.is_none() && *mask != libc::FAN_DELETE;
                let place = if is_looked_at { Some(place.in_directory()) } else { unless_known(place) };
                [place, *file]
            }
            Record::Rename { .. } | Record::Named { .. } | Record::Overflow | Record::Other => [None; 2],
        }
    }

    pub(super) fn take(
        &mut self,
        record: Result<Record<'_>, Malformed>,
        is_wanted: &mut dyn FnMut(u32, bool) -> bool,
        each: &mut dyn FnMut(Seen),
    ) {
        match record {
            Ok(Record::Rename { pid, is_directory, from, to }) => {
                if !is_directory {
                    self.note_secret(pid, &to);
                }
                if self.is_news(pid, libc::FAN_RENAME, is_wanted) {
                    let deed = self.renamed(&from, &to, is_directory);
                    each(Seen { pid, time: self.time, deed });
                }
                if is_directory {
                    self.directories.forget();
                }
            }
            Ok(Record::Named { pid, mask, place, file }) => {
                if mask & libc::FAN_CREATE != 0 {
                    self.note_secret(pid, &place);
                }
                if self.is_news(pid, mask, is_wanted) {
                    self.named(pid, mask, &place, file.as_ref(), each);
                }
            }
            Ok(Record::Overflow) => {
                self.overflowed += 1;
                // The rename of a directory may be among what is lost.
                self.directories.forget();
            }
            Ok(Record::Other) => {}
            Err(malformed) => {
                self.drained.malformed += 1;
                self.drained.first_malformed.get_or_insert(malformed);
                self.directories.forget();
            }
        }
    }

    /// Counts an event; false: it is not told.
    fn is_news(&mut self, pid: u32, mask: u64, is_wanted: &mut dyn FnMut(u32, bool) -> bool) -> bool {
        if pid == self.own_pid {
            self.drained.own += 1;
            *self.own_seen |= mask;
            return false;
        }
        self.directories.attend(pid);
        let is_news = is_wanted(pid, false);
        *(if is_news { &mut self.drained.events } else { &mut self.drained.unwanted }) += 1;
        is_news
    }

    /// A file with the name of a secret is to be marked.
    fn note_secret(&mut self, pid: u32, place: &PlaceRef<'_>) {
        let Some(capture) = self.capture else { return };
        if self.rescans.len() < RESCANS_MAX
            && !self.rescans.contains(&pid)
            && capture.may_be_secret(&String::from_utf8_lossy(place.name))
        {
            self.rescans.push(pid);
        }
    }

    fn renamed(&mut self, from: &PlaceRef<'_>, to: &PlaceRef<'_>, is_directory: bool) -> Deed {
        let (old, new) = (self.directories.path(from), self.directories.path(to));
        self.drained.unresolved += u64::from(old.is_none() || new.is_none());
        // An overlay's scratch names are `#` and a number in hexadecimal (`ovl_lookup_temp`).
        let stat = from.name.starts_with(b"#").then(|| self.directories.stat(to)).flatten();
        Deed::Renamed { from: join(old.as_deref(), from), to: join(new.as_deref(), to), is_directory, stat }
    }

    /// One event can hold several things that were done to one name, in an order that nobody knows.
    fn named(
        &mut self,
        pid: u32,
        mask: u64,
        place: &PlaceRef<'_>,
        file: Option<&Handle<'_>>,
        each: &mut dyn FnMut(Seen),
    ) {
        // A file without a name (`O_TMPFILE`) is called so by the kernel; it is told when it gets one.
        if file.is_some() && place.name.starts_with(b"#") && self.directories.stat(place).is_none() {
            return;
        }
        let directory = self.directories.path(place);
        self.drained.unresolved += u64::from(directory.is_none());
        let path = join(directory.as_deref(), place);
        let has = |bit: u64| mask & bit != 0;
        let stat = match file {
            Some(file) => self.directories.stat_file(file),
            None if mask == libc::FAN_DELETE => None,
            None => self.directories.stat(place),
        };
        let time = self.time;
        let mut tell = |deed| each(Seen { pid, time, deed });
        // A name that is there now was made after it was deleted.
        let is_first = has(libc::FAN_DELETE) && has(libc::FAN_CREATE) && stat.is_some();
        if is_first {
            tell(Deed::Deleted { path: path.clone() });
        }
        if has(libc::FAN_CREATE) {
            tell(Deed::Created { path: path.clone(), stat, place: place.into() });
        }
        if has(libc::FAN_CLOSE_WRITE) {
            tell(Deed::Closed { path: path.clone(), stat });
        }
        if has(libc::FAN_ATTRIB) {
            tell(Deed::Changed { path: path.clone(), stat });
        }
        if has(libc::FAN_DELETE) && !is_first {
            tell(Deed::Deleted { path });
        }
    }
}

/// The path of `place` in `directory`, or its bare name.
fn join(directory: Option<&str>, place: &PlaceRef<'_>) -> String {
    let name = octet::text(place.name);
    match directory {
        Some("/") => format!("/{name}"),
        Some(directory) => format!("{directory}/{name}"),
        None => name,
    }
}
