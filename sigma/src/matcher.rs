//! All literals of one field at once: one pass over a value answers every one of them.
//!
//! The automaton folds ASCII case itself. A value with other letters is folded first, and its
//! case-sensitive literals are compared one by one: rare, slower, and never wrong.

use std::net::IpAddr;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input, MatchKind, StartKind};
use rustc_hash::FxHashMap;

use super::pattern::{Place, fold_into, folded};
use super::predicate::text_of;
use super::record::{FieldId, Value};

/// Up to this many bytes of literals the automaton is a full DFA, which is the fastest and takes
/// up to 256 bytes (4 for each of 64 byte classes) for each of them; beyond it is a compact NFA.
const DFA_LITERALS_MAX: usize = 8 << 10;

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
    /// field is pending.
    pub(super) witnessed: Vec<u32>,
    automaton: Option<AhoCorasick>,
    /// By needle.
    uses: Vec<Vec<Use>>,
    /// Those of `uses` that mind case, for values with letters beyond ASCII.
    cased: Vec<Use>,
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
}

impl FieldMatcher {
    pub(super) fn build(field: FieldId, literals: Vec<Literal>) -> Result<Self, BuildError> {
        let mut matcher = Self {
            field,
            witnessed: Vec::new(),
            automaton: None,
            uses: Vec::new(),
            cased: Vec::new(),
            empty: Vec::new(),
            addresses: FxHashMap::default(),
        };
        let mut needles: FxHashMap<String, usize> = FxHashMap::default();
        let mut ordered: Vec<String> = Vec::new();
        for literal in literals {
            let Literal { number, place, text, cased } = literal;
            if text.is_empty() {
                matcher.empty.push(number);
                continue;
            }
            if let (Place::Whole, Ok(address)) = (place, text.parse::<IpAddr>()) {
                matcher.addresses.entry(address.to_canonical()).or_default().push(number);
            }
            let needle = folded(&text, false);
            let at = *needles.entry(needle).or_insert_with_key(|needle| {
                ordered.push(needle.clone());
                matcher.uses.push(Vec::new());
                ordered.len() - 1
            });
            let found = Use { number, place, exact: cased.then(|| text.into_boxed_str()) };
            if cased {
                matcher.cased.push(found.clone());
            }
            if let Some(uses) = matcher.uses.get_mut(at) {
                uses.push(found);
            }
        }
        if !ordered.is_empty() {
            let small = ordered.iter().map(String::len).sum::<usize>() <= DFA_LITERALS_MAX;
            let kind = if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .start_kind(StartKind::Unanchored)
                .ascii_case_insensitive(true)
                .kind(Some(kind))
                .build(&ordered)?;
            matcher.automaton = Some(automaton);
        }
        Ok(matcher)
    }

    /// Calls `hit` with the number of every literal that `value` answers; some more than once.
    pub(super) fn scan(&self, value: Value<'_>, scratch: &mut ScanScratch, hit: &mut impl FnMut(u32)) {
        if let Value::Ip(address) = value {
            self.addresses.get(&address.to_canonical()).into_iter().flatten().for_each(|&number| hit(number));
        }
        let text = text_of(value, &mut scratch.rendered);
        if text.is_empty() {
            self.empty.iter().for_each(|&number| hit(number));
            return;
        }
        let ascii = text.is_ascii();
        let haystack = if ascii {
            text
        } else {
            fold_into(text, &mut scratch.folded);
            for exact in &self.cased {
                if exact.exact.as_deref().is_some_and(|needle| exact.place.holds(text, needle)) {
                    hit(exact.number);
                }
            }
            &scratch.folded
        };
        let Some(automaton) = &self.automaton else { return };
        // Overlapping search is refused only for the other match kinds; see `build`.
        let Ok(found) = automaton.try_find_overlapping_iter(Input::new(haystack)) else { return };
        for occurrence in found {
            let (start, end) = (occurrence.start(), occurrence.end());
            for answer in self.uses.get(occurrence.pattern().as_usize()).into_iter().flatten() {
                let placed = match answer.place {
                    Place::Anywhere => true,
                    Place::Start => start == 0,
                    Place::End => end == haystack.len(),
                    Place::Whole => start == 0 && end == haystack.len(),
                };
                let spelled = match &answer.exact {
                    None => true,
                    Some(exact) => ascii && haystack.get(start..end) == Some(exact),
                };
                if placed && spelled {
                    hit(answer.number);
                }
            }
        }
    }
}
