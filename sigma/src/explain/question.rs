//! The parts of a document, each read by itself and asked of one record.

use super::{Asked, Detected, Found, Item, Part, Search};
use crate::condition::Selection;
use crate::diagnostic::Diagnostic;
use crate::document::{Entries, Reader};
use crate::expression::Expression;
use crate::predicate::{Predicate, TextScratch};
use crate::record::{FieldId, Record, Truth, Value};
use crate::yaml::{Data, Node, Scalar};

/// A document's parts, asked of one record.
pub(super) struct Asking<'r, 'a, R> {
    reader: &'r mut Reader<'a>,
    record: &'r R,
    scratch: TextScratch,
}

impl<'r, 'a, R: Record> Asking<'r, 'a, R> {
    pub(super) fn new(reader: &'r mut Reader<'a>, record: &'r R) -> Self {
        Self { reader, record, scratch: TextScratch::default() }
    }

    /// `beside`: a key of the same map that is no search identifier.
    pub(super) fn detection(&mut self, node: &Node, beside: Option<&str>) -> Option<Detected> {
        let Data::Mapping(entries) = &node.data else { return None };
        let mut searches = Vec::new();
        let mut selections = Vec::new();
        let named = entries.iter().filter(|(key, _)| key.text != "condition");
        for (key, value) in named.filter(|(key, _)| Some(key.text.as_str()) != beside) {
            let expression = self.read(|reader| reader.selection(value))?;
            let truth = self.ask(&expression);
            let asks = self.part(value)?;
            searches.push(Search { name: key.text.clone(), line: self.line(key), truth, asks });
            selections.push(Selection { name: key.text.clone(), expression });
        }
        let condition = Entries(entries).get("condition")?;
        let conditions = match &condition.data {
            Data::Sequence(items) => items.as_slice(),
            Data::Null | Data::Scalar(_) | Data::Mapping(_) => std::slice::from_ref(condition),
        };
        let conditions = conditions.iter().map(|node| {
            let Data::Scalar(scalar) = &node.data else { return None };
            self.clause(&words(&scalar.text), &selections)
        });
        let conditions = conditions.collect::<Option<Vec<_>>>()?;
        let truth = some(conditions.iter().map(|clause| clause.truth));
        Some(Detected { truth, conditions, searches })
    }

    /// As [`Reader::selection`] reads it.
    fn part(&mut self, node: &Node) -> Option<Part> {
        match &node.data {
            Data::Mapping(entries) => {
                let parts = entries.iter().map(|(key, value)| self.item(key, value).map(Part::Item));
                let parts = parts.collect::<Option<Vec<_>>>()?;
                Some(Part::All(every(parts.iter().map(Part::truth)), parts))
            }
            Data::Sequence(items) => {
                let parts = items.iter().map(|item| self.part(item)).collect::<Option<Vec<_>>>()?;
                Some(Part::Any(some(parts.iter().map(Part::truth)), parts))
            }
            Data::Scalar(_) => self.keyword(node).map(Part::Item),
            Data::Null => None,
        }
    }

    fn keyword(&mut self, node: &Node) -> Option<Item> {
        let expression = self.read(|reader| reader.selection(node))?;
        let truth = self.ask(&expression);
        let values = vec![Asked { value: written(node), truth, other: None }];
        let line = self.reader.line(node);
        Some(Item { key: String::new(), line, truth, all: false, values, found: self.found(&expression) })
    }

