//! The folder: segments that are only added to, and the small files beside them.
//!
//! ```text
//! lock               held while an agent uses the folder
//! agent              the agent's id, as text
//! head               the last number given (two slots)
//! cursor.NAME.SUM    the last number that a sink's receiver has (two slots), for each sink
//! 0000000000000001   segments: records back to back, the newest file last
//! ```

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::crash::point;
use super::envelope::Envelope;
use super::error::OutboxError;
use super::index::Place;
use super::record::{Range, Record};
use super::shared::Kept;
use super::slot::Slots;

/// Segments that the bound of the folder is divided into: one of them is the least that is freed at once, and the most
/// that is copied to free a part of it.
const SEGMENTS: u64 = 16;
/// Digits of a segment's name.
const NAME: usize = 16;
/// A rewritten segment until it takes the place of the old one.
const DRAFT: &str = "draft";
/// Longest part of a sink's name in the name of its cursor: with the rest below the 255 bytes of any file system.
const CURSOR_NAME_MAX: usize = 100;

/// The folder, held by one agent.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    head: Slots,
    segments: BTreeMap<u64, Segment>,
    /// The segment that is added to.
    active: Option<u64>,
    /// Bytes that all segments may have together.
    bound: u64,
    _lock: File,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: Arc<File>,
    bytes: u64,
    /// Numbers whose loss was told, as its records say.
    gone: Vec<Range>,
}

/// Where the live records of a segment are: number, offset, bytes.
pub(super) type Live = (u64, u64, u32);

impl Disk {
    /// Takes the folder, made if there is none. What is in it is [`super::recover`]'s business.
    pub(super) fn open(directory: &Path, bound: u64) -> Result<Self, OutboxError> {
        let failed = |what| move |source| OutboxError::Io { what, directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("cannot be made"))?;
        let lock = open(&directory.join("lock")).map_err(failed("cannot be written"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(OutboxError::Taken { directory: directory.to_owned() });
        }
        point("locked");
        let (head, _) = Slots::open(&directory.join("head")).map_err(failed("cannot be written"))?;
        let mut disk = Self {
            directory: directory.to_owned(),
            head,
            segments: BTreeMap::new(),
            active: None,
            bound,
            _lock: lock,
        };
        disk.find_segments().map_err(failed("cannot be read"))?;
        Ok(disk)
    }

    fn find_segments(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name == DRAFT {
                fs::remove_file(entry.path())?;
            }
            let Some(id) = u64::from_str_radix(name, 16).ok().filter(|_| name.len() == NAME) else {
                continue;
            };
            let file = File::open(entry.path())?;
            let bytes = file.metadata()?.len();
            self.segments.insert(id, Segment { file: Arc::new(file), bytes, gone: Vec::new() });
        }
        Ok(())
    }

