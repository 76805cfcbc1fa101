//! What stands behind a field's name: `CommandLine|windash|contains|all`.
//!
//! A chain that contradicts itself, or means nothing, is refused rather than read kindly.

use super::encoding::Encoding;
use super::moment::Part;
use super::pattern::Place;
use super::suggestion::did_you_mean;

/// Modifiers of the specification, for "did you mean".
const KNOWN: &str = "all base64 base64offset cased cidr contains day endswith exists expand fieldref gt gte hour \
    i lt lte m minute month neq re s startswith utf16 utf16be utf16le week wide windash year";

/// What other tools also call the sub-modifiers of `re`.
const LONG_FLAGS: [(&str, &str); 3] = [("ignorecase", "i"), ("multiline", "m"), ("dotall", "s")];

/// How the values of an item are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Text,
    Regex(RegexFlags),
    Cidr,
    Order(Order),
    Exists,
    FieldRef,
    /// A part of a date equals a number, or is on this side of it.
    Moment(Part, Option<Order>),
}

/// Sub-modifiers of `re`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct RegexFlags {
    pub(super) insensitive: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A chain of modifiers, understood. The default is no modifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Modifiers {
    pub(super) comparison: Comparison,
    pub(super) place: Place,
    /// In the order in which they apply.
    pub(super) encodings: Vec<Encoding>,
    pub(super) all: bool,
    pub(super) cased: bool,
    pub(super) negated: bool,
    /// `%name%` in a value stands for the values of a placeholder.
    pub(super) expand: bool,
}

/// Modifiers that may stand twice in a chain: a text can be encoded twice.
const REPEATABLE: [&str; 2] = ["base64", "wide"];

/// Why a chain is refused: which modifier (by position), what is wrong, the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) position: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Default for Modifiers {
    fn default() -> Self {
        Self {
            comparison: Comparison::Text,
            place: Place::Whole,
            encodings: Vec::new(),
            all: false,
            cased: false,
            negated: false,
            expand: false,
        }
    }
}

impl Modifiers {
    pub(super) fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Refusal> {
        let mut chain = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for (position, name) in names.into_iter().enumerate() {
            let added = if seen.contains(&name) && !REPEATABLE.contains(&name) {
                refuse(format!("`{name}` stands here twice"), "write it once")
            } else {
                chain.add(name)
            };
            added.map_err(|(message, help)| Refusal { position, message, help })?;
            seen.push(name);
        }
        Ok(chain)
    }

    fn add(&mut self, name: &str) -> Result<(), (String, Option<String>)> {
        match name {
            "contains" => self.set_place(name, Place::Anywhere),
            "startswith" => self.set_place(name, Place::Start),
            "endswith" => self.set_place(name, Place::End),
            "re" => self.set_comparison(name, Comparison::Regex(RegexFlags::default())),
            "cidr" => self.set_comparison(name, Comparison::Cidr),
            "exists" => self.set_comparison(name, Comparison::Exists),
            "fieldref" => self.set_comparison(name, Comparison::FieldRef),
            "lt" => self.set_comparison(name, Comparison::Order(Order::Less)),
            "lte" => self.set_comparison(name, Comparison::Order(Order::LessOrEqual)),
            "gt" => self.set_comparison(name, Comparison::Order(Order::Greater)),
            "gte" => self.set_comparison(name, Comparison::Order(Order::GreaterOrEqual)),
            "i" => self.set_regex_flag(name, |flags| &mut flags.insensitive),
            "m" => self.set_regex_flag(name, |flags| &mut flags.multi_line),
            "s" => self.set_regex_flag(name, |flags| &mut flags.dot_all),
            "windash" => self.add_encoding(name, Encoding::Windash),
            "wide" | "utf16le" => self.add_encoding(name, Encoding::Utf16Le),
            "utf16be" => self.add_encoding(name, Encoding::Utf16Be),
            "utf16" => self.add_encoding(name, Encoding::Utf16),
            "base64" => self.add_encoding(name, Encoding::Base64),
            "base64offset" => self.add_encoding(name, Encoding::Base64Offset),
            "all" => self.set_all(),
            "cased" => self.set_cased(),
            "neq" => self.set_negated(),
            "expand" => self.set_expand(),
            "" => refuse("a modifier is missing here", "remove the `|`"),
            other => match (Part::of_modifier(other), LONG_FLAGS.iter().find(|(long, _)| *long == other)) {
                (Some(part), _) => self.set_part(part),
                (None, Some((_, short))) => {
                    refuse(format!("there is no modifier `{other}`"), format!("write `re|{short}`"))
                }
                (None, None) => {
                    Err((format!("there is no modifier `{other}`"), did_you_mean(other, KNOWN.split(' '))))
                }
            },
        }
    }