    /// As [`Reader::item`] reads it.
    fn item(&mut self, key: &Scalar, node: &Node) -> Option<Item> {
        let expression = self.read(|reader| reader.item(key, node))?;
        let truth = self.ask(&expression);
        // One value alone must not have `all`; each is to be asked by itself.
        let modifiers: Vec<&str> = key.text.split('|').collect();
        let kept: Vec<&str> = modifiers.iter().copied().filter(|part| *part != "all").collect();
        let mut single = key.clone();
        single.text = kept.join("|");
        let nodes = match &node.data {
            Data::Sequence(items) => items.as_slice(),
            Data::Null | Data::Scalar(_) | Data::Mapping(_) => std::slice::from_ref(node),
        };
        let values = nodes.iter().map(|node| {
            // Without `all`, keywords need no key.
            let expression = self.read(|reader| match single.text.as_str() {
                "" => reader.selection(node),
                _ => reader.item(&single, node),
            })?;
            let other = self.other(&expression).map(|field| self.visit(field));
            Some(Asked { value: written(node), truth: self.ask(&expression), other })
        });
        let values = values.collect::<Option<Vec<_>>>()?;
        let all = kept.len() < modifiers.len();
        let (key, line) = (key.text.clone(), self.line(key));
        Some(Item { key, line, truth, all, values, found: self.found(&expression) })
    }

    /// Reads a part again. It was read before within the bound of questions; here it has one of its own.
    fn read<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        self.reader.questions = 0;
        read(self.reader)
    }

    pub(super) fn ask(&mut self, expression: &Expression) -> Truth {
        match expression {
            Expression::Test(id) => match self.reader.tests.get(*id) {
                Some(test) => test.ask(self.record, &mut self.scratch),
                None => Truth::Unknown,
            },
            Expression::Not(inner) => self.ask(inner).negated(),
            Expression::And(parts) => {
                let truths: Vec<_> = parts.iter().map(|part| self.ask(part)).collect();
                every(truths)
            }
            Expression::Or(parts) => {
                let truths: Vec<_> = parts.iter().map(|part| self.ask(part)).collect();
                some(truths)
            }
            Expression::AtLeast(least, parts) => {
                let truths: Vec<_> = parts.iter().map(|part| self.ask(part)).collect();
                let count = |wanted| truths.iter().filter(|truth| **truth == wanted).count();
                let certain = count(Truth::True);
                if certain >= *least {
                    Truth::True
                } else if certain + count(Truth::Unknown) >= *least {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            }
        }
    }

    /// What the record has in the field that is asked. All tests of an item ask the same one.
    fn found(&self, expression: &Expression) -> Found {
        let mut field = None;
        expression
            .for_each_test(&mut |id| field = field.or(self.reader.tests.get(id).map(|test| test.field)));
        field.map(|field| self.visit(field)).unwrap_or_default()
    }

    /// The second field of a comparison of two.
    fn other(&self, expression: &Expression) -> Option<FieldId> {
        let mut field = None;
        expression.for_each_test(&mut |id| {
            if let Some(Predicate::SameAs { other, .. }) =
                self.reader.tests.get(id).map(|test| &test.predicate)
            {
                field = Some(*other);
            }
        });
        field
    }

    fn visit(&self, field: FieldId) -> Found {
        let mut values = Vec::new();
        let presence = self.record.visit(field, &mut |value| {
            values.push(match value {
                Value::Text(text) => text.into(),
                Value::Number(number) => number.into(),
                Value::Ip(address) => address.to_string().into(),
                Value::Bool(fact) => fact.into(),
            });
        });
        Found { presence: Some(presence), values }
    }

    fn line(&self, key: &Scalar) -> usize {
        Diagnostic::new(self.reader.source, key.span(), "").line
    }
}

fn written(node: &Node) -> Option<String> {
    match &node.data {
        Data::Scalar(scalar) => Some(scalar.text.clone()),
        Data::Null | Data::Sequence(_) | Data::Mapping(_) => None,
    }
}

/// A condition may be folded over lines.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Kleene's "and".
pub(super) fn every(truths: impl IntoIterator<Item = Truth>) -> Truth {
    truths.into_iter().fold(Truth::True, |all, truth| match (all, truth) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        (Truth::True, Truth::True) => Truth::True,
    })
}

/// Kleene's "or".
fn some(truths: impl IntoIterator<Item = Truth>) -> Truth {
    every(truths.into_iter().map(Truth::negated)).negated()
}
