//! The `correlation` of a document: read to the last key. Its rules and fields stay names until all is read.

use super::{Condition, Correlation, Kind};
use crate::diagnostic::Span;
use crate::document::{Body, Entries, Reader};
use crate::rule::Rule;
use crate::suggestion::did_you_mean;
use crate::yaml::{Data, Node, Scalar, ScalarKind};

/// Keys of `correlation`. `generate` stands beside it in the specification's schema and inside it in
/// common tools: both are read.
const KEYS: [&str; 7] = ["type", "rules", "group-by", "timespan", "condition", "aliases", GENERATE];
const GENERATE: &str = "generate";
/// Keys of other documents, which mean nothing to one that only joins rules.
const FOREIGN: [&str; 3] = ["logsource", "detection", "filter"];
/// Most rules of one correlation. Each is a place in every match it keeps; nobody can read more.
const RULES_MAX: usize = 64;
/// Most values a group has in common, and most fields counted together; each is copied for every group.
const FIELDS_MAX: usize = 8;

/// The types by name.
const KINDS: [(&str, Kind); 7] = [
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("value_sum", Kind::ValueSum),
    ("value_avg", Kind::ValueAvg),
    ("value_percentile", Kind::ValuePercentile),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
];

/// A name of a rule or field, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Span,
}

impl Name {
    fn of(scalar: &Scalar) -> Self {
        Self { text: scalar.text.clone(), span: scalar.span() }
    }
}

/// One name for fields that are called otherwise, rule by rule.
#[derive(Debug)]
pub(super) struct Alias {
    pub(super) name: Name,
    /// Rule and field.
    pub(super) fields: Vec<(Name, Name)>,
}

/// A correlation that was read, and whose rules and fields are still names.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) correlation: Correlation,
    pub(super) rules: Vec<Name>,
    pub(super) group_by: Vec<Name>,
    /// What the condition counts.
    pub(super) fields: Vec<Name>,
    pub(super) aliases: Vec<Alias>,
    /// Whether its rules are told by themselves, too.
    pub(super) generate: bool,
    /// The taxonomy its fields are named in, where that is not Sigma's own.
    pub(super) foreign: Option<String>,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        KINDS.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Joins different rules, instead of measuring matches of any of them.
    pub(super) fn is_temporal(self) -> bool {
        match self {
            Self::Temporal | Self::TemporalOrdered => true,
            Self::EventCount | Self::ValueCount | Self::ValueSum | Self::ValueAvg | Self::ValuePercentile => {
                false
            }
        }
    }
}

