//! The rule engine beside two others that know nothing of it: rsigma, another engine in Rust, and pySigma, the
//! specification's own, by way of SQLite.
//!
//! All three are asked of the same rules (the public ones for Linux, if they are there, and generated ones) whether
//! they match the same events. What they do not agree on must be a fault of the others that is known by name
//! ([`fault`]), with its reason; anything else fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a comparison that cannot go on ends with its reason; what it found is printed"
)]

mod random;
mod rule;
mod generator;
mod corpus;
mod host;
mod event;
mod verdict;
mod record;
mod ours;
mod rsigma;
mod pysigma;
mod fault;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::Value;

use crate::fault::{FAULTS, Peer, REFUSALS};
use crate::host::Event;
use crate::rule::Rule;
use crate::verdict::Verdict;

/// Generated rules in one group, which is asked of its own events alone: all of all would take an hour.
const GROUP: usize = 150;
const GROUPS: usize = 20;
/// Events of each group; the public rules are asked of those of all groups, and of as many of their own.
const GROUP_EVENTS: usize = 1_200;
/// As many unexplained differences are shown in full.
const SHOWN_MAX: usize = 20;
const SEED: u64 = 5;

/// Rules that are asked of the same events.
struct Group {
    rules: Vec<Rule>,
    events: Range<usize>,
    ours: Vec<Verdict>,
}

struct Subject {
    groups: Vec<Group>,
    events: Vec<Event>,
}

/// Made once for all tests.
fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| {
        let public = corpus::texts().unwrap_or_else(|reason| {
            println!("the public rules are skipped: {reason}");
            Vec::new()
        });
        let public: Vec<Rule> =
            public.into_iter().filter(|text| corpus::is_for_linux(text)).map(Rule::read).collect();
        let mut generated = generator::rules(GROUP * GROUPS, SEED).into_iter();
        let mut events = event::events(&public, if public.is_empty() { 0 } else { GROUP_EVENTS * 2 }, SEED);
        let mut groups = Vec::new();
        for number in 0..GROUPS {
            let rules: Vec<Rule> = generated.by_ref().take(GROUP).collect();
            let start = events.len();
            events.extend(event::events(&rules, GROUP_EVENTS, SEED + number as u64));
            groups.push(Group { rules, events: start..events.len(), ours: Vec::new() });
        }
        groups.push(Group { rules: public, events: 0..events.len(), ours: Vec::new() });
        for group in &mut groups {
            group.ours = ours::verdicts(&group.rules, &events[group.events.clone()]);
        }
        Subject { groups, events }
    })
}

/// What came of a comparison.
#[derive(Default)]
struct Tally {
    rules: usize,
    pairs: usize,
    matches: usize,
    refused: BTreeMap<&'static str, usize>,
    excluded: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Tally {
    fn add(&mut self, peer: Peer, group: &Group, events: &[Event], theirs: &[Verdict]) {
        for ((rule, ours), theirs) in group.rules.iter().zip(&group.ours).zip(theirs) {
            if let Some(said) = &theirs.refused {
                match REFUSALS.iter().find(|(found, text, _)| *found == peer && said.contains(text)) {
                    Some((_, text, _)) => *self.refused.entry(text).or_default() += 1,
                    None => self.unexplained.push(format!("refused: {said}\n{}", rule.text)),
                }
                continue;
            }
            self.rules += 1;
            self.pairs += events.len();
            self.matches += ours.matched.len();
            for number in ours.differing(theirs) {
                let event = &events[number];
                match FAULTS.iter().find(|fault| fault.explains(peer, rule, event)) {
                    Some(fault) => *self.excluded.entry(fault.name).or_default() += 1,
                    None => {
                        let we = if ours.matched.contains(&number) { "match" } else { "no match" };
                        let event = Value::Object(event.clone());
                        self.unexplained.push(format!("ours says {we}\n{}\n{event}", rule.text));
                    }
                }
            }
        }
    }

    fn report(&self, peer: Peer, took: Instant) {
        let Self { rules, pairs, matches, .. } = self;
        let events = subject().events.len();
        println!("{peer:?}: {rules} rules, {events} events, {pairs} pairs compared, {matches} matches");
        self.refused.iter().for_each(|(said, count)| println!("  {count:7} rules it refuses: {said}"));
        self.excluded.iter().for_each(|(name, count)| println!("  {count:7} pairs excluded: {name}"));
        println!("  {:7} pairs unexplained ({:.0} s)", self.unexplained.len(), took.elapsed().as_secs_f64());
        assert!(*matches > 1_000, "a comparison of nothing");
        let shown = self.unexplained.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join("\n\n");
        assert!(self.unexplained.is_empty(), "{} differences\n{shown}", self.unexplained.len());
    }
}

#[test]
fn rsigma_agrees_but_for_its_named_faults() {
    let took = Instant::now();
    let Subject { groups, events } = subject();
    let mut tally = Tally::default();
    for group in groups {
        let events = &events[group.events.clone()];
        tally.add(Peer::Rsigma, group, events, &rsigma::verdicts(&group.rules, events));
    }
    tally.report(Peer::Rsigma, took);
}

#[test]
fn pysigma_agrees_but_for_its_named_faults() {
    let python = match pysigma::python() {
        Ok(python) => python,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let took = Instant::now();
    let Subject { groups, events } = subject();
    let asked: Vec<_> =
        groups.iter().flat_map(|group| group.rules.iter().map(|rule| (rule, group.events.clone()))).collect();
    let mut verdicts = pysigma::verdicts(&python, &asked, events).into_iter();
    let mut tally = Tally::default();
    for group in groups {
        let theirs: Vec<Verdict> = verdicts.by_ref().take(group.rules.len()).collect();
        tally.add(Peer::PySigma, group, &events[group.events.clone()], &theirs);
    }
    tally.report(Peer::PySigma, took);
}

/// An entry that no longer shows a fault hides whatever comes next.
#[test]
fn every_named_fault_is_still_one() {
    let python = pysigma::python();
    for (number, fault) in FAULTS.iter().enumerate() {
        let (selection, event, right) = fault.example;
        let read = |text| serde_json::from_str::<Value>(text).unwrap();
        let detection = serde_json::json!({ "selection": read(selection), "condition": "selection" });
        let rules = [Rule::made(number, &detection)];
        let events = [read(event).as_object().unwrap().clone()];
        let says = |verdicts: Vec<Verdict>| {
            assert_eq!(verdicts[0].refused, None, "{}", fault.name);
            !verdicts[0].matched.is_empty()
        };
        assert_eq!(says(ours::verdicts(&rules, &events)), right, "ours: {}", fault.reason);
        let theirs = match (fault.peer, &python) {
            (Peer::Rsigma, _) => rsigma::verdicts(&rules, &events),
            (Peer::PySigma, Ok(python)) => pysigma::verdicts(python, &[(&rules[0], 0..1)], &events),
            (Peer::PySigma, Err(reason)) => {
                println!("{} is skipped: {reason}", fault.name);
                continue;
            }
        };
        assert_ne!(
            says(theirs),
            right,
            "{:?} has mended this, take the entry away: {}",
            fault.peer,
            fault.name
        );
        assert!(fault.explains(fault.peer, &rules[0], &events[0]), "its own example: {}", fault.name);
    }
}
