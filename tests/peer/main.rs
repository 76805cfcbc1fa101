//! How fast the rule engine is beside another one: `cargo bench -p tests --bench peer`.
//!
//! Both are asked of the same starts of programs, one after the other, on one thread, whose own CPU time is taken.
//! Events are ready in memory for both in the form that each reads: making them is not measured. Rules are the
//! public ones that both take, in two crowds:
//!
//! - those for processes on Linux, and nothing else;
//! - all of them, once as if each were for these events, and once with each engine leaving aside by log source
//!   those that are for others.
//!
//! Answers must be the same but for what `tests/differential` knows of; here they are only counted.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that cannot go on ends with its reason; what it found is printed"
)]

#[path = "../differential/random.rs"]
#[expect(dead_code, reason = "the differential test cuts texts")]
mod random;
#[path = "../differential/host.rs"]
#[expect(dead_code, reason = "programs only start here")]
mod host;
#[path = "../differential/corpus.rs"]
#[expect(dead_code, reason = "chosen by log source here")]
mod corpus;
#[path = "../differential/record.rs"]
mod record;

use std::time::Duration;

use rsigma_eval::event::JsonEvent;
use rsigma_parser::SigmaRule;
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use sigma::{FieldId, LogSource, LogSourceId, Matches, Placeholders, RuleSet, Source, Taxonomy};

use crate::host::Event;
use crate::random::Random;
use crate::record::{Everything, Flat};

const EVENTS: usize = 20_000;
const SEED: u64 = 5;
/// The median of so many runs is told.
const RUNS: usize = 5;
/// A run goes over all events until it took so long: a short one would measure the clock.
const RUN_MIN: Duration = Duration::from_secs(1);

/// A rule that both take.
struct Rule {
    text: String,
    theirs: SigmaRule,
}

/// A host that has every field; of the log sources only what starts of programs answer, if it sorts them.
struct Host {
    fields: Everything,
    sorts: bool,
}

impl Taxonomy for Host {
    fn field(&self, name: &str) -> Option<FieldId> {
        self.fields.field(name)
    }

    fn field_names(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// As the other engine has it: what a rule names must be what the event names.
    fn supports(&self, source: &LogSource) -> Option<LogSourceId> {
        let fits = source.product.as_deref().is_none_or(|product| product == "linux")
            && source.category.as_deref().is_none_or(|category| category == "process_creation")
            && source.service.is_none();
        Some(LogSourceId(u16::from(self.sorts && !fits)))
    }
}

/// CPU time of this thread: what else the machine does hardly shows in it.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Events a second, the median of all runs, and how many matches one pass found. `pass` goes over all events once.
fn measured(mut pass: impl FnMut() -> usize) -> (f64, usize) {
    let matches = pass(); // warm, and the first touch of everything
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let (start, mut passes) = (cpu(), 0.0);
            while cpu() - start < RUN_MIN {
                assert_eq!(pass(), matches, "the same events match the same rules");
                passes += 1.0;
            }
            passes * 20_000.0 / (cpu() - start).as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    (rates[RUNS / 2], matches)
}

fn ours(rules: &[&Rule], events: &[Event], sorts: bool) -> (f64, usize) {
    let host = Host { fields: Everything::default(), sorts };
    let sources =
        rules.iter().enumerate().map(|(number, rule)| Source::new(number.to_string(), rule.text.clone()));
    let set = RuleSet::load(sources, &host, &Placeholders::default()).expect("each was tried alone");
    let mut engine = sigma::Engine::new(set);
    let records: Vec<Flat<'_>> = events.iter().map(|event| Flat::new(event, &host.fields)).collect();
    let mut found = Matches::default();
    measured(|| {
        let mut matches = 0;
        for record in &records {
            engine.evaluate(record, &mut found);
            matches += found.matched.len();
        }
        matches
    })
}

fn theirs(rules: &[&Rule], events: &[Event], sorts: bool) -> (f64, usize) {
    let mut engine = rsigma_eval::Engine::new();
    let refused = engine.add_rules(rules.iter().map(|rule| &rule.theirs));
    assert!(refused.is_empty(), "each was tried alone");
    let source = rsigma_parser::LogSource {
        product: Some("linux".to_owned()),
        category: Some("process_creation".to_owned()),
        ..rsigma_parser::LogSource::default()
    };
    let events: Vec<Value> = events.iter().cloned().map(Value::Object).collect();
    measured(|| {
        let found = |event| {
            let event = JsonEvent::borrow(event);
            if sorts { engine.evaluate_with_logsource(&event, &source) } else { engine.evaluate(&event) }
                .len()
        };
        events.iter().map(found).sum()
    })
}

fn compare(name: &str, rules: &[&Rule], events: &[Event], sorts: bool) {
    let (ours, our_matches) = ours(rules, events, sorts);
    let (theirs, their_matches) = theirs(rules, events, sorts);
    println!(
        "{name:<42} {:>5} rules  ours {ours:>9.0}  rsigma {theirs:>9.0} events/s of CPU  {:>6.1} x  \
         ({our_matches} and {their_matches} matches)",
        rules.len(),
        ours / theirs,
    );
}

/// The rule, if both engines take it.
fn taken(text: String) -> Option<Rule> {
    let host = Host { fields: Everything::default(), sorts: false };
    RuleSet::load([Source::new("rule", text.clone())], &host, &Placeholders::default()).ok()?;
    let collection = rsigma_parser::parse_sigma_yaml(&text).ok().filter(|read| read.errors.is_empty())?;
    let theirs = collection.rules.into_iter().next()?;
    rsigma_eval::Engine::new().add_rule(&theirs).ok()?;
    Some(Rule { text, theirs })
}

fn main() {
    // `cargo test --benches` runs this, too, and wants no figures.
    if !std::env::args().any(|word| word == "--bench") {
        return println!("skipped: a measurement; `cargo bench -p tests --bench peer` makes it");
    }
    let texts = match corpus::texts() {
        Ok(texts) => texts,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let all = texts.len();
    let rules: Vec<Rule> = texts.into_iter().filter_map(taken).collect();
    let mut random = Random::new(SEED);
    let events: Vec<Event> = (0..EVENTS).map(|_| host::execution(&mut random)).collect();
    println!("{EVENTS} starts of programs; {} of {all} rules are taken by both", rules.len());
    let is_for_processes = |rule: &&Rule| {
        let source = &rule.theirs.logsource;
        source.product.as_deref() == Some("linux") && source.category.as_deref() == Some("process_creation")
    };
    let processes: Vec<&Rule> = rules.iter().filter(is_for_processes).collect();
    let everything: Vec<&Rule> = rules.iter().collect();
    compare("rules for processes on Linux", &processes, &events, false);
    compare("all rules, sorted by log source", &everything, &events, true);
    compare("all rules, as if all were for these events", &everything, &events, false);
}
