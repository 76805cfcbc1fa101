//! Matches that a filter kept back: the last of them, for whoever wonders what a filter hides.

use std::collections::VecDeque;
use std::sync::Arc;

use sigma::{Filter, FilterIndex, Rule, RuleIndex, RuleSet};

use super::Pipeline;
use crate::event::Event;
use crate::event::field::Category;
use crate::state::container::Container;
use crate::state::process::Process;

/// Most matches kept: what a person reads through, some 100 KiB. Older ones are counted with their rule only.
pub const SUPPRESSED_MAX: usize = 256;

/// A match that was not told.
#[derive(Clone, Debug)]
pub struct SuppressedMatch {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    pub rule: String,
    /// Id, else name, else the document it came from.
    pub rule_id: String,
    /// Title of the filter.
    pub filter: String,
    /// The document the filter came from.
    pub filter_source: String,
    pub category: Category,
    pub process: Arc<Process>,
    /// As it was known then.
    pub container: Option<Arc<Container>>,
}

/// The last of them.
#[derive(Debug, Default)]
pub(super) struct Suppressed {
    matches: VecDeque<SuppressedMatch>,
}

impl Suppressed {
    /// What rules found in an event, each with the filter that kept it back.
    pub(super) fn note_all<'m>(
        &mut self,
        event: &Event,
        set: &RuleSet,
        found: impl Iterator<Item = &'m (RuleIndex, FilterIndex)>,
    ) {
        for (rule, filter) in found {
            if let (Some(rule), Some(filter)) = (set.rule(*rule), set.filter(*filter)) {
                self.note(event, rule, filter);
            }
        }
    }

    fn note(&mut self, event: &Event, rule: &Rule, filter: &Filter) {
        if self.matches.len() >= SUPPRESSED_MAX {
            self.matches.pop_front();
        }
        let id = rule.id.map(|id| id.to_string()).or_else(|| rule.name.clone());
        self.matches.push_back(SuppressedMatch {
            time: event.time,
            rule: rule.title.clone(),
            rule_id: id.unwrap_or_else(|| rule.source.clone()),
            filter: filter.title.clone(),
            filter_source: filter.source.clone(),
            category: event.category(),
            process: Arc::clone(&event.process),
            container: event.container.clone(),
        });
    }
}

impl Pipeline {
    /// The last matches that filters kept back, at most [`SUPPRESSED_MAX`], the oldest first.
    #[must_use]
    pub fn suppressed(&self) -> Vec<SuppressedMatch> {
        self.suppressed.matches.iter().cloned().collect()
    }
}
