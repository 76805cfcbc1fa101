//! Rules held against events: one by one, or as a history where a correlation is meant.

use sigma::{
    Correlated, Correlator, Engine, Explainer, Explanation, Joined, Matches, Placeholders, Record as _, Rule,
    RuleIndex, Source, Truth,
};

use super::{Fault, Outcome, State};
use crate::agent::StartError;
use crate::cli::Failure;
use crate::detection::{Catalogue, Recordings};
use crate::event::field::Fields;
use crate::event::recorded::Recorded;

/// Nanoseconds between events that do not say when they happened.
const STEP: u64 = 1_000_000;

/// Rules that are ready to run.
pub(super) struct Trial<'a> {
    pub(super) engine: Engine,
    pub(super) sources: &'a [Source],
    pub(super) placeholders: &'a Placeholders,
}

/// An event that could be read, with its line.
struct Line {
    number: usize,
    event: Recorded,
}

/// What a file promises of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    Match,
    Miss,
}

impl Trial<'_> {
    /// Each document that is the binary's, or each that is not.
    pub(super) fn all(&mut self, catalogue: &Catalogue, built_in: bool) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes = Vec::new();
        for source in self.sources.iter().filter(|source| Catalogue::is_built_in(&source.name) == built_in) {
            let recordings = Catalogue::recordings(&source.name)
                .map_err(|problem| StartError::Catalogue(vec![problem]))?;
            let name = catalogue.name(&source.name).unwrap_or(&source.name).to_owned();
            outcomes.push(self.document(&source.name, name, &recordings));
        }
        Ok(outcomes)
    }

    fn document(&mut self, source: &str, name: String, recordings: &Recordings) -> Outcome {
        let mut outcome = Outcome {
            name,
            source: source.to_owned(),
            state: State::Untested,
            matches: 0,
            misses: 0,
            faults: Vec::new(),
            reason: None,
        };
        let own: Vec<RuleIndex> = (0..)
            .map(RuleIndex)
            .zip(self.engine.rules())
            .filter(|(_, rule)| rule.source == source)
            .map(|(index, _)| index)
            .collect();
        let is_correlation =
            |index: &RuleIndex| self.engine.rule(*index).is_some_and(|rule| rule.correlation.is_some());
        let (correlations, rules): (Vec<_>, Vec<_>) = own.into_iter().partition(is_correlation);
        outcome.reason = match (rules.is_empty() && correlations.is_empty(), recordings.is_empty()) {
            (true, _) => Some("no rule, but a filter: it is tested with the rules it stands before"),
            (false, true) => Some("no events beside it"),
            (false, false) => None,
        };
        if outcome.reason.is_some() {
            return outcome;
        }
        let promises = [(Promise::Match, &recordings.matching), (Promise::Miss, &recordings.missing)];
        for (promise, recording) in promises {
            let Some(recording) = recording else {
                let message = format!("there is no events/{} beside it", promise.file());
                outcome.faults.push(Fault {
                    file: source.to_owned(),
                    line: None,
                    message,
                    explanation: None,
                    rule: None,
                });
                continue;
            };
            let lines = read(recording, &mut outcome.faults);
            match promise {
                Promise::Match => outcome.matches = lines.len(),
                Promise::Miss => outcome.misses = lines.len(),
            }
            if correlations.is_empty() {
                self.one_by_one(recording, promise, &rules, &lines, &mut outcome.faults);
            } else {
                self.together(recording, promise, &correlations, lines, &mut outcome.faults);
            }
        }
        outcome.state = if outcome.faults.is_empty() { State::Ok } else { State::Failed };
        outcome
    }

    /// Every event by itself: any of the document's rules matches it, or none does.
    fn one_by_one(
        &mut self,
        recording: &Source,
        promise: Promise,
        rules: &[RuleIndex],
        lines: &[Line],
        faults: &mut Vec<Fault>,
    ) {
        let mut found = Matches::default();
        for Line { number, event } in lines {
            self.engine.evaluate(event, &mut found);
            let matched = rules.iter().find(|index| found.matched.contains(index));
            let (rule, said) = match (promise, matched) {
                (Promise::Match, Some(_)) | (Promise::Miss, None) => continue,
                (Promise::Match, None) => (rules.first(), "must match"),
                (Promise::Miss, Some(rule)) => (Some(rule), "must not match"),
            };
            let Some(&rule) = rule else { continue };
            let explanation = self.explain(rule, event);
            let about = self.engine.rule(rule).cloned();
            let message = format!("{said} {}, and {}", self.title(rule), does(explanation.as_ref(), promise));
            faults.push(Fault {
                file: recording.name.to_string(),
                line: Some(*number),
                message,
                explanation,
                rule: about,
            });
        }
    }

    /// All events as a history: each correlation of the document comes true, or none does.
    fn together(
        &mut self,
        recording: &Source,
        promise: Promise,
        correlations: &[RuleIndex],
        lines: Vec<Line>,
        faults: &mut Vec<Fault>,
    ) {
        let mut found = Matches::default();
        let mut correlator: Correlator<usize> = Correlator::default();
        let mut joined = Joined::default();
        let mut matched: Vec<RuleIndex> = Vec::new();
        let mut now = 0;
        for (place, Line { number, event }) in lines.into_iter().enumerate() {
            let event = event.timed(if place == 0 { 0 } else { now + STEP });
            if event.time() < now {
                let message = "this happened before the line above; write events in order".to_owned();
                faults.push(Fault {
                    file: recording.name.to_string(),
                    line: Some(number),
                    message,
                    explanation: None,
                    rule: None,
                });
            }
            now = now.max(event.time());
            self.engine.evaluate(&event, &mut found);
            matched.extend(&found.matched);
            correlator.feed(self.engine.set(), &event, &found.matched, None, &number, &mut joined);
        }
        // What waits for its window to end is decided: no more events come.
        correlator.due(self.engine.set(), u64::MAX, &mut joined);
        for &index in correlations {
            let came = joined.correlated.iter().find(|correlated| correlated.rule == index);
            let (line, message) = match (promise, came) {
                (Promise::Match, Some(_)) | (Promise::Miss, None) => continue,
                (Promise::Match, None) => (
                    None,
                    format!(
                        "must make {} come true, and does not; {}",
                        self.title(index),
                        self.census(index, &matched)
                    ),
                ),
                (Promise::Miss, Some(correlated)) => (
                    last_line(correlated),
                    format!(
                        "must not make {} come true, and does; {}",
                        self.title(index),
                        self.census(index, &matched)
                    ),
                ),
            };
            faults.push(Fault {
                file: recording.name.to_string(),
                line,
                message,
                explanation: None,
                rule: None,
            });
        }
    }

    /// How many events each rule that the correlation reads has matched.
    fn census(&self, correlation: RuleIndex, matched: &[RuleIndex]) -> String {
        let read = self.engine.rule(correlation).and_then(|rule| rule.correlation.as_ref());
        let told = read.into_iter().flat_map(|read| &read.rules).map(|index| {
            let count = matched.iter().filter(|matched| *matched == index).count();
            match self.engine.rule(*index) {
                Some(Rule { correlation: Some(_), .. }) => self.title(*index),
                Some(_) | None => format!("{} matched {count}", self.title(*index)),
            }
        });
        format!("of the rules it reads, {}", told.collect::<Vec<_>>().join(", "))
    }

    fn title(&self, index: RuleIndex) -> String {
        self.engine.rule(index).map_or_else(String::new, |rule| format!("`{}`", rule.title))
    }

    fn explain(&self, rule: RuleIndex, event: &Recorded) -> Option<Explanation> {
        let explainer = Explainer {
            set: self.engine.set(),
            sources: self.sources,
            taxonomy: &Fields,
            placeholders: self.placeholders,
        };
        explainer.explain(rule, event)
    }
}

