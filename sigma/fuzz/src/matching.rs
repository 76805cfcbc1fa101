//! Random rules over random records. The right answer is not known; that answers must agree is.
//!
//! - A rule and its opposite: what is true of one is false of the other, and unknown stays unknown. One
//!   has a witness, mostly, and the other has none.
//! - A rule alone and among others: other rules change nothing.
//! - A record now and later: what was decided while fields were pending stays decided.

use arbitrary::Unstructured;
use sigma::{Engine, Matches, RuleIndex, RuleSet, Source, Truth};

use super::clock::Clock;
use super::grammar::{Rule, completed, rare, record};
use super::host::{Host, Written, placeholders};

/// Rules of a case.
const RULES_MAX: usize = 3;
const RECORDS_MAX: usize = 4;
/// Others that a rule is loaded among, in one case of many.
const CROWD: usize = 50;

/// Answers of a case, so that a test can tell that something was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub rules: usize,
    pub refused: usize,
    pub yes: usize,
    pub no: usize,
    pub unknown: usize,
}

impl Seen {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rules: self.rules + other.rules,
            refused: self.refused + other.refused,
            yes: self.yes + other.yes,
            no: self.no + other.no,
            unknown: self.unknown + other.unknown,
        }
    }

    fn count(&mut self, answers: &[Truth]) {
        let of = |wanted| answers.iter().filter(|truth| **truth == wanted).count();
        self.yes += of(Truth::True);
        self.no += of(Truth::False);
        self.unknown += of(Truth::Unknown);
    }
}

/// # Panics
/// Where the engine breaks a promise.
pub fn check(data: &[u8], clock: Clock) -> Seen {
    let mut seen = Seen::default();
    // A case that ends too early asks less.
    _ = case(&mut Unstructured::new(data), clock, &mut seen);
    seen
}

fn case(u: &mut Unstructured<'_>, clock: Clock, seen: &mut Seen) -> arbitrary::Result<()> {
    let count = if rare(u, 64)? { CROWD } else { u.int_in_range(1..=RULES_MAX)? };
    let mut documents = Vec::new();
    let mut alone = Vec::new();
    for _ in 0..count {
        let rule = Rule::arbitrary(u)?;
        match load(&[rule.document()], clock) {
            Some(engine) => {
                documents.extend([rule.document(), rule.opposite()]);
                alone.push((rule.source, engine));
            }
            None => seen.refused += 1,
        }
    }
    seen.rules += alone.len();
    if alone.is_empty() {
        return Ok(());
    }
    let Some(mut together) = load(&documents, clock) else {
        panic!("each was understood alone, all of them are not: {documents:#?}")
    };
    for _ in 0..u.int_in_range(1..=RECORDS_MAX)? {
        let now = record(u)?;
        let told = || format!("{}\n{now:?}", documents.concat());
        let answers = ask(&mut together, &now, clock);
        for (pair, (source, engine)) in answers.chunks(2).zip(&mut alone) {
            let lone = ask(engine, &now, clock);
            assert_eq!(pair[..1], lone, "among others it answers otherwise: {}", told());
            if usize::from(now.source) == *source {
                assert_eq!(pair[1], lone[0].negated(), "the opposite of: {}", told());
            }
        }
        assert_eq!(answers, ask(&mut together, &now, clock), "asked again: {}", told());
        let later = completed(u, &now)?;
        for (before, after) in answers.iter().zip(ask(&mut together, &later, clock)) {
            assert_ne!(after, Truth::Unknown, "nothing is pending in {later:?}: {}", told());
            assert!(*before == Truth::Unknown || *before == after, "{}\nlater {later:?}", told());
        }
        seen.count(&answers);
    }
    Ok(())
}

fn load(documents: &[String], clock: Clock) -> Option<Engine> {
    let sources: Vec<_> = documents.iter().map(|text| Source::new("case.yml", text.as_str())).collect();
    let values = placeholders();
    let loaded = clock.time("load", || RuleSet::load(sources.iter().cloned(), &Host, &values));
    loaded.ok().map(Engine::new)
}

/// What each rule makes of the record, in order of loading. Of another log source: nothing, which is false.
fn ask(engine: &mut Engine, record: &Written, clock: Clock) -> Vec<Truth> {
    let mut found = Matches::default();
    clock.time("evaluate", || engine.evaluate(record, &mut found));
    let mut answers = vec![Truth::False; engine.rules().len()];
    let mut put = |rules: &[RuleIndex], truth| {
        for rule in rules {
            assert_eq!(answers[rule.0 as usize], Truth::False, "told twice: {rule:?}");
            answers[rule.0 as usize] = truth;
        }
    };
    put(&found.matched, Truth::True);
    put(&found.pending, Truth::Unknown);
    answers
}
