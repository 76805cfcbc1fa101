//! Random correlations over random streams of matches: late ones, pending ones, floods, ends, other rule sets.
//! What comes true is not known; that all bounds hold is, and that what is told makes sense.

use std::fmt::Write;

use arbitrary::{Result, Unstructured};
use sigma::{
    Correlator, Engine, FieldId, Joined, Lifetime, Matches, Owner, Presence, RuleIndex, RuleSet, Source,
};

use super::clock::Clock;
use super::grammar::rare;
use super::host::{Cell, Host, Owned, Written, placeholders};

/// What is fed to the correlations of a case, beside floods.
const DEEDS_MAX: usize = 48;
/// Matches of a flood: more than one group may keep.
const FLOOD_MAX: usize = 9_000;
/// The engine's own bounds (`correlation/limit.rs`): groups, entries, steps of a group.
const GROUPS_MAX: usize = 16_384;
const ENTRIES_MAX: usize = 131_072;
const STEPS_MAX: usize = 8;

const SECOND: i64 = 1_000_000_000;
/// From one record to the next, nanoseconds.
const PACES: [i64; 14] = [
    SECOND,
    0,
    1,
    1_000_000,
    5 * SECOND,
    -1,
    -SECOND,
    -14 * SECOND,
    -16 * SECOND,
    59 * SECOND,
    3_600 * SECOND,
    -3_600 * SECOND,
    100_000 * SECOND,
    i64::MAX,
];
const KINDS: [&str; 7] = [
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
];
const FIELDS: [&str; 5] = ["User", "ProcessId", "ContainerId", "DestinationPort", "CommandLine"];
const RULES: &str = "\
title: A\nname: a\nlogsource: {category: process_creation}\ndetection: {s: {Image: a}, condition: s}\n---
title: B\nname: b\nlogsource: {category: process_creation}\ndetection: {s: {Image: b}, condition: s}\n---
title: C\nname: c\nlogsource: {category: process_creation}\ndetection: {s: {CommandLine|contains: a}, condition: s}
";

/// What a case came to, so that a test can tell that something was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub sets: usize,
    pub refused: usize,
    pub fed: usize,
    pub told: usize,
    pub open: usize,
}

impl Seen {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            sets: self.sets + other.sets,
            refused: self.refused + other.refused,
            fed: self.fed + other.fed,
            told: self.told + other.told,
            open: self.open + other.open,
        }
    }
}

/// # Panics
/// Where the engine breaks a promise.
pub fn check(data: &[u8], clock: Clock) -> Seen {
    let mut seen = Seen::default();
    _ = case(&mut Unstructured::new(data), clock, &mut seen);
    seen
}

fn case(u: &mut Unstructured<'_>, clock: Clock, seen: &mut Seen) -> Result<()> {
    let mut documents = RULES.to_owned();
    let mut names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    for number in 0..u.int_in_range(1..=3)? {
        let name = format!("n{number}");
        documents += &correlation(u, &name, &names)?;
        names.push(name);
    }
    let source = Source::new("case.yml", documents.as_str());
    let values = placeholders();
    let Ok(set) = clock.time("load", || RuleSet::load([source.clone()], &Host, &values)) else {
        seen.refused += 1;
        return Ok(());
    };
    seen.sets += 1;
    let mut stream = Stream {
        engine: Engine::new(set),
        correlator: Correlator::default(),
        clock,
        time: 1_000_000 * SECOND.unsigned_abs(),
        waiting: Vec::new(),
        seen,
    };
    for _ in 0..u.int_in_range(1..=DEEDS_MAX)? {
        stream.deed(u, &source)?;
        let stats = stream.correlator.stats();
        assert!(stats.groups <= GROUPS_MAX && stats.entries <= ENTRIES_MAX, "{stats:?}\n{documents}");
    }
    Ok(())
}

