//! A single value of an item: what it asks of its field.

use std::net::IpAddr;

use ipnet::IpNet;

use super::condition::QUESTIONS_MAX;
use super::detection::Key;
use super::document::Reader;
use super::encoding::{Encoding, Refusal, WINDASH_MAX};
use super::expression::Expression;
use super::modifier::{Comparison, Modifiers, Order, RegexFlags};
use super::moment::Part;
use super::pattern::{Pattern, Place, Shape};
use super::predicate::{Number, Predicate, REGEX_SIZE_MAX, RegularExpression};
use super::record::FieldId;
use super::yaml::{Data, Node, Scalar, ScalarKind};

/// Most that all regular expressions of a source take together, bytes: a list of some thousand that are just
/// small enough would take gigabytes, and minutes to compile.
const REGEXES_SIZE_MAX: usize = 8 << 20;

impl Reader<'_> {
    /// What one value of an item asks.
    pub(super) fn value(&mut self, key: &Key, node: &Node) -> Option<Expression> {
        let scalar = match &node.data {
            Data::Scalar(scalar) => scalar,
            Data::Null => return self.null(key, node),
            Data::Sequence(_) | Data::Mapping(_) => {
                return self.refuse(
                    node.span,
                    format!("a value must be plain, this is {}", node.kind_name()),
                    None,
                );
            }
        };
        let of_texts =
            matches!(key.modifiers.comparison, Comparison::Regex(_)) || !key.modifiers.encodings.is_empty();
        if of_texts && scalar.kind != ScalarKind::Text {
            let message = format!("these modifiers are for texts, this is {}", node.kind_name());
            return self.refuse(scalar.span(), message, Some(format!("write `'{}'`", scalar.text)));
        }
        match key.modifiers.comparison {
            Comparison::Text => self.pattern(key, scalar),
            Comparison::Regex(flags) => self.regex(key, scalar, flags),
            Comparison::Cidr => self.cidr(key, scalar),
            Comparison::Order(order) => self.order(key, scalar, order),
            Comparison::Exists => self.exists(key, scalar),
            Comparison::Moment(part, order) => self.moment(key, scalar, part, order),
            Comparison::FieldRef => {
                let other = self.field(&scalar.text, scalar, 0)?;
                let Modifiers { place, cased, .. } = key.modifiers;
                Some(self.test(key.field, Predicate::SameAs { other, place, cased }))
            }
        }
    }

    fn test(&mut self, field: FieldId, predicate: Predicate) -> Expression {
        self.questions += 1;
        Expression::Test(self.tests.intern(field, predicate))
    }

    fn null(&mut self, key: &Key, node: &Node) -> Option<Expression> {
        let plain = key.modifiers.comparison == Comparison::Text
            && key.modifiers.place == Place::Whole
            && key.modifiers.encodings.is_empty();
        if key.field == FieldId::MESSAGE {
            return self.refuse(node.span, "a keyword must be a text, this is null", None);
        }
        if !plain {
            let help = Some("write `''` for an empty text, or drop the modifiers".to_owned());
            return self.refuse(node.span, "`null` has no text these modifiers could compare", help);
        }
        Some(self.test(key.field, Predicate::Null))
    }

    fn pattern(&mut self, key: &Key, scalar: &Scalar) -> Option<Expression> {
        let mut forms = if key.modifiers.expand {
            self.filled_in_patterns(scalar)?
        } else {
            vec![Pattern::parse(&scalar.text)]
        };
        for encoding in &key.modifiers.encodings {
            let mut encoded = Vec::with_capacity(forms.len());
            for form in &forms {
                match encoding.apply(form) {
                    Ok(applied) => encoded.extend(applied),
                    Err(refusal) => return self.refuse_encoding(scalar, *encoding, refusal),
                }
                if encoded.len() > QUESTIONS_MAX {
                    return self.refuse_questions(scalar.span());
                }
            }
            forms = encoded;
        }
        if !scalar.text.is_empty()
            && forms.iter().any(|form| form.pieces == [super::pattern::Piece::Literal(vec![])])
        {
            let help = Some("write a longer value".to_owned());
            return self.refuse(scalar.span(), "nothing of this value survives its encoding", help);
        }
        let mut parts = Vec::with_capacity(forms.len());
        for form in forms {
            let Some(shape) = form.placed(key.modifiers.place).shape(key.modifiers.cased) else {
                let help = Some("add base64 or base64offset behind it".to_owned());
                return self.refuse(
                    scalar.span(),
                    "encoded like this the value is no text and can never match",
                    help,
                );
            };
            if key.field == FieldId::MESSAGE && shape == Shape::Anything {
                let help = Some("write a text that only some records have".to_owned());
                return self.refuse(scalar.span(), "every record has this keyword", help);
            }
            parts.push(self.shape(key, shape));
        }
        Some(Expression::any_of(parts))
    }

    fn shape(&mut self, key: &Key, shape: Shape) -> Expression {
        let cased = key.modifiers.cased;
        match shape {
            Shape::Anything => self.test(key.field, Predicate::Anything),
            Shape::Literal(place, text) => self.test(key.field, Predicate::Literal { place, text, cased }),
            Shape::Glob(glob) => {
                // Its longest literal is asked first: cheap, and a witness for the rule.
                let guard = glob.required().map(|text| Predicate::Literal {
                    place: Place::Anywhere,
                    text: text.to_owned(),
                    cased: glob.cased(),
                });
                let mut parts: Vec<_> = guard.into_iter().map(|guard| self.test(key.field, guard)).collect();
                parts.push(self.test(key.field, Predicate::Glob(glob)));
                Expression::all_of(parts)
            }
        }
    }

    fn refuse_encoding<T>(&mut self, scalar: &Scalar, encoding: Encoding, refusal: Refusal) -> Option<T> {
        match refusal {
            Refusal::Wildcard => {
                let help = Some("escape it as `\\*` or `\\?`, or split the value".to_owned());
                let message = format!("a wildcard cannot be encoded ({encoding:?})");
                self.refuse(scalar.span(), message, help)
            }
            Refusal::TooManyDashes => {
                let message = format!("`windash` varies at most {WINDASH_MAX} dashes of a value");
                self.refuse(scalar.span(), message, Some("split the value and use `all`".into()))
            }
        }
    }

    fn regex(&mut self, key: &Key, scalar: &Scalar, flags: RegexFlags) -> Option<Expression> {
        if self.regex_size > REGEXES_SIZE_MAX {
            let message = format!(
                "the regular expressions before this one take more than {REGEXES_SIZE_MAX} bytes already"
            );
            return self.refuse(scalar.span(), message, Some("split the source".to_owned()));
        }
        if !key.modifiers.expand {
            return self.compiled(key, scalar, &scalar.text, flags);
        }
        let written = self.filled_in_regex(scalar, flags)?;
        let parts = written.iter().map(|written| self.compiled(key, scalar, written, flags));
        parts.collect::<Option<Vec<_>>>().map(Expression::any_of)
    }

    fn compiled(
        &mut self,
        key: &Key,
        scalar: &Scalar,
        written: &str,
        flags: RegexFlags,
    ) -> Option<Expression> {
        match RegularExpression::compile(written, flags) {
            Ok((expression, size)) => {
                self.regex_size += size;
                Some(self.test(key.field, Predicate::Regex(expression)))
            }
            Err(error) => {
                if matches!(error, regex::Error::CompiledTooBig(_)) {
                    // It took as much work as one that is just small enough.
                    self.regex_size += REGEX_SIZE_MAX;
                }
                let help = Some("the dialect is linear-time: no look-around, no back-references".to_owned());
                let message = format!("this regular expression is refused: {}", reason(&error));
                self.refuse(scalar.span(), message, help)
            }
        }
    }

    fn cidr(&mut self, key: &Key, scalar: &Scalar) -> Option<Expression> {
        let texts =
            if key.modifiers.expand { self.filled_in_texts(scalar)? } else { vec![scalar.text.clone()] };
        let nets: Vec<_> = texts.iter().map(|text| self.net(text, scalar)).collect();
        let nets = nets.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Expression::any_of(
            nets.into_iter().map(|net| self.test(key.field, Predicate::Cidr(net))).collect(),
        ))
    }

    fn net(&mut self, text: &str, scalar: &Scalar) -> Option<IpNet> {
        let host = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let Some(net) = text.parse::<IpNet>().ok().or_else(host) else {
            let help = Some("write for example 10.0.0.0/8 or fe80::/10".to_owned());
            return self.refuse(scalar.span(), format!("`{text}` is no network"), help);
        };
        if net.trunc() != net {
            let message = format!("`{net}` has bits set behind its prefix");
            return self.refuse(scalar.span(), message, Some(format!("did you mean `{}`?", net.trunc())));
        }
        Some(net)
    }

    fn order(&mut self, key: &Key, scalar: &Scalar, order: Order) -> Option<Expression> {
        match Number::parse(&scalar.text) {
            Some(bound) => Some(self.test(key.field, Predicate::Order(order, bound))),
            None => self.refuse(scalar.span(), format!("`{}` is no decimal number", scalar.text), None),
        }
    }

    fn moment(&mut self, key: &Key, scalar: &Scalar, part: Part, order: Option<Order>) -> Option<Expression> {
        let range = part.range();
        let number = scalar.text.parse().ok().filter(|number| range.contains(number));
        let Some(number) = number else {
            let message = format!("`{}` is no {}", scalar.text, part.name());
            let help = format!("write a whole number from {} to {}", range.start(), range.end());
            return self.refuse(scalar.span(), message, Some(help));
        };
        Some(self.test(key.field, Predicate::Moment(part, order, number)))
    }

    fn exists(&mut self, key: &Key, scalar: &Scalar) -> Option<Expression> {
        let test = self.test(key.field, Predicate::Exists);
        match scalar.kind {
            ScalarKind::Bool(true) => Some(test),
            ScalarKind::Bool(false) => Some(Expression::Not(Box::new(test))),
            ScalarKind::Text | ScalarKind::Number => {
                self.refuse(scalar.span(), "`exists` takes `true` or `false`", None)
            }
        }
    }
}

/// Why a regular expression is none. The crate draws the pattern over several lines; the last is the reason.
pub(super) fn reason(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
