//! All rules that were understood, ready to match. All or none: one mistake refuses the set.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::collection;
use super::correlation;
use super::diagnostic::{Diagnostic, Source, Span};
use super::document::{Body, Reader, Understood};
use super::expression::Expression;
use super::filter::{self, Filter, Resolver};
use super::placeholder::Placeholders;
use super::plan::Plan;
use super::predicate::TestTable;
use super::record::{FieldId, LogSourceId, Taxonomy};
use super::rule::{FilterIndex, Rule, RuleIndex};
use super::succession::{Succession, is_same};
use super::yaml::Data;

/// Rules that loaded without a mistake. The default is a set without rules.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    filters: Vec<Filter>,
    plans: FxHashMap<LogSourceId, Plan>,
    succession: Succession,
    correlations: correlation::Network,
}

/// What was understood, document by document, before the names of other rules are looked up.
#[derive(Debug, Default)]
struct Read {
    rules: Vec<Rule>,
    by_log_source: FxHashMap<LogSourceId, Vec<(RuleIndex, Expression)>>,
    correlations: Vec<(RuleIndex, Source, correlation::Draft)>,
    filters: Vec<(Filter, Source, filter::Draft)>,
}

impl RuleSet {
    /// Reads all documents; a source may hold several.
    ///
    /// # Errors
    /// Every mistake of every document, in order; a mistake in one hides none in another. No rule
    /// is loaded if there is any.
    pub fn load(
        sources: impl IntoIterator<Item = Source>,
        taxonomy: &dyn Taxonomy,
        placeholders: &Placeholders,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut loader = Loader {
            taxonomy,
            placeholders,
            tests: TestTable::default(),
            diagnostics: Vec::new(),
            ids: FxHashMap::default(),
        };
        let mut read = Read::default();
        for source in sources {
            let noted = loader.diagnostics.len();
            let understood = loader.source(&source);
            if let Some(of_source) = loader.diagnostics.get_mut(noted..) {
                of_source.sort_by_key(|diagnostic| diagnostic.span);
            }
            understood.into_iter().for_each(|document| read.add(&source, document));
        }
        let Loader { tests, mut diagnostics, .. } = loader;
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        // Names are looked up only where every document was read: one that is missing would be blamed twice.
        let correlations =
            correlation::resolve(&mut read.rules, &read.correlations, taxonomy, &mut diagnostics);
        let mut resolver = Resolver { rules: &read.rules, taxonomy, diagnostics: &mut diagnostics };
        let (filters, table) = resolver.filters(read.filters);
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let plan = |(source, rules): (LogSourceId, Vec<_>)| (source, Plan::build(&rules, &table, &tests));
        let plans = read.by_log_source.into_iter().map(plan).collect();
        let succession = Succession::of(&read.rules);
        Ok(Self { rules: read.rules, filters, plans, succession, correlations })
    }

    /// In order of loading, correlations among them.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }

    /// The fields whose values a rule depends on. Of a correlation those that it groups by or counts; what the rules
    /// that it joins ask for is theirs.
    #[must_use]
    pub fn fields(&self, index: RuleIndex) -> BTreeSet<FieldId> {
        let planned = self.plans.values().find_map(|plan| {
            let rule = plan.rules.iter().find(|rule| rule.index == index)?;
            Some(plan.fields_of(rule))
        });
        let correlation = self.rule(index).and_then(|rule| rule.correlation.as_ref());
        let joined = correlation
            .into_iter()
            .flat_map(|it| it.group_by.iter().flat_map(|key| &key.fields).chain(&it.condition.ids).copied());
        joined.chain(planned.into_iter().flatten()).collect()
    }

    /// In order of loading.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    #[must_use]
    pub fn filter(&self, index: FilterIndex) -> Option<&Filter> {
        self.filters.get(index.0 as usize)
    }

    /// The rule of `new` that is the rule at `index` here: written the same, with the same id and title, in the
    /// document of the same name. Found by hash, so asking for every rule of a large set is cheap.
    #[must_use]
    pub fn successor(&self, index: RuleIndex, new: &Self) -> Option<RuleIndex> {
        let place = self.succession.find(index, &new.succession)?;
        is_same(self.rule(index)?, new.rule(place)?).then_some(place)
    }

    pub(super) fn correlations(&self) -> &correlation::Network {
        &self.correlations
    }

    pub(super) fn plan(&self, log_source: LogSourceId) -> Option<&Plan> {
        self.plans.get(&log_source)
    }
}

impl Read {
    fn add(&mut self, source: &Source, document: Understood) {
        let index = RuleIndex(u32::try_from(self.rules.len()).unwrap_or(u32::MAX));
        match document.body {
            Body::Rule(rule, log_source, expression) => {
                self.rules.push(*rule);
                self.by_log_source.entry(log_source).or_default().push((index, expression));
            }
            Body::Correlation(rule, draft) => {
                self.rules.push(*rule);
                self.correlations.push((index, source.clone(), draft));
            }
            Body::Filter(filter, draft) => self.filters.push((*filter, source.clone(), draft)),
        }
    }
}

/// What lasts from one source to the next while loading.
struct Loader<'a> {
    taxonomy: &'a dyn Taxonomy,
    placeholders: &'a Placeholders,
    tests: TestTable,
    diagnostics: Vec<Diagnostic>,
    /// Where each id was first seen.
    ids: FxHashMap<Uuid, String>,
}

impl Loader<'_> {
    fn source(&mut self, source: &Source) -> Vec<Understood> {
        let noted = self.diagnostics.len();
        let Some(documents) = collection::documents(source, &mut self.diagnostics) else { return Vec::new() };
        let is_unfolded = self.diagnostics.len() == noted;
        let Self { taxonomy, placeholders, tests, diagnostics, .. } = self;
        let mut reader = Reader::new(source, *taxonomy, placeholders, tests, diagnostics);
        // `---` at the end of a file makes an empty document, which says nothing.
        let rules: Vec<_> = documents.iter().filter(|node| !matches!(node.data, Data::Null)).collect();
        if rules.is_empty() && is_unfolded {
            reader.note(Span::default(), "the document holds no rule", None);
        }
        let understood: Vec<_> = rules.into_iter().filter_map(|node| reader.document(node)).collect();
        reader.note_untold();
        for document in &understood {
            self.note_id(source, document);
        }
        understood
    }

    fn note_id(&mut self, source: &Source, document: &Understood) {
        let (id, line) = match &document.body {
            Body::Rule(rule, ..) | Body::Correlation(rule, _) => (rule.id, rule.line),
            Body::Filter(filter, _) => (filter.id, filter.line),
        };
        let (Some(id), Some(span)) = (id, document.id_span) else { return };
        if let Some(first) = self.ids.insert(id, format!("{}:{line}", source.name)) {
            let message = format!("the id {id} is taken already by the rule at {first}");
            let help = "give this one an id of its own; run `uuidgen` for one";
            self.diagnostics.push(Diagnostic::new(source, span, message).with_help(help));
        }
    }
}