impl Reader<'_> {
    /// A document with the key `correlation`.
    pub(crate) fn correlation_document(&mut self, mut rule: Box<Rule>, keys: Entries<'_>) -> Option<Body> {
        for (key, _) in keys.0.iter().filter(|(key, _)| FOREIGN.contains(&key.text.as_str())) {
            let help = Some("remove it, or give the correlation a document of its own (`---`)".to_owned());
            self.note(key.span(), format!("a correlation has no `{}`: its rules have", key.text), help);
        }
        rule.custom.remove(GENERATE);
        for (key, _) in keys.0.iter().filter(|(key, _)| rule.custom.contains_key(&key.text)) {
            if did_you_mean(&key.text, [GENERATE]).is_some() {
                let help = Some(format!("did you mean `{GENERATE}`?"));
                self.note(key.span(), format!("`{}` is no key of a correlation", key.text), help);
            }
        }
        let beside = keys.get(GENERATE).map(|node| self.generate(node));
        let mut draft = keys.get("correlation").and_then(|node| self.correlation(node))?;
        draft.generate |= beside.flatten().unwrap_or_default();
        rule.correlation = Some(draft.correlation.clone());
        Some(Body::Correlation(rule, draft))
    }

    /// The value of `correlation`; `None` if it is no map or lacks what all types need.
    fn correlation(&mut self, node: &Node) -> Option<Draft> {
        let Data::Mapping(entries) = &node.data else {
            let help = Some("it is a map with type, rules, timespan and condition".to_owned());
            let message = format!("`correlation` must be a map, this is {}", node.kind_name());
            return self.refuse(node.span, message, help);
        };
        for (key, _) in entries.iter().filter(|(key, _)| !KEYS.contains(&key.text.as_str())) {
            let help = did_you_mean(&key.text, KEYS);
            self.note(key.span(), format!("`{}` is no key of `correlation`", key.text), help);
        }
        let keys = Entries(entries);
        let kind = self.needed(node, keys, "type").and_then(|node| self.kind(node));
        let rules = self.needed(node, keys, "rules").and_then(|node| self.names(node, "rules", RULES_MAX));
        let timespan = self.needed(node, keys, "timespan").and_then(|node| self.timespan(node));
        let group_by = match keys.get("group-by") {
            Some(node) => self.names(node, "group-by", FIELDS_MAX),
            None => Some(Vec::new()),
        };
        let aliases = match keys.get("aliases") {
            Some(node) => self.aliases(node),
            None => Some(Vec::new()),
        };
        let generate = keys.get(GENERATE).and_then(|node| self.generate(node)).unwrap_or_default();
        let (kind, rules) = (kind?, rules?);
        if kind.is_temporal() && rules.len() < 2 {
            let help = Some("name another one, or use `event_count`".to_owned());
            let span = rules.first().map_or(node.span, |rule| rule.span);
            self.note(span, format!("`{}` joins at least two rules", kind.name()), help);
        }
        let (condition, fields) = match keys.get("condition") {
            Some(node) => self.correlation_condition(node, kind, rules.len())?,
            None if kind.is_temporal() => (Condition::of_all(rules.len()), Vec::new()),
            None => {
                let help = Some("add for example `condition: {gte: 10}`".to_owned());
                return self.refuse(node.span, "the correlation has no `condition`", help);
            }
        };
        let correlation =
            Correlation { kind, rules: Vec::new(), group_by: Vec::new(), timespan: timespan?, condition };
        let foreign = self.foreign.clone();
        Some(Draft { correlation, rules, group_by: group_by?, fields, aliases: aliases?, generate, foreign })
    }

    fn needed<'n>(&mut self, node: &Node, keys: Entries<'n>, key: &str) -> Option<&'n Node> {
        match keys.get(key) {
            Some(node) => Some(node),
            None => self.refuse(node.span, format!("the correlation has no `{key}`"), None),
        }
    }

    fn kind(&mut self, node: &Node) -> Option<Kind> {
        let text = self.text(node, "type")?;
        let found = KINDS.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind);
        if found.is_none() {
            let help = match text.as_str() {
                "value_median" => Some("write `value_percentile` with `percentile: 50`".to_owned()),
                _ => did_you_mean(&text, KINDS.map(|(name, _)| name)),
            };
            let names = KINDS.map(|(name, _)| name).join(", ");
            let help = help.or_else(|| Some(format!("write one of {names}")));
            self.note(node.span, format!("`{text}` is no type of correlation"), help);
        }
        found
    }

    /// One name or a list of different ones.
    pub(super) fn names(&mut self, node: &Node, key: &str, most: usize) -> Option<Vec<Name>> {
        let items = match &node.data {
            Data::Sequence(items) if !items.is_empty() => items.as_slice(),
            Data::Scalar(_) => std::slice::from_ref(node),
            Data::Null | Data::Sequence(_) => {
                return self.refuse(
                    node.span,
                    format!("`{key}` is empty"),
                    Some("remove it, or name one".into()),
                );
            }
            Data::Mapping(_) => {
                return self.refuse(
                    node.span,
                    format!("`{key}` must be a list of names, this is a map"),
                    None,
                );
            }
        };
        if items.len() > most {
            return self.refuse(
                node.span,
                format!("`{key}` names {}, at most {most} are kept", items.len()),
                None,
            );
        }
        let mut names: Vec<Name> = Vec::with_capacity(items.len());
        let mut sound = true;
        for item in items {
            match self.plain_name(item, key) {
                Some(name) if names.iter().any(|known| known.text == name.text) => {
                    let message = format!("`{}` stands in `{key}` twice", name.text);
                    self.note(name.span, message, Some("remove one of them".into()));
                    sound = false;
                }
                Some(name) => names.push(name),
                None => sound = false,
            }
        }
        sound.then_some(names)
    }

    fn plain_name(&mut self, node: &Node, key: &str) -> Option<Name> {
        match &node.data {
            Data::Scalar(scalar) if !scalar.text.is_empty() => Some(Name::of(scalar)),
            Data::Null | Data::Scalar(_) | Data::Sequence(_) | Data::Mapping(_) => {
                self.refuse(node.span, format!("`{key}` takes names, this is {}", node.kind_name()), None)
            }
        }
    }

    fn aliases(&mut self, node: &Node) -> Option<Vec<Alias>> {
        let help = || Some("write `alias: {rule: Field}`".to_owned());
        let Data::Mapping(entries) = &node.data else {
            return self.refuse(
                node.span,
                format!("`aliases` must be a map, this is {}", node.kind_name()),
                help(),
            );
        };
        let mut aliases = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            let Data::Mapping(entries) = &node.data else {
                let message =
                    format!("an alias must be a map of rules to fields, this is {}", node.kind_name());
                return self.refuse(node.span, message, help());
            };
            let mut fields = Vec::with_capacity(entries.len());
            for (rule, field) in entries {
                fields.push((Name::of(rule), self.plain_name(field, &name.text)?));
            }
            aliases.push(Alias { name: Name::of(name), fields });
        }
        Some(aliases)
    }

    fn generate(&mut self, node: &Node) -> Option<bool> {
        match &node.data {
            Data::Scalar(Scalar { kind: ScalarKind::Bool(flag), .. }) => Some(*flag),
            Data::Null | Data::Scalar(_) | Data::Sequence(_) | Data::Mapping(_) => {
                let message = format!("`generate` takes `true` or `false`, this is {}", node.kind_name());
                self.refuse(node.span, message, None)
            }
        }
    }
}
