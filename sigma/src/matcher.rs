//! All literals of one field at once: reading a value once answers every one of them.
//!
//! Values are folded before they are compared. Where case counts, the spelling is compared as well; in a value with
//! letters beyond ASCII, whose folded form may be of another length, such literals are compared one by
//! one: rare, slower, and never wrong.

use std::net::IpAddr;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::anchor::Anchored;
use super::gram::{Grams, PADDING};
use super::pattern::{Place, fold_into, folded};
use super::predicate::text_of;
use super::record::{FieldId, Presence, Record, Value};

/// A literal test of a plan.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    /// Its number in the plan.
    pub(super) number: u32,
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) cased: bool,
}

/// What an occurrence of a needle may answer.
#[derive(Clone, Debug)]
struct Use {
    number: u32,
    place: Place,
    /// The exact spelling, where case counts.
    exact: Option<Box<str>>,
}

/// The literals of one field.
#[derive(Debug)]
pub(super) struct FieldMatcher {
    pub(super) field: FieldId,
    /// Positions of the rules with a witness in this field: all of them are candidates while the
    /// field is pending. Without any, the field is only read when a rule asks.
    pub(super) witnessed: Vec<u32>,
    /// At the start, and those that are the whole value.
    starts: Anchored,
    start_uses: Uses,
    /// At the end, last byte first.
    ends: Anchored,
    end_uses: Uses,
    anywhere: Grams,
    anywhere_uses: Uses,
    /// Those that mind case, for values with letters beyond ASCII.
    cased: Vec<Use>,
    /// Single bytes that mind case, anywhere: an occurrence of the folded byte would say too little of them.
    single: Vec<Use>,
    /// Asked of the empty text only.
    empty: Vec<u32>,
    /// Whole literals that are addresses, in any spelling.
    addresses: FxHashMap<IpAddr, Vec<u32>>,
}

/// Buffers of [`FieldMatcher::scan`].
#[derive(Debug, Default)]
pub(super) struct ScanScratch {
    rendered: String,
    folded: String,
    reversed: Vec<u8>,
}

/// Uses by needle.
#[derive(Debug, Default)]
struct Uses {
    all: Vec<Use>,
    /// Where those of each needle end.
    ends: Vec<u32>,
}

/// Needles with their uses, while they are gathered.
#[derive(Default)]
struct Gathered {
    numbers: FxHashMap<Vec<u8>, usize>,
    uses: Vec<Vec<Use>>,
}

