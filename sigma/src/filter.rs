//! Filters: what a site does not want to be told of rules it has (filters specification 2.1).
//!
//! A filter keeps back what its condition matches, as in the specification's own example. Some tools read the
//! condition the other way round, as what must still hold of a match; read like that here, a filter would silence
//! nearly everything. So a condition that holds where none of its search identifiers does is refused.

use rustc_hash::FxHashMap;
use serde::Serialize;
use uuid::Uuid;

use super::condition::{self, Selection};
use super::diagnostic::{Diagnostic, Source, Span};
use super::document::{Body, Entries, Reader};
use super::expression::Expression;
use super::log_source::LogSource;
use super::predicate::TestId;
use super::record::{LogSourceId, Taxonomy};
use super::rule::{FilterIndex, Rule, RuleIndex};
use super::suggestion::{did_you_mean, is_mistyped};
use super::yaml::{Data, Node, Scalar};

/// Keys of the specification, and those that say who keeps the document.
const KNOWN: [&str; 12] = [
    "title",
    "id",
    "name",
    "description",
    "author",
    "license",
    "references",
    "date",
    "modified",
    "taxonomy",
    "logsource",
    "filter",
];
/// Keys of a rule that would say nothing in a filter: it makes no alert of its own.
const RULE_ONLY: [&str; 4] = ["level", "status", "detection", "correlation"];
/// Where a filter names its rules.
const RULES: &str = "rules";
/// In the place of a list of rules: every rule whose log source fits.
const ANY: &str = "any";

/// All of a filter but its detection.
#[derive(Clone, Debug, Serialize)]
pub struct Filter {
    pub title: String,
    pub id: Option<Uuid>,
    pub description: Option<String>,
    pub log_source: LogSource,
    /// The rules it is put before, in order of loading.
    #[serde(skip)]
    pub rules: Vec<RuleIndex>,
    /// Name of the document that the filter came from.
    pub source: String,
    /// Line of its first key there, from 1.
    pub line: usize,
}

/// A filter that was read, and whose rules are still names.
#[derive(Debug)]
pub(super) struct Draft {
    /// The records of its log source; `None`: it names less than the host needs to tell.
    log_source: Option<LogSourceId>,
    log_source_span: Span,
    rules: References,
    expression: Expression,
}

/// Which rules a filter is for, as it says.
#[derive(Debug)]
enum References {
    /// Every rule whose log source fits.
    Any,
    /// Those of these ids or names, with their places.
    These(Vec<(String, Span)>),
}

/// Which filters stand before which rules.
#[derive(Debug, Default)]
pub(super) struct FilterTable {
    /// By filter.
    pub(super) expressions: Vec<Expression>,
    /// In order of loading.
    pub(super) of_rule: FxHashMap<RuleIndex, Vec<FilterIndex>>,
}

impl FilterTable {
    /// The filters before a rule.
    pub(super) fn of(&self, rule: RuleIndex) -> &[FilterIndex] {
        self.of_rule.get(&rule).map_or(&[], Vec::as_slice)
    }
}

// ---- reading ----

