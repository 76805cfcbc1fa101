//! Two sums that the protocol is made of: CRC-32C (RFC 3720 appendix B.4), which guards a batch, and Kafka's own murmur2, by
//! which every client of Kafka's finds the partition of a key. Neither keeps anybody from anything.

/// The polynomial of Castagnoli, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// What a byte does to the sum.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
}

pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    };
    !bytes.iter().fold(!0, step)
}

/// Where Kafka's clients start from.
const SEED: u32 = 0x9747_b28c;

const MULTIPLIER: u32 = 0x5bd1_e995;

/// Kafka's variant: 32 bits, its own seed.
pub(super) fn murmur2(bytes: &[u8]) -> u32 {
    // Keys are some dozen bytes long.
    let mut hash = SEED ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ (word ^ (word >> 24)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition of a key, as Kafka's own clients choose it; none: there are no partitions.
pub(super) fn partition(key: &str, count: usize) -> Option<i32> {
    let count = u32::try_from(count).ok()?;
    i32::try_from((murmur2(key.as_bytes()) & 0x7fff_ffff).checked_rem(count)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of RFC 3720 appendix B.4, and the usual one.
    #[test]
    fn crc32c_of_examples() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    }

    /// As librdkafka's partitioner `murmur2` has them, which Kafka's Java client agrees with.
    #[test]
    fn keys_go_where_other_clients_send_them() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(partition("abc", 0), None);
        assert_eq!(partition("abc", 1), Some(0));
    }
}