impl Promise {
    fn file(self) -> &'static str {
        match self {
            Self::Match => "match.jsonl",
            Self::Miss => "miss.jsonl",
        }
    }
}

fn does(explanation: Option<&Explanation>, promise: Promise) -> &'static str {
    match (promise, explanation.map(|explanation| (explanation.truth, explanation.verdict()))) {
        (Promise::Miss, _) => "does",
        (Promise::Match, Some((Truth::True, Truth::False))) => "is kept back by a filter",
        (Promise::Match, Some((_, Truth::Unknown))) => "cannot be decided",
        (Promise::Match, Some(_) | None) => "does not",
    }
}

/// The line of the event with which it came true.
fn last_line(correlated: &Correlated<usize>) -> Option<usize> {
    correlated.steps.last().map(|step| step.event)
}

/// The events of a file; lines that are none, and a file without any, are faults.
fn read(recording: &Source, faults: &mut Vec<Fault>) -> Vec<Line> {
    let mut lines = Vec::new();
    let file = || recording.name.to_string();
    let before = faults.len();
    for (number, text) in (1..).zip(recording.text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        match Recorded::parse(text) {
            Ok(event) => lines.push(Line { number, event }),
            Err(error) => {
                faults.push(Fault {
                    file: file(),
                    line: Some(number),
                    message: error.to_string(),
                    explanation: None,
                    rule: None,
                });
            }
        }
    }
    if lines.is_empty() && faults.len() == before {
        faults.push(Fault {
            file: file(),
            line: None,
            message: "there is no event in it".to_owned(),
            explanation: None,
            rule: None,
        });
    }
    lines
}