impl Reader<'_> {
    /// A document with the key `filter`; `None` if any of it was refused.
    pub(super) fn filter_document(&mut self, node: &Node, keys: Entries<'_>) -> Option<Body> {
        self.filter_keys(keys);
        let title = self.required(node, keys, "title").and_then(|title| self.text(title, "title"));
        for key in ["name", "author", "license", "date", "modified"] {
            self.optional_text(keys, key);
        }
        self.texts(keys, "references");
        let (id, description) = (self.id(keys), self.optional_text(keys, "description"));
        let log_source = self
            .required(node, keys, "logsource")
            .and_then(|node| Some((self.filter_log_source(node)?, node.span)));
        let body = keys.get("filter").and_then(|node| self.filter_body(node));
        let (log_source, log_source_span) = log_source?;
        let (rules, expression) = body?;
        let draft =
            Draft { log_source: self.taxonomy.supports(&log_source), log_source_span, rules, expression };
        let filter = Filter {
            title: title?,
            id,
            description,
            log_source,
            rules: Vec::new(),
            source: self.source.name.to_string(),
            line: self.line(node),
        };
        Some(Body::Filter(Box::new(filter), draft))
    }

    /// Refuses what says nothing in a filter, and what is one letter away from a key that does.
    fn filter_keys(&mut self, keys: Entries<'_>) {
        for (key, _) in keys.0.iter().filter(|(key, _)| !KNOWN.contains(&key.text.as_str())) {
            let lower = key.text.to_lowercase();
            if RULE_ONLY.contains(&lower.as_str()) {
                let help = Some("remove it: a filter keeps matches of rules back and makes none".to_owned());
                self.note(key.span(), format!("a filter has no `{}`", key.text), help);
            } else if let Some(meant) = KNOWN.into_iter().find(|known| is_mistyped(known, &lower)) {
                let help = Some(format!("did you mean `{meant}`?"));
                self.note(key.span(), format!("`{}` is no key of a filter", key.text), help);
            }
        }
    }

    fn filter_log_source(&mut self, node: &Node) -> Option<LogSource> {
        let named = self.log_source_parts(node)?;
        if named.category.is_none() && named.product.is_none() && named.service.is_none() {
            let help = Some("name the product, for example `product: linux`".to_owned());
            return self.refuse(node.span, "the log source of a filter names nothing", help);
        }
        Some(named)
    }

    fn filter_body(&mut self, node: &Node) -> Option<(References, Expression)> {
        let Data::Mapping(entries) = &node.data else {
            let message = format!("`filter` must be a map, this is {}", node.kind_name());
            let help = Some("give it `rules`, a selection and a `condition`".to_owned());
            return self.refuse(node.span, message, help);
        };
        let rules = match Entries(entries).get(RULES) {
            Some(rules) => self.filter_rules(rules),
            None => {
                let help = Some("list the ids of its rules, or write `rules: any`".to_owned());
                self.refuse(node.span, "the filter does not say which rules it is for", help)
            }
        };
        let expression = self.detection(node, &[RULES])?;
        self.refuse_inverted(entries)?;
        Some((rules?, expression))
    }

    fn filter_rules(&mut self, node: &Node) -> Option<References> {
        let items = match &node.data {
            Data::Scalar(scalar) if scalar.text == ANY => return Some(References::Any),
            Data::Scalar(_) => std::slice::from_ref(node),
            Data::Sequence(items) if !items.is_empty() => items,
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => {
                let help = Some("list the ids of its rules, or write `rules: any`".to_owned());
                return self.refuse(node.span, "`rules` names no rule", help);
            }
        };
        let named = items.iter().map(|item| Some((self.text(item, RULES)?, item.span)));
        named.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(References::These)
    }

    /// Refuses a condition that holds where no search identifier does.
    fn refuse_inverted(&mut self, entries: &[(Scalar, Node)]) -> Option<()> {
        let node = Entries(entries).get("condition")?;
        let names = entries.iter().filter(|(key, _)| key.text != RULES && key.text != "condition");
        let selections: Vec<Selection> = (0..)
            .zip(names)
            .map(|(at, (key, _))| Selection {
                name: key.text.clone(),
                expression: Expression::Test(TestId(at)),
            })
            .collect();
        let conditions = match &node.data {
            Data::Sequence(items) => items.as_slice(),
            Data::Null | Data::Scalar(_) | Data::Mapping(_) => std::slice::from_ref(node),
        };
        for condition in conditions {
            let Data::Scalar(text) = &condition.data else { continue };
            let parsed = condition::parse(&text.text, &selections, &mut vec![false; selections.len()]);
            if parsed.is_ok_and(|expression| expression.holds_of_nothing()) {
                let message = format!(
                    "`{}` holds where nothing of the filter matches, and would keep back nearly every alert",
                    text.text
                );
                let help = "a filter keeps back what its condition matches, as in the specification's example \
                            (`condition: selection`); some tools keep an alert only where the condition holds, \
                            and there it is written with `not`. Write here what you do not want to be told, \
                            without the outer `not`";
                return self.refuse(condition.span, message, Some(help.to_owned()));
            }
        }
        Some(())
    }
}

// ---- looking up ----

/// What a set of filters is looked up in.
pub(super) struct Resolver<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) taxonomy: &'a dyn Taxonomy,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Resolver<'_> {
    /// Puts every filter before its rules.
    pub(super) fn filters(&mut self, drafts: Vec<(Filter, Source, Draft)>) -> (Vec<Filter>, FilterTable) {
        let mut table = FilterTable::default();
        let mut filters = Vec::with_capacity(drafts.len());
        for (mut filter, source, draft) in drafts {
            let index = FilterIndex(u32::try_from(filters.len()).unwrap_or(u32::MAX));
            filter.rules = match &draft.rules {
                References::These(references) => self.referred(references, &filter, &source, &draft),
                References::Any => self.any(&filter, &source, &draft),
            };
            for rule in &filter.rules {
                table.of_rule.entry(*rule).or_default().push(index);
            }
            table.expressions.push(draft.expression);
            filters.push(filter);
        }
        (filters, table)
    }

