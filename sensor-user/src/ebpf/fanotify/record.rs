//! The bytes that a read of a fanotify group returns, checked and cut into events.
//!
//! Pure and total: every length is checked against the bytes there are, nothing is guessed, an
//! info record of an unknown type is stepped over. Layouts: include/uapi/linux/fanotify.h,
//! fanotify(7).

use crate::ebpf::sys::HANDLE_BYTES_MAX;

/// `sizeof(struct fanotify_event_metadata)`.
const METADATA_BYTES: usize = 24;
/// `sizeof(struct fanotify_event_info_header)`: type, padding, length.
const INFO_HEADER_BYTES: usize = 4;
/// File system id (two 32-bit words), then the length and the type of the handle.
const HANDLE_START: usize = 16;

/// Why some bytes are no event. Facts only: the reader counts them and keeps the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{0} bytes are left where a fanotify event needs 24")]
    Short(usize),
    #[error(
        "a fanotify event says it has {said} bytes, of which {metadata} are its head, and {left} are left"
    )]
    EventLength { said: u32, metadata: u16, left: usize },
    #[error("fanotify event version {0}: only 3 is known, so nothing after it can be read")]
    Version(u8),
    #[error("an info record of a fanotify event says it has {said} bytes and {left} are left")]
    InfoLength { said: usize, left: usize },
    #[error("a directory handle says it has {said} bytes in {left} (at most 128)")]
    HandleLength { said: usize, left: usize },
    #[error("a file name in a fanotify event is empty or has no end")]
    Name,
    #[error("an event without the place where it happened")]
    MissingPlace,
}

/// A file by its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle<'a> {
    /// As [`PlaceRef::fsid`].
    pub(super) fsid: u64,
    pub(super) kind: i32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Handle<'a> {
    /// Type and bytes, as they are opened on its file system.
    pub(super) fn parts(&self) -> (i32, &'a [u8]) {
        (self.kind, self.bytes)
    }
}

impl<'a> PlaceRef<'a> {
    /// The directory, as a file.
    pub(super) fn in_directory(&self) -> Handle<'a> {
        Handle { fsid: self.fsid, kind: self.handle_type, bytes: self.handle }
    }
}

/// A name in a directory that the kernel names by handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlaceRef<'a> {
    /// As `statfs` gives it, first word in the low half.
    pub(super) fsid: u64,
    pub(super) handle_type: i32,
    pub(super) handle: &'a [u8],
    /// File system id, length, type and handle as one piece: the directory's identity.
    pub(super) directory: &'a [u8],
    /// Without its terminating zero, never empty.
    pub(super) name: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Rename {
        /// As the agent's pid namespace knows it; 0 for a process outside of that.
        pid: u32,
        is_directory: bool,
        from: PlaceRef<'a>,
        to: PlaceRef<'a>,
    },
    /// One name, and what was done to it: several things where the kernel has merged them.
    Named {
        pid: u32,
        /// `FAN_*` bits.
        mask: u64,
        place: PlaceRef<'a>,
        /// The file itself, where the group asks for it.
        file: Option<Handle<'a>>,
    },
    /// The kernel's queue was full: an unknown number of events is gone.
    Overflow,
    /// An event of a kind that was not asked for, or of a directory.
    Other,
}

/// Reads event after event. A malformed event whose length holds costs only itself; when the
/// length itself lies, the rest of the bytes is given up.
#[derive(Clone)]
pub(super) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_event(self.rest) {
            Ok((event, rest)) => {
                self.rest = rest;
                Some(read_event(&event))
            }
            Err(malformed) => {
                self.rest = &[];
                Some(Err(malformed))
            }
        }
    }
}

/// The head of an event and the bytes of its info records.
struct Event<'a> {
    mask: u64,
    pid: i32,
    infos: &'a [u8],
}

