//! Tests of correlations, and the small host program they use: its events are lines of text.
//!
//! `5s+1 read User=x ProcessId=#4/77` is an event five seconds and a nanosecond after the start whose `Image`
//! is `read`; a number has `#`, an address `@`, a value that is not known yet is written `User~`, and `/77`
//! is the host's number of the process or container that the event, and so the value, belongs to. `due 9s`
//! tells the time, `exit 77` and `gone 9` end a process and a container.

mod scenario;
mod kind;
mod chain;
mod state;
mod diagnostic;
mod reference;
mod flood;

use crate::{
    Correlated, Correlator, Diagnostic, Engine, FieldId, Joined, Lifetime, LogSource, LogSourceId, Matches,
    Owner, Placeholders, Presence, Record, RuleIndex, RuleSet, Source, Stats, Taxonomy, Value,
};

const FIELDS: [&str; 9] = [
    "Image",
    "User",
    "Account",
    "ProcessId",
    "ContainerId",
    "TargetFilename",
    "DestinationIp",
    "SourceIp",
    "BytesSent",
];

pub(super) const SECOND: u64 = 1_000_000_000;

/// Matches by `Image` alone; every log source is the same.
struct Host;

impl Taxonomy for Host {
    fn field(&self, name: &str) -> Option<FieldId> {
        (0..).zip(FIELDS).find(|(_, known)| *known == name).map(|(id, _)| FieldId(id))
    }

    fn field_names(&self) -> Vec<&'static str> {
        FIELDS.to_vec()
    }

    fn supports(&self, _: &LogSource) -> Option<LogSourceId> {
        Some(LogSourceId(0))
    }

    fn field_of(&self, _: &str, name: &str) -> Option<FieldId> {
        self.field(match name {
            "user.name" => "User",
            "destination.ip" => "DestinationIp",
            _ => return None,
        })
    }

    fn taxonomies(&self) -> &[&'static str] {
        &["ecs"]
    }

    fn lifetime(&self, field: FieldId) -> Lifetime {
        match FIELDS[usize::from(field.0)] {
            "ProcessId" => Lifetime::Process,
            "ContainerId" => Lifetime::Container,
            _ => Lifetime::Lasting,
        }
    }
}

/// An event, as its line says it.
#[derive(Clone, Debug, Default)]
struct Event {
    time: u64,
    /// Name and value as written; no value: not known yet.
    fields: Vec<(String, Option<String>)>,
    owners: Vec<Owner>,
}

fn time(written: &str) -> u64 {
    let (seconds, nanoseconds) = written.split_once("s+").unwrap_or((written.trim_end_matches('s'), "0"));
    seconds.parse::<u64>().unwrap() * SECOND + nanoseconds.parse::<u64>().unwrap()
}

impl Event {
    fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let mut event = Self { time: time(words.next().unwrap()), ..Self::default() };
        event.fields.push(("Image".to_owned(), words.next().map(str::to_owned)));
        for word in words {
            let Some((name, value)) = word.split_once('=') else {
                event.fields.push((word.trim_end_matches('~').to_owned(), None));
                continue;
            };
            let (value, number) = value.split_once('/').unwrap_or((value, ""));
            let lifetime = Host.lifetime(Host.field(name).unwrap());
            event.owners.extend(number.parse().ok().map(|number| Owner { lifetime, number }));
            event.fields.push((name.to_owned(), Some(value.to_owned())));
        }
        event
    }
}

impl Record for Event {
    fn log_source(&self) -> LogSourceId {
        LogSourceId(0)
    }

    fn time(&self) -> u64 {
        self.time
    }

    fn owner(&self, lifetime: Lifetime) -> Option<Owner> {
        self.owners.iter().copied().find(|owner| owner.lifetime == lifetime)
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        let mut presence = Presence::Absent;
        for (name, value) in &self.fields {
            if Host.field(name) != Some(field) {
                continue;
            }
            let Some(value) = value else { return Presence::Pending };
            presence = Presence::Present;
            match value.split_at_checked(1) {
                Some(("#", number)) => each(Value::Number(number.parse().unwrap())),
                Some(("@", address)) => each(Value::Ip(address.parse().unwrap())),
                _ => each(Value::Text(value)),
            }
        }
        presence
    }
}

/// Rules that match an `Image` of their name.
fn rules(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| {
            format!(
                "title: {name}\nname: {name}\nlogsource: {{category: any}}\n\
                 detection: {{s: {{Image: {name}}}, condition: s}}\n---\n"
            )
        })
        .collect()
}

/// A correlation of this name and these lines.
fn correlation(name: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("  {}\n", line.trim_end())).collect();
    format!("title: {name}\nname: {name}\ncorrelation:\n{lines}---\n")
}

fn load(text: &str) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::load([Source::new("test.yml", text)], &Host, &Placeholders::default())
}

/// An engine and its correlator, fed with lines.
struct Bench {
    engine: Engine,
    correlator: Correlator<String>,
    told: Vec<Correlated<String>>,
    /// Events that wait for a value, with the correlations that do.
    open: Vec<(String, Vec<RuleIndex>)>,
}

impl Bench {
    fn new(text: &str) -> Self {
        let set = load(text).unwrap_or_else(|refused| {
            let told: String = refused.iter().map(|diagnostic| diagnostic.render(false)).collect();
            panic!("{told}")
        });
        Self {
            engine: Engine::new(set),
            correlator: Correlator::default(),
            told: Vec::new(),
            open: Vec::new(),
        }
    }

    fn feed(&mut self, line: &str) {
        self.feed_only(line, None);
    }

    fn feed_only(&mut self, line: &str, only: Option<&[RuleIndex]>) {
        let mut joined = Joined::default();
        match line.split_once(' ') {
            Some(("due", at)) => self.correlator.due(self.engine.set(), time(at), &mut joined),
            Some(("exit", number)) => self.end(Lifetime::Process, number),
            Some(("gone", number)) => self.end(Lifetime::Container, number),
            _ => {
                let event = Event::parse(line);
                let mut found = Matches::default();
                self.engine.evaluate(&event, &mut found);
                let set = self.engine.set();
                let handle = line.to_owned();
                if Correlator::<String>::wants(set, &found.matched) {
                    self.correlator.feed(set, &event, &found.matched, only, &handle, &mut joined);
                }
            }
        }
        let set = self.engine.set();
        let reports = |told: &Correlated<String>| set.rule(told.rule).is_some_and(|rule| rule.reports);
        self.told.extend(joined.correlated.into_iter().filter(reports));
        if !joined.open.is_empty() {
            self.open.push((line.to_owned(), joined.open));
        }
    }

    fn end(&mut self, lifetime: Lifetime, number: &str) {
        self.correlator.ended(Owner { lifetime, number: number.parse().unwrap() });
    }

    fn stats(&self) -> Stats {
        self.correlator.stats()
    }
}

/// What a bench tells of these lines: the name of the rule, its value, and at which match.
fn told(text: &str, lines: &[&str]) -> Vec<String> {
    let mut bench = Bench::new(text);
    lines.iter().for_each(|line| bench.feed(line));
    let set = bench.engine.set();
    let one = |told: &Correlated<String>| {
        let title = set.rule(told.rule).unwrap().title.clone();
        format!("{title} {} at {}", told.value, shown(told.last))
    };
    bench.told.iter().map(one).collect()
}

fn shown(time: u64) -> String {
    match time % SECOND {
        0 => format!("{}s", time / SECOND),
        rest => format!("{}s+{rest}", time / SECOND),
    }
}
