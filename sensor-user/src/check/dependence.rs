//! Which detections suffer for something that is missing: those whose rules may match an event that comes of it, or ask
//! for a field that is filled by it.
//!
//! Nobody writes that down. The engine is asked with an event of which only as much is known as the hook always says; a
//! rule that is not false of it may be true of one of the hook's events.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;
use sigma::{Engine, FieldId, Lifetime, LogSourceId, Matches, Owner, Presence, Record, RuleIndex, Value};

use crate::detection::Detections;
use crate::ebpf::hook::Feed;
use crate::event::field::{Category, Field};
use crate::rule::Rules;

/// The rules, and what each of them looks at.
#[derive(Debug)]
pub struct Dependence {
    engine: Engine,
    /// By the rule's place.
    fields: Vec<BTreeSet<FieldId>>,
    names: Vec<String>,
}

impl Dependence {
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        let Rules { set, detections, .. } = rules;
        let names = names(&detections);
        let fields = (0_u32..).zip(set.rules()).map(|(index, _)| set.fields(RuleIndex(index))).collect();
        Self { engine: Engine::new(set), fields, names }
    }

    /// The names of all detections, each once, in order of loading.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.named(&vec![true; self.fields.len()])
    }

    /// Detections whose rules depend on any of this, each once, in order of loading.
    #[must_use]
    pub fn weakened(&mut self, feeds: &[Feed]) -> Vec<String> {
        let mut is_hit = vec![false; self.fields.len()];
        for feed in feeds {
            match feed {
                Feed::Every => is_hit.fill(true),
                Feed::Event(category, says) => self.hit_by_event(*category, says, &mut is_hit),
                Feed::Field(field) => self.hit_by_field(*field, &mut is_hit),
            }
        }
        self.spread(&mut is_hit);
        self.named(&is_hit)
    }

    fn hit_by_event(&mut self, category: Category, says: &[(Field, &'static str)], is_hit: &mut [bool]) {
        let mut found = Matches::default();
        self.engine.evaluate(&Sketch { category, says }, &mut found);
        let suppressed = found.suppressed.iter().map(|(rule, _)| rule);
        for rule in found.matched.iter().chain(&found.pending).chain(suppressed) {
            if let Some(hit) = is_hit.get_mut(rule.0 as usize) {
                *hit = true;
            }
        }
    }

    /// A keyword searches every field.
    fn hit_by_field(&self, field: Field, is_hit: &mut [bool]) {
        let field = FieldId(field as u16);
        for (hit, fields) in is_hit.iter_mut().zip(&self.fields) {
            *hit |= fields.contains(&field) || fields.contains(&FieldId::MESSAGE);
        }
    }

    /// What joins matches suffers with what it joins; a correlation may join others.
    fn spread(&self, is_hit: &mut [bool]) {
        loop {
            let before: FxHashSet<usize> =
                is_hit.iter().enumerate().filter_map(|(at, hit)| hit.then_some(at)).collect();
            for (hit, rule) in is_hit.iter_mut().zip(self.engine.rules()) {
                let joined = rule.correlation.iter().flat_map(|correlation| &correlation.rules);
                *hit |= joined.into_iter().any(|rule| before.contains(&(rule.0 as usize)));
            }
            if is_hit.iter().filter(|hit| **hit).count() == before.len() {
                return;
            }
        }
    }

    /// A rule that tells nothing by itself is there for its correlation, which has a name of its own.
    fn named(&self, is_hit: &[bool]) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        for ((name, rule), hit) in self.names.iter().zip(self.engine.rules()).zip(is_hit) {
            if *hit && rule.reports && !named.contains(name) {
                named.push(name.clone());
            }
        }
        named
    }
}

fn names(detections: &Detections) -> Vec<String> {
    detections.iter().map(|(detection, _)| detection.name.clone()).collect()
}

/// An event of which this much is known, and nothing else.
struct Sketch<'a> {
    category: Category,
    says: &'a [(Field, &'static str)],
}

impl Record for Sketch<'_> {
    fn log_source(&self) -> LogSourceId {
        self.category.id()
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        match self.says.iter().find(|(said, _)| FieldId(*said as u16) == field) {
            Some((_, value)) => {
                each(Value::Text(value));
                Presence::Present
            }
            None => Presence::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
