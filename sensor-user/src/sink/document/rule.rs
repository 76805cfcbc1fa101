//! What the sensor says of its rules, under `tidewaiter`.

use std::borrow::Cow;

use serde::Serialize;

use crate::alert::{Reload, RuleChange, RuleMistake, RuleName, RuleNames, RuleRefusal};

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
