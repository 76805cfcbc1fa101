//! Bytes of others as text, without loss.
//!
//! Linux's file names, arguments and names of users are bytes; rules, alerts and JSON are text. What is UTF-8 stays as
//! it is. Every other byte becomes a character of its own, U+EF80 to U+EFFF for 0x80 to 0xFF: a part of Unicode's
//! private area that MirOS's OPTU-8 uses for the same end. Where these characters stand in the original they are
//! taken for bytes too, so that the way back is one: [`bytes`] of [`text`] are the bytes of before, whatever they were.

use std::borrow::Cow;

/// What a byte is added to.
const BASE: u16 = 0xef00;

/// Whether a character stands for a byte that is no UTF-8.
#[must_use]
pub fn is_octet(character: char) -> bool {
    matches!(character, '\u{ef80}'..='\u{efff}')
}

/// The text of some bytes. It is three times as long at most.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    if let Ok(text) = str::from_utf8(bytes) {
        return foreign(text).into_owned();
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(&foreign(chunk.valid()));
        text.extend(chunk.invalid().iter().copied().map(octet));
    }
    text
}

/// The text of somebody who knows nothing of this: the same, unless it has characters that stand for bytes here.
#[must_use]
pub fn foreign(text: &str) -> Cow<'_, str> {
    // All of them begin with this byte, and little else does.
    const FIRST: u8 = 0xee;
    if !text.as_bytes().contains(&FIRST) || !text.contains(is_octet) {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_octet(character) {
            whole.extend(character.encode_utf8(&mut [0; 4]).bytes().map(octet));
        } else {
            whole.push(character);
        }
    }
    Cow::Owned(whole)
}

/// The bytes that [`text`] was made of.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The byte that a character stands for.
#[must_use]
pub fn byte(character: char) -> Option<u8> {
    is_octet(character).then(|| u32::from(character).to_le_bytes()[0])
}

fn octet(byte: u8) -> char {
    // No byte of UTF-8's first half gets here; it would stand for itself.
    if byte.is_ascii() {
        return char::from(byte);
    }
    char::from_u32(u32::from(BASE | u16::from(byte))).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_utf8_stands_for_itself() {
        assert_eq!(text(b"plain \xc3\xa9"), "plain é");
        assert_eq!(text(b"a\xffb"), "a\u{efff}b");
        assert_eq!(text(b"\xc0\xaf"), "\u{efc0}\u{efaf}", "an overlong slash");
        assert_eq!(text(b"\xed\xa0\x80"), "\u{efed}\u{efa0}\u{ef80}", "a lone surrogate");
        assert_eq!(text(b"\xe6\xbc"), "\u{efe6}\u{efbc}", "cut within a character");
    }

    #[test]
    fn nobody_can_write_a_byte_that_was_not_there() {
        let forged = "\u{efff}";
        assert_eq!(text(forged.as_bytes()), "\u{efee}\u{efbf}\u{efbf}");
        assert_eq!(foreign("plain"), Cow::Borrowed("plain"));
        assert_eq!(bytes(&foreign(forged)), forged.as_bytes());
    }

    proptest! {
        #[test]
        fn every_byte_comes_back(original in any::<Vec<u8>>()) {
            prop_assert_eq!(bytes(&text(&original)), original);
        }

        #[test]
        fn so_does_text_that_means_it(original in "[a\u{ee00}-\u{f0ff}]{0,20}") {
            prop_assert_eq!(bytes(&text(original.as_bytes())), original.as_bytes());
        }
    }
}
