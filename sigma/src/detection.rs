//! The `detection` of a rule: search identifiers, their fields, and the condition. What a single value asks is
//! read in `value`.

use super::condition::{self, QUESTIONS_MAX, Selection};
use super::document::Reader;
use super::expression::Expression;
use super::modifier::{Comparison, Modifiers};
use super::record::FieldId;
use super::suggestion::did_you_mean;
use super::yaml::{Data, Node, Scalar};

/// Keys of a detection that are no search identifiers.
const CONDITION: &str = "condition";
const TIMEFRAME: &str = "timeframe";

/// A field with its modifiers: the left side of an item.
pub(super) struct Key {
    pub(super) field: FieldId,
    pub(super) modifiers: Modifiers,
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
                    let help = Some("write a correlation rule".to_owned());
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
            Data::Sequence(items) if !items.is_empty() => {
                let parts: Vec<_> = items.iter().map(|item| self.condition(item, selections, used)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::any_of)
            }
            Data::Null | Data::Scalar(_) | Data::Sequence(_) | Data::Mapping(_) => {
                self.condition(node, selections, used)
            }
        }
    }

    fn condition(&mut self, node: &Node, selections: &[Selection], used: &mut [bool]) -> Option<Expression> {
        let Data::Scalar(scalar) = &node.data else {
            let message =
                format!("a condition must be a text or a list of texts, this is {}", node.kind_name());
            return self.refuse(node.span, message, None);
        };
        match condition::parse(&scalar.text, selections, used) {
            Ok(expression) => Some(expression),
            Err(refusal) => {
                self.refuse(scalar.part(refusal.offset, refusal.len), refusal.message, refusal.help)
            }
        }
    }

    /// A map of fields ("and"), a keyword, or a list of both ("or").
    pub(super) fn selection(&mut self, node: &Node) -> Option<Expression> {
        match &node.data {
            Data::Mapping(entries) if !entries.is_empty() => {
                let parts: Vec<_> = entries.iter().map(|(key, value)| self.item(key, value)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::all_of)
            }
            Data::Sequence(items) if !items.is_empty() => {
                let parts: Vec<_> = items.iter().map(|item| self.alternative(item)).collect();
                parts.into_iter().collect::<Option<Vec<_>>>().map(Expression::any_of)
            }
            Data::Scalar(_) => self.keyword(node),
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                let help = Some("give it fields or keywords, or remove it".to_owned());
                self.refuse(node.span, "this search identifier asks for nothing", help)
            }
        }
    }

    /// An entry of a list of maps or keywords.
    fn alternative(&mut self, node: &Node) -> Option<Expression> {
        match &node.data {
            Data::Mapping(_) => self.selection(node),
            Data::Null | Data::Scalar(_) => self.keyword(node),
            Data::Sequence(_) => {
                let help = Some("write its entries into the outer list".to_owned());
                self.refuse(
                    node.span,
                    "a search identifier is a list of maps or keywords, not of lists",
                    help,
                )
            }
        }
    }

    /// `Field|modifiers: values`.
    pub(super) fn item(&mut self, key: &Scalar, node: &Node) -> Option<Expression> {
        let read = self.key(key)?;
        let values: &[Node] = match &node.data {
            Data::Sequence(items) => items,
            Data::Null | Data::Scalar(_) => std::slice::from_ref(node),
            Data::Mapping(_) => {
                let message = format!("`{}` needs a value or a list of values, this is a map", key.text);
                return self.refuse(node.span, message, None);
            }
        };
        self.check_values(key, &read, node, values)?;
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

    /// What a value alone cannot tell: whether the values fit together.
    fn check_values(&mut self, key: &Scalar, read: &Key, node: &Node, values: &[Node]) -> Option<()> {
        if values.is_empty() {
            let help = Some("give it a value, or remove it".to_owned());
            return self.refuse(node.span, "an empty list matches nothing", help);
        }
        if read.modifiers.all && values.len() < 2 {
            let help = Some("remove `all`, or give it a list".to_owned());
            return self.refuse(key.span(), "`all` needs at least two values", help);
        }
        if read.modifiers.comparison == Comparison::Exists && values.len() > 1 {
            let help = Some("write `true` or `false`".to_owned());
            return self.refuse(node.span, "`exists` takes one value", help);
        }
        // "`null` cannot be part of a list of field values" (rules specification, "Special Field Values").
        let null = values.iter().find(|value| matches!(value.data, Data::Null));
        if let (Some(null), Data::Sequence(_)) = (null, &node.data) {
            let help =
                "ask for `null` in a search identifier of its own, and join them with `1 of`".to_owned();
            return self.refuse(null.span, "`null` cannot stand in a list of values", Some(help));
        }
        Some(())
    }

    fn key(&mut self, key: &Scalar) -> Option<Key> {
        let mut parts = key.text.split('|');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() && key.text.is_empty() {
            let help = Some("write a field, or a list of keywords without any key".to_owned());
            return self.refuse(key.span(), "a field is missing here", help);
        }
        let field = if name.is_empty() { Some(FieldId::MESSAGE) } else { self.field(name, key, 0) };
        let modifiers = match Modifiers::parse(parts.clone()) {
            Ok(modifiers) => Some(modifiers),
            Err(refusal) => {
                let before: usize = parts.clone().take(refusal.position).map(|part| part.len() + 1).sum();
                let len = parts.nth(refusal.position).map_or(0, str::len);
                let span = key.part(name.len() + 1 + before, len);
                self.refuse(span, refusal.message, refusal.help)
            }
        };
        let read = Key { field: field?, modifiers: modifiers? };
        if name.is_empty() { self.keyword_key(key, read) } else { Some(read) }
    }

    /// The field of this name in the taxonomy of the document.
    pub(super) fn field(&mut self, name: &str, at: &Scalar, offset: usize) -> Option<FieldId> {
        let found = self.field_id(name);
        if found.is_none() {
            let span = at.part(offset, name.len());
            match &self.foreign {
                Some(taxonomy) => {
                    let message =
                        format!("the taxonomy `{taxonomy}` has no field `{name}` that records have");
                    self.note(span, message, None);
                }
                None => {
                    let help = did_you_mean(name, self.taxonomy.field_names());
                    self.note(span, format!("no record has a field `{name}`"), help);
                }
            }
        }
        found
    }
}
