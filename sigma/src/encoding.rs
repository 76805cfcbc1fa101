//! How a text may be disguised on its way: Base64, UTF-16, other dashes.

use super::pattern::{Pattern, Piece};

/// The dashes that `windash` takes for one another (modifiers appendix, "String Modifiers").
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Most dashes `windash` varies in one value: five to the fourth is 625 texts, more is a mistake.
pub(super) const WINDASH_MAX: usize = 4;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A change of a value before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Windash,
    Utf16Le,
    Utf16Be,
    /// Little endian behind a byte order mark.
    Utf16,
    Base64,
    Base64Offset,
}

/// Why a value cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Wildcard,
    TooManyDashes,
}

impl Encoding {
    /// Every form the value may take. All forms mean the same value, so they are linked by "or".
    pub(super) fn apply(self, pattern: &Pattern) -> Result<Vec<Pattern>, Refusal> {
        match self {
            Self::Windash => windash(pattern),
            Self::Utf16Le => Ok(vec![utf16(pattern, u16::to_le_bytes, false)]),
            Self::Utf16Be => Ok(vec![utf16(pattern, u16::to_be_bytes, false)]),
            // A byte order mark stands at the start of a text; with a wildcard there is no start.
            Self::Utf16 if pattern.has_wildcards() => Err(Refusal::Wildcard),
            Self::Utf16 => Ok(vec![utf16(pattern, u16::to_le_bytes, true)]),
            Self::Base64 => Ok(vec![Pattern::literal(base64(&plain(pattern)?, true))]),
            Self::Base64Offset => {
                let bytes = plain(pattern)?;
                Ok((0..3).map(|shift| Pattern::literal(base64_shifted(&bytes, shift))).collect())
            }
        }
    }
}

fn plain(pattern: &Pattern) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    for piece in &pattern.pieces {
        match piece {
            Piece::Literal(literal) => bytes.extend_from_slice(literal),
            Piece::Any | Piece::One => return Err(Refusal::Wildcard),
        }
    }
    Ok(bytes)
}

/// UTF-16 of every literal; wildcards stay between them. Bytes that are no UTF-8 are left alone.
fn utf16(pattern: &Pattern, bytes_of: fn(u16) -> [u8; 2], mark: bool) -> Pattern {
    let mut encoded = Pattern::default();
    if mark {
        encoded.push(Piece::Literal(bytes_of(0xFEFF).to_vec()));
    }
    for piece in &pattern.pieces {
        encoded.push(match piece {
            Piece::Literal(literal) => {
                let text = String::from_utf8_lossy(literal);
                Piece::Literal(text.encode_utf16().flat_map(bytes_of).collect())
            }
            Piece::Any => Piece::Any,
            Piece::One => Piece::One,
        });
    }
    encoded
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8], padded: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let index = group >> (18 - 6 * position) & 0x3F;
            if position <= chunk.len() {
                out.extend(usize::try_from(index).ok().and_then(|index| ALPHABET.get(index)));
            } else if padded {
                out.push(b'=');
            }
        }
    }
    out
}

/// The part of the Base64 text that does not depend on what stands before or behind the value
/// when it starts `shift` bytes into a group of three. A character at either end that mixes in
/// bits of a neighbour is dropped.
fn base64_shifted(bytes: &[u8], shift: usize) -> Vec<u8> {
    let mut shifted = vec![0; shift];
    shifted.extend_from_slice(bytes);
    let encoded = base64(&shifted, false);
    let first = [0, 2, 3].get(shift).copied().unwrap_or(0);
    let mixed_end = usize::from(!shifted.len().is_multiple_of(3));
    let end = encoded.len().saturating_sub(mixed_end);
    encoded.get(first..end).unwrap_or_default().to_vec()
}