impl FieldMatcher {
    pub(super) fn build(field: FieldId, literals: Vec<Literal>) -> Self {
        let (mut starts, mut ends, mut anywhere) =
            (Gathered::default(), Gathered::default(), Gathered::default());
        let (mut cased_uses, mut single, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        let mut addresses: FxHashMap<IpAddr, Vec<u32>> = FxHashMap::default();
        for literal in literals {
            let Literal { number, place, text, cased } = literal;
            if text.is_empty() {
                empty.push(number);
                continue;
            }
            if let (Place::Whole, Ok(address)) = (place, text.parse::<IpAddr>()) {
                addresses.entry(address.to_canonical()).or_default().push(number);
            }
            let mut needle = folded(&text, false).into_bytes();
            let found = Use { number, place, exact: cased.then(|| text.into_boxed_str()) };
            if cased && place == Place::Anywhere && needle.len() == 1 {
                single.push(found);
                continue;
            }
            if cased {
                cased_uses.push(found.clone());
            }
            match place {
                Place::Whole | Place::Start => starts.add(needle, found),
                Place::End => {
                    needle.reverse();
                    ends.add(needle, found);
                }
                Place::Anywhere => anywhere.add(needle, found),
            }
        }
        let (starts, start_uses) = starts.finish();
        let (ends, end_uses) = ends.finish();
        let (anywhere, anywhere_uses) = anywhere.finish();
        Self {
            field,
            witnessed: Vec::new(),
            starts: Anchored::build(starts),
            start_uses,
            ends: Anchored::build(ends),
            end_uses,
            anywhere: Grams::build(anywhere),
            anywhere_uses,
            cased: cased_uses,
            single,
            empty,
            addresses,
        }
    }

    /// Calls `hit` with the number of every literal that the record's values answer; whether more may follow.
    pub(super) fn read(
        &self,
        record: &impl Record,
        scratch: &mut ScanScratch,
        hit: &mut impl FnMut(u32),
    ) -> bool {
        record.visit(self.field, &mut |value| self.scan(value, scratch, hit)) == Presence::Pending
    }

    /// Calls `hit` with the number of every literal that `value` answers; some more than once.
    fn scan(&self, value: Value<'_>, scratch: &mut ScanScratch, hit: &mut impl FnMut(u32)) {
        if let Value::Ip(address) = value {
            self.addresses.get(&address.to_canonical()).into_iter().flatten().for_each(|&number| hit(number));
        }
        let text = text_of(value, &mut scratch.rendered);
        if text.is_empty() {
            self.empty.iter().for_each(|&number| hit(number));
            return;
        }
        let padded = &mut scratch.folded;
        let ascii = text.is_ascii();
        if ascii {
            padded.clear();
            padded.push_str(text);
            padded.make_ascii_lowercase();
        } else {
            fold_into(text, padded);
            hit_exact(&self.cased, text, hit);
        }
        hit_exact(&self.single, text, hit);
        let len = padded.len();
        padded.push_str(PADDING);
        let padded = padded.as_bytes();
        let value = padded.get(..len).unwrap_or_default();
        let mut answer = |found: &Use, range: Range<usize>| {
            let placed = found.place != Place::Whole || range.len() == len;
            let spelled = match &found.exact {
                None => true,
                Some(exact) => ascii && text.get(range) == Some(exact),
            };
            if placed && spelled {
                hit(found.number);
            }
        };
        if !self.starts.is_empty() {
            self.starts.find(value, &mut |needle, end| {
                self.start_uses.of(needle).iter().for_each(|found| answer(found, 0..end));
            });
        }
        if !self.ends.is_empty() {
            scratch.reversed.clear();
            scratch.reversed.extend(value.iter().rev().take(self.ends.longest()));
            self.ends.find(&scratch.reversed, &mut |needle, of_end| {
                self.end_uses.of(needle).iter().for_each(|found| answer(found, len - of_end..len));
            });
        }
        if !self.anywhere.is_empty() {
            self.anywhere.find(value, padded, &mut |needle, range| {
                self.anywhere_uses.of(needle).iter().for_each(|found| answer(found, range.clone()));
            });
        }
    }
}

/// Those that stand in the text as they are spelled, one by one.
fn hit_exact(uses: &[Use], text: &str, hit: &mut impl FnMut(u32)) {
    for found in uses {
        if found.exact.as_deref().is_some_and(|needle| found.place.holds(text, needle)) {
            hit(found.number);
        }
    }
}

impl Gathered {
    fn add(&mut self, needle: Vec<u8>, found: Use) {
        let next = self.uses.len();
        let at = *self.numbers.entry(needle).or_insert(next);
        if at == next {
            self.uses.push(Vec::new());
        }
        if let Some(uses) = self.uses.get_mut(at) {
            uses.push(found);
        }
    }

    /// The needles in order of their numbers, and what they answer.
    fn finish(self) -> (Vec<Vec<u8>>, Uses) {
        let mut numbered: Vec<(usize, Vec<u8>)> =
            self.numbers.into_iter().map(|(needle, number)| (number, needle)).collect();
        numbered.sort_unstable();
        let mut uses = Uses::default();
        for of_needle in self.uses {
            uses.all.extend(of_needle);
            uses.ends.push(u32::try_from(uses.all.len()).unwrap_or(u32::MAX));
        }
        (numbered.into_iter().map(|(_, needle)| needle).collect(), uses)
    }
}

impl Uses {
    fn of(&self, needle: u32) -> &[Use] {
        let end = |needle: usize| self.ends.get(needle).map_or(0, |&end| end as usize);
        let start = (needle as usize).checked_sub(1).map_or(0, end);
        self.all.get(start..end(needle as usize)).unwrap_or_default()
    }
}
