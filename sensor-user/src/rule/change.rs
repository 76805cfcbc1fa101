//! What differs between two readings: which rules and filters are new, gone, or written otherwise. Pure.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::{FxHashMap, FxHasher};
use sigma::RuleSet;
use uuid::Uuid;

use crate::alert::{RuleChange, RuleName, RuleNames};

/// Most names told of each kind: what a person reads. Beyond it there is a number.
const NAMES_MAX: usize = 8;

/// A rule or filter by what people take for its identity: its id, else its name, else its title in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    key: Key,
    name: RuleName,
    /// Of all that it says, and of its strategy.
    fingerprint: u64,
}

/// The number tells apart those of one file that have the same title.
type Key = (bool, String, usize);

/// Rules and filters of a set. `fingerprints`: of the text and the strategy of each document, by its source.
pub(super) fn known(set: &RuleSet, fingerprints: &FxHashMap<&str, (u64, u64)>) -> Vec<Known> {
    let mut seen: FxHashMap<(bool, String), usize> = FxHashMap::default();
    let mut key = |is_filter: bool, id: Option<Uuid>, name: Option<&str>, source: &str, title: &str| {
        let text = match (id, name) {
            (Some(id), _) => id.to_string(),
            (None, Some(name)) => name.to_owned(),
            (None, None) => format!("{source}\n{title}"),
        };
        let nth = seen.entry((is_filter, text.clone())).or_default();
        *nth += 1;
        (is_filter, text, *nth)
    };
    let name =
        |title: &str, id: Option<Uuid>| RuleName { title: title.to_owned(), id: id.map(|id| id.to_string()) };
    let of = |source: &str| fingerprints.get(source).copied().unwrap_or_default();
    let rules = set.rules().iter().map(|rule| {
        let (_, strategy) = of(&rule.source);
        let mut hasher = FxHasher::default();
        (rule.fingerprint, strategy).hash(&mut hasher);
        let id = rule.id.map(|id| id.to_string()).or_else(|| rule.name.clone());
        Known {
            key: key(false, rule.id, rule.name.as_deref(), &rule.source, &rule.title),
            name: RuleName { title: rule.title.clone(), id },
            fingerprint: hasher.finish(),
        }
    });
    let mut all: Vec<Known> = rules.collect();
    all.extend(set.filters().iter().map(|filter| Known {
        key: key(true, filter.id, None, &filter.source, &filter.title),
        name: name(&filter.title, filter.id),
        // Filters are written alone in their file, mostly; a neighbour's change is taken for theirs.
        fingerprint: of(&filter.source).0,
    }));
    all
}

/// Counts are the caller's to fill in.
pub(super) fn change(before: &[Known], now: &[Known]) -> RuleChange {
    let index = |known: &'_ [Known]| -> FxHashMap<Key, u64> {
        known.iter().map(|one| (one.key.clone(), one.fingerprint)).collect()
    };
    let (old, new) = (index(before), index(now));
    RuleChange {
        added: names(now.iter().filter(|one| !old.contains_key(&one.key))),
        removed: names(before.iter().filter(|one| !new.contains_key(&one.key))),
        changed: names(
            now.iter().filter(|one| old.get(&one.key).is_some_and(|before| *before != one.fingerprint)),
        ),
        ..RuleChange::default()
    }
}

fn names<'a>(of: impl Iterator<Item = &'a Known>) -> RuleNames {
    let mut names = RuleNames::default();
    for one in of {
        names.count += 1;
        if names.first.len() < NAMES_MAX {
            names.first.push(one.name.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, title: &str, fingerprint: u64) -> Known {
        Known {
            key: (false, key.to_owned(), 1),
            name: RuleName { title: title.to_owned(), id: None },
            fingerprint,
        }
    }

    #[test]
    fn a_rule_is_known_by_its_key_and_changed_by_what_it_says() {
        let before = [one("a", "A", 1), one("b", "B", 1), one("c", "C", 1)];
        let now = [one("c", "C renamed", 2), one("b", "B", 1), one("d", "D", 1)];
        let change = change(&before, &now);
        let titles = |names: &RuleNames| {
            let titles: Vec<String> = names.first.iter().map(|name| name.title.clone()).collect();
            assert_eq!(titles.len(), names.count);
            titles.join(",")
        };
        assert_eq!(titles(&change.added), "D");
        assert_eq!(titles(&change.removed), "A");
        assert_eq!(titles(&change.changed), "C renamed");
    }

    #[test]
    fn many_are_counted_and_the_first_named() {
        let now: Vec<Known> = (0..100).map(|number| one(&number.to_string(), "x", 1)).collect();
        let added = change(&[], &now).added;
        assert_eq!((added.count, added.first.len()), (100, NAMES_MAX));
    }
}
