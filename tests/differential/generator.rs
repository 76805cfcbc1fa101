//! Small rules over everything a detection may hold: modifiers, kinds of values, conditions.

use serde_json::{Map, Value, json};

use crate::host::ADDRESSES;
use crate::random::Random;
use crate::rule::Rule;

const TEXT_FIELDS: [&str; 5] = ["Image", "CommandLine", "ParentImage", "TargetFilename", "User"];
const NUMBER_FIELDS: [&str; 2] = ["DestinationPort", "ProcessId"];
const ADDRESS_FIELDS: [&str; 2] = ["DestinationIp", "SourceIp"];

/// What texts are put together from: letters that change case, quotes, signs that mean something to a pattern in
/// one language or another, letters beyond ASCII, white space.
pub(crate) const ATOMS: [&str; 40] = [
    "curl",
    "Wget",
    "/tmp/",
    "/usr/bin/",
    " -o ",
    " --post-file ",
    "http://",
    "x",
    "A",
    "ab",
    "aab",
    ".sh",
    "100%",
    "a_b",
    "[a]",
    "$(id)",
    "'",
    "\"",
    "`",
    ";",
    "|",
    "^",
    "{1}",
    "\\n",
    "\\x",
    "ä",
    "É",
    "日本",
    "–",
    "\n",
    "\t",
    " ",
    "0",
    "=",
    "+x",
    "-",
    "/",
    "(",
    "root",
    ".",
];

/// Chains of modifiers that compare text.
const TEXT_CHAINS: [&str; 17] = [
    "",
    "",
    "",
    "|contains",
    "|contains",
    "|startswith",
    "|endswith",
    "|contains|all",
    "|startswith|all",
    "|cased",
    "|contains|cased",
    "|startswith|cased",
    "|endswith|cased",
    "|neq",
    "|contains|neq",
    "|windash|contains",
    "|contains|all|windash",
];

const ENCODED_CHAINS: [&str; 6] = [
    "|base64",
    "|base64offset|contains",
    "|wide|base64offset|contains",
    "|utf16le|base64|contains",
    "|utf16be|base64offset|contains",
    "|utf16|base64offset|contains",
];

/// Regular expressions of the dialect that the specification allows, with texts that match or nearly do.
pub(crate) const EXPRESSIONS: [(&str, [&str; 3]); 12] = [
    ("curl", ["/usr/bin/curl", "CURL", "cur"]),
    ("^/tmp/[a-z]+$", ["/tmp/abc", "/tmp/a1", "x/tmp/abc"]),
    ("a{2,3}b", ["aab", "aaab", "ab"]),
    ("(wget|curl) .*http", ["curl -s http://a", "wget\nhttp", "wget http"]),
    ("^ab", ["abc", "x\nabc", "Abc"]),
    ("sh$", ["a.sh", "a.sh\nx", "a.sh\n"]),
    ("a.c", ["abc", "a\nc", "ac"]),
    (r"\.sh", ["x.sh", "xsh", ".sh "]),
    ("[^a-z]x", ["1x", "ax", "Ax"]),
    ("a?b+", ["bb", "ab", "a"]),
    (r"\$\(id\)", ["$(id)", "$id", "echo $(id);"]),
    ("é", ["É", "é", "e"]),
];

const EXPRESSION_CHAINS: [&str; 6] = ["|re", "|re", "|re|i", "|re|s", "|re|m", "|re|i|s"];

const NETWORKS: [&str; 7] = [
    "10.0.0.0/8",
    "192.168.1.0/24",
    "172.16.0.0/12",
    "127.0.0.1/32",
    "0.0.0.0/0",
    "fe80::/10",
    "2001:db8::/32",
];

const NUMBERS: [i64; 9] = [0, 1, 22, 80, 443, 1024, 4444, 65535, -1];

const SELECTIONS: [&str; 7] =
    ["selection", "selection_a", "selection_b", "filter", "filter_x", "other", "_hidden"];

/// `count` rules, the same for the same seed.
pub(crate) fn rules(count: usize, seed: u64) -> Vec<Rule> {
    let mut random = Random::new(seed);
    (0..count).map(|number| Rule::made(number, &detection(&mut random))).collect()
}

