//! Names of rules and fields in correlations, looked up when all documents are read.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use uuid::Uuid;

use super::Key;
use super::document::{Alias, Draft, Name};
use super::limit::TOLERANCE;
use super::network::{Member, Network, Origin, Plan};
use super::order;
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::document::MISTAKES_MAX;
use crate::record::Taxonomy;
use crate::rule::{Rule, RuleIndex};
use crate::suggestion::did_you_mean;

/// Looks up all names; `rules` learn what they correlate and whether they are told by themselves.
pub(crate) fn resolve(
    rules: &mut [Rule],
    drafts: &[(RuleIndex, Source, Draft)],
    taxonomy: &dyn Taxonomy,
    diagnostics: &mut Vec<Diagnostic>,
) -> Network {
    let noted = diagnostics.len();
    let names = Names::of(rules);
    let (members, plans) = (Vec::new(), Vec::new());
    let mut resolver =
        Resolver { rules, names, taxonomy, diagnostics, members, plans, planned: FxHashMap::default() };
    for (_, source, draft) in drafts {
        if resolver.diagnostics.len() - noted >= MISTAKES_MAX {
            // Each costs a look at all names, for "did you mean".
            let span = draft.rules.first().map_or_else(Span::default, |name| name.span);
            resolver.note(source, span, "from here on no correlation was looked at".to_owned(), None);
            return Network::default();
        }
        let members = draft.rules.iter().map(|name| resolver.rule(source, name)).collect();
        resolver.members.push(members);
    }
    let Some(order) = order::of(drafts, &resolver.members, resolver.diagnostics) else {
        return Network::default();
    };
    let mut correlations = Vec::with_capacity(drafts.len());
    for at in order {
        let Some((index, source, draft)) = drafts.get(at) else { continue };
        if let Some(plan) = resolver.plan(*index, source, draft, at) {
            correlations.push((*index, resolved(draft, &plan)));
            resolver.planned.insert(*index, resolver.plans.len());
            resolver.plans.push(plan);
        }
    }
    let Resolver { members, plans, .. } = resolver;
    for (index, correlation) in correlations {
        if let Some(rule) = rules.get_mut(index.0 as usize) {
            rule.correlation = Some(correlation);
        }
    }
    // Whoever asks for its rules to be told is heard, whatever other correlations say of the same rules.
    for generate in [false, true] {
        for (members, (.., draft)) in
            members.iter().zip(drafts).filter(|(_, (.., draft))| draft.generate == generate)
        {
            for index in members.iter().flatten() {
                if let Some(rule) = rules.get_mut(index.0 as usize) {
                    rule.reports = draft.generate;
                }
            }
        }
    }
    Network::new(plans, rules.len())
}

/// The correlation as people are told of it.
fn resolved(draft: &Draft, plan: &Plan) -> super::Correlation {
    let record = |origin: &Origin| match origin {
        Origin::Record(field, _) => Some(*field),
        Origin::Group(_) => None,
    };
    let mut correlation = draft.correlation.clone();
    correlation.rules = plan.members.iter().map(|member| member.rule).collect();
    correlation.group_by = plan
        .keys
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let fields = plan.members.iter().filter_map(|member| member.keys.get(at).and_then(record));
            Key { name: name.clone(), fields: fields.collect() }
        })
        .collect();
    let fields = plan.members.first().map_or(&[][..], |member| &member.fields);
    correlation.condition.ids = fields.iter().filter_map(record).collect();
    correlation
}

/// What rules are called by.
struct Names {
    ids: FxHashMap<Uuid, RuleIndex>,
    names: FxHashMap<String, Vec<RuleIndex>>,
}

impl Names {
    fn of(rules: &[Rule]) -> Self {
        let mut names = Self { ids: FxHashMap::default(), names: FxHashMap::default() };
        for (index, rule) in (0..).map(RuleIndex).zip(rules) {
            if let Some(id) = rule.id {
                names.ids.insert(id, index);
            }
            if let Some(name) = &rule.name {
                names.names.entry(name.clone()).or_default().push(index);
            }
        }
        names
    }
}

struct Resolver<'a> {
    rules: &'a [Rule],
    names: Names,
    taxonomy: &'a dyn Taxonomy,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// By draft: its rules, where they were found.
    members: Vec<Vec<Option<RuleIndex>>>,
    /// In an order in which each stands behind those it reads.
    plans: Vec<Plan>,
    /// By correlation: its place in `plans`.
    planned: FxHashMap<RuleIndex, usize>,
}

