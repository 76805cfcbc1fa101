//! Words of a line, as a shell would split them; of a line that has lost its quotes, as blanks do.
//!
//! No more of a shell is known than blanks, quotes, backslashes and what ends a command. A quote that is never closed is
//! a letter, so that an apostrophe hides nothing behind it.

use std::ops::Range;

/// What a line has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Its bytes, without quotes that are around all of it; a word with quotes inside has them.
    Word(Range<usize>),
    /// What is between quotes and has blanks: it may be a line itself.
    Quoted(Range<usize>),
    /// Another command begins.
    End,
}

/// The pieces of a line in order; what is quoted comes behind its word.
pub(super) fn pieces(line: &str, each: &mut impl FnMut(Piece)) {
    let bytes = line.as_bytes();
    // From here on no such quote is closed any more.
    let mut unclosed = [usize::MAX; 2];
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() {
            if *byte == b'\n' {
                each(Piece::End);
            }
            at += 1;
            continue;
        }
        let mut quoted = Vec::new();
        let end = word_end(bytes, at, &mut unclosed, &mut quoted);
        let whole = at..end;
        at = end;
        let has_end = matches!(bytes.get(end.saturating_sub(1)), Some(b';' | b'|' | b'&'));
        let inner = match quoted.as_slice() {
            [only] if only.start == whole.start + 1 && only.end + 1 == whole.end => only.clone(),
            _ if has_end => whole.start..trimmed(bytes, &whole),
            _ => whole,
        };
        if !inner.is_empty() {
            each(Piece::Word(inner));
        }
        let is_line = |part: &Range<usize>| {
            bytes.get(part.clone()).is_some_and(|part| part.iter().any(u8::is_ascii_whitespace))
        };
        quoted.into_iter().filter(is_line).for_each(|part| each(Piece::Quoted(part)));
        if has_end {
            each(Piece::End);
        }
    }
}

/// Where a word ends that begins at `begin`, and what of it is quoted.
fn word_end(bytes: &[u8], begin: usize, unclosed: &mut [usize; 2], quoted: &mut Vec<Range<usize>>) -> usize {
    let mut at = begin;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'\'' | b'"' => match close(bytes, at, *byte, unclosed) {
                Some(end) => {
                    quoted.push(at + 1..end);
                    at = end + 1;
                }
                None => at += 1,
            },
            _ if byte.is_ascii_whitespace() => break,
            _ => at += 1,
        }
    }
    // A backslash at the end has nothing behind it.
    at.min(bytes.len())
}

fn close(bytes: &[u8], open: usize, quote: u8, unclosed: &mut [usize; 2]) -> Option<usize> {
    let known = unclosed.get_mut(usize::from(quote == b'"'))?;
    if open >= *known {
        return None;
    }
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            _ if *byte == quote => return Some(at),
            b'\\' if quote == b'"' => at += 2,
            _ => at += 1,
        }
    }
    *known = open;
    None
}

fn trimmed(bytes: &[u8], word: &Range<usize>) -> usize {
    let part = bytes.get(word.clone()).unwrap_or_default();
    let behind = part.iter().rev().take_while(|byte| matches!(byte, b';' | b'|' | b'&')).count();
    word.end - behind
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(line: &str) -> Vec<String> {
        let mut told = Vec::new();
        pieces(line, &mut |piece| {
            told.push(match piece {
                Piece::Word(range) => line[range].to_owned(),
                Piece::Quoted(range) => format!("({})", &line[range]),
                Piece::End => "|".to_owned(),
            });
        });
        told
    }

    #[test]
    fn a_line_is_split_as_a_shell_does() {
        assert_eq!(told("a  'b c' \"d\" e"), ["a", "b c", "(b c)", "d", "e"]);
        assert_eq!(told("x; y && z|w"), ["x", "|", "y", "|", "z|w"]);
        assert_eq!(told("--a='b c' d\\ e"), ["--a='b c'", "(b c)", "d\\ e"]);
        assert_eq!(told("don't stop\nnow"), ["don't", "stop", "|", "now"]);
        assert_eq!(told("\"a\\\"b\" c"), ["a\\\"b", "c"]);
    }

    proptest! {
        #[test]
        fn pieces_are_parts_of_their_line(line in r#"[a-c'" \\;|&\n=é-]{0,40}"#) {
            pieces(&line, &mut |piece| match piece {
                Piece::Word(range) | Piece::Quoted(range) => assert!(line.get(range).is_some()),
                Piece::End => {}
            });
        }
    }
}