    /// Every rule whose log source fits.
    fn any(&mut self, filter: &Filter, source: &Source, draft: &Draft) -> Vec<RuleIndex> {
        let rules: Vec<RuleIndex> = (0..)
            .map(RuleIndex)
            .zip(self.rules)
            .filter(|(_, rule)| rule.correlation.is_none() && self.fits(filter, draft, rule))
            .map(|(index, _)| index)
            .collect();
        if rules.is_empty() && draft.log_source.is_none() {
            let message = format!("no rule is for the log source `{}`", filter.log_source);
            let help = "a filter is put before rules whose log source has every part that it names";
            self.diagnostics.push(Diagnostic::new(source, draft.log_source_span, message).with_help(help));
        }
        rules
    }

    /// The rules that are named; each of them must be there and fit.
    fn referred(
        &mut self,
        references: &[(String, Span)],
        filter: &Filter,
        source: &Source,
        draft: &Draft,
    ) -> Vec<RuleIndex> {
        let mut rules = Vec::new();
        for (reference, span) in references {
            let id = Uuid::try_parse(reference).ok();
            let is_meant = |rule: &Rule| match id {
                Some(id) => rule.id == Some(id),
                None => rule.name.as_deref() == Some(reference),
            };
            let meant = (0..).map(RuleIndex).zip(self.rules).filter(|(_, rule)| is_meant(rule));
            let meant: Vec<RuleIndex> = meant.map(|(index, _)| index).collect();
            let refusal = match meant.as_slice() {
                [] => Some(self.unknown(reference, id.is_some())),
                [first, ..] if rules.contains(first) => Some((
                    format!("the rule `{reference}` is named twice"),
                    Some("remove one of them".to_owned()),
                )),
                [..] => meant.iter().find_map(|index| self.unfit(*index, filter, draft)),
            };
            if let Some((message, help)) = refusal {
                let diagnostic = Diagnostic::new(source, *span, message);
                self.diagnostics.push(match help {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic,
                });
            }
            rules.extend(meant);
        }
        rules.sort_unstable();
        rules
    }

    fn unknown(&self, reference: &str, is_id: bool) -> (String, Option<String>) {
        if is_id {
            let ids: Vec<String> =
                self.rules.iter().filter_map(|rule| rule.id).map(|id| id.to_string()).collect();
            let help = did_you_mean(reference, ids.iter().map(String::as_str));
            return (format!("no rule has the id {reference}"), help);
        }
        let help = did_you_mean(reference, self.rules.iter().filter_map(|rule| rule.name.as_deref()));
        let titled = self.rules.iter().find(|rule| rule.title == reference);
        let by_title = titled.and_then(|rule| rule.id).map(|id| format!("write its id, {id}"));
        let any = (reference == ANY).then(|| "write `rules: any`, without a list".to_owned());
        (format!("no rule has the name `{reference}`"), any.or(by_title).or(help))
    }

    /// Why a filter cannot stand before a rule.
    fn unfit(&self, index: RuleIndex, filter: &Filter, draft: &Draft) -> Option<(String, Option<String>)> {
        let rule = self.rules.get(index.0 as usize)?;
        if rule.correlation.is_some() {
            let help = Some("filter the rules that it joins".to_owned());
            return Some((
                format!("`{}` is a correlation, which has no records of its own", rule.title),
                help,
            ));
        }
        if self.fits(filter, draft, rule) {
            return None;
        }
        let message = format!(
            "`{}` is for the log source `{}`, this filter for `{}`",
            rule.title, rule.log_source, filter.log_source
        );
        Some((message, Some("write a filter of its own for it, with its log source".to_owned())))
    }

    /// Whether the rule has every part that the filter names, or both mean the same records to the host.
    fn fits(&self, filter: &Filter, draft: &Draft, rule: &Rule) -> bool {
        let part = |named: &Option<String>, of_rule: &Option<String>| named.is_none() || named == of_rule;
        let (wide, narrow) = (&filter.log_source, &rule.log_source);
        let parts = part(&wide.category, &narrow.category)
            && part(&wide.product, &narrow.product)
            && part(&wide.service, &narrow.service);
        parts || draft.log_source.is_some_and(|id| self.taxonomy.supports(narrow) == Some(id))
    }
}
