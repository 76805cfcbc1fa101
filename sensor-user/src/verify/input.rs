//! Lines of a log, each in bounded room.

use std::io::{self, BufRead, ErrorKind};

/// Longest line that is read whole, bytes. The longest messages have every command line of a long story, each of its
/// bytes escaped and then escaped again by a receiver; they stay below it.
pub(super) const LINE_MAX: usize = 16 << 20;

/// How compressed files begin: gzip, zstd, xz, bzip2.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh"];

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By a line feed, or with the log.
    Whole,
    /// It goes on: this is its beginning, the rest was passed over.
    TooLong,
}

/// Reads line by line.
pub(super) struct Lines<R> {
    log: R,
    line: Vec<u8>,
    max: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(log: R) -> Self {
        Self::bounded(log, LINE_MAX)
    }

    fn bounded(log: R, max: usize) -> Self {
        Self { log, line: Vec::new(), max }
    }

    /// Whether it begins as compressed files do. Nothing is taken.
    pub(super) fn is_compressed(&mut self) -> io::Result<bool> {
        let begin = fill(&mut self.log)?;
        Ok(COMPRESSED.iter().any(|magic| begin.starts_with(magic)))
    }

    /// The next line without its end; none at the end of the log.
    pub(super) fn next(&mut self) -> io::Result<Option<(&[u8], Ending)>> {
        self.line.clear();
        let mut ending = Ending::Whole;
        let mut has_begun = false;
        loop {
            let max = self.max;
            let bytes = fill(&mut self.log)?;
            if bytes.is_empty() {
                return Ok(has_begun.then_some((&self.line, ending)));
            }
            has_begun = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            let kept = part.len().min(max.saturating_sub(self.line.len()));
            self.line.extend_from_slice(part.get(..kept).unwrap_or_default());
            if kept < part.len() {
                ending = Ending::TooLong;
            }
            let used = part.len() + usize::from(end.is_some());
            self.log.consume(used);
            if end.is_some() {
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                return Ok(Some((&self.line, ending)));
            }
        }
    }
}

/// What the log has ready; empty at its end only.
fn fill<R: BufRead>(log: &mut R) -> io::Result<&[u8]> {
    loop {
        match log.fill_buf() {
            // Asked again, for the borrow: what is there is there.
            Ok(_) => return log.fill_buf(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(log: &[u8], buffer: usize) -> Vec<(String, Ending)> {
        let mut lines = Lines::bounded(BufReader::with_capacity(buffer, log), 4);
        let mut all = Vec::new();
        while let Some((line, ending)) = lines.next().unwrap() {
            all.push((String::from_utf8_lossy(line).into_owned(), ending));
        }
        all
    }

    #[test]
    fn lines_are_cut_at_their_bound_and_the_next_one_is_whole() {
        for buffer in [1, 2, 3, 64] {
            let told = lines(b"ab\r\n\nabcdefgh\nabcd\nx", buffer);
            let expected = [
                ("ab", Ending::Whole),
                ("", Ending::Whole),
                ("abcd", Ending::TooLong),
                ("abcd", Ending::Whole),
                ("x", Ending::Whole),
            ];
            let told: Vec<_> = told.iter().map(|(line, ending)| (line.as_str(), *ending)).collect();
            assert_eq!(told, expected, "{buffer}");
        }
        assert_eq!(lines(b"", 8), []);
    }

    #[test]
    fn compressed_files_are_known_by_their_beginning() {
        assert!(Lines::new(&b"\x1f\x8b\x08"[..]).is_compressed().unwrap());
        let mut plain = Lines::new(&b"{}\n"[..]);
        assert!(!plain.is_compressed().unwrap());
        assert_eq!(plain.next().unwrap(), Some((&b"{}"[..], Ending::Whole)));
    }
}
