//! Messages as a batch of records of the second format, the only one that brokers of today take
//! (<https://kafka.apache.org/documentation/#recordbatch>). Not compressed.

use super::checksum::crc32c;
use super::wire::{Writer, length};

/// Version of the format.
const MAGIC: i8 = 2;

/// Bytes before those that the checksum is over, from the partition leader's epoch on: that, magic and sum.
const HEAD: usize = 4 + 1 + 4;

/// Whom a producer's batches are of, and which of them this is: by it a broker knows one that comes twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) producer: i64,
    pub(super) epoch: i16,
    /// Number of the first record.
    pub(super) sequence: i32,
}

impl Mark {
    /// Of nobody: a batch that comes twice stays there twice.
    pub(super) const NONE: Self = Self { producer: -1, epoch: -1, sequence: -1 };
}

/// What becomes a record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) headers: &'a [(&'static str, String)],
}

/// The batch, of which there is at least one record.
pub(super) fn encode(records: &[Record<'_>], mark: Mark) -> Vec<u8> {
    let first = records.first().map_or(0, |record| record.time);
    let latest = records.iter().map(|record| record.time).max().unwrap_or(first);
    let mut body = Writer::default()
        // Attributes: not compressed, times are the producer's, no transaction.
        .int16(0)
        .int32(length(records.len().saturating_sub(1)))
        .int64(first)
        .int64(latest)
        .int64(mark.producer)
        .int16(mark.epoch)
        .int32(mark.sequence)
        .int32(length(records.len()));
    for (offset, record) in (0..).zip(records) {
        body = body.varbytes(&inner(record, offset, first));
    }
    let body = body.into_bytes();
    Writer::default()
        // The broker gives the offset, and the epoch of its leadership.
        .int64(0)
        .int32(length(HEAD + body.len()))
        .int32(-1)
        .int8(MAGIC)
        .uint32(crc32c(&body))
        .raw(&body)
        .into_bytes()
}

fn inner(record: &Record<'_>, offset: i64, first: i64) -> Vec<u8> {
    let mut writer = Writer::default()
        .int8(0)
        .varint(record.time.wrapping_sub(first))
        .varint(offset)
        .varbytes(record.key.as_bytes())
        .varbytes(record.value.as_bytes())
        .varint(i64::from(length(record.headers.len())));
    for (name, value) in record.headers {
        writer = writer.varbytes(name.as_bytes()).varbytes(value.as_bytes());
    }
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What librdkafka 2.16 makes of the same two records, caught on its way. It writes 0 where Kafka's own client writes -1:
    /// the epoch of a leadership, which is not its own to say and not under the checksum.
    const LIBRDKAFKA: &str = "00000000000000000000006a0000000002dc322e3c000000000001000001a1fdfd3ce9000001a1fdfd3cea0000\
        000015122e2800000000000000000002360000000a6167656e740a666972737402086b696e640a616c657274380002020a6167656e740c73\
        65636f6e6402086b696e640a616c657274";

    #[test]
    fn is_what_another_producer_makes() {
        let headers = [("kind", "alert".to_owned())];
        let record = |value, time| Record { key: "agent", value, time, headers: &headers };
        let records = [record("first", 1_795_262_594_281), record("second", 1_795_262_594_282)];
        let mark = Mark { producer: 0x1512_2e28, epoch: 0, sequence: 0 };
        let mut bytes = encode(&records, mark);
        assert_eq!(bytes.get(12..16), Some(&[0xff; 4][..]));
        bytes[12..16].fill(0);
        assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), LIBRDKAFKA);
    }

    #[test]
    fn times_may_go_back() {
        let record = |time| Record { key: "", value: "", time, headers: &[] };
        let bytes = encode(&[record(5), record(3)], Mark::NONE);
        let number = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((number(27), number(35), number(43)), (5, 5, -1));
        // Length, attributes, and two milliseconds back.
        assert_eq!(bytes[68..71], [12, 0, 3]);
    }
}
