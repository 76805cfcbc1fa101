//! One document as one line of JSON that is safe to show and to store anywhere.
//!
//! JSON itself requires escapes below U+0020 only (RFC 8259 section 7). Receivers print lines to
//! terminals and viewers, so everything [`is_unsafe`](super::text::escape::is_unsafe) is escaped as
//! `\uXXXX` as well: the value is the same after parsing, the line can move no cursor and reorder
//! no text.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::text::escape::is_unsafe;

/// Encodes without a newline at the end and without any inside.
#[must_use]
pub fn encode(document: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(LINE_USUAL);
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Visible);
    match document.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&line).into_owned(),
        // Only a map whose keys are no strings gets here, and no document has one. Should one ever
        // come, the receiver learns of it instead of getting half a line.
        Err(_) => r#"{"kind":"error","message":"a document could not be encoded"}"#.to_owned(),
    }
}

/// Room for a usual document, bytes; a hint that saves copies, not a bound.
const LINE_USUAL: usize = 4096;

/// Compact JSON with more escapes.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_unsafe(*character)) {
            let (plain, tail) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = tail.get(character.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_what_terminals_obey() {
        let line = encode(&"a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2028}\u{e0041}z");
        assert_eq!(line, r#""a\u001b[2J\u007f\u009b31m\u202e\u2028\udb40\udc41z""#);
    }

    proptest! {
        #[test]
        fn any_text_survives_and_nothing_unsafe_is_left(text in any::<String>()) {
            let line = encode(&text);
            prop_assert!(!line.chars().any(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