/// A correlation of some of the rules before it; mostly sound.
fn correlation(u: &mut Unstructured<'_>, name: &str, names: &[String]) -> Result<String> {
    let kind = *u.choose(&KINDS)?;
    let mut rules: Vec<&str> = Vec::new();
    for known in names {
        if rare(u, 3)? {
            rules.push(known);
        }
    }
    if rules.is_empty() {
        rules.extend(["a", "b"]);
    }
    let mut groups = Vec::new();
    for field in FIELDS {
        if rare(u, 4)? {
            groups.push(field);
        }
    }
    let timespan = u.choose(&["5s", "1s", "1m", "1h", "1d", "30d", "10m"])?;
    let field = u.choose(&FIELDS)?;
    let bounds = bounds(u)?;
    let condition = match kind {
        "event_count" => bounds,
        "temporal" | "temporal_ordered" if u.arbitrary()? => String::new(),
        "temporal" | "temporal_ordered" => bounds,
        "value_percentile" => {
            format!("field: {field}, percentile: {}, {bounds}", u.int_in_range(1..=100_u8)?)
        }
        _ => format!("field: {field}, {bounds}"),
    };
    let mut out = format!("---\ntitle: {name}\nname: {name}\ncorrelation:\n  type: {kind}\n");
    _ = writeln!(out, "  rules: [{}]\n  timespan: {timespan}", rules.join(", "));
    if !groups.is_empty() {
        _ = writeln!(out, "  group-by: [{}]", groups.join(", "));
    }
    if !condition.is_empty() {
        _ = writeln!(out, "  condition: {{{condition}}}");
    }
    if u.arbitrary()? {
        out += "  generate: true\n";
    }
    Ok(out)
}

fn bounds(u: &mut Unstructured<'_>) -> Result<String> {
    let limit = *u.choose(&[2, 1, 3, 5, 100, 0, 8_000, 1_000_000])?;
    Ok(match u.int_in_range(0..=7_u8)? {
        0..=2 => format!("gte: {limit}"),
        3 => format!("gt: {limit}"),
        4 => format!("lt: {limit}"),
        5 => format!("lte: {limit}"),
        6 => format!("eq: {limit}"),
        _ => format!("gte: 1, lt: {limit}"),
    })
}

struct Stream<'s> {
    engine: Engine,
    correlator: Correlator<u64>,
    clock: Clock,
    /// Of the last record, nanoseconds.
    time: u64,
    /// Records with correlations that wait for their values.
    waiting: Vec<(Written, Vec<RuleIndex>, Vec<RuleIndex>)>,
    seen: &'s mut Seen,
}