fn split_event(bytes: &[u8]) -> Result<(Event<'_>, &[u8]), Malformed> {
    let short = Malformed::Short(bytes.len());
    let head: &[u8; METADATA_BYTES] = bytes.first_chunk().ok_or(short)?;
    // event_len u32, vers u8, reserved u8, metadata_len u16, mask u64, fd i32, pid i32
    let [l0, l1, l2, l3, version, _, h0, h1, m0, m1, m2, m3, m4, m5, m6, m7, _, _, _, _, p0, p1, p2, p3] =
        *head;
    if version != libc::FANOTIFY_METADATA_VERSION {
        return Err(Malformed::Version(version));
    }
    let said = u32::from_ne_bytes([l0, l1, l2, l3]);
    let metadata = u16::from_ne_bytes([h0, h1]);
    let wrong = Malformed::EventLength { said, metadata, left: bytes.len() };
    let length = usize::try_from(said).map_err(|_| wrong.clone())?;
    let (event, rest) = bytes.split_at_checked(length).ok_or_else(|| wrong.clone())?;
    // A head may grow in later kernels: the info records start where it says it ends.
    if usize::from(metadata) < METADATA_BYTES {
        return Err(wrong);
    }
    let infos = event.get(usize::from(metadata)..).ok_or(wrong)?;
    let mask = u64::from_ne_bytes([m0, m1, m2, m3, m4, m5, m6, m7]);
    Ok((Event { mask, pid: i32::from_ne_bytes([p0, p1, p2, p3]), infos }, rest))
}

fn read_event<'a>(event: &Event<'a>) -> Result<Record<'a>, Malformed> {
    if event.mask & libc::FAN_Q_OVERFLOW != 0 {
        return Ok(Record::Overflow);
    }
    let pid = u32::try_from(event.pid).unwrap_or(0);
    let is_directory = event.mask & libc::FAN_ONDIR != 0;
    let (mut from, mut to, mut place, mut file) = (None, None, None, None);
    let mut rest = event.infos;
    while !rest.is_empty() {
        let (kind, body, after) = split_info(rest)?;
        rest = after;
        match kind {
            libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME => from = Some(read_place(body)?),
            libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME => to = Some(read_place(body)?),
            libc::FAN_EVENT_INFO_TYPE_DFID_NAME => place = Some(body),
            libc::FAN_EVENT_INFO_TYPE_FID => file = Some(body),
            // Kinds that were not asked for, or that later kernels add.
            _ => {}
        }
    }
    if event.mask & libc::FAN_RENAME != 0 {
        let (Some(from), Some(to)) = (from, to) else { return Err(Malformed::MissingPlace) };
        return Ok(Record::Rename { pid, is_directory, from, to });
    }
    if is_directory || event.mask & NAMED == 0 {
        return Ok(Record::Other);
    }
    let place = place.ok_or(Malformed::MissingPlace).and_then(read_place)?;
    let file = file.map(read_handle).transpose()?.map(|(handle, _)| handle);
    Ok(Record::Named { pid, mask: event.mask & NAMED, place, file })
}

/// Events that have one name.
const NAMED: u64 = libc::FAN_CREATE | libc::FAN_DELETE | libc::FAN_ATTRIB | libc::FAN_CLOSE_WRITE;

/// Type, body and the bytes after one info record. A length below its header's would loop for ever.
fn split_info(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let header: &[u8; INFO_HEADER_BYTES] =
        bytes.first_chunk().ok_or(Malformed::InfoLength { said: INFO_HEADER_BYTES, left: bytes.len() })?;
    let [kind, _, l0, l1] = *header;
    let said = usize::from(u16::from_ne_bytes([l0, l1]));
    let wrong = Malformed::InfoLength { said, left: bytes.len() };
    let (info, rest) = bytes.split_at_checked(said).ok_or_else(|| wrong.clone())?;
    let body = info.get(INFO_HEADER_BYTES..).ok_or(wrong)?;
    Ok((kind, body, rest))
}

