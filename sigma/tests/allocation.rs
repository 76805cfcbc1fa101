//! Matching allocates nothing once it is warm, whatever the rules ask and whatever the records hold.

use allocation_counter::measure;
use sigma::{
    Engine, FieldId, Lifetime, LogSource, LogSourceId, Matches, Owner, Placeholders, Presence, Record,
    RuleSet, Source, Taxonomy, Value,
};

const FIELDS: [&str; 4] = ["Image", "CommandLine", "Ip", "Number"];

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
}

/// One of many records; odd ones have a pending field.
struct Numbered(usize, [String; 3]);

impl Record for Numbered {
    fn log_source(&self) -> LogSourceId {
        LogSourceId(0)
    }

    fn time(&self) -> u64 {
        0
    }

    fn owner(&self, _: Lifetime) -> Option<Owner> {
        None
    }

    fn visit(&self, field: FieldId, each: &mut dyn FnMut(Value<'_>)) -> Presence {
        let Self(number, [image, line, ip]) = self;
        match field.0 {
            0 => each(Value::Text(image)),
            1 => each(Value::Text(line)),
            2 => each(ip.parse().map_or(Value::Bool(true), Value::Ip)),
            3 => each(Value::Number(i64::try_from(*number).unwrap_or(0))),
            _ => return Presence::Absent,
        }
        if field.0 == 1 && number % 2 == 1 { Presence::Pending } else { Presence::Present }
    }
}

/// One rule for each kind of question, and filters before all of them.
const DETECTIONS: [&str; 18] = [
    "{Image|endswith: [/sh, /curl]}",
    "{Image|startswith: /usr/}",
    "{Image: ['', /bin/tool7, 127.0.0.1]}",
    "{CommandLine|contains: [a, -c, tmp, http://, ärger]}",
    "{CommandLine|contains|all: [a, e]}",
    "{CommandLine|contains|cased: [A, Sh, http]}",
    "{CommandLine: '*a?h*p://*'}",
    "{CommandLine|re: '(curl|wget)\\s+.*[0-9]+$'}",
    "{CommandLine|re|i: 'SH.*ÄRGER'}",
    "{Ip|cidr: [10.0.0.0/8, '2001:db8::/32']}",
    "{Ip: ['::1', 10.0.0.7, true]}",
    "{Number|gte: 500}",
    "{Number: [1, '*7*', 12]}",
    "{Number|exists: true, Ip|exists: true}",
    "{Image: null}",
    "{CommandLine|neq: x}",
    "{CommandLine|fieldref|contains: Image}",
    "{Image|fieldref|cased: Number, CommandLine|windash|contains: ' -c '}",
];

fn documents() -> String {
    let head = "logsource: {category: process_creation, product: linux}\n";
    let rules = DETECTIONS
        .iter()
        .map(|selection| format!("title: Rule\n{head}detection: {{s: {selection}, condition: s}}\n---\n"));
    let filter = format!(
        "title: F\n{head}filter: {{rules: any, s: {{Image|endswith: /filtered, CommandLine|re: x}}, condition: s}}\n"
    );
    rules.chain([filter]).collect()
}

fn record(number: usize) -> Numbered {
    let image = ["/usr/bin/curl", "/bin/sh", "/opt/filtered", "", "/opt/ÄRGER"][number % 5].to_owned();
    let tail = ["-c x", "http://example.org/7", "Ärger İ ß ſ", ""][number % 4];
    let line = format!("{image} {} {tail} {number}", "A".repeat(number % 300));
    let ip = if number.is_multiple_of(3) {
        format!("10.0.0.{}", number % 256)
    } else {
        format!("2001:db8::{number:x}")
    };
    Numbered(number, [image, line, ip])
}

#[test]
fn matching_allocates_nothing_once_warm() {
    thread_local!(static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    let clock = || NOW.replace(NOW.get() + 1);
    let set = RuleSet::load([Source::new("rules", documents())], &Host, &Placeholders::default());
    let mut engine = Engine::new(set.unwrap_or_else(|told| panic!("{told:?}"))).with_clock(clock);
    let records: Vec<Numbered> = (0..4_000).map(record).collect();
    let mut found = Matches::default();
    let (mut matched, mut pending, mut suppressed) = (0, 0, 0);
    let mut round = || {
        for record in &records {
            engine.evaluate(record, &mut found);
            matched += found.matched.len();
            pending += found.pending.len();
            suppressed += found.suppressed.len();
        }
    };
    // Warm: buffers have the size of the largest record, and lazily built regular expressions their states.
    round();
    let allocated = measure(&mut round);
    assert_eq!((allocated.count_total, allocated.bytes_total), (0, 0));
    assert!(matched > 10_000 && pending > 1_000 && suppressed > 100, "{matched} {pending} {suppressed}");
    let costs = engine.costs();
    let idle: Vec<&str> =
        DETECTIONS.iter().zip(costs).filter(|(_, cost)| cost.runs == 0).map(|(rule, _)| *rule).collect();
    assert!(idle.is_empty(), "never ran: {idle:?}");
}