impl Resolver<'_> {
    fn note(&mut self, source: &Source, span: Span, message: String, help: Option<String>) {
        let diagnostic = Diagnostic::new(source, span, message);
        self.diagnostics.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    fn title(&self, index: RuleIndex) -> String {
        self.rules.get(index.0 as usize).map_or_else(String::new, |rule| match &rule.name {
            Some(name) => name.clone(),
            None => rule.title.clone(),
        })
    }

    /// The rule of this id or name.
    fn rule(&mut self, source: &Source, name: &Name) -> Option<RuleIndex> {
        if let Ok(id) = Uuid::try_parse(&name.text) {
            let found = self.names.ids.get(&id).copied();
            if found.is_none() {
                let help = Some("load that rule, too, or remove it here".to_owned());
                self.note(source, name.span, format!("no rule has the id {id}"), help);
            }
            return found;
        }
        match self.names.names.get(&name.text).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            None | Some([]) => {
                let titled = self.rules.iter().any(|rule| rule.title == name.text);
                let titled =
                    titled.then(|| "this is a title; give the rule a `name` and write that".to_owned());
                let help = titled
                    .or_else(|| did_you_mean(&name.text, self.names.names.keys().map(String::as_str)))
                    .or_else(|| Some("write the `name` or `id` of a rule that is loaded, too".to_owned()));
                self.note(source, name.span, format!("no rule has the name `{}`", name.text), help);
                None
            }
            Some(several) => {
                let places = several.iter().filter_map(|index| self.rules.get(index.0 as usize));
                let places: Vec<_> = places.map(|rule| format!("{}:{}", rule.source, rule.line)).collect();
                let message = format!("several rules have the name `{}`: {}", name.text, places.join(", "));
                self.note(source, name.span, message, Some("write the `id` of the one that is meant".into()));
                None
            }
        }
    }

    fn plan(&mut self, rule: RuleIndex, source: &Source, draft: &Draft, at: usize) -> Option<Plan> {
        let members = self.members.get(at).cloned().unwrap_or_default();
        let noted = self.diagnostics.len();
        self.check_twice(source, draft, &members);
        let aliases = self.aliases(source, draft, &members);
        let mut read = Vec::with_capacity(members.len());
        for index in members.iter().copied().collect::<Option<Vec<_>>>()? {
            let mut origins = |names: &[Name]| -> Vec<Option<Origin>> {
                names.iter().map(|name| self.origin(source, draft, index, name, &aliases)).collect()
            };
            let (keys, fields) = (origins(&draft.group_by), origins(&draft.fields));
            read.push((index, keys, fields));
        }
        // A mistake that holds of several rules is told once.
        let mut told: Vec<(Span, String)> = Vec::new();
        let mut of_this = self.diagnostics.split_off(noted);
        of_this.retain(|diagnostic| {
            let mistake = (diagnostic.span, diagnostic.message.clone());
            let new = !told.contains(&mistake);
            told.push(mistake);
            new
        });
        self.diagnostics.append(&mut of_this);
        let members = read.into_iter().map(|(rule, keys, fields)| {
            let (keys, fields) =
                (keys.into_iter().collect::<Option<_>>()?, fields.into_iter().collect::<Option<_>>()?);
            Some(Member { rule, keys, fields })
        });
        let members = members.collect::<Option<Vec<_>>>().filter(|_| self.diagnostics.len() == noted)?;
        let inner: Vec<&Plan> = members.iter().filter_map(|member| self.planned(member.rule)).collect();
        let mut plan = Plan {
            rule,
            kind: draft.correlation.kind,
            timespan: draft.correlation.timespan,
            condition: draft.correlation.condition.clone(),
            keys: draft.group_by.iter().map(|name| name.text.clone()).collect(),
            recordless: inner.iter().any(|inner| inner.recordless),
            slack: inner.iter().map(|inner| inner.slack_above()).max().unwrap_or(TOLERANCE),
            fingerprint: self.fingerprint(rule, &members),
            members,
        };
        plan.recordless |= !plan.at_once();
        Some(plan)
    }

    fn planned(&self, rule: RuleIndex) -> Option<&Plan> {
        self.planned.get(&rule).and_then(|at| self.plans.get(*at))
    }

    fn fingerprint(&self, rule: RuleIndex, members: &[Member]) -> u64 {
        let of = |index: RuleIndex| self.rules.get(index.0 as usize).map_or(0, |rule| rule.fingerprint);
        let mut hasher = FxHasher::default();
        of(rule).hash(&mut hasher);
        for member in members {
            self.planned(member.rule)
                .map_or_else(|| of(member.rule), |plan| plan.fingerprint)
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    /// One rule under its id and its name.
    fn check_twice(&mut self, source: &Source, draft: &Draft, members: &[Option<RuleIndex>]) {
        for (at, (index, name)) in members.iter().zip(&draft.rules).enumerate() {
            if index.is_some() && members.iter().take(at).any(|earlier| earlier == index) {
                let message = format!("`{}` is a rule that stands in `rules` already", name.text);
                self.note(source, name.span, message, Some("remove one of them".into()));
            }
        }
    }

    /// The fields of aliases, by alias and rule.
    fn aliases<'d>(
        &mut self,
        source: &Source,
        draft: &'d Draft,
        members: &[Option<RuleIndex>],
    ) -> Vec<(&'d Alias, Vec<(RuleIndex, &'d Name)>)> {
        let mut aliases = Vec::with_capacity(draft.aliases.len());
        for alias in &draft.aliases {
            let used = draft.group_by.iter().chain(&draft.fields).any(|name| name.text == alias.name.text);
            if !used {
                let message = format!("nothing uses the alias `{}`", alias.name.text);
                self.note(
                    source,
                    alias.name.span,
                    message,
                    Some("name it in `group-by`, or remove it".into()),
                );
            }
            let mut fields = Vec::with_capacity(alias.fields.len());
            for (rule, field) in &alias.fields {
                let spelled = draft.rules.iter().position(|name| name.text == rule.text);
                let index = match spelled.and_then(|at| members.get(at)) {
                    Some(index) => *index,
                    None => {
                        let index = self.rule(source, rule);
                        if index.is_some_and(|index| !members.contains(&Some(index))) {
                            let message =
                                format!("`{}` is none of the `rules` of this correlation", rule.text);
                            self.note(
                                source,
                                rule.span,
                                message,
                                Some("add it there, or remove it here".into()),
                            );
                        }
                        index
                    }
                };
                fields.extend(index.map(|index| (index, field)));
            }
            aliases.push((alias, fields));
        }
        aliases
    }

    /// Where a value of this name is found in matches of `rule`.
    fn origin(
        &mut self,
        source: &Source,
        draft: &Draft,
        rule: RuleIndex,
        name: &Name,
        aliases: &[(&Alias, Vec<(RuleIndex, &Name)>)],
    ) -> Option<Origin> {
        let alias = aliases.iter().find(|(alias, _)| alias.name.text == name.text);
        let meant = alias.and_then(|(_, fields)| fields.iter().find(|(index, _)| *index == rule));
        let field = meant.map_or(name, |(_, field)| *field);
        let joins = self.rules.get(rule.0 as usize).is_some_and(|rule| rule.correlation.is_some());
        if joins {
            // One that was refused itself says nothing about its readers.
            let inner = self.planned(rule)?;
            if let Some(at) = inner.keys.iter().position(|key| *key == field.text) {
                return Some(Origin::Group(at));
            }
            if inner.recordless {
                let title = self.title(rule);
                let message = format!(
                    "`{title}` does not group by `{}`, and no record is at hand when it is decided",
                    field.text
                );
                let help = Some(format!("add `{}` to the `group-by` of `{title}`", field.text));
                self.note(source, field.span, message, help);
                return None;
            }
        }
        let found = match &draft.foreign {
            Some(foreign) => self.taxonomy.field_of(foreign, &field.text),
            None => self.taxonomy.field(&field.text),
        };
        if let Some(id) = found {
            return Some(Origin::Record(id, self.taxonomy.lifetime(id)));
        }
        let (message, help) = match (alias, meant, &draft.foreign) {
            (Some(_), None, _) => {
                let title = self.title(rule);
                let help = format!("add `{title}: <field>` to it");
                (format!("the alias `{}` names no field of `{title}`", name.text), Some(help))
            }
            (_, _, Some(foreign)) => {
                (format!("the taxonomy `{foreign}` has no field `{}` that records have", field.text), None)
            }
            (None, ..) | (_, Some(_), None) => {
                let help = did_you_mean(&field.text, self.taxonomy.field_names());
                (format!("no record has a field `{}`", field.text), help)
            }
        };
        self.note(source, field.span, message, help);
        None
    }
}