/// `fsid`, `struct file_handle`, and what is behind them.
fn read_handle(body: &[u8]) -> Result<(Handle<'_>, &[u8]), Malformed> {
    let short = Malformed::HandleLength { said: HANDLE_START, left: body.len() };
    let head: &[u8; HANDLE_START] = body.first_chunk().ok_or(short)?;
    let [s0, s1, s2, s3, s4, s5, s6, s7, l0, l1, l2, l3, t0, t1, t2, t3] = *head;
    let low = u32::from_ne_bytes([s0, s1, s2, s3]);
    let high = u32::from_ne_bytes([s4, s5, s6, s7]);
    let said = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let wrong = Malformed::HandleLength { said, left: body.len() };
    if said > HANDLE_BYTES_MAX {
        return Err(wrong);
    }
    let (whole, rest) = body.split_at_checked(HANDLE_START + said).ok_or(wrong)?;
    let handle = Handle {
        fsid: u64::from(low) | u64::from(high) << u32::BITS,
        kind: i32::from_ne_bytes([t0, t1, t2, t3]),
        bytes: whole.get(HANDLE_START..).unwrap_or_default(),
    };
    Ok((handle, rest))
}

/// A handle, then a name that ends in a zero and may be padded with more.
fn read_place(body: &[u8]) -> Result<PlaceRef<'_>, Malformed> {
    let (Handle { fsid, kind, bytes }, name) = read_handle(body)?;
    let end = name.iter().position(|byte| *byte == 0).ok_or(Malformed::Name)?;
    let name = name.get(..end).filter(|name| !name.is_empty()).ok_or(Malformed::Name)?;
    let directory = body.get(..HANDLE_START + bytes.len()).unwrap_or_default();
    Ok(PlaceRef { fsid, handle_type: kind, handle: bytes, directory, name })
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn place(handle: &[u8], name: &[u8]) -> Vec<u8> {
        let mut bytes = [7_u32.to_ne_bytes(), 9_u32.to_ne_bytes()].concat();
        bytes.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
        bytes.extend(1_i32.to_ne_bytes());
        bytes.extend(handle);
        bytes.extend(name);
        bytes
    }

    fn info(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + INFO_HEADER_BYTES).unwrap().to_ne_bytes();
        [&[kind, 0], &length[..], body].concat()
    }

    fn event(mask: u64, pid: i32, infos: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(infos.len() + METADATA_BYTES).unwrap().to_ne_bytes().to_vec();
        bytes.extend([libc::FANOTIFY_METADATA_VERSION, 0]);
        bytes.extend(u16::try_from(METADATA_BYTES).unwrap().to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(libc::FAN_NOFD.to_ne_bytes());
        bytes.extend(pid.to_ne_bytes());
        bytes.extend(infos);
        bytes
    }

    fn rename() -> Vec<u8> {
        let infos = [
            info(libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, &place(&[1; 8], b"old\0")),
            info(libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, &place(&[2; 12], b"new\0\0\0")),
        ];
        event(libc::FAN_RENAME, 4242, &infos.concat())
    }

    fn read(bytes: &[u8]) -> Vec<Result<Record<'_>, Malformed>> {
        Records::new(bytes).collect()
    }

    #[test]
    fn a_rename_has_both_places() {
        let bytes = rename();
        let records = read(&bytes);
        let [Ok(Record::Rename { pid: 4242, is_directory: false, from, to })] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!((from.fsid, from.handle_type, from.handle), (7 | 9 << 32, 1, &[1_u8; 8][..]));
        assert_eq!((from.name, to.name, to.handle), (&b"old"[..], &b"new"[..], &[2_u8; 12][..]));
        assert_eq!(from.directory.len(), HANDLE_START + 8);
    }

    #[test]
    fn a_close_has_its_place_and_its_file() {
        let infos = [
            info(libc::FAN_EVENT_INFO_TYPE_DFID_NAME, &place(&[1; 8], b"x\0")),
            info(libc::FAN_EVENT_INFO_TYPE_FID, &place(&[3; 8], b"")),
        ];
        let bytes = event(libc::FAN_CLOSE_WRITE, 7, &infos.concat());
        let records = read(&bytes);
        let [Ok(Record::Named { pid: 7, mask, place, file: Some(file) })] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_eq!((*mask, place.name, file.bytes), (libc::FAN_CLOSE_WRITE, &b"x"[..], &[3_u8; 8][..]));
        let bytes = event(libc::FAN_CREATE | libc::FAN_ONDIR, 7, &infos.concat());
        assert_eq!(read(&bytes), [Ok(Record::Other)], "a directory");
        let bytes = event(libc::FAN_CREATE, 7, &[]);
        assert_eq!(read(&bytes), [Err(Malformed::MissingPlace)]);
    }

    #[test]
    fn unknown_info_records_are_stepped_over() {
        let infos = [
            info(99, b"later kernels"),
            info(libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, &place(&[1; 8], b"a\0")),
            info(libc::FAN_EVENT_INFO_TYPE_FID, &[]),
            info(libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, &place(&[1; 8], b"b\0")),
        ];
        let bytes = event(libc::FAN_RENAME | libc::FAN_ONDIR, 1, &infos.concat());
        assert!(matches!(read(&bytes).as_slice(), [Ok(Record::Rename { is_directory: true, .. })]));
    }

    #[test]
    fn an_overflow_and_other_kinds_are_told_apart() {
        let bytes = [event(libc::FAN_Q_OVERFLOW, 0, &[]), event(libc::FAN_OPEN, 1, &[])].concat();
        assert_eq!(read(&bytes), [Ok(Record::Overflow), Ok(Record::Other)]);
    }

    #[test]
    fn a_malformed_event_costs_only_itself() {
        let zero = [libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, 0, 0, 0];
        let bytes = [event(libc::FAN_RENAME, 1, &zero), rename()].concat();
        let records = read(&bytes);
        assert_eq!(records.first(), Some(&Err(Malformed::InfoLength { said: 0, left: 4 })));
        assert!(matches!(records.get(1), Some(Ok(Record::Rename { .. }))));
    }

    #[test]
    fn lengths_that_lie_are_named() {
        let mut version = rename();
        version[4] = 9;
        assert_eq!(read(&version), [Err(Malformed::Version(9))]);

        let mut zero = rename();
        zero[..4].fill(0);
        let left = zero.len();
        assert_eq!(read(&zero), [Err(Malformed::EventLength { said: 0, metadata: 24, left })]);

        let mut head = rename();
        head[6..8].copy_from_slice(&8_u16.to_ne_bytes());
        assert!(matches!(read(&head).as_slice(), [Err(Malformed::EventLength { metadata: 8, .. })]));

        let old = libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME;
        for (body, expected) in [
            (place(&[0; 8], b""), Malformed::Name),
            (place(&[0; 8], b"\0"), Malformed::Name),
            (place(&[0; 8], b"endless"), Malformed::Name),
            (place(&[0; 129], b"x\0"), Malformed::HandleLength { said: 129, left: 147 }),
            (place(&[0; 8], b"")[..20].to_vec(), Malformed::HandleLength { said: 8, left: 20 }),
            (vec![0; 3], Malformed::HandleLength { said: 16, left: 3 }),
            (place(&[0; 8], b"x\0"), Malformed::MissingPlace),
        ] {
            assert_eq!(read(&event(libc::FAN_RENAME, 1, &info(old, &body))), [Err(expected)]);
        }
    }

    #[test]
    fn every_cut_of_a_rename_is_an_error() {
        let bytes = rename();
        for end in 1..bytes.len() {
            assert!(matches!(read(&bytes[..end]).as_slice(), [Err(_)]), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_loop(mut bytes in prop::collection::vec(any::<u8>(), 0..512), known: bool) {
            if known && let Some(version) = bytes.get_mut(4) {
                *version = libc::FANOTIFY_METADATA_VERSION;
            }
            prop_assert!(read(&bytes).len() <= bytes.len());
        }

        #[test]
        fn one_changed_byte_never_panics(at in 0..rename().len(), byte: u8) {
            let mut bytes = rename();
            bytes[at] = byte;
            prop_assert!(!read(&bytes).is_empty());
        }
    }
}
