//! All rules that were understood, ready to match. All or none: one mistake refuses the set.

use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::diagnostic::{Diagnostic, Source, Span};
use super::document::{Reader, Understood};
use super::expression::Expression;
use super::plan::Plan;
use super::predicate::TestTable;
use super::record::{LogSourceId, Taxonomy};
use super::rule::{Rule, RuleIndex};
use super::yaml::{self, Data};

/// Rules that loaded without a mistake. The default is a set without rules.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    plans: FxHashMap<LogSourceId, Plan>,
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
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut loader = Loader {
            taxonomy,
            tests: TestTable::default(),
            diagnostics: Vec::new(),
            ids: FxHashMap::default(),
        };
        let mut rules = Vec::new();
        let mut by_log_source: FxHashMap<LogSourceId, Vec<(RuleIndex, Expression)>> = FxHashMap::default();
        let mut last = None;
        for source in sources {
            let noted = loader.diagnostics.len();
            let understood = loader.source(&source);
            if let Some(of_source) = loader.diagnostics.get_mut(noted..) {
                of_source.sort_by_key(|diagnostic| diagnostic.span);
            }
            for Understood { rule, log_source, expression, .. } in understood {
                let index = RuleIndex(u32::try_from(rules.len()).unwrap_or(u32::MAX));
                rules.push(rule);
                by_log_source.entry(log_source).or_default().push((index, expression));
            }
            last = Some(source);
        }
        let Loader { tests, mut diagnostics, .. } = loader;
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        let mut plans = FxHashMap::default();
        for (log_source, rules) in by_log_source {
            match (Plan::build(&rules, &tests), &last) {
                (Ok(plan), _) => _ = plans.insert(log_source, plan),
                (Err(error), Some(source)) => {
                    let message = format!("all rules together are too large to match at once: {error}");
                    diagnostics.push(Diagnostic::new(source, Span::default(), message));
                }
                (Err(_), None) => {}
            }
        }
        if diagnostics.is_empty() { Ok(Self { rules, plans }) } else { Err(diagnostics) }
    }

    /// In order of loading.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize)
    }

    pub(super) fn plan(&self, log_source: LogSourceId) -> Option<&Plan> {
        self.plans.get(&log_source)
    }
}

/// What lasts from one source to the next while loading.
struct Loader<'a> {
    taxonomy: &'a dyn Taxonomy,
    tests: TestTable,
    diagnostics: Vec<Diagnostic>,
    /// Where each rule id was first seen.
    ids: FxHashMap<Uuid, String>,
}

impl Loader<'_> {
    fn source(&mut self, source: &Source) -> Vec<Understood> {
        let documents = match yaml::documents(source) {
            Ok(documents) => documents,
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                return Vec::new();
            }
        };
        let mut reader = Reader {
            source,
            taxonomy: self.taxonomy,
            tests: &mut self.tests,
            diagnostics: &mut self.diagnostics,
            questions: 0,
        };
        // `---` at the end of a file makes an empty document, which says nothing.
        let rules: Vec<_> = documents.iter().filter(|node| !matches!(node.data, Data::Null)).collect();
        if rules.is_empty() {
            reader.note(Span::default(), "the document holds no rule", None);
        }
        let understood: Vec<_> = rules.into_iter().filter_map(|node| reader.document(node)).collect();
        for Understood { rule, id_span, .. } in &understood {
            let (Some(id), Some(span)) = (rule.id, *id_span) else { continue };
            let here = format!("{}:{}", rule.source, rule.line);
            if let Some(first) = self.ids.insert(id, here) {
                let message = format!("the rule id {id} is taken already by the rule at {first}");
                let diagnostic = Diagnostic::new(source, span, message);
                self.diagnostics
                    .push(diagnostic.with_help("give this rule an id of its own; run `uuidgen` for one"));
            }
        }
        understood
    }
}