    fn set_part(&mut self, part: Part) -> Result<(), (String, Option<String>)> {
        let name = part.name();
        let order = match self.comparison {
            Comparison::Text
                if *self == (Self { negated: self.negated, all: self.all, ..Self::default() }) =>
            {
                None
            }
            Comparison::Order(order) => Some(order),
            Comparison::Moment(other, _) => {
                return refuse(
                    format!("`{name}` and `{}` are parts of one date", other.name()),
                    "ask for each in an item of its own",
                );
            }
            Comparison::Text
            | Comparison::Regex(_)
            | Comparison::Cidr
            | Comparison::Exists
            | Comparison::FieldRef => {
                return refuse(
                    format!("`{name}` reads a date and cannot follow the modifier before it"),
                    "keep one of them",
                );
            }
        };
        self.comparison = Comparison::Moment(part, order);
        Ok(())
    }

    fn set_expand(&mut self) -> Result<(), (String, Option<String>)> {
        if !self.encodings.is_empty() {
            return refuse(
                "`expand` would look for placeholders in an encoded text",
                "write `expand` first, then the encoding",
            );
        }
        match self.comparison {
            Comparison::Text | Comparison::Regex(_) | Comparison::Cidr => {
                self.expand = true;
                Ok(())
            }
            Comparison::Order(_) | Comparison::Exists | Comparison::FieldRef | Comparison::Moment(..) => {
                refuse("`expand` fills in texts, regular expressions and networks only", "drop one of them")
            }
        }
    }

    fn set_place(&mut self, name: &str, place: Place) -> Result<(), (String, Option<String>)> {
        let fits = matches!(self.comparison, Comparison::Text | Comparison::FieldRef);
        if !fits {
            return refuse(
                format!("`{name}` compares text and cannot follow the modifier before it"),
                "drop one of them",
            );
        }
        if self.place != Place::Whole {
            return refuse(
                format!("`{name}` contradicts the place already given"),
                "keep one of contains, startswith, endswith",
            );
        }
        self.place = place;
        Ok(())
    }

    fn set_comparison(&mut self, name: &str, comparison: Comparison) -> Result<(), (String, Option<String>)> {
        if let (Comparison::Moment(part, None), Comparison::Order(order)) = (self.comparison, comparison) {
            self.comparison = Comparison::Moment(part, Some(order));
            return Ok(());
        }
        if self.expand && !matches!(comparison, Comparison::Regex(_) | Comparison::Cidr) {
            return refuse(format!("`{name}` takes no placeholders"), "drop `expand`");
        }
        if self.comparison != Comparison::Text {
            return refuse(format!("`{name}` contradicts a modifier before it"), "keep one of them");
        }
        if !self.encodings.is_empty() {
            return refuse(format!("`{name}` does not compare an encoded text"), "drop the encoding");
        }
        if self.place != Place::Whole && comparison != Comparison::FieldRef {
            return refuse(
                format!("`{name}` cannot be joined with contains, startswith or endswith"),
                "keep one of them",
            );
        }
        if self.cased && comparison != Comparison::FieldRef {
            return refuse(format!("`cased` means nothing to `{name}`"), "drop `cased`");
        }
        if comparison == Comparison::Exists && (self.all || self.negated) {
            return refuse("`exists` goes alone", "write `exists: false` for a field that must not exist");
        }
        self.comparison = comparison;
        Ok(())
    }

    fn set_regex_flag(
        &mut self,
        name: &str,
        flag: fn(&mut RegexFlags) -> &mut bool,
    ) -> Result<(), (String, Option<String>)> {
        match &mut self.comparison {
            Comparison::Regex(flags) => {
                *flag(flags) = true;
                Ok(())
            }
            Comparison::Text
            | Comparison::Cidr
            | Comparison::Order(_)
            | Comparison::Exists
            | Comparison::FieldRef
            | Comparison::Moment(..) => {
                refuse(format!("`{name}` belongs behind `re`"), format!("write `re|{name}`"))
            }
        }
    }

