//! Random streams against a slow, obvious evaluator: it keeps every match and computes everything anew.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Bench, SECOND, correlation, rules};

const TOLERANCE: u64 = 15 * SECOND;
const TIMESPAN: u64 = 7 * SECOND;
/// Type, condition, and whether it is decided at once.
const CONDITIONS: [(&str, &str, bool); 22] = [
    ("event_count", "{gte: 3}", true),
    ("event_count", "{gt: 4}", true),
    ("event_count", "{lt: 4}", false),
    ("event_count", "{eq: 2}", false),
    ("event_count", "{neq: 3}", false),
    ("event_count", "{gte: 2, lte: 3}", false),
    ("value_count", "{field: User, gte: 3}", true),
    ("value_count", "{field: [User, BytesSent], gt: 3}", true),
    ("value_count", "{field: User, lte: 2}", false),
    ("value_sum", "{field: BytesSent, gt: 15}", true),
    ("value_sum", "{field: BytesSent, gte: 9, gt: 3}", true),
    ("value_sum", "{field: BytesSent, lt: 5}", false),
    ("value_avg", "{field: BytesSent, gt: 4.5}", false),
    ("value_avg", "{field: BytesSent, lte: 3}", false),
    ("value_percentile", "{field: BytesSent, gt: 4}", false),
    ("value_percentile", "{field: BytesSent, percentile: 90, lt: 8}", false),
    ("temporal", "", true),
    ("temporal", "{gte: 2}", true),
    ("temporal", "{eq: 1}", false),
    ("temporal_ordered", "", true),
    ("temporal_ordered", "{gt: 1}", true),
    ("temporal_ordered", "{lt: 3}", false),
];

/// What happens on a host.
#[derive(Clone, Debug)]
enum Deed {
    Match(Match),
    /// The host tells the time: so much after the newest match.
    Due(u64),
    Exit(u64),
}

#[derive(Clone, Debug)]
struct Match {
    time: u64,
    member: usize,
    owner: u64,
    user: u64,
    bytes: Option<i64>,
}

impl Match {
    fn line(&self) -> String {
        let bytes = self.bytes.map_or(String::new(), |bytes| format!(" BytesSent=#{bytes}"));
        let (seconds, rest) = (self.time / SECOND, self.time % SECOND);
        let image = ["a", "b", "c"][self.member];
        format!("{seconds}s+{rest} {image} ProcessId=#4/{} User=u{}{bytes}", self.owner, self.user)
    }
}

/// Value, first, last, matches and repeats of what is told.
type Told = (String, u64, u64, u64, u64);

#[derive(Default)]
struct Group {
    matches: Vec<Match>,
    quiet: Option<u64>,
    repeats: u64,
}

/// The evaluator.
struct Slow {
    kind: &'static str,
    condition: &'static str,
    at_once: bool,
    groups: BTreeMap<u64, Group>,
    newest: u64,
    clock: u64,
    late: u64,
    told: Vec<Told>,
}

impl Slow {
    fn holds(&self, value: f64) -> bool {
        if self.condition.is_empty() {
            return value >= 3.0;
        }
        self.condition.trim_matches(['{', '}']).split(", ").all(|part| {
            let Some((operator, limit)) = part.split_once(": ") else { return true };
            let Ok(limit) = limit.parse::<f64>() else { return true };
            match operator {
                "gte" => value >= limit,
                "gt" => value > limit,
                "lte" => value <= limit,
                "lt" => value < limit,
                "eq" => (value - limit).abs() < 1e-9,
                "neq" => (value - limit).abs() > 1e-9,
                _ => true,
            }
        })
    }

    fn value(&self, window: &[&Match]) -> f64 {
        let mut bytes: Vec<i64> = window.iter().filter_map(|found| found.bytes).collect();
        bytes.sort_unstable();
        let sum = bytes.iter().sum::<i64>() as f64;
        let unique = |mut keys: Vec<(u64, Option<i64>)>| {
            keys.sort_unstable();
            keys.dedup();
            keys.len() as f64
        };
        match self.kind {
            "event_count" => window.len() as f64,
            "value_count" if self.condition.contains('[') => {
                unique(window.iter().map(|found| (found.user, found.bytes)).collect())
            }
            "value_count" => unique(window.iter().map(|found| (found.user, None)).collect()),
            "value_sum" => sum,
            "value_avg" => sum / bytes.len() as f64,
            "value_percentile" => {
                let percentile = if self.condition.contains("90") { 90 } else { 50 };
                // The first of which enough are not greater.
                let enough = |bound: &&i64| {
                    bytes.iter().filter(|other| other <= bound).count() * 100 >= percentile * bytes.len()
                };
                *bytes.iter().find(enough).unwrap() as f64
            }
            "temporal" => unique(window.iter().map(|found| (found.member as u64, None)).collect()),
            _ => {
                let mut lengths: Vec<usize> = Vec::new();
                for found in window {
                    let before = window
                        .iter()
                        .zip(&lengths)
                        .filter(|(earlier, _)| earlier.time < found.time && earlier.member < found.member);
                    lengths.push(1 + before.map(|(_, length)| *length).max().unwrap_or(0));
                }
                *lengths.iter().max().unwrap() as f64
            }
        }
    }

    /// Tells of the window from `from` to `to` if it fulfils the condition.
    fn ask(&mut self, owner: u64, from: u64, to: u64) -> bool {
        let group = &self.groups[&owner];
        let mut window: Vec<&Match> =
            group.matches.iter().filter(|found| (from..=to).contains(&found.time)).collect();
        window.sort_by_key(|found| found.time);
        let value = self.value(&window);
        let told = (
            format!("{value:.6}"),
            window[0].time,
            window[window.len() - 1].time,
            window.len() as u64,
            group.repeats,
        );
        let holds = self.holds(value);
        if holds {
            self.told.push(told);
        }
        holds
    }

