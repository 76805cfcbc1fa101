//! Text of watched processes, made safe to show: nothing in it can move a cursor, end a line or
//! reorder what stands beside it.

use std::borrow::Cow;
use std::fmt::Write;

use crate::octet;

/// Whether a character does something to its surroundings instead of standing for itself:
/// C0, DEL and C1 controls, line and paragraph separators, bidirectional marks, overrides and
/// isolates (UAX 9), and characters without any width that hide text or join it.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    // Nearly all that is ever asked about.
    if matches!(character, ' '..='~') {
        return false;
    }
    character.is_control()
        || matches!(character,
            '\u{ad}'                        // soft hyphen
            | '\u{34f}'                     // combining grapheme joiner
            | '\u{61c}'                     // Arabic letter mark
            | '\u{115f}' | '\u{1160}'       // Hangul fillers
            | '\u{17b4}' | '\u{17b5}'       // Khmer inherent vowels
            | '\u{180b}'..='\u{180f}'       // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}'       // zero width, marks
            | '\u{2028}'..='\u{202e}'       // separators, embeddings, overrides
            | '\u{2060}'..='\u{206f}'       // word joiner, isolates, deprecated controls
            | '\u{3164}' | '\u{ffa0}'       // Hangul fillers
            | '\u{fe00}'..='\u{fe0f}'       // variation selectors
            | '\u{ef80}'..='\u{efff}'       // bytes that are no UTF-8 (`octet`)
            | '\u{feff}'                    // byte order mark
            | '\u{fff0}'..='\u{fffb}'       // unassigned ignorables, interlinear annotation
            | '\u{1bca0}'..='\u{1bca3}'     // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}'     // musical format controls
            | '\u{e0000}'..='\u{e0fff}'     // tags, variation selectors supplement
        )
}

/// The text with every unsafe character written out: `\n`, `\t`, `\x1b`, `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if !is_unsafe(character) {
            shown.push(character);
            continue;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ => {
                let code = u32::from(character);
                // Writing to a String cannot fail.
                let _ = match octet::byte(character) {
                    Some(byte) => write!(shown, "\\x{byte:02x}"),
                    None if character.is_ascii() => write!(shown, "\\x{code:02x}"),
                    None => write!(shown, "\\u{{{code:x}}}"),
                };
            }
        }
    }
    Cow::Owned(shown)
}

/// Writes a character so that nothing unsafe is left and all of it can be read back: a backslash as `\\\\`, what is
/// unsafe as `\\uXXXX` (two of them beyond U+FFFF), as in JSON.
pub fn push_escaped(text: &mut String, character: char) {
    if character == '\\' {
        text.push_str(r"\\");
    } else if is_unsafe(character) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    } else {
        text.push(character);
    }
}

/// Bytes that [`push_escaped`] writes.
#[must_use]
pub fn escaped_size(character: char) -> usize {
    const UNICODE_ESCAPE: usize = 6;
    match character {
        '\\' => 2,
        _ if is_unsafe(character) => UNICODE_ESCAPE * character.len_utf16(),
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_controls_out() {
        assert_eq!(visible("plain ünïcode 漢字"), "plain ünïcode 漢字");
        assert_eq!(visible("a\nb\r\tc\0"), r"a\nb\r\tc\x00");
        assert_eq!(visible("\u{1b}[2J\u{9b}K\u{7f}"), r"\x1b[2J\u{9b}K\x7f");
        assert_eq!(visible("a\u{ef9b}"), r"a\x9b");
        assert_eq!(visible("cod\u{202e}exe.txt\u{2066}"), r"cod\u{202e}exe.txt\u{2066}");
    }

    proptest! {
        #[test]
        fn an_escaped_character_is_as_long_as_it_says(character in any::<char>()) {
            let mut text = String::new();
            push_escaped(&mut text, character);
            prop_assert_eq!(text.len(), escaped_size(character));
            prop_assert!(!text.chars().any(is_unsafe));
        }

        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!visible(&text).chars().any(is_unsafe));
        }
    }
}
