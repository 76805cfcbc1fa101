//! Rule collections: several documents in one source that share what they have in common.
//!
//! They come from Sigma 1, and tools still read them; the specification is silent. `action: global` makes a
//! document the common part of the rules that follow it, `action: reset` ends that, and `action: repeat` takes
//! the rule before it again with changes. A correlation or a filter has no common part. Our choices: a `global`
//! takes the place of the one before it; what a rule and the common part say differently is refused, since tools
//! disagree on which of them holds; an id and a name belong to one rule and are not repeated.

use super::diagnostic::{Diagnostic, Source, Span};
use super::document::{Entries, MISTAKES_MAX};
use super::suggestion::did_you_mean;
use super::yaml::{self, Data, Node, Scalar};

/// Most values that a collection may unfold to: as many as a source may hold itself. Without a bound, a large
/// common part and many short rules would unfold to gigabytes.
const UNFOLDED_MAX: usize = yaml::NODES_MAX;

const ACTION: &str = "action";
/// Keys that say which rule it is.
const IDENTITY: [&str; 2] = ["id", "name"];

/// The documents of a source, each whole in itself: none has an `action` any more. `None`: it is no YAML.
pub(super) fn documents(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Node>> {
    match yaml::documents(source) {
        Ok(documents) => Some(unfold(source, documents, diagnostics)),
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            None
        }
    }
}

fn unfold(source: &Source, documents: Vec<Node>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Node> {
    let is_part = |node: &Node| match &node.data {
        Data::Mapping(entries) => Entries(entries).get(ACTION).is_some(),
        Data::Null | Data::Scalar(_) | Data::Sequence(_) => false,
    };
    if !documents.iter().any(is_part) {
        return documents;
    }
    let noted = diagnostics.len();
    let mut unfolding = Unfolding { source, diagnostics, global: Vec::new(), previous: None, values: 0 };
    let mut unfolded = Vec::with_capacity(documents.len());
    for document in documents {
        let span = document.span;
        unfolded.extend(unfolding.document(document));
        if unfolding.diagnostics.len() - noted >= MISTAKES_MAX {
            unfolding.note(
                span,
                "behind this document the source was not read",
                "mend the ones before it first",
            );
            break;
        }
        if unfolding.values > UNFOLDED_MAX {
            let message =
                format!("with this document the collection unfolds to more than {UNFOLDED_MAX} values");
            unfolding.note(span, message, "write fewer rules to a source");
            break;
        }
    }
    unfolded
}

type Map = Vec<(Scalar, Node)>;

struct Unfolding<'a> {
    source: &'a Source,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// What the rules at hand have in common.
    global: Map,
    /// What a `repeat` would repeat.
    previous: Option<Map>,
    /// Copied so far.
    values: usize,
}

impl Unfolding<'_> {
    fn note(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::new(self.source, span, message).with_help(help));
    }

    fn document(&mut self, node: Node) -> Option<Node> {
        let Data::Mapping(mut entries) = node.data else { return Some(node) };
        let at = entries.iter().position(|(key, _)| key.text == ACTION);
        let action = at.map(|at| entries.remove(at));
        let whole = match action {
            None => self.rule(entries),
            Some((key, Node { data: Data::Scalar(action), .. })) => match action.text.as_str() {
                "global" => return self.set_global(entries),
                "reset" => return self.reset(&entries),
                "repeat" => self.repeat(node.span, entries)?,
                other => {
                    let help = did_you_mean(other, ["global", "reset", "repeat"]);
                    let help = help.unwrap_or_else(|| "write global, reset or repeat".to_owned());
                    self.note(action.span(), format!("`{other}` is no action of a rule collection"), &help);
                    let _ = key;
                    return None;
                }
            },
            Some((key, _)) => {
                self.note(key.span(), "`action` must be a text", "write global, reset or repeat");
                return None;
            }
        };
        self.values += whole.iter().map(|(_, node)| size(node)).sum::<usize>();
        self.previous = Some(whole.clone());
        Some(Node { span: node.span, data: Data::Mapping(whole) })
    }

    fn rule(&mut self, mut own: Map) -> Map {
        let keys = Entries(&own);
        if keys.get("correlation").is_none() && keys.get("filter").is_none() {
            let global = std::mem::take(&mut self.global);
            self.join(&mut own, &global);
            self.global = global;
        }
        own
    }

    fn set_global(&mut self, entries: Map) -> Option<Node> {
        for (key, _) in entries.iter().filter(|(key, _)| IDENTITY.contains(&key.text.as_str())) {
            let message = format!("`{}` belongs to one rule, not to all that follow", key.text);
            self.note(key.span(), message, "give each rule its own");
        }
        self.previous = Some(entries.clone());
        self.global = entries;
        None
    }

    fn reset(&mut self, entries: &Map) -> Option<Node> {
        if let Some((key, _)) = entries.first() {
            let message = format!("`action: reset` stands alone, `{}` would be lost", key.text);
            self.note(key.span(), message, "put it into a document of its own");
        }
        self.global.clear();
        None
    }

    fn repeat(&mut self, span: Span, own: Map) -> Option<Map> {
        let Some(mut whole) = self.previous.take() else {
            self.note(span, "there is nothing before this to repeat", "write the whole rule");
            return None;
        };
        for key in IDENTITY {
            if Entries(&whole).get(key).is_some() && Entries(&own).get(key).is_none() {
                let message = format!("this repeats the `{key}` of the rule before it");
                self.note(span, message, &format!("give it a `{key}` of its own"));
                whole.retain(|(found, _)| found.text != key);
            }
        }
        replace(&mut whole, own);
        Some(whole)
    }

    /// Adds the common part to a rule; maps are joined key by key.
    fn join(&mut self, own: &mut Map, global: &Map) {
        for (key, common) in global {
            let Some((found, mine)) = own.iter_mut().find(|(found, _)| found.text == key.text) else {
                own.push((key.clone(), common.clone()));
                continue;
            };
            match (&mut mine.data, &common.data) {
                (Data::Mapping(mine), Data::Mapping(common)) => self.join(mine, common),
                (Data::Null, Data::Null) => {}
                (Data::Scalar(mine), Data::Scalar(common)) if mine.text == common.text => {}
                _ => {
                    let line = Diagnostic::new(self.source, key.span(), "").line;
                    let message = format!("`{}` is also said in the common part, in line {line}", found.text);
                    let span = found.span();
                    self.note(span, message, "say it in one of the two places");
                }
            }
        }
    }
}

/// Puts `changes` in the place of what `map` says; maps are joined key by key.
fn replace(map: &mut Map, changes: Map) {
    for (key, change) in changes {
        let Some((found, old)) = map.iter_mut().find(|(found, _)| found.text == key.text) else {
            map.push((key, change));
            continue;
        };
        *found = key;
        match (&mut old.data, change) {
            (Data::Mapping(old), Node { data: Data::Mapping(change), .. }) => replace(old, change),
            (_, change) => *old = change,
        }
    }
}

fn size(node: &Node) -> usize {
    match &node.data {
        Data::Null | Data::Scalar(_) => 1,
        Data::Sequence(items) => 1 + items.iter().map(size).sum::<usize>(),
        Data::Mapping(entries) => 1 + entries.iter().map(|(_, node)| 1 + size(node)).sum::<usize>(),
    }
}
