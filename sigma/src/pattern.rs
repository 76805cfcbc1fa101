//! Texts with wildcards: how they are written, folded and compared.
//!
//! Case: both sides are folded letter by letter, one letter to one letter ([`fold`]), so offsets
//! and `?` mean the same in either spelling. Only letters whose lower case is one letter fold.

/// A piece of a pattern. Literals are bytes, as UTF-16 and Base64 work on bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    /// `*`: any text, also none.
    Any,
    /// `?`: exactly one character.
    One,
}

/// A value of a rule before it is known how it will be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads wildcards and escapes (rules specification, "Escaping"): a backslash escapes `*`, `?`
    /// and itself, and before anything else is a plain backslash.
    pub(super) fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '*' => pattern.push(Piece::Any),
                '?' => pattern.push(Piece::One),
                '\\' => {
                    let escaped = characters.next_if(|next| matches!(next, '*' | '?' | '\\'));
                    pattern.push_char(escaped.unwrap_or('\\'));
                }
                other => pattern.push_char(other),
            }
        }
        pattern
    }

    /// Exactly these bytes.
    pub(super) fn literal(bytes: Vec<u8>) -> Self {
        Self { pieces: vec![Piece::Literal(bytes)] }
    }

    /// A run of `*` is one `*`.
    pub(super) fn push(&mut self, piece: Piece) {
        if piece != Piece::Any || self.pieces.last() != Some(&Piece::Any) {
            self.pieces.push(piece);
        }
    }

    /// Puts another pattern behind this one.
    pub(super) fn append(&mut self, other: &Self) {
        for piece in &other.pieces {
            match (self.pieces.last_mut(), piece) {
                (Some(Piece::Literal(before)), Piece::Literal(behind)) => before.extend_from_slice(behind),
                _ => self.push(piece.clone()),
            }
        }
    }

    fn push_char(&mut self, character: char) {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        if let Some(Piece::Literal(literal)) = self.pieces.last_mut() {
            literal.extend_from_slice(bytes);
        } else {
            self.pieces.push(Piece::Literal(bytes.to_vec()));
        }
    }

    pub(super) fn has_wildcards(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Any | Piece::One))
    }

    /// The pattern with `*` before or behind it, as `contains` and its kin ask.
    pub(super) fn placed(self, place: Place) -> Self {
        let mut placed = Self::default();
        if matches!(place, Place::Anywhere | Place::End) {
            placed.push(Piece::Any);
        }
        for piece in self.pieces {
            placed.push(piece);
        }
        if matches!(place, Place::Anywhere | Place::Start) {
            placed.push(Piece::Any);
        }
        placed
    }

    /// The cheapest way to compare this pattern. `None`: a literal is not UTF-8 and can never
    /// occur in a text.
    pub(super) fn shape(&self, cased: bool) -> Option<Shape> {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            pieces.push(match piece {
                Piece::Literal(bytes) => TextPiece::Literal(folded(std::str::from_utf8(bytes).ok()?, cased)),
                Piece::Any => TextPiece::Any,
                Piece::One => TextPiece::One,
            });
        }
        pieces.retain(|piece| !matches!(piece, TextPiece::Literal(text) if text.is_empty()));
        Some(match pieces.as_slice() {
            [] => Shape::Literal(Place::Whole, String::new()),
            [TextPiece::Any] => Shape::Anything,
            [TextPiece::Literal(text)] => Shape::Literal(Place::Whole, text.clone()),
            [TextPiece::Literal(text), TextPiece::Any] => Shape::Literal(Place::Start, text.clone()),
            [TextPiece::Any, TextPiece::Literal(text)] => Shape::Literal(Place::End, text.clone()),
            [TextPiece::Any, TextPiece::Literal(text), TextPiece::Any] => {
                Shape::Literal(Place::Anywhere, text.clone())
            }
            _ => Shape::Glob(Glob { pieces, cased }),
        })
    }
}

/// Where in a value a text must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Whole,
    Start,
    End,
    Anywhere,
}

impl Place {
    /// Whether `needle` stands there in `text`; both are folded already.
    pub(super) fn holds(self, text: &str, needle: &str) -> bool {
        match self {
            Self::Whole => text == needle,
            Self::Start => text.starts_with(needle),
            Self::End => text.ends_with(needle),
            Self::Anywhere => text.contains(needle),
        }
    }
}

/// A pattern, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `*`: any value at all.
    Anything,
    Literal(Place, String),
    Glob(Glob),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TextPiece {
    Literal(String),
    Any,
    One,
}

/// A pattern with wildcards inside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    pieces: Vec<TextPiece>,
    cased: bool,
}

