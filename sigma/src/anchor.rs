//! Literals that stand at the start of a value: all that do are found by one search in a sorted list.

/// Literals in ascending order, each with the longest other one that it starts with.
#[derive(Debug, Default)]
pub(super) struct Anchored {
    needles: Vec<Box<[u8]>>,
    /// By needle: its place in the order in which they were given.
    places: Vec<u32>,
    /// By needle: the longest needle that is a shorter beginning of it; `u32::MAX`: none.
    parents: Vec<u32>,
    /// By byte: the first needle that starts with it or a greater one.
    first: Vec<u32>,
    longest: usize,
}

impl Anchored {
    /// The needles differ and are not empty.
    pub(super) fn build(given: Vec<Vec<u8>>) -> Self {
        let mut ordered: Vec<(Vec<u8>, u32)> = given.into_iter().zip(0..).collect();
        ordered.sort_unstable();
        let mut anchored = Self::default();
        let mut enclosing: Vec<u32> = Vec::new();
        for (number, (needle, place)) in (0..).zip(ordered) {
            let is_start =
                |at: &u32| anchored.needles.get(*at as usize).is_some_and(|of| needle.starts_with(of));
            while enclosing.last().is_some_and(|at| !is_start(at)) {
                enclosing.pop();
            }
            anchored.parents.push(enclosing.last().copied().unwrap_or(u32::MAX));
            enclosing.push(number);
            anchored.places.push(place);
            anchored.longest = anchored.longest.max(needle.len());
            anchored.needles.push(needle.into_boxed_slice());
        }
        let before = |byte: u16| {
            anchored.needles.partition_point(|of| of.first().is_some_and(|&of| u16::from(of) < byte))
        };
        anchored.first = (0..=256).map(|byte| u32::try_from(before(byte)).unwrap_or(u32::MAX)).collect();
        anchored
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Bytes of the longest needle: no more of a value matter.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Calls `each` with the place and length of every needle that `text` starts with.
    ///
    /// The greatest needle that is not greater than the text starts with all of those: whatever stands in
    /// order between a beginning of the text and the text starts with that beginning, too.
    pub(super) fn find(&self, text: &[u8], each: &mut impl FnMut(u32, usize)) {
        let Some(&byte) = text.first() else { return };
        let bound = |byte: usize| self.first.get(byte).map_or(0, |&at| at as usize);
        let (from, to) = (bound(usize::from(byte)), bound(usize::from(byte) + 1));
        let Some(same_byte) = self.needles.get(from..to) else { return };
        let Some(last) = same_byte.partition_point(|needle| **needle <= *text).checked_sub(1) else { return };
        let mut at = from + last;
        while let (Some(needle), Some(place)) = (self.needles.get(at), self.places.get(at)) {
            if text.starts_with(needle) {
                each(*place, needle.len());
            }
            at = self.parents.get(at).map_or(usize::MAX, |&parent| parent as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Anchored;

    #[test]
    fn every_beginning_is_found() {
        let words = ["a", "ab", "abc", "abd", "b", "ba", "bab", "c", "\u{ff}", "abcde"];
        let anchored = Anchored::build(words.iter().map(|word| word.as_bytes().to_vec()).collect());
        assert_eq!(anchored.longest(), 5);
        for text in
            ["", "a", "ab", "abcd", "abcdef", "abd", "abe", "babab", "bb", "d", "\u{ff}x", "cab", "zzz"]
        {
            let mut found = Vec::new();
            anchored.find(text.as_bytes(), &mut |place, len| found.push((words[place as usize], len)));
            let mut expected: Vec<_> = words
                .iter()
                .filter(|word| text.starts_with(**word))
                .map(|word| (*word, word.len()))
                .collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
        assert!(Anchored::build(Vec::new()).is_empty());
    }
}
