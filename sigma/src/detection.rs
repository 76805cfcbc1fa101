//! The `detection` of a rule: search identifiers, their fields and values, and the condition.

use std::net::IpAddr;

use ipnet::IpNet;

use super::condition::{self, QUESTIONS_MAX, Selection};
use super::document::Reader;
use super::encoding::{Encoding, Refusal, WINDASH_MAX};
use super::expression::Expression;
use super::modifier::{Comparison, Modifiers, Order, RegexFlags};
use super::pattern::{Pattern, Place, Shape};
use super::predicate::{Number, Predicate, RegularExpression};
use super::record::FieldId;
use super::suggestion::did_you_mean;
use super::yaml::{Data, Node, Scalar, ScalarKind};

/// Keys of a detection that are no search identifiers.
const CONDITION: &str = "condition";
const TIMEFRAME: &str = "timeframe";

/// A field with its modifiers: the left side of an item.
struct Key {
    field: FieldId,
    modifiers: Modifiers,
}

impl Reader<'_> {
    /// The whole detection as one expression; `None` if any part was refused. `beside`: keys of the same map
    /// that are no search identifiers.
    pub(super) fn detection(&mut self, node: &Node, beside: &[&str]) -> Option<Expression> {
        let Data::Mapping(entries) = &node.data else {
            return self.refuse(
                node.span,
                format!("`detection` must be a map, this is {}", node.kind_name()),
                None,
            );
        };
        let mut selections = Vec::new();
        let mut places = Vec::new();
        let mut condition = None;
        let mut sound = true;
        for (key, value) in entries.iter().filter(|(key, _)| !beside.contains(&key.text.as_str())) {
            match key.text.as_str() {
                CONDITION => condition = Some(value),
                TIMEFRAME => {
                    let help = Some("write a correlation rule (not supported yet)".to_owned());
                    self.note(key.span(), "`timeframe` is not part of Sigma 2", help);
                    sound = false;
                }
                name => match self.selection(value) {
                    Some(expression) => {
                        selections.push(Selection { name: name.to_owned(), expression });
                        places.push(key.span());
                    }
                    None => sound = false,
                },
            }
        }
        let Some(condition) = condition else {
            return self.refuse(
                node.span,
                "`detection` has no `condition`",
                Some("add `condition: selection`".into()),
            );
        };
        if !sound {
            return None;
        }
        let mut used = vec![false; selections.len()];
        let expression = self.conditions(condition, &selections, &mut used)?;
        for ((selection, span), _) in selections.iter().zip(places).zip(&used).filter(|(_, used)| !**used) {
            let message = format!("the condition does not use the search identifier `{}`", selection.name);
            self.note(span, message, Some("use it in the condition, or remove it".into()));
            sound = false;
        }
        sound.then_some(expression)
    }

    /// One condition or a list of them, linked by "or".
    pub(super) fn conditions(
        &mut self,
        node: &Node,
        selections: &[Selection],
        used: &mut [bool],
    ) -> Option<Expression> {
        match &node.data {
            Data::Scalar(scalar) => match condition::parse(&scalar.text, selections, used) {
                Ok(expression) => Some(expression),
                Err(refusal) => {
                    self.refuse(scalar.part(refusal.offset, refusal.len), refusal.message, refusal.help)
                }
            },
            Data::Sequence(items) if !items.is_empty() => {
                let parts: Vec<_> =
                    items.iter().map(|item| self.conditions(item, selections, used)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::any_of)
            }
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                let message =
                    format!("a condition must be a text or a list of texts, this is {}", node.kind_name());
                self.refuse(node.span, message, None)
            }
        }
    }

    /// A map ("and") or a list of maps ("or").
    pub(super) fn selection(&mut self, node: &Node) -> Option<Expression> {
        match &node.data {
            Data::Mapping(entries) if !entries.is_empty() => {
                let parts: Vec<_> = entries.iter().map(|(key, value)| self.item(key, value)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::all_of)
            }
            Data::Sequence(items) if !items.is_empty() => {
                let parts: Vec<_> = items.iter().map(|item| self.selection(item)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::any_of)
            }
            Data::Scalar(_) => self.refuse_keywords(node),
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                let help = Some("give it fields, or remove it".to_owned());
                self.refuse(node.span, "this search identifier asks for nothing", help)
            }
        }
    }

    fn refuse_keywords<T>(&mut self, node: &Node) -> Option<T> {
        let help = "name the field to search, for example `CommandLine|contains:`".to_owned();
        self.refuse(
            node.span,
            "keywords need a full log message, which these records do not have",
            Some(help),
        )
    }

    /// `Field|modifiers: values`.
    pub(super) fn item(&mut self, key: &Scalar, node: &Node) -> Option<Expression> {
        if key.text.is_empty() || key.text.starts_with('|') {
            return self.refuse_keywords(&Node { span: key.span(), data: Data::Null });
        }
        let read = self.key(key)?;
        let values: &[Node] = match &node.data {
            Data::Sequence(items) => items,
            Data::Null | Data::Scalar(_) => std::slice::from_ref(node),
            Data::Mapping(_) => {
                let message = format!("`{}` needs a value or a list of values, this is a map", key.text);
                return self.refuse(node.span, message, None);
            }
        };
        if values.is_empty() {
            return self.refuse(
                node.span,
                "an empty list matches nothing",
                Some("give it a value, or remove it".into()),
            );
        }
        if read.modifiers.all && values.len() < 2 {
            let help = Some("remove `all`, or give it a list".to_owned());
            return self.refuse(key.span(), "`all` needs at least two values", help);
        }
        let mut parts = Vec::with_capacity(values.len());
        for value in values {
            parts.push(self.value(&read, value));
            if self.questions > QUESTIONS_MAX {
                let message = format!("with this value the rule asks more than {QUESTIONS_MAX} questions");
                return self.refuse(value.span, message, Some("split the rule".into()));
            }
        }
        let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
        let linked = if read.modifiers.all { Expression::all_of(parts) } else { Expression::any_of(parts) };
        // `neq` differs from every value: it is the negation of the whole item, so it also holds
        // where the field is missing, as `not` would.
        Some(if read.modifiers.negated { Expression::Not(Box::new(linked)) } else { linked })
    }

    fn key(&mut self, key: &Scalar) -> Option<Key> {
        let mut parts = key.text.split('|');
        let name = parts.next().unwrap_or_default();
        let field = self.field(name, key, 0);
        let modifiers = match Modifiers::parse(parts.clone()) {
            Ok(modifiers) => Some(modifiers),
            Err(refusal) => {
                let before: usize = parts.clone().take(refusal.position).map(|part| part.len() + 1).sum();
                let len = parts.nth(refusal.position).map_or(0, str::len);
                let span = key.part(name.len() + 1 + before, len);
                self.refuse(span, refusal.message, refusal.help)
            }
        };
        Some(Key { field: field?, modifiers: modifiers? })
    }

    fn field(&mut self, name: &str, at: &Scalar, offset: usize) -> Option<FieldId> {
        let found = self.taxonomy.field(name);
        if found.is_none() {
            let help = did_you_mean(name, self.taxonomy.field_names());
            self.note(at.part(offset, name.len()), format!("no record has a field `{name}`"), help);
        }
        found
    }

    fn value(&mut self, key: &Key, node: &Node) -> Option<Expression> {
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
        match key.modifiers.comparison {
            Comparison::Text => self.pattern(key, scalar),
            Comparison::Regex(flags) => self.regex(key, scalar, flags),
            Comparison::Cidr => self.cidr(key, scalar),
            Comparison::Order(order) => self.order(key, scalar, order),
            Comparison::Exists => self.exists(key, scalar),
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
        if !plain {
            let help = Some("write `''` for an empty text, or drop the modifiers".to_owned());
            return self.refuse(node.span, "`null` has no text these modifiers could compare", help);
        }
        Some(self.test(key.field, Predicate::Null))
    }

    fn pattern(&mut self, key: &Key, scalar: &Scalar) -> Option<Expression> {
        let mut forms = vec![Pattern::parse(&scalar.text)];
        for encoding in &key.modifiers.encodings {
            let applied: Result<Vec<_>, _> = forms.iter().map(|form| encoding.apply(form)).collect();
            forms = match applied {
                Ok(applied) => applied.into_iter().flatten().collect(),
                Err(refusal) => return self.refuse_encoding(scalar, *encoding, refusal),
            };
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
        match RegularExpression::compile(&scalar.text, flags) {
            Ok(expression) => Some(self.test(key.field, Predicate::Regex(expression))),
            Err(error) => {
                // The crate draws the pattern over several lines; its last line is the reason.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let help = Some("the dialect is linear-time: no look-around, no back-references".to_owned());
                self.refuse(scalar.span(), format!("this regular expression is refused: {reason}"), help)
            }
        }
    }

    fn cidr(&mut self, key: &Key, scalar: &Scalar) -> Option<Expression> {
        let host = || scalar.text.parse::<IpAddr>().ok().map(IpNet::from);
        let Some(net) = scalar.text.parse::<IpNet>().ok().or_else(host) else {
            let message = format!("`{}` is no network", scalar.text);
            return self.refuse(
                scalar.span(),
                message,
                Some("write for example 10.0.0.0/8 or fe80::/10".into()),
            );
        };
        if net.trunc() != net {
            let message = format!("`{net}` has bits set behind its prefix");
            return self.refuse(scalar.span(), message, Some(format!("did you mean `{}`?", net.trunc())));
        }
        Some(self.test(key.field, Predicate::Cidr(net)))
    }

    fn order(&mut self, key: &Key, scalar: &Scalar, order: Order) -> Option<Expression> {
        match Number::parse(&scalar.text) {
            Some(bound) => Some(self.test(key.field, Predicate::Order(order, bound))),
            None => self.refuse(scalar.span(), format!("`{}` is no decimal number", scalar.text), None),
        }
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
