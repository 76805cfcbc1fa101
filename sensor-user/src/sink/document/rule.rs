//! What the sensor says of its rules, under `tidewaiter`.

use std::borrow::Cow;

use serde::Serialize;

use crate::alert::{Expensive, Reload, RuleChange, RuleMistake, RuleName, RuleNames, RuleRefusal};

/// `tidewaiter.reload`: the rules were read again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadReport<'a> {
    /// `loaded`: they are in force; `refused`: those of before are.
    pub outcome: &'static str,
    /// In force.
    pub rules: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<NameReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<NameReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<NameReport<'a>>,
    /// Matches that waited for a container's name and whose rule is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<u64>,
    /// From the first byte read until they were in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// All mistakes; the first are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake_count: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<MistakeReport<'a>>,
}

/// Some rules or filters: how many, and the first of them.
#[derive(Clone, Debug, Serialize)]
pub struct NameReport<'a> {
    pub count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<NamedRule<'a>>,
}

/// A rule or filter by name.
#[derive(Clone, Debug, Serialize)]
pub struct NamedRule<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    pub title: Cow<'a, str>,
}

/// A row of `tidewaiter.reload.mistakes`.
#[derive(Clone, Debug, Serialize)]
pub struct MistakeReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    pub message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<Cow<'a, str>>,
}

/// A row of `tidewaiter.costs`: a rule that takes more time than its budget.
#[derive(Clone, Debug, Serialize)]
pub struct CostReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    pub title: Cow<'a, str>,
    /// The document it came from.
    pub file: Cow<'a, str>,
    /// A run, on average.
    pub mean_ns: u64,
    /// Part of a core, in thousandths.
    pub core_permille: u64,
    pub runs: u64,
    /// How long it was looked at.
    pub window_ms: u64,
}

impl<'a> CostReport<'a> {
    pub(super) fn cut(&mut self, cut: &mut impl FnMut(&mut Cow<'a, str>)) {
        self.id.iter_mut().for_each(&mut *cut);
        cut(&mut self.title);
        cut(&mut self.file);
    }
}

impl<'a> ReloadReport<'a> {
    /// Keeps the first `count` of each list, with their texts cut.
    pub(super) fn cut(&mut self, count: usize, cut: &mut impl FnMut(&mut Cow<'a, str>)) {
        for names in [&mut self.added, &mut self.removed, &mut self.changed].into_iter().flatten() {
            names.first.truncate(count);
            for NamedRule { id, title } in &mut names.first {
                id.iter_mut().for_each(&mut *cut);
                cut(title);
            }
        }
        self.mistakes.truncate(count);
        for MistakeReport { file, message, help, .. } in &mut self.mistakes {
            file.iter_mut().chain(help).for_each(&mut *cut);
            cut(message);
        }
    }
}

pub(super) fn sentence(reload: &Reload) -> String {
    match reload {
        Reload::Loaded(RuleChange { rules, added, removed, changed, .. }) => format!(
            "{rules} rules in force: {} added, {} removed, {} changed",
            added.count, removed.count, changed.count
        ),
        Reload::Refused(RuleRefusal { rules, mistakes, .. }) => {
            format!("the changed rules have {mistakes} mistakes: the {rules} rules of before stay in force")
        }
    }
}

pub(super) fn report(reload: &Reload) -> ReloadReport<'_> {
    match reload {
        Reload::Loaded(change) => {
            let RuleChange { rules, filters, added, removed, changed, undecided, milliseconds } = change;
            ReloadReport {
                outcome: "loaded",
                rules: *rules,
                filters: Some(*filters),
                added: Some(names(added)),
                removed: Some(names(removed)),
                changed: Some(names(changed)),
                undecided: Some(*undecided),
                duration_ms: Some(*milliseconds),
                ..ReloadReport::default()
            }
        }
        Reload::Refused(RuleRefusal { rules, mistakes, first }) => ReloadReport {
            outcome: "refused",
            rules: *rules,
            mistake_count: Some(*mistakes),
            mistakes: first.iter().map(mistake).collect(),
            ..ReloadReport::default()
        },
    }
}

pub(super) fn cost_sentence(rules: &[Expensive]) -> String {
    let titles: Vec<&str> = rules.iter().map(|rule| rule.name.title.as_str()).collect();
    format!(
        "{} rules take more time than their budget: {}; {}",
        rules.len(),
        titles.join(", "),
        Expensive::REMEDY
    )
}

pub(super) fn cost(rule: &Expensive) -> CostReport<'_> {
    let Expensive { name, source, mean, share, runs, window } = rule;
    CostReport {
        id: name.id.as_deref().map(Cow::Borrowed),
        title: Cow::Borrowed(&name.title),
        file: Cow::Borrowed(source),
        mean_ns: *mean,
        core_permille: *share,
        runs: *runs,
        window_ms: window / 1_000_000,
    }
}

fn names(names: &RuleNames) -> NameReport<'_> {
    NameReport { count: names.count, first: names.first.iter().map(name).collect() }
}

fn name(name: &RuleName) -> NamedRule<'_> {
    NamedRule { id: name.id.as_deref().map(Cow::Borrowed), title: Cow::Borrowed(&name.title) }
}

fn mistake(mistake: &RuleMistake) -> MistakeReport<'_> {
    let RuleMistake { place, message, help } = mistake;
    MistakeReport {
        file: place.as_ref().map(|place| Cow::Borrowed(place.file.as_str())),
        line: place.as_ref().map(|place| place.line),
        column: place.as_ref().map(|place| place.column),
        message: Cow::Borrowed(message),
        help: help.as_deref().map(Cow::Borrowed),
    }
}