    fn add_encoding(&mut self, name: &str, encoding: Encoding) -> Result<(), (String, Option<String>)> {
        if self.comparison != Comparison::Text {
            return refuse(
                format!("`{name}` encodes text and cannot follow the modifier before it"),
                "drop one of them",
            );
        }
        if self.place != Place::Whole && encoding != Encoding::Windash {
            return refuse(
                format!("`{name}` would encode the wildcards of the modifier before it"),
                format!("write `{name}` first, then contains, startswith or endswith"),
            );
        }
        if matches!(self.encodings.last(), Some(Encoding::Base64Offset)) {
            return refuse(format!("`{name}` cannot follow `base64offset`"), "put `base64offset` last");
        }
        self.encodings.push(encoding);
        Ok(())
    }

    fn set_all(&mut self) -> Result<(), (String, Option<String>)> {
        if self.comparison == Comparison::Exists {
            return refuse("`exists` goes alone", "drop `all`");
        }
        self.all = true;
        Ok(())
    }

    fn set_cased(&mut self) -> Result<(), (String, Option<String>)> {
        match self.comparison {
            Comparison::Text | Comparison::FieldRef => {
                self.cased = true;
                Ok(())
            }
            Comparison::Regex(_) => refuse("a regular expression minds case already", "drop `cased`"),
            Comparison::Cidr | Comparison::Order(_) | Comparison::Exists | Comparison::Moment(..) => {
                refuse("`cased` means nothing to the modifier before it", "drop `cased`")
            }
        }
    }

    fn set_negated(&mut self) -> Result<(), (String, Option<String>)> {
        if self.comparison == Comparison::Exists {
            return refuse("`exists` goes alone", "write `exists: false`");
        }
        self.negated = true;
        Ok(())
    }
}

fn refuse<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, (String, Option<String>)> {
    Err((message.into(), Some(help.into())))
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Modifiers, RegexFlags};
    use crate::encoding::Encoding;
    use crate::pattern::Place;

    fn parse(chain: &str) -> Result<Modifiers, String> {
        Modifiers::parse(chain.split('|'))
            .map_err(|refusal| format!("{}: {}", refusal.position, refusal.message))
    }

    #[test]
    fn chains_of_the_public_corpus_are_understood() {
        let chain = parse("wide|base64offset|contains").unwrap();
        assert_eq!(chain.encodings, [Encoding::Utf16Le, Encoding::Base64Offset]);
        assert_eq!(chain.place, Place::Anywhere);
        assert!(parse("contains|all").unwrap().all);
        assert_eq!(parse("contains|windash").unwrap(), parse("windash|contains").unwrap());
        let flags = RegexFlags { insensitive: true, ..RegexFlags::default() };
        assert_eq!(parse("re|i").unwrap().comparison, Comparison::Regex(flags));
        assert!(parse("fieldref|endswith").is_ok() && parse("fieldref|neq").is_ok());
        assert_eq!(parse("hour|gte").unwrap(), parse("gte|hour").unwrap());
        assert_eq!(parse("contains|expand|all").unwrap(), parse("expand|all|contains").unwrap());
        assert_eq!(parse("base64|base64").unwrap().encodings.len(), 2);
    }

    #[test]
    fn contradictions_are_refused_at_their_place() {
        for (chain, position) in [
            ("contains|startswith", 1),
            ("contians", 0),
            ("i", 0),
            ("re|contains", 1),
            ("contains|base64", 1),
            ("cased|re", 1),
            ("re|cased", 1),
            ("gt|lt", 1),
            ("exists|neq", 1),
            ("all|exists", 1),
            ("contains|", 1),
            ("expand|gt", 1),
            ("fieldref|expand", 1),
            ("base64|expand", 1),
            ("hour|month", 1),
            ("contains|hour", 1),
            ("hour|contains", 1),
            ("hour|gt|lt", 2),
            ("hour|cased", 1),
            ("expand|hour", 1),
            ("re|i|i", 2),
            ("all|all", 1),
            ("re|ignorecase", 1),
            ("base64|cidr", 1),
        ] {
            let refusal = parse(chain).unwrap_err();
            assert!(refusal.starts_with(&format!("{position}:")), "{chain}: {refusal}");
        }
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let refusal = Modifiers::parse(["contians"]).unwrap_err();
        assert_eq!(refusal.help.as_deref(), Some("did you mean `contains`?"));
    }
}