impl Stream<'_> {
    fn deed(&mut self, u: &mut Unstructured<'_>, source: &Source) -> Result<()> {
        match u.int_in_range(0..=127_u8)? {
            127 => self.flood(u)?,
            120..=126 => self.end(u)?,
            117..=119 => self.adopt(source),
            107..=116 => self.due(u)?,
            90..=106 => self.complete(u)?,
            _ => {
                self.advance(*u.choose(&PACES)?);
                let record = self.record(u)?;
                self.feed(&record);
            }
        }
        Ok(())
    }

    fn advance(&mut self, by: i64) {
        self.time = self.time.saturating_add_signed(by);
    }

    fn record(&self, u: &mut Unstructured<'_>) -> Result<Written> {
        let mut record = Written { source: 0, time: self.time, cells: Vec::new() };
        let text = |text: &str| vec![Owned::Text(text.to_owned())];
        let image = text(u.choose(&["a", "b", "a", "c"])?);
        record.cells.push(Cell { field: FieldId(0), presence: Presence::Present, values: image });
        let number = |u: &mut Unstructured<'_>| -> Result<_> {
            Ok(vec![Owned::Number(*u.choose(&[1, 2, 3, 0, -1, 1_000, i64::MAX, i64::MIN])?)])
        };
        let line = text(u.choose(&["a", "b", "ab", "7", "1.5"])?);
        let user = text(u.choose(&["x", "y", "z"])?);
        let all = [(1, line), (2, user), (3, number(u)?), (5, number(u)?), (6, number(u)?)];
        for (field, values) in all {
            let (presence, values) = match u.int_in_range(0..=9_u8)? {
                9 => (Presence::Pending, Vec::new()),
                8 => continue,
                _ => (Presence::Present, values),
            };
            record.cells.push(Cell { field: FieldId(field), presence, values });
        }
        Ok(record)
    }

    fn feed(&mut self, record: &Written) {
        let mut found = Matches::default();
        self.engine.evaluate(record, &mut found);
        if !Correlator::<u64>::wants(self.engine.set(), &found.matched) {
            return;
        }
        self.feed_only(record, &found.matched, None);
    }

    fn feed_only(&mut self, record: &Written, matched: &[RuleIndex], only: Option<&[RuleIndex]>) {
        self.seen.fed += 1;
        let mut joined = Joined::default();
        let Self { correlator, engine, clock, .. } = self;
        clock
            .once("feed", || correlator.feed(engine.set(), record, matched, only, &record.time, &mut joined));
        if !joined.open.is_empty() {
            self.seen.open += 1;
            self.waiting.push((record.clone(), matched.to_vec(), joined.open.clone()));
        }
        self.told(&joined);
    }

    /// A record that waited is known now, all of it.
    fn complete(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let Some((mut record, matched, open)) = self.waiting.pop() else { return Ok(()) };
        for cell in record.cells.iter_mut().filter(|cell| cell.presence == Presence::Pending) {
            cell.presence = Presence::Present;
            cell.values.push(Owned::Text(u.choose(&["x", "1", ""])?.to_string()));
        }
        self.feed_only(&record, &matched, Some(&open));
        assert!(!self.waiting.iter().any(|(known, ..)| !has_pending(known)), "open, and all of it is known");
        Ok(())
    }

    /// The same record many times, each a little later than the one before.
    fn flood(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let mut record = self.record(u)?;
        let count = u.int_in_range(1..=FLOOD_MAX)?;
        let pace = *u.choose(&[1_000_000, 0, 1, 50_000_000, SECOND])?;
        let varied = u.arbitrary::<bool>()?;
        let mut found = Matches::default();
        for number in 0..count {
            self.advance(pace);
            record.time = self.time;
            if varied && let Some(cell) = record.cells.iter_mut().find(|cell| cell.field == FieldId(5)) {
                cell.values = vec![Owned::Number(i64::try_from(number).unwrap_or_default())];
            }
            if number == 0 {
                self.engine.evaluate(&record, &mut found);
            }
            if !Correlator::<u64>::wants(self.engine.set(), &found.matched) {
                return Ok(());
            }
            self.feed_only(&record, &found.matched, None);
            self.waiting.truncate(DEEDS_MAX);
        }
        Ok(())
    }

    fn due(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let now = self.time.saturating_add_signed(*u.choose(&PACES)?);
        let mut joined = Joined::default();
        let Self { correlator, engine, clock, .. } = self;
        clock.once("due", || correlator.due(engine.set(), now, &mut joined));
        self.told(&joined);
        Ok(())
    }

    fn end(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let lifetime = if u.arbitrary()? { Lifetime::Process } else { Lifetime::Container };
        let owner = Owner { lifetime, number: u.int_in_range(0..=3)? };
        let Self { correlator, clock, .. } = self;
        clock.once("ended", || correlator.ended(owner));
        Ok(())
    }

    /// The same documents, read again: nothing may be lost.
    fn adopt(&mut self, source: &Source) {
        let Ok(set) = RuleSet::load([source.clone()], &Host, &placeholders()) else {
            panic!("it was understood before")
        };
        let before = self.correlator.stats();
        let Self { correlator, engine, clock, .. } = self;
        clock.once("adopt", || correlator.adopt(engine.set(), &set));
        self.engine = Engine::new(set);
        assert_eq!(before, self.correlator.stats(), "a set that is the same takes over all groups");
    }

    fn told(&mut self, joined: &Joined<u64>) {
        self.seen.told += joined.correlated.len();
        for told in &joined.correlated {
            let rule = self.engine.rule(told.rule).and_then(|rule| rule.correlation.as_ref());
            let Some(correlation) = rule else { panic!("no correlation: {told:?}") };
            assert!(told.first <= told.last && told.value.is_finite(), "{told:?}");
            assert!(told.last - told.first <= correlation.timespan, "{told:?} {correlation:?}");
            assert!(told.matches > 0 && told.steps.len() <= STEPS_MAX, "{told:?}");
            assert!(told.steps.is_sorted_by_key(|step| step.time), "{told:?}");
            let within = |time: u64| (told.first..=told.last).contains(&time);
            assert!(told.steps.iter().all(|step| within(step.time)), "{told:?}");
        }
    }
}

fn has_pending(record: &Written) -> bool {
    record.cells.iter().any(|cell| cell.presence == Presence::Pending)
}