impl Glob {
    pub(super) fn cased(&self) -> bool {
        self.cased
    }

    /// The longest literal: every text that matches contains it.
    pub(super) fn required(&self) -> Option<&str> {
        let literals = self.pieces.iter().filter_map(|piece| match piece {
            TextPiece::Literal(text) => Some(text.as_str()),
            TextPiece::Any | TextPiece::One => None,
        });
        literals.max_by_key(|text| text.len())
    }

    /// Whether the whole of `text` matches. Remembers only the last `*`, so it takes at most
    /// pieces × characters steps.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut rest = text;
        let mut index = 0;
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let advanced = match self.pieces.get(index) {
                None if rest.is_empty() => return true,
                None => None,
                Some(TextPiece::Any) => {
                    retry = Some((index + 1, rest));
                    Some(rest)
                }
                Some(TextPiece::One) => after_one(rest),
                Some(TextPiece::Literal(literal)) => self.after_literal(rest, literal),
            };
            if let Some(advanced) = advanced {
                rest = advanced;
                index += 1;
                continue;
            }
            let Some((after_any, start)) = retry else { return false };
            let Some(next) = after_one(start) else { return false };
            (retry, rest, index) = (Some((after_any, next)), next, after_any);
        }
    }

    fn after_literal<'t>(&self, text: &'t str, literal: &str) -> Option<&'t str> {
        let mut rest = text.chars();
        for expected in literal.chars() {
            let found = rest.next()?;
            if expected != if self.cased { found } else { fold(found) } {
                return None;
            }
        }
        Some(rest.as_str())
    }
}

fn after_one(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

/// The lower case of a letter, where that is one letter; else the letter itself.
pub(super) fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let mut lower = character.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

/// `text` folded, unless case counts.
pub(super) fn folded(text: &str, cased: bool) -> String {
    if cased { text.to_owned() } else { text.chars().map(fold).collect() }
}

/// Replaces the content of `out` with `text` folded.
pub(super) fn fold_into(text: &str, out: &mut String) {
    out.clear();
    out.extend(text.chars().map(fold));
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Piece, Place, Shape};

    fn matches(pattern: &str, text: &str) -> bool {
        match Pattern::parse(pattern).shape(false).unwrap() {
            Shape::Anything => true,
            Shape::Literal(place, literal) => place.holds(&super::folded(text, false), &literal),
            Shape::Glob(glob) => glob.matches(text),
        }
    }

    #[test]
    fn escapes_follow_the_specification() {
        let literal = |text: &str| Piece::Literal(text.as_bytes().to_vec());
        for (written, pieces) in [
            (r"a\b", vec![literal(r"a\b")]),
            (r"a\\b", vec![literal(r"a\b")]),
            (r"\*", vec![literal("*")]),
            (r"\?", vec![literal("?")]),
            (r"\\*", vec![literal(r"\"), Piece::Any]),
            (r"\\\*", vec![literal(r"\*")]),
            (r"\\\a", vec![literal(r"\\a")]),
            (r"\\\\", vec![literal(r"\\")]),
            (r"a\", vec![literal(r"a\")]),
            ("a**b", vec![literal("a"), Piece::Any, literal("b")]),
        ] {
            assert_eq!(Pattern::parse(written).pieces, pieces, "{written}");
        }
    }

    #[test]
    fn globs_match_whole_texts() {
        assert!(matches("a*b?c", "axxbyc"));
        assert!(!matches("a*b?c", "axxbc"));
        assert!(matches("*a*b*", "xxAxxBxx"));
        assert!(matches("a?", "aÄ"));
        assert!(!matches("a?", "a"));
        assert!(matches("*ab", "aab"));
        assert!(matches("*", ""));
        assert!(!matches("?*", ""));
        assert!(matches("?*?", "ab"));
        assert!(matches("ÄR*Ö?", "ärgerö!"));
    }

    #[test]
    fn shapes_are_the_cheapest_possible() {
        let shape = |text: &str, place| Pattern::parse(text).placed(place).shape(false).unwrap();
        assert_eq!(shape("A", Place::Whole), Shape::Literal(Place::Whole, "a".into()));
        assert_eq!(shape("A", Place::Anywhere), Shape::Literal(Place::Anywhere, "a".into()));
        assert_eq!(shape("*A", Place::Start), Shape::Literal(Place::Anywhere, "a".into()));
        assert_eq!(shape("*", Place::End), Shape::Anything);
        assert_eq!(shape("", Place::Anywhere), Shape::Anything);
        assert_eq!(shape("", Place::Whole), Shape::Literal(Place::Whole, String::new()));
        assert!(matches!(shape("a?", Place::Whole), Shape::Glob(_)));
    }
}
