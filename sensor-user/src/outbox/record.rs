//! One entry of the log as bytes, and the way back from bytes that may be damaged.
//!
//! ```text
//! magic 4 | length 4 | CRC-32 4 | body
//! ```
//!
//! Numbers are little endian; the sum covers length and body (CRC-32 of ISO 3309, as zlib has it). The magic begins
//! with a byte that no UTF-8 text has (RFC 3629 section 3), and bodies hold text with every control character
//! escaped: nothing that a watched process says can look like the start of a record when another is damaged.

use crc32fast::Hasher;

use super::envelope::Envelope;

/// Begins every record.
const MAGIC: [u8; 4] = [0xff, b'T', b'W', 0x00];
/// Bytes before the body.
pub(super) const HEAD: usize = 12;
/// Longest body, bytes: a document with every list at its bound is some 200 KiB.
pub(super) const BODY_MAX: usize = 1 << 20;

/// What a body begins with.
const ENVELOPE: u8 = 1;
const GONE: u8 = 2;

/// What stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Envelope(Envelope),
    /// These were given up, and that was told.
    Gone(Range),
}

/// Sequence numbers, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Range {
    /// How many numbers it has.
    pub(super) fn count(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }
}

impl Record {
    /// Adds the record to a buffer. False: its body is longer than [`BODY_MAX`], and nothing was added.
    pub(super) fn write(&self, into: &mut Vec<u8>) -> bool {
        let start = into.len();
        into.extend(MAGIC);
        into.extend([0; HEAD - MAGIC.len()]);
        match self {
            Self::Envelope(envelope) => {
                into.push(ENVELOPE);
                envelope.write(into);
            }
            Self::Gone(Range { first, last }) => {
                into.push(GONE);
                into.extend(first.to_le_bytes());
                into.extend(last.to_le_bytes());
            }
        }
        let (head, body) = into.split_at_mut(start + HEAD);
        let Some(length) = u32::try_from(body.len()).ok().filter(|_| body.len() <= BODY_MAX) else {
            into.truncate(start);
            return false;
        };
        let length = length.to_le_bytes();
        let sum = sum(length, body).to_le_bytes();
        let fields = MAGIC.into_iter().chain(length).chain(sum);
        head.iter_mut().skip(start).zip(fields).for_each(|(place, byte)| *place = byte);
        true
    }

    /// Reads the record that begins here, and how long it is.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let (magic, head) = head.split_first_chunk::<4>()?;
        let (length, head) = head.split_first_chunk::<4>()?;
        let stated = head.first_chunk::<4>()?;
        let size = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let body = rest.get(..size).filter(|_| *magic == MAGIC && size <= BODY_MAX)?;
        if sum(*length, body) != u32::from_le_bytes(*stated) {
            return None;
        }
        Some((Self::body(body)?, HEAD + size))
    }

    fn body(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (&ENVELOPE, rest) => Envelope::read(rest).map(Self::Envelope),
            (&GONE, rest) => {
                let (first, rest) = rest.split_first_chunk::<8>()?;
                let last: &[u8; 8] = rest.try_into().ok()?;
                let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
                (first <= last).then_some(Self::Gone(Range { first, last }))
            }
            _ => None,
        }
    }
}

fn sum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

/// A record found in a file, and where.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    pub(super) offset: u64,
    /// All bytes of it.
    pub(super) size: u32,
}

/// Every whole record of a file's bytes, in order; what lies between is passed over.
pub(super) fn scan(bytes: &[u8]) -> impl Iterator<Item = Found> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..)?;
            let skipped = rest.windows(MAGIC.len()).position(|window| window == MAGIC)?;
            at += skipped;
            let Some((record, size)) = Record::read(bytes.get(at..)?) else {
                at += 1;
                continue;
            };
            let offset = at as u64;
            at += size;
            return Some(Found { record, offset, size: u32::try_from(size).unwrap_or(u32::MAX) });
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::sample::envelope;

    fn bytes(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| assert!(record.write(&mut bytes)));
        bytes
    }

    fn found(bytes: &[u8]) -> Vec<Record> {
        scan(bytes).map(|found| found.record).collect()
    }

    fn three() -> [Record; 3] {
        [
            Record::Envelope(envelope(1)),
            Record::Gone(Range { first: 2, last: 7 }),
            Record::Envelope(envelope(8)),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(found(&bytes(&three())), three());
    }

    #[test]
    fn a_damaged_record_costs_no_other() {
        let whole = bytes(&three());
        let first = bytes(&three()[..1]).len();
        for at in 0..first {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert_eq!(found(&damaged), three()[1..], "byte {at}");
        }
    }

    #[test]
    fn a_cut_file_has_what_is_whole() {
        let whole = bytes(&three());
        let lengths: Vec<_> = (0..=3).map(|count| bytes(&three()[..count]).len()).collect();
        for end in 0..=whole.len() {
            let intact = lengths.iter().filter(|length| **length <= end).count() - 1;
            assert_eq!(found(&whole[..end]).len(), intact, "cut at {end}");
        }
    }

    #[test]
    fn a_text_that_poses_as_a_record_is_none_when_the_one_around_it_is_damaged() {
        let inner = bytes(&[Record::Envelope(envelope(99))]);
        let forged = Envelope { document: String::from_utf8_lossy(&inner).into_owned(), ..envelope(1) };
        let mut damaged = bytes(&[Record::Envelope(forged), Record::Envelope(envelope(2))]);
        damaged[HEAD] ^= 1;
        assert_eq!(found(&damaged), [Record::Envelope(envelope(2))]);
    }

    #[test]
    fn a_body_beyond_the_bound_is_refused_and_leaves_nothing() {
        let mut into = vec![7];
        let long = Envelope { document: "x".repeat(BODY_MAX), ..envelope(1) };
        assert!(!Record::Envelope(long).write(&mut into));
        assert_eq!(into, [7]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut all = MAGIC.to_vec();
            all.extend(&bytes);
            prop_assert!(scan(&all).count() <= 1);
            if let Some(read) = Envelope::read(&bytes) {
                let mut again = Vec::new();
                read.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn fuzzed_files_are_read_and_nothing_is_made_up() {
        let mut sound = bytes(&three());
        sound.truncate(3_000);
        let mut body = Vec::new();
        envelope(7).write(&mut body);
        body.truncate(3_000);
        crate::fuzz::run(&[sound.clone(), body], |bytes, _| {
            for found in scan(bytes) {
                // It has a checksum: whatever is found was written so.
                let mut again = Vec::new();
                assert!(found.record.write(&mut again));
                let start = usize::try_from(found.offset).unwrap();
                assert_eq!(bytes.get(start..start + again.len()), Some(again.as_slice()));
            }
            if let Some(read) = Envelope::read(bytes) {
                let mut again = Vec::new();
                read.write(&mut again);
                assert_eq!(again, bytes);
            }
        });
    }
}