/// Every combination of dashes at places where a flag may start: a dash that no word character
/// precedes and one follows. The appendix says "all possible permutations" and means flags; a dash within a
/// word is none, and other tools leave it alone, too.
fn windash(pattern: &Pattern) -> Result<Vec<Pattern>, Refusal> {
    let mut forms = vec![Pattern::default()];
    let mut varied = 0;
    for piece in &pattern.pieces {
        let Piece::Literal(literal) = piece else {
            forms.iter_mut().for_each(|form| form.push(piece.clone()));
            continue;
        };
        let text = String::from_utf8_lossy(literal);
        let mut parts = vec![String::new()];
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let starts_flag = DASHES.contains(&character)
                && !before.is_some_and(is_word)
                && characters.peek().copied().is_some_and(is_word);
            if starts_flag {
                varied += 1;
                if varied > WINDASH_MAX {
                    return Err(Refusal::TooManyDashes);
                }
                parts = parts.iter().flat_map(|part| DASHES.map(|dash| format!("{part}{dash}"))).collect();
            } else {
                parts.iter_mut().for_each(|part| part.push(character));
            }
            before = Some(character);
        }
        forms = forms.iter().flat_map(|form| parts.iter().map(|part| appended(form, part))).collect();
    }
    Ok(forms)
}

fn appended(form: &Pattern, part: &str) -> Pattern {
    let mut longer = form.clone();
    longer.push(Piece::Literal(part.as_bytes().to_vec()));
    longer
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::{Encoding, Refusal};
    use crate::pattern::{Pattern, Piece};

    fn forms(encoding: Encoding, text: &str) -> Vec<String> {
        let text_of = |pattern: Pattern| -> String {
            let piece = |piece: Piece| match piece {
                Piece::Literal(bytes) => String::from_utf8(bytes).unwrap(),
                Piece::Any => "*".to_owned(),
                Piece::One => "?".to_owned(),
            };
            pattern.pieces.into_iter().map(piece).collect()
        };
        encoding.apply(&Pattern::parse(text)).unwrap().into_iter().map(text_of).collect()
    }

    #[test]
    fn base64_follows_the_test_vectors_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(forms(Encoding::Base64, plain), [encoded]);
        }
    }

    #[test]
    fn every_shifted_form_is_found_whatever_the_neighbours() {
        for value in ["curl", "wget ", "http://", "/bin/bash", "abcdefgh", "xyz"] {
            for before in ["", "A", "zz", "\0\0", "abc"] {
                for behind in ["", "~", "??", "\u{7f}"] {
                    let whole = super::base64(format!("{before}{value}{behind}").as_bytes(), true);
                    let whole = String::from_utf8(whole).unwrap();
                    let found = forms(Encoding::Base64Offset, value);
                    let form = &found[before.len() % 3];
                    assert!(whole.contains(form.as_str()), "{value:?} {before:?} {behind:?}: {whole} {form}");
                    assert!(form.len() * 6 > value.len() * 8 - 16, "{value:?} {form}");
                }
            }
        }
    }

    #[test]
    fn utf16_keeps_wildcards_apart() {
        assert_eq!(forms(Encoding::Utf16Le, "a*b"), ["a\0*b\0"]);
        assert_eq!(forms(Encoding::Utf16Be, "ab"), ["\0a\0b"]);
        let marked = Encoding::Utf16.apply(&Pattern::parse("a")).unwrap();
        assert_eq!(marked[0].pieces[0], Piece::Literal(vec![0xFF, 0xFE]));
    }

    #[test]
    fn windash_varies_flags_and_nothing_else() {
        assert_eq!(forms(Encoding::Windash, " -f"), [" -f", " /f", " \u{2013}f", " \u{2014}f", " \u{2015}f"]);
        assert_eq!(forms(Encoding::Windash, "a-b"), ["a-b"]);
        assert_eq!(forms(Encoding::Windash, "/a -b").len(), 25);
        let many = Pattern::parse("-a -b -c -d -e");
        assert_eq!(Encoding::Windash.apply(&many), Err(Refusal::TooManyDashes));
    }

    #[test]
    fn base64_of_a_wildcard_is_refused() {
        assert_eq!(Encoding::Base64.apply(&Pattern::parse("a*")), Err(Refusal::Wildcard));
    }
}
