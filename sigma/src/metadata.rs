//! What a rule says about itself: everything but its log source and its detection.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::document::{Entries, Reader};
use super::level::Level;
use super::log_source::LogSource;
use super::moment;
use super::placeholder::Placeholders;
use super::rule::{Related, Relation, Rule, Status};
use super::suggestion::{did_you_mean, is_mistyped};
use super::yaml::{Data, Node, Scalar, ScalarKind};

/// Keys of the specification. Any other key is kept as the author's own, unless it is one letter
/// away from one of these.
const KNOWN: [&str; 21] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "correlation",
    "filter",
];
/// Longest title or name, and longest description, characters (rules specification, "Title", "Description").
const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 65_535;
/// The `type`s of `related`.
/// The public rules also write "obsoletes".
const RELATIONS: [(&str, Relation); 6] = [
    ("derived", Relation::Derived),
    ("obsolete", Relation::Obsolete),
    ("obsoletes", Relation::Obsolete),
    ("merged", Relation::Merged),
    ("renamed", Relation::Renamed),
    ("similar", Relation::Similar),
];

/// The key that was meant, where a key is one edit away from it.
fn mistyped(key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase();
    KNOWN.into_iter().find(|known| is_mistyped(known, &lower))
}

impl Reader<'_> {
    /// What all rules have.
    pub(super) fn metadata(&mut self, node: &Node, keys: Entries<'_>) -> Rule {
        let title = self.required(node, keys, "title").and_then(|title| self.text(title, "title"));
        for (key, longest) in [("title", TITLE_MAX), ("name", TITLE_MAX), ("description", DESCRIPTION_MAX)] {
            self.check_length(keys, key, longest);
        }
        Rule {
            title: title.unwrap_or_default(),
            id: self.id(keys),
            name: self.optional_text(keys, "name"),
            status: self.status(keys),
            level: self.level(keys),
            description: self.optional_text(keys, "description"),
            author: self.optional_text(keys, "author"),
            date: self.date(keys, "date"),
            modified: self.date(keys, "modified"),
            license: self.optional_text(keys, "license"),
            references: self.texts(keys, "references"),
            tags: self.tags(keys),
            false_positives: self.texts(keys, "falsepositives"),
            fields: self.texts(keys, "fields"),
            scope: self.texts(keys, "scope"),
            related: self.related(keys),
            log_source: LogSource::default(),
            correlation: None,
            reports: true,
            fingerprint: fingerprint(node, self.placeholders, &BTreeSet::new()),
            custom: self.custom(keys.0),
            source: self.source.name.to_string(),
            line: self.line(node),
        }
    }

    fn custom(&mut self, entries: &[(Scalar, Node)]) -> BTreeMap<String, serde_json::Value> {
        let mut custom = BTreeMap::new();
        for (key, node) in entries.iter().filter(|(key, _)| !KNOWN.contains(&key.text.as_str())) {
            match mistyped(&key.text) {
                Some(meant) => self.note(
                    key.span(),
                    format!("`{}` is no key of a rule", key.text),
                    Some(format!("did you mean `{meant}`?")),
                ),
                None => {
                    custom.insert(key.text.clone(), json(node));
                }
            }
        }
        custom
    }

    fn check_length(&mut self, keys: Entries<'_>, key: &str, longest: usize) {
        let Some(Node { data: Data::Scalar(scalar), span }) = keys.get(key) else { return };
        let count = scalar.text.chars().count();
        if count > longest {
            let message = format!("`{key}` has {count} characters, Sigma allows {longest}");
            self.note(*span, message, Some("shorten it".to_owned()));
        }
    }

    fn date(&mut self, keys: Entries<'_>, key: &str) -> Option<String> {
        let text = self.optional_text(keys, key)?;
        if moment::is_day(&text) {
            return Some(text);
        }
        let help = Some("write the day as YYYY-MM-DD".to_owned());
        keys.get(key).and_then(|node| self.refuse(node.span, format!("`{text}` is no date"), help))
    }

    fn status(&mut self, keys: Entries<'_>) -> Option<Status> {
        let node = keys.get("status")?;
        match self.text(node, "status")?.as_str() {
            "stable" => Some(Status::Stable),
            "test" => Some(Status::Test),
            "experimental" => Some(Status::Experimental),
            "deprecated" => Some(Status::Deprecated),
            "unsupported" => Some(Status::Unsupported),
            other => {
                let help = Some("write stable, test, experimental, deprecated or unsupported".to_owned());
                self.refuse(node.span, format!("`{other}` is no status"), help)
            }
        }
    }

    fn level(&mut self, keys: Entries<'_>) -> Level {
        let Some(node) = keys.get("level") else { return Level::UNSTATED };
        let Some(text) = self.text(node, "level") else { return Level::UNSTATED };
        text.parse().unwrap_or_else(|_| {
            let help = did_you_mean(&text, Level::ALL.map(Level::name))
                .unwrap_or_else(|| "write informational, low, medium, high or critical".to_owned());
            self.note(node.span, format!("`{text}` is no level"), Some(help));
            Level::UNSTATED
        })
    }

    fn tags(&mut self, keys: Entries<'_>) -> Vec<String> {
        let tags = self.texts(keys, "tags");
        let Some(Node { data: Data::Sequence(items), .. }) = keys.get("tags") else { return tags };
        for item in items {
            let Data::Scalar(tag) = &item.data else { continue };
            if !is_tag(&tag.text) {
                let help = "tags are `namespace.name` in lower-case letters, digits, `-` and `_`".to_owned();
                self.note(item.span, format!("`{}` is no tag", tag.text), Some(help));
            }
        }
        tags
    }

    fn related(&mut self, keys: Entries<'_>) -> Vec<Related> {
        let Some(node) = keys.get("related") else { return Vec::new() };
        let Data::Sequence(items) = &node.data else {
            self.note(node.span, "`related` must be a list of maps with `id` and `type`", None);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.relation(item)).collect()
    }

    fn relation(&mut self, item: &Node) -> Option<Related> {
        let Data::Mapping(entries) = &item.data else {
            return self.refuse(item.span, "a relation must be a map with `id` and `type`", None);
        };
        let entries = Entries(entries);
        let id = self.id(entries);
        let kind = entries.get("type");
        let Some(kind) = kind else { return self.refuse(item.span, "the relation has no `type`", None) };
        let text = self.text(kind, "type")?;
        let Some((_, relation)) = RELATIONS.into_iter().find(|(name, _)| *name == text) else {
            let help = did_you_mean(&text, RELATIONS.map(|(name, _)| name));
            return self.refuse(kind.span, format!("`{text}` is no type of relation"), help);
        };
        Some(Related { id: id?, relation })
    }

    /// Whose field names the document uses; to be read before any field is.
    pub(super) fn taxonomy_key(&mut self, keys: Entries<'_>) {
        self.foreign = None;
        let Some(node) = keys.get("taxonomy") else { return };
        let Some(text) = self.text(node, "taxonomy").filter(|text| text != "sigma") else { return };
        let known = self.taxonomy.taxonomies();
        if known.contains(&text.as_str()) {
            self.foreign = Some(text);
            return;
        }
        let help = did_you_mean(&text, known.iter().copied().chain(["sigma"]));
        let help = help.unwrap_or_else(|| {
            let known: Vec<_> = ["sigma"].iter().chain(known).map(|name| format!("`{name}`")).collect();
            format!("known is {}; without this key it is `sigma`", known.join(", "))
        });
        self.note(node.span, format!("the taxonomy `{text}` is not known"), Some(help));
    }
}

/// `namespace.name`, the name itself may have dots (rules specification, "Tags").
fn is_tag(tag: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    tag.contains('.') && tag.split('.').all(part)
}

/// A custom value as JSON; numbers stay the text they were spelled as.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.data {
        Data::Null => serde_json::Value::Null,
        Data::Scalar(Scalar { kind: ScalarKind::Bool(flag), .. }) => (*flag).into(),
        Data::Scalar(scalar) => scalar.text.as_str().into(),
        Data::Sequence(items) => items.iter().map(json).collect(),
        Data::Mapping(entries) => entries.iter().map(|(key, node)| (key.text.clone(), json(node))).collect(),
    }
}

/// The same for two documents that say the same, whatever their comments and layout, and use placeholders of the
/// same values.
pub(super) fn fingerprint(node: &Node, placeholders: &Placeholders, used: &BTreeSet<String>) -> u64 {
    let mut hasher = FxHasher::default();
    json(node).to_string().hash(&mut hasher);
    for name in used {
        (name, placeholders.get(name)).hash(&mut hasher);
    }
    hasher.finish()
}