    /// The agent's id: made once for the folder, and anew if nobody can read it.
    pub(super) fn agent(&self) -> io::Result<Uuid> {
        let path = self.directory.join("agent");
        if let Some(id) = fs::read_to_string(&path).ok().and_then(|text| Uuid::try_parse(text.trim()).ok()) {
            return Ok(id);
        }
        let id = Uuid::new_v4();
        let draft = self.directory.join(DRAFT);
        fs::write(&draft, format!("{id}\n"))?;
        File::open(&draft)?.sync_all()?;
        fs::rename(&draft, &path)?;
        self.sync_directory()?;
        Ok(id)
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (u64, &Segment)> {
        self.segments.iter().map(|(id, segment)| (*id, segment))
    }

    /// What the records of a segment say was told as lost.
    pub(super) fn note_gone(&mut self, segment: u64, gone: Vec<Range>) {
        if let Some(segment) = self.segments.get_mut(&segment) {
            segment.gone = gone;
        }
    }

    /// Everybody has passed the numbers that a segment says were lost.
    pub(super) fn is_told(&self, segment: u64, confirmed: u64) -> bool {
        let segment = self.segments.get(&segment);
        segment.is_none_or(|segment| segment.gone.iter().all(|range| range.last <= confirmed))
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// How full it is.
    pub(super) fn kept(&self) -> Kept {
        Kept { bytes: self.bytes(), bound: self.bound, is_refused: false }
    }

    /// Bytes that are too many once so many are added.
    pub(super) fn excess(&self, more: u64) -> u64 {
        self.bytes().saturating_add(more).saturating_sub(self.bound)
    }

    /// The least that is worth freeing.
    pub(super) fn portion(&self) -> u64 {
        self.bound / SEGMENTS
    }

    /// Adds records and waits for the disk. After an error none of them is there.
    pub(super) fn append(
        &mut self,
        gone: &[Range],
        envelopes: &[Arc<Envelope>],
    ) -> io::Result<Vec<(u64, Place)>> {
        let mut bytes = Vec::new();
        gone.iter().for_each(|range| _ = Record::Gone(*range).write(&mut bytes));
        // What was given up made room: saying so needs a little of it, and is never refused for that.
        let told = bytes.len();
        let mut parts = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            let begin = bytes.len();
            if !Record::Envelope(Envelope::clone(envelope)).write(&mut bytes) {
                return Err(io::Error::other("a message is longer than any record may be"));
            }
            parts.push((envelope.sequence, begin, bytes.len() - begin));
        }
        if self.excess((bytes.len() - told) as u64) > 0 {
            return Err(io::Error::other("the folder is full of messages that are on their way"));
        }
        let (segment, start) = self.write(&bytes, gone)?;
        point("synced");
        if let Some(last) = envelopes.last() {
            // The number is for who finds the records gone; without it they are there all the same.
            let _ = self.head.write(last.sequence);
        }
        point("head written");
        let place = |(sequence, begin, size): (u64, usize, usize)| {
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            (sequence, Place::Record { segment, offset: start + begin as u64, size })
        };
        Ok(parts.into_iter().map(place).collect())
    }

    /// Segment, and where in it the bytes begin.
    fn write(&mut self, bytes: &[u8], gone: &[Range]) -> io::Result<(u64, u64)> {
        let id = self.writable(bytes.len() as u64)?;
        let segment = self.segments.get_mut(&id).ok_or_else(|| io::Error::other("no segment"))?;
        let start = segment.bytes;
        point("before write");
        let written = halves(bytes).into_iter().try_for_each(|(at, part)| {
            segment.file.write_all_at(part, start + at)?;
            point("part written");
            Ok(())
        });
        let written = written.and_then(|()| {
            point("written");
            segment.file.sync_data()
        });
        if let Err(error) = written {
            // What half stands there is cut off; if that fails too, nothing is added behind it.
            if segment.file.set_len(start).is_err() {
                segment.bytes = segment.file.metadata().map_or(start, |file| file.len());
            }
            self.active = None;
            return Err(error);
        }
        segment.bytes += bytes.len() as u64;
        segment.gone.extend(gone);
        Ok((id, start))
    }

    /// A segment with room for so many bytes, made if need be.
    fn writable(&mut self, more: u64) -> io::Result<u64> {
        if let Some(id) = self.active
            && self.segments.get(&id).is_some_and(|segment| {
                segment.bytes == 0 || segment.bytes.saturating_add(more) <= self.portion()
            })
        {
            return Ok(id);
        }
        let id = self.segments.keys().next_back().map_or(1, |last| last + 1);
        let file = open(&self.path(id))?;
        point("segment made");
        self.sync_directory()?;
        self.segments.insert(id, Segment { file: Arc::new(file), bytes: 0, gone: Vec::new() });
        self.active = Some(id);
        Ok(id)
    }

    /// Writes a segment anew with its live records only, and what else was told as lost. After an error all is as it
    /// was.
    pub(super) fn rewrite(
        &mut self,
        id: u64,
        live: &[Live],
        gone: &[Range],
    ) -> io::Result<Vec<(u64, Place)>> {
        if self.active == Some(id) {
            self.active = None;
        }
        let old = self.segments.get(&id).ok_or_else(|| io::Error::other("no such segment"))?;
        let told: Vec<Range> = old.gone.iter().chain(gone).copied().collect();
        let mut bytes = Vec::new();
        told.iter().for_each(|range| _ = Record::Gone(*range).write(&mut bytes));
        let mut places = Vec::with_capacity(live.len());
        for (sequence, offset, size) in live {
            let begin = bytes.len();
            bytes.resize(begin + usize::try_from(*size).unwrap_or(0), 0);
            old.file.read_exact_at(bytes.get_mut(begin..).unwrap_or_default(), *offset)?;
            places.push((*sequence, Place::Record { segment: id, offset: begin as u64, size: *size }));
        }
        let draft = self.directory.join(DRAFT);
        let file = open(&draft)?;
        file.set_len(0)?;
        point("draft made");
        let written = file.write_all_at(&bytes, 0).and_then(|()| file.sync_all());
        let written = written.and_then(|()| {
            point("draft synced");
            fs::rename(&draft, self.path(id))
        });
        written.inspect_err(|_| _ = fs::remove_file(&draft))?;
        point("draft renamed");
        let size = bytes.len() as u64;
        self.segments.insert(id, Segment { file: Arc::new(file), bytes: size, gone: told });
        // Whichever of the two files a power cut leaves is whole.
        let _ = self.sync_directory();
        Ok(places)
    }

    /// Takes away a segment that nobody needs, unless it is added to.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        if self.active == Some(id) {
            return false;
        }
        point("before removal");
        if let Err(error) = fs::remove_file(self.path(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            return false;
        }
        point("removed");
        self.segments.remove(&id).is_some()
    }

