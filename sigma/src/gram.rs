//! Literals that stand anywhere in a value: found by four bytes each.
//!
//! Of every literal the four bytes are known that fewest others have. A value is gone through once; at each
//! byte one bit of a small table says whether four known bytes may start there, and only then are
//! literals compared. The steps do not wait for one another as those of an automaton do, and the table has
//! two bytes for each literal. (Wu and Manber's method of 1994, without the skipping: values are short.)

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

/// Bytes that are looked up at once.
const WIDTH: usize = 4;
/// What a value is followed by, so that a short literal at its end has as many bytes behind it.
pub(super) const PADDING: &str = "\0\0\0";
/// Bits of the table for each gram: one place in sixteen is then a false alarm. More would cost more cache than it
/// saves comparisons.
const BITS_EACH: usize = 16;
/// Spreads grams over the table: 2³² divided by the golden ratio (Knuth).
const SPREAD: u32 = 0x9E37_79B1;

/// The literals of one field that may stand anywhere.
#[derive(Debug, Default)]
pub(super) struct Grams {
    needles: Vec<Box<[u8]>>,
    /// Needles of one byte.
    single: Vec<(u8, u32)>,
    /// For needles of two, three, and four or more bytes, as far as there are any.
    tables: Vec<Table>,
}

/// Needles by a part of them.
#[derive(Debug)]
struct Table {
    /// Which bytes of four are looked at.
    mask: u32,
    /// Leaves as many bits of a spread gram as number the table.
    shift: u32,
    bits: Box<[u64]>,
    /// By gram: its part of `entries`.
    buckets: FxHashMap<u32, Range<u32>>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    needle: u32,
    /// Where in the needle the gram stands.
    offset: u32,
}