fn detection(random: &mut Random) -> Value {
    let mut names = Vec::new();
    for _ in 0..1 + random.below(4) {
        let name = random.pick(&SELECTIONS);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut detection = Map::new();
    for name in &names {
        let selection = if random.percent(80) {
            map(random)
        } else {
            Value::Array((0..1 + random.below(3)).map(|_| map(random)).collect())
        };
        detection.insert((*name).to_owned(), selection);
    }
    detection.insert("condition".to_owned(), Value::String(condition(&names, random)));
    Value::Object(detection)
}

fn map(random: &mut Random) -> Value {
    let count = 1 + random.below(3) / 2 + random.below(5) / 4;
    Value::Object((0..count).map(|_| item(random)).collect())
}

/// Some expression, in which each search identifier has its place: one that has none is a mistake.
fn condition(names: &[&str], random: &mut Random) -> String {
    let mut used = Vec::new();
    let mut text = expression(names, random, 3, &mut used);
    for name in names.iter().filter(|name| !used.contains(*name)) {
        text = match random.below(4) {
            0 => format!("{text} or {name}"),
            1 => format!("({text}) and {name}"),
            2 => format!("{name} and not ({text})"),
            _ => format!("{name} or {text}"),
        };
    }
    text
}

fn expression<'n>(names: &[&'n str], random: &mut Random, depth: usize, used: &mut Vec<&'n str>) -> String {
    let choice = if depth == 0 { 0 } else { random.below(10) };
    match choice {
        0..=3 => leaf(names, random, used),
        4 | 5 => {
            let left = expression(names, random, depth - 1, used);
            format!("{left} and {}", expression(names, random, depth - 1, used))
        }
        6 | 7 => {
            let left = expression(names, random, depth - 1, used);
            format!("{left} or {}", expression(names, random, depth - 1, used))
        }
        8 => format!("({})", expression(names, random, depth - 1, used)),
        _ => format!("not {}", leaf(names, random, used)),
    }
}

fn leaf<'n>(names: &[&'n str], random: &mut Random, used: &mut Vec<&'n str>) -> String {
    let pattern = random.pick(&["selection*", "filter*", "*_?", "them", "them"]).replace('?', "a");
    let meant: Vec<&str> = match pattern.as_str() {
        "them" => names.iter().filter(|name| !name.starts_with('_')).copied().collect(),
        "*_a" => names.iter().filter(|name| name.ends_with("_a")).copied().collect(),
        starts => {
            names.iter().filter(|name| name.starts_with(starts.trim_end_matches('*'))).copied().collect()
        }
    };
    if meant.is_empty() || random.percent(60) {
        let name = random.pick(names);
        used.push(name);
        return name.to_owned();
    }
    used.extend(meant);
    format!("{} of {pattern}", random.pick(&["1", "all"]))
}

fn item(random: &mut Random) -> (String, Value) {
    let field = random.pick(&TEXT_FIELDS);
    match random.below(100) {
        0..=49 => {
            let chain = random.pick(&TEXT_CHAINS);
            (format!("{field}{chain}"), values(random, chain.contains("all"), |random| text(random).into()))
        }
        50..=57 => {
            let chain = random.pick(&ENCODED_CHAINS);
            (format!("{field}{chain}"), values(random, false, |random| plain(random).into()))
        }
        58..=67 => {
            let chain = random.pick(&EXPRESSION_CHAINS);
            let expression = |random: &mut Random| EXPRESSIONS[random.below(EXPRESSIONS.len())].0.into();
            (format!("{field}{chain}"), values(random, false, expression))
        }
        68..=73 => {
            (random.pick(&NUMBER_FIELDS).to_owned(), values(random, false, |random| number(random).into()))
        }
        74..=79 => {
            let chain = random.pick(&["|gt", "|gte", "|lt", "|lte"]);
            (format!("{}{chain}", random.pick(&NUMBER_FIELDS)), number(random).into())
        }
        80..=85 => {
            let network = |random: &mut Random| random.pick(&NETWORKS).into();
            (format!("{}|cidr", random.pick(&ADDRESS_FIELDS)), values(random, false, network))
        }
        86..=88 => {
            let address = |random: &mut Random| random.pick(&ADDRESSES).into();
            (random.pick(&ADDRESS_FIELDS).to_owned(), values(random, false, address))
        }
        89..=91 => (format!("{field}|exists"), random.percent(50).into()),
        92 | 93 => (field.to_owned(), Value::Null),
        94 | 95 => (field.to_owned(), "".into()),
        _ => {
            let chain = random.pick(&["", "", "|contains", "|startswith", "|endswith"]);
            (format!("{field}|fieldref{chain}"), random.pick(&TEXT_FIELDS).into())
        }
    }
}

fn number(random: &mut Random) -> i64 {
    NUMBERS[random.below(NUMBERS.len())]
}

/// One value or a list of them; `all` asks for several.
fn values(random: &mut Random, all: bool, mut value: impl FnMut(&mut Random) -> Value) -> Value {
    if !all && random.percent(60) {
        return value(random);
    }
    let count = if all { 2 } else { 1 } + random.below(3);
    json!((0..count).map(|_| value(random)).collect::<Vec<_>>())
}

/// A text with wildcards and escapes of them.
fn text(random: &mut Random) -> String {
    let mut text = String::new();
    for part in 0..1 + random.below(3) {
        if part > 0 || random.percent(20) {
            text.push_str(
                random.pick(&["", "", "", "*", "*", "?", r"\*", r"\?", r"\\", r"\\*", r"\\\*", "**"]),
            );
        }
        text.push_str(random.pick(&ATOMS));
    }
    if random.percent(15) {
        text.push_str(random.pick(&["*", "?", r"\*", r"\\", r"\"]));
    }
    text
}

/// A text long enough to be found encoded, without wildcards.
fn plain(random: &mut Random) -> String {
    let mut text = String::new();
    while text.len() < 4 {
        text.push_str(random.pick(&ATOMS));
    }
    text
}