    fn join(&mut self, found: &Match) {
        self.newest = self.newest.max(found.time);
        let newest = if self.at_once { self.newest } else { self.newest.max(self.clock) };
        if found.time + TOLERANCE < newest {
            self.late += 1;
            return;
        }
        if self.condition.contains("BytesSent") && found.bytes.is_none() {
            return;
        }
        let temporal = self.kind.starts_with("temporal");
        let group = self.groups.entry(found.owner).or_default();
        if group.quiet.is_some_and(|quiet| found.time <= quiet) {
            group.repeats += 1;
            return;
        }
        let same = |known: &Match| known.time == found.time && (known.member == found.member) == temporal;
        if group.matches.iter().any(same) {
            return;
        }
        group.matches.push(found.clone());
        if !self.at_once {
            return;
        }
        let mut ends: Vec<u64> = group.matches.iter().map(|known| known.time).collect();
        ends.retain(|end| (found.time..=found.time + TIMESPAN).contains(end));
        ends.sort_unstable();
        for end in ends {
            if self.ask(found.owner, end.saturating_sub(TIMESPAN), end) {
                let group = self.groups.entry(found.owner).or_default();
                group.quiet = Some(end + TIMESPAN);
                let quiet = |known: &&Match| known.time > end && known.time <= end + TIMESPAN;
                group.repeats = group.matches.iter().filter(quiet).count() as u64;
                group.matches.retain(|known| known.time > end + TIMESPAN);
                return;
            }
        }
    }

    fn due(&mut self, now: u64) {
        self.clock = self.clock.max(now);
        if self.at_once {
            return;
        }
        for owner in self.groups.keys().copied().collect::<Vec<_>>() {
            while let Some(first) = self.groups[&owner].matches.iter().map(|known| known.time).min() {
                if first + TIMESPAN + TOLERANCE >= now {
                    break;
                }
                self.ask(owner, first, first + TIMESPAN);
                let group = self.groups.entry(owner).or_default();
                group.matches.retain(|known| known.time > first + TIMESPAN);
            }
        }
    }
}

/// Times go forward by up to three seconds, most of them whole; each match comes up to twenty seconds late.
fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let step = prop_oneof![4 => Just(0), 4 => Just(SECOND), 1 => Just(3 * SECOND), 1 => 0..SECOND];
    let delay = prop_oneof![6 => Just(0), 3 => 0..4_u64, 1 => 0..20_u64];
    let bytes = prop_oneof![1 => Just(None), 9 => (-2..10_i64).prop_map(Some)];
    let found = (step, delay, 0..3_usize, 1..3_u64, 0..4_u64, bytes);
    let deed = prop_oneof![
        20 => found.prop_map(|(step, delay, member, owner, user, bytes)| {
            (Deed::Match(Match { time: step, member, owner, user, bytes }), delay * SECOND)
        }),
        3 => (0..25 * SECOND).prop_map(|ahead| (Deed::Due(ahead), 0)),
        1 => (1..3_u64).prop_map(|owner| (Deed::Exit(owner), 0)),
    ];
    proptest::collection::vec(deed, 1..120).prop_map(|deeds| {
        let mut now = 40 * SECOND;
        let happen = deeds.into_iter().map(|(mut deed, delay)| {
            if let Deed::Match(found) = &mut deed {
                now += found.time;
                found.time = now;
            }
            (now + delay, deed)
        });
        // In order of arrival.
        let mut arrive: Vec<(u64, Deed)> = happen.collect();
        arrive.sort_by_key(|(arrival, _)| *arrival);
        arrive.into_iter().map(|(_, deed)| deed).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn the_correlator_agrees_with_the_obvious_evaluator(
        deeds in deeds(),
        (kind, condition, at_once) in proptest::sample::select(CONDITIONS.to_vec()),
    ) {
        let condition_line = if condition.is_empty() { String::new() } else { format!("\ncondition: {condition}") };
        let lines = format!("type: {kind}\nrules: [a, b, c]\ngroup-by: [ProcessId]\ntimespan: 7s{condition_line}");
        let mut bench = Bench::new(&(rules(&["a", "b", "c"]) + &correlation("x", &lines)));
        let mut slow = Slow {
            kind, condition, at_once,
            groups: BTreeMap::new(), newest: 0, clock: 0, late: 0, told: Vec::new(),
        };
        for deed in &deeds {
            match deed {
                Deed::Match(found) => {
                    slow.join(found);
                    bench.feed(&found.line());
                }
                Deed::Due(ahead) => {
                    let now = slow.newest.saturating_sub(5 * SECOND) + ahead;
                    slow.due(now);
                    bench.feed(&format!("due {}s+{}", now / SECOND, now % SECOND));
                }
                Deed::Exit(owner) => {
                    slow.groups.remove(owner);
                    bench.feed(&format!("exit {owner}"));
                }
            }
            // One deed may tell of several groups; in which order is not said.
            let mut told: Vec<Told> = bench
                .told
                .drain(..)
                .map(|told| (format!("{:.6}", told.value), told.first, told.last, told.matches, told.repeats))
                .collect();
            told.sort();
            slow.told.sort();
            prop_assert_eq!(&told, &slow.told, "{} {}: {:?}", kind, condition, deed);
            slow.told.clear();
        }
        prop_assert_eq!(bench.stats().late, slow.late);
    }
}