impl Grams {
    /// The needles differ and are not empty.
    pub(super) fn build(needles: Vec<Vec<u8>>) -> Self {
        let numbered = || (0..).zip(&needles);
        let single = numbered().filter_map(|(number, needle)| match needle.as_slice() {
            [byte] => Some((*byte, number)),
            _ => None,
        });
        let tables = (2..=WIDTH).filter_map(|width| {
            let fits = |needle: &Vec<u8>| needle.len() == width || (width == WIDTH && needle.len() > width);
            let of_width: Vec<(u32, &[u8])> = numbered()
                .filter(|(_, needle)| fits(needle))
                .map(|(number, needle)| (number, needle.as_slice()))
                .collect();
            (!of_width.is_empty()).then(|| Table::build(width, &of_width))
        });
        let (single, tables) = (single.collect(), tables.collect());
        Self { single, tables, needles: needles.into_iter().map(Vec::into_boxed_slice).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Calls `each` with the number of every needle that occurs in `text`, and where; of needles of one byte only
    /// once. `padded`: the text with [`PADDING`] behind it.
    pub(super) fn find(&self, text: &[u8], padded: &[u8], each: &mut impl FnMut(u32, Range<usize>)) {
        for (byte, number) in &self.single {
            if text.contains(byte) {
                each(*number, 0..0);
            }
        }
        for table in &self.tables {
            for (at, window) in padded.windows(WIDTH).enumerate() {
                let gram = gram(window) & table.mask;
                if table.may_have(gram) {
                    self.compare(table, gram, text, at, each);
                }
            }
        }
    }

    #[inline(never)]
    fn compare(
        &self,
        table: &Table,
        gram: u32,
        text: &[u8],
        at: usize,
        each: &mut impl FnMut(u32, Range<usize>),
    ) {
        let Some(bucket) = table.buckets.get(&gram) else { return };
        let entries = table.entries.get(bucket.start as usize..bucket.end as usize).unwrap_or_default();
        for entry in entries {
            let Some(needle) = self.needles.get(entry.needle as usize) else { continue };
            let Some(start) = at.checked_sub(entry.offset as usize) else { continue };
            let range = start..start + needle.len();
            if text.get(range.clone()) == Some(needle) {
                each(entry.needle, range);
            }
        }
    }
}

impl Table {
    /// `width` bytes of each needle are looked at.
    fn build(width: usize, needles: &[(u32, &[u8])]) -> Self {
        let mask = u32::MAX >> (8 * (WIDTH - width));
        let grams = |needle: &'_ [u8]| needle.windows(width).map(gram).collect::<Vec<u32>>();
        let mut uses: FxHashMap<u32, u32> = FxHashMap::default();
        for (_, needle) in needles {
            grams(needle).into_iter().for_each(|gram| *uses.entry(gram).or_default() += 1);
        }
        let rarest = |needle: &[u8]| {
            (0..).zip(grams(needle)).min_by_key(|(_, gram)| uses.get(gram).copied()).unwrap_or_default()
        };
        let mut entries: Vec<(u32, Entry)> = needles
            .iter()
            .map(|(number, needle)| {
                let (offset, gram) = rarest(needle);
                (gram, Entry { needle: *number, offset })
            })
            .collect();
        entries.sort_by_key(|(gram, _)| *gram);
        let distinct: FxHashSet<u32> = entries.iter().map(|(gram, _)| *gram).collect();
        let size = (distinct.len() * BITS_EACH).next_power_of_two().max(64);
        let shift = u32::BITS - size.ilog2();
        let mut table = Self {
            mask,
            shift,
            bits: vec![0; size / 64].into_boxed_slice(),
            buckets: FxHashMap::default(),
            entries: Vec::with_capacity(entries.len()),
        };
        for (at, (gram, entry)) in (0..).zip(entries) {
            table.buckets.entry(gram).or_insert(at..at).end = at + 1;
            table.entries.push(entry);
            let bit = gram.wrapping_mul(SPREAD) >> shift;
            if let Some(word) = table.bits.get_mut(bit as usize / 64) {
                *word |= 1 << (bit % 64);
            }
        }
        table
    }

    #[inline]
    fn may_have(&self, gram: u32) -> bool {
        let bit = gram.wrapping_mul(SPREAD) >> self.shift;
        self.bits.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

/// Up to four bytes as a number, the first the lowest.
#[inline]
fn gram(bytes: &[u8]) -> u32 {
    match bytes {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        [a, b, c] => u32::from_le_bytes([*a, *b, *c, 0]),
        [a, b] => u32::from_le_bytes([*a, *b, 0, 0]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Grams, PADDING};

    fn found(needles: &[String], text: &str) -> Vec<usize> {
        let grams = Grams::build(needles.iter().map(|needle| needle.as_bytes().to_vec()).collect());
        let padded = format!("{text}{PADDING}");
        let mut found = Vec::new();
        grams.find(text.as_bytes(), padded.as_bytes(), &mut |number, range| {
            let needle = &needles[number as usize];
            assert!(needle.len() == 1 || text.get(range) == Some(needle));
            found.push(number as usize);
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_occurs_is_found(
            needles in prop::collection::btree_set("[ab\0é]{1,7}", 1..40),
            text in "[ab\0é]{0,30}",
        ) {
            let needles: Vec<String> = needles.into_iter().collect();
            let occurs = |(number, needle): (usize, &String)| text.contains(needle.as_str()).then_some(number);
            let expected: Vec<usize> = needles.iter().enumerate().filter_map(occurs).collect();
            prop_assert_eq!(found(&needles, &text), expected);
        }
    }

    #[test]
    fn short_literals_are_found_at_the_end() {
        let needles = ["a", "-e", "abc", "zabc", "\0"].map(String::from);
        assert_eq!(found(&needles, "x -e zabc"), [0, 1, 2, 3]);
        assert_eq!(found(&needles, ""), [0_usize; 0]);
        assert_eq!(found(&["c\0".to_owned()], "abc"), [0_usize; 0], "the padding is no part of the text");
    }
}
