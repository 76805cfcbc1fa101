//! Argument vectors, kept as the one line that they make: a host has tens of thousands of them.

use std::iter;

/// Stands in a line for arguments that were cut out.
const CUT: &str = "…";

/// An argument vector as one text, joined by blanks: rules ask for the line of every event, so it is made once, and
/// each argument is a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    line: Box<str>,
    parts: Box<[Part]>,
    count: u32,
    size: u32,
}

/// Where in the line an argument is, bytes. The kernel's own bound of a vector is below 4 GiB (`MAX_ARG_STRINGS`,
/// include/uapi/linux/binfmts.h, and half the stack for all of them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    begin: u32,
    end: u32,
}

/// Makes a line and its parts, without ever growing what is kept.
struct Joiner {
    line: String,
    parts: Vec<Part>,
}

impl Joiner {
    fn new<'a>(words: impl Iterator<Item = &'a String> + Clone) -> Self {
        let bytes = words.clone().map(|word| word.len() + 1).sum::<usize>() + CUT.len();
        Self { line: String::with_capacity(bytes), parts: Vec::with_capacity(words.count()) }
    }

    fn push(&mut self, word: &str) {
        self.separate();
        let begin = bound(self.line.len());
        self.line.push_str(word);
        self.parts.push(Part { begin, end: bound(self.line.len()) });
    }

    fn push_cut(&mut self) {
        self.separate();
        self.line.push_str(CUT);
    }

    /// An empty first word has its blank, too.
    fn separate(&mut self) {
        if !self.parts.is_empty() || !self.line.is_empty() {
            self.line.push(' ');
        }
    }

    fn finish(self, count: u32, size: u32) -> Arguments {
        Arguments { line: self.line.into(), parts: self.parts.into(), count, size }
    }
}