    /// The cursor of a sink: where its number is kept, and the number, if it can be read.
    pub(super) fn cursor(&self, sink: &str) -> io::Result<(Slots, Option<u64>)> {
        Slots::open(&self.directory.join(cursor_name(sink)))
    }

    /// Takes away the cursors of sinks that are not configured any more.
    pub(super) fn forget_cursors_but(&self, sinks: &[String]) -> io::Result<()> {
        let wanted: Vec<String> = sinks.iter().map(|sink| cursor_name(sink)).collect();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_other = |name: &str| name.starts_with("cursor.") && !wanted.iter().any(|it| it == name);
            if name.to_str().is_some_and(is_other) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The last number given, as far as is written down.
    pub(super) fn last(&self) -> io::Result<u64> {
        Ok(Slots::open(&self.directory.join("head"))?.1.unwrap_or(0))
    }

    fn path(&self, id: u64) -> PathBuf {
        self.directory.join(format!("{id:0NAME$x}"))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl Segment {
    /// All of it.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.bytes).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// Reads the message of a record. None: it is damaged.
pub(super) fn read(file: &File, offset: u64, size: u32) -> io::Result<Option<Envelope>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    Ok(match Record::read(&bytes) {
        Some((Record::Envelope(envelope), _)) => Some(envelope),
        Some((Record::Gone(_), _)) | None => None,
    })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Two writes in tests, where the agent may be ended between them; one otherwise.
fn halves(bytes: &[u8]) -> Vec<(u64, &[u8])> {
    if !cfg!(test) {
        return vec![(0, bytes)];
    }
    let (first, second) = bytes.split_at(bytes.len() / 2);
    vec![(0, first), (first.len() as u64, second)]
}

/// The file of a sink's number.
pub(super) fn cursor_name(sink: &str) -> String {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '-' };
    let name: String = sink.bytes().take(CURSOR_NAME_MAX).map(plain).collect();
    format!("cursor.{name}.{:08x}", crc32fast::hash(sink.as_bytes()))
}
