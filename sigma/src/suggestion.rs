//! "Did you mean": the known word nearest to the one that was written.

/// Most edits between a word and its suggestion. Two find a dropped letter beside a swapped pair;
/// three begin to suggest words nobody meant.
const DISTANCE_MAX: usize = 2;

/// Longest word, bytes, that a suggestion is sought for. Names that people mistype are shorter, and comparing
/// takes the product of the lengths: two names that fill a document would take minutes.
const WORD_MAX: usize = 128;

/// The known word that `word` most likely stands for, if it is at most two mistakes away.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_MAX {
        return None;
    }
    let folded = word.to_lowercase();
    let length = word.chars().count();
    known
        .into_iter()
        .filter(|candidate| {
            candidate.len() <= WORD_MAX && candidate.chars().count().abs_diff(length) <= DISTANCE_MAX
        })
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(edits, _)| *edits <= DISTANCE_MAX && edits * 2 < length)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `X`?", where there is such an X.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Whether a word is at most one edit away from a known one: the same question as [`distance`] answers, in one
/// go and without memory, since every key of every document is asked.
pub(super) fn is_mistyped(known: &str, word: &str) -> bool {
    let common = known.chars().zip(word.chars()).take_while(|(one, other)| one == other).count();
    let (mut known, mut word) = (known.chars(), word.chars());
    known.by_ref().take(common).for_each(drop);
    word.by_ref().take(common).for_each(drop);
    let (known_rest, word_rest) = (known.as_str(), word.as_str());
    let (one, other) = (known.next(), word.next());
    // The same, a letter too few, too many, or another one.
    if known_rest == word_rest
        || known.as_str() == word_rest
        || known_rest == word.as_str()
        || known.as_str() == word.as_str()
    {
        return true;
    }
    // Two neighbours swapped.
    known.next() == other && word.next() == one && known.as_str() == word.as_str()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal
/// string alignment), three rows at a time.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut earlier: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut before = None;
    for (row, left) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut diagonal_char = None;
        for (column, &right) in b.iter().enumerate() {
            let cell = |cells: &[usize], at: usize| cells.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = cell(&above, column) + usize::from(left != right);
            best = best.min(cell(&above, column + 1) + 1).min(cell(&current, column) + 1);
            if before == Some(right) && diagonal_char == Some(left) && column > 0 {
                best = best.min(cell(&earlier, column - 1) + 1);
            }
            current.push(best);
            diagonal_char = Some(right);
        }
        before = Some(left);
        earlier = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, is_mistyped, nearest};

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("levle", "level"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn one_edit_is_what_the_distance_says() {
        let words = [
            "", "a", "b", "ab", "ba", "abc", "acb", "bac", "axc", "abcd", "abdc", "levle", "level", "äb",
            "bä",
        ];
        for known in words {
            for word in words {
                assert_eq!(is_mistyped(known, word), distance(known, word) <= 1, "{known} {word}");
            }
        }
    }

    #[test]
    fn nearest_ignores_case_and_stays_silent_when_far() {
        let known = ["CommandLine", "Image", "ParentImage"];
        assert_eq!(nearest("Commandline", known), Some("CommandLine"));
        assert_eq!(nearest("ComandLnie", known), Some("CommandLine"));
        assert_eq!(nearest("Registry", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn a_word_that_fills_a_document_is_not_compared() {
        let long = "n".repeat(500_000);
        assert_eq!(nearest(&long, [long.as_str(), "name"]), None);
        assert_eq!(nearest("nmae", [long.as_str(), "name"]), Some("name"));
    }
}