fn bound(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Arguments {
    /// A vector of `count` arguments and `size` bytes of which only the beginning and the end are here.
    /// The last of the beginning and the first of the end may be parts.
    #[must_use]
    pub fn cut(beginning: &[String], end: &[String], count: u32, size: u32) -> Self {
        let mut joiner = Joiner::new(beginning.iter().chain(end));
        beginning.iter().for_each(|word| joiner.push(word));
        joiner.push_cut();
        end.iter().for_each(|word| joiner.push(word));
        joiner.finish(count, size)
    }

    /// The line alone, cut after `max` bytes.
    #[must_use]
    pub(super) fn abridged(&self, max: usize) -> Self {
        let line = match self.line.get(..self.line.floor_char_boundary(max)) {
            Some(begin) if begin.len() < self.line.len() => [begin, " ", CUT].concat().into(),
            Some(_) | None => self.line.clone(),
        };
        Self { line, parts: Box::default(), ..*self }
    }

    /// The first `max` bytes of the line, and which arguments they are.
    #[must_use]
    pub fn head(&self, max: usize) -> Self {
        let end = self.line.floor_char_boundary(max);
        let line: Box<str> = self.line.get(..end).unwrap_or_default().into();
        let end = bound(end);
        let parts = self.parts.iter().take_while(|part| part.begin <= end);
        let parts = parts.map(|part| Part { end: part.end.min(end), ..*part }).collect();
        Self { line, parts, ..*self }
    }

    /// The same with other words in the places of some; what stands between them stays.
    #[must_use]
    pub fn with_words(&self, words: impl IntoIterator<Item = Option<String>>) -> Self {
        let mut joiner = Joiner { line: String::with_capacity(self.line.len()), parts: Vec::new() };
        let mut at = 0;
        for (part, word) in self.parts.iter().zip(words) {
            let (begin, end) = (part.begin as usize, part.end as usize);
            joiner.line.push_str(self.line.get(at..begin).unwrap_or_default());
            let begin = bound(joiner.line.len());
            joiner.line.push_str(
                word.as_deref().or_else(|| self.line.get(part.begin as usize..end)).unwrap_or_default(),
            );
            joiner.parts.push(Part { begin, end: bound(joiner.line.len()) });
            at = end;
        }
        joiner.line.push_str(self.line.get(at..).unwrap_or_default());
        let size = self.resized(joiner.line.len());
        joiner.finish(self.count, size)
    }

    /// The same with another line, of which nobody knows where its arguments are.
    #[must_use]
    pub fn with_line(&self, line: &str) -> Self {
        Self { line: line.into(), parts: Box::default(), count: self.count, size: self.resized(line.len()) }
    }

    /// Of all arguments, were this the line's length: no difference tells how long what is gone was.
    fn resized(&self, length: usize) -> u32 {
        self.size.saturating_add(bound(length)).saturating_sub(bound(self.line.len()))
    }

    /// All of them, joined by a blank each; where some were cut out, an ellipsis stands for them.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Those that are here: of an abridged vector none.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.parts
            .iter()
            .map(|part| self.line.get(part.begin as usize..part.end as usize).unwrap_or_default())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Of the whole vector, also of what was cut.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the whole vector, a NUL for each argument included.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// What is kept of them: the line, and where its parts are, bytes each.
    pub(super) fn allocations(&self) -> impl Iterator<Item = usize> {
        iter::once(self.line.len()).chain(iter::once(size_of_val(&*self.parts)))
    }
}

impl From<&[String]> for Arguments {
    fn from(words: &[String]) -> Self {
        let mut joiner = Joiner::new(words.iter());
        words.iter().for_each(|word| joiner.push(word));
        let size = bound(joiner.line.len() + usize::from(!words.is_empty()));
        joiner.finish(bound(words.len()), size)
    }
}

/// A line alone.
impl From<&str> for Arguments {
    fn from(line: &str) -> Self {
        Self { line: line.into(), ..Self::default() }
    }
}

impl From<Vec<String>> for Arguments {
    fn from(words: Vec<String>) -> Self {
        words.as_slice().into()
    }
}

impl PartialEq<[String]> for Arguments {
    fn eq(&self, words: &[String]) -> bool {
        self.iter().eq(words.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn each_argument_is_a_part_of_the_line() {
        for list in [&[][..], &[""], &["curl"], &["", "a b", "", "ü"], &["sh", "-c", "x y", ""]] {
            let list = words(list);
            let arguments = Arguments::from(list.as_slice());
            assert_eq!(arguments.line(), list.join(" "));
            assert!(arguments == *list.as_slice(), "{arguments:?}");
            let size: usize = list.iter().map(|word| word.len() + 1).sum();
            assert_eq!((arguments.count() as usize, arguments.size() as usize), (list.len(), size));
        }
    }

    #[test]
    fn what_was_cut_out_has_its_mark() {
        let (beginning, end) = (words(&["tar", "c", "/sr"]), words(&["ry", "-z"]));
        let arguments = Arguments::cut(&beginning, &end, 9, 300);
        assert_eq!(arguments.line(), "tar c /sr … ry -z");
        assert_eq!(arguments.iter().collect::<Vec<_>>(), ["tar", "c", "/sr", "ry", "-z"]);
        assert_eq!((arguments.count(), arguments.size()), (9, 300));
        assert_eq!(Arguments::cut(&beginning, &[], 9, 300).line(), "tar c /sr …");
    }

    #[test]
    fn a_head_keeps_whose_words_it_has() {
        let arguments = Arguments::from(words(&["sh", "-c", "a b"]));
        let head = arguments.head(7);
        assert_eq!((head.line(), head.count()), ("sh -c a", 3));
        assert_eq!(head.iter().collect::<Vec<_>>(), ["sh", "-c", "a"]);
        assert_eq!(arguments.head(99), arguments);
    }

    #[test]
    fn words_can_be_replaced_and_the_rest_stays() {
        let (beginning, end) = (words(&["a", "secret", "b"]), words(&["c"]));
        let arguments = Arguments::cut(&beginning, &end, 9, 300);
        let replaced = arguments.with_words([None, Some("x".to_owned()), None, None]);
        assert_eq!(replaced.line(), "a x b … c");
        assert_eq!(replaced.iter().collect::<Vec<_>>(), ["a", "x", "b", "c"]);
        assert_eq!((replaced.count(), replaced.size()), (9, 295));
        assert_eq!(arguments.with_words([None, None, None, None]), arguments);
    }

    #[test]
    fn abridged_it_is_its_line_alone() {
        let arguments = Arguments::from(words(&["echo", "äöü"]));
        assert_eq!(arguments.abridged(6).line(), "echo  …", "no half a letter");
        assert_eq!(arguments.abridged(64).line(), "echo äöü");
        assert!(arguments.abridged(64).is_empty());
        assert_eq!(arguments.abridged(6).count(), 2);
    }
}
