//! Random rules and records out of the bytes of a case: mostly sound, sometimes not.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbitrary::{Result, Unstructured};
use sigma::{FieldId, Presence};

use super::host::{Cell, FIELDS, Owned, SOURCES, Written};

/// Chains of modifiers that mean something; one case in sixteen makes up its own.
const CHAINS: [&str; 44] = [
    "",
    "",
    "",
    "contains",
    "contains",
    "startswith",
    "endswith",
    "cased",
    "contains|cased",
    "contains|all",
    "all",
    "neq",
    "contains|neq",
    "startswith|cased|neq",
    "windash",
    "windash|contains|all",
    "base64",
    "base64offset|contains",
    "wide|base64offset|contains",
    "utf16be|base64",
    "utf16|base64offset|contains",
    "re",
    "re|i",
    "re|i|m|s",
    "re|neq",
    "cidr",
    "cidr|neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "exists",
    "fieldref",
    "fieldref|neq",
    "fieldref|startswith",
    "fieldref|contains",
    "expand",
    "contains|expand",
    "minute",
    "hour|gte",
    "day",
    "week",
    "month",
    "year",
];
const MODIFIERS: [&str; 32] = [
    "all",
    "base64",
    "base64offset",
    "cased",
    "cidr",
    "contains",
    "day",
    "endswith",
    "exists",
    "expand",
    "fieldref",
    "gt",
    "gte",
    "hour",
    "i",
    "lt",
    "lte",
    "m",
    "minute",
    "month",
    "neq",
    "re",
    "s",
    "startswith",
    "utf16",
    "utf16be",
    "utf16le",
    "week",
    "wide",
    "windash",
    "year",
    "",
];
/// What values of rules and of records are put together from; few, so that they meet.
const TEXTS: [&str; 28] = [
    "a",
    "A",
    "b",
    "ab",
    "B",
    "ä",
    "Ä",
    "1",
    " ",
    "-",
    "/",
    "ß",
    "İ",
    "ſ",
    "K",
    "e\u{301}",
    "日本",
    "YQ==",
    "YWI",
    "YQBi",
    "10.0.0.1",
    "::1",
    "true",
    "0",
    "\u{0}",
    "\n",
    "22",
    "\u{10ffff}",
];
/// The same of rules only.
const WILD: [&str; 10] = ["*", "?", r"\*", r"\?", r"\\", r"\", "**", "a*b", "%name%", "%names%"];
/// The last one is unsound; so are the last two networks and numbers.
const REGEXES: [&str; 21] = [
    "a", "b", ".", "^", "$", "a*", "(a|b)", "[a-c]+", r"\d", "a{2,3}", "(?:ab)?", r"\.", "ä", r"\w+", r"\b",
    r"\s*", ".*", "[^a]", r"\p{L}", "a{0,40}", "(",
];
const NETS: [&str; 8] =
    ["10.0.0.0/8", "10.0.0.1", "::/0", "fe80::/10", "::1/128", "::ffff:0:0/96", "10.0.0.1/8", "a"];
const NUMBERS: [&str; 10] =
    ["0", "1", "22", "-1", "1.5", "9223372036854775807", "-9223372036854775808", "1e3", "0x10", "007"];

/// A detection: search identifiers, and a condition that uses every one of them.
#[derive(Clone, Debug)]
pub struct Rule {
    /// By its place among the log sources.
    pub source: usize,
    selections: String,
    condition: String,
}

impl Rule {
    pub fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let count = u.int_in_range(1..=4)?;
        let mut selections = String::new();
        let mut names = Vec::new();
        for number in 0..count {
            let name = format!("{}{number}", if number > 0 && rare(u, 3)? { "f" } else { "s" });
            _ = writeln!(selections, "  {name}:\n{}", selection(u)?);
            names.push(name);
        }
        let mut condition = String::new();
        for name in &names {
            let leaf = leaf(u, name)?;
            condition = if condition.is_empty() {
                leaf
            } else {
                let link = u.choose(&["and", "or", "and not", "or not"])?;
                let negated = if rare(u, 6)? { "not " } else { "" };
                format!("{negated}({condition}) {link} {leaf}")
            };
        }
        Ok(Self { source: u.choose_index(SOURCES.len())?, selections, condition })
    }

    pub fn document(&self) -> String {
        self.around(&self.condition)
    }

    /// The rule that is true where this one is false.
    pub fn opposite(&self) -> String {
        self.around(&format!("not ({})", self.condition))
    }

    fn around(&self, condition: &str) -> String {
        let (source, selections) = (SOURCES[self.source], &self.selections);
        format!(
            "title: T\nlogsource:\n  category: {source}\ndetection:\n{selections}  condition: {condition}\n"
        )
    }
}

/// Once in so many. Where the bytes of a case are used up, never: then everything is zero.
pub fn rare(u: &mut Unstructured<'_>, times: u32) -> Result<bool> {
    Ok(u.int_in_range(1..=times)? == times)
}

/// A search identifier in the condition, by name or by count.
fn leaf(u: &mut Unstructured<'_>, name: &str) -> Result<String> {
    Ok(match u.int_in_range(0..=9_u8)? {
        9 => format!("1 of {name}*"),
        8 => format!("all of {name}*"),
        7 => format!("({name} or all of s*)"),
        6 => format!("({name} and 1 of them)"),
        5 => format!("not {name}"),
        _ => name.to_owned(),
    })
}

/// A map, a list of maps, or keywords; four columns deep.
fn selection(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(match u.int_in_range(0..=11_u8)? {
        11 => (0..u.int_in_range(1..=3)?)
            .map(|_| Ok(format!("    - {}\n", scalar(u, &pattern_text)?)))
            .collect::<Result<_>>()?,
        10 => (0..u.int_in_range(1..=3)?)
            .map(|_| Ok(format!("    -\n{}", items(u, "      ")?)))
            .collect::<Result<_>>()?,
        _ => items(u, "    ")?,
    })
}

fn items(u: &mut Unstructured<'_>, indent: &str) -> Result<String> {
    let mut out = String::new();
    for number in 0..u.int_in_range(1..=3_usize)? {
        // Keys of a map are unique: each item has a field of its own.
        let field = FIELDS[(number * 3 + u.int_in_range(0..=2_usize)?).min(FIELDS.len() - 1)];
        let chain = chain(u)?;
        let bar = if chain.is_empty() { "" } else { "|" };
        _ = write!(out, "{indent}{field}{bar}{chain}:");
        let least = if chain.split('|').any(|name| name == "all") { 2 } else { 1 };
        let count = u.int_in_range(1..=3_usize)?.max(least);
        for _ in 0..count {
            let value = value(u, &chain)?;
            if count == 1 {
                _ = write!(out, " {value}");
            } else {
                _ = write!(out, "\n{indent}  - {value}");
            }
        }
        out.push('\n');
    }
    Ok(out)
}

fn chain(u: &mut Unstructured<'_>) -> Result<String> {
    if rare(u, 16)? {
        let names: Result<Vec<_>> = (0..u.int_in_range(1..=4)?).map(|_| Ok(*u.choose(&MODIFIERS)?)).collect();
        return Ok(names?.join("|"));
    }
    Ok((*u.choose(&CHAINS)?).to_owned())
}

/// A value that fits the chain.
fn value(u: &mut Unstructured<'_>, chain: &str) -> Result<String> {
    let first = chain.split('|').find(|name| *name != "neq" && *name != "all").unwrap_or_default();
    let plain = |u: &mut Unstructured<'_>, from: &[&str]| Ok(u.choose(from)?.to_string());
    // One value in thirty may be unsound.
    let unsound = rare(u, 30)?;
    match first {
        "re" if !unsound => scalar(u, &|u| joined(u, &REGEXES[..20], 4)),
        "cidr" if !unsound => scalar(u, &|u| plain(u, &NETS[..6])),
        "base64" | "base64offset" | "wide" | "utf16" | "utf16be" | "utf16le" if !unsound => {
            scalar(u, &|u| Ok(format!("a{}", joined(u, &TEXTS, 3)?)))
        }
        "gt" | "gte" | "lt" | "lte" if !unsound => plain(u, &NUMBERS[..7]),
        "minute" | "hour" | "day" | "week" | "month" | "year" if !unsound => plain(u, &NUMBERS[1..3]),
        "expand" if !unsound => plain(u, &["'%name%'", "'%names%'", "\"a%name%\""]),
        "re" => scalar(u, &|u| joined(u, &REGEXES, 4)),
        "cidr" => scalar(u, &|u| plain(u, &NETS)),
        "gt" | "gte" | "lt" | "lte" | "minute" | "hour" | "day" | "week" | "month" | "year" => {
            plain(u, &NUMBERS)
        }
        "exists" => plain(u, &["true", "false"]),
        "fieldref" => plain(u, &FIELDS),
        "" if rare(u, 8)? => plain(u, &["null", "1", "true", "''", "007", "~"]),
        _ => scalar(u, &pattern_text),
    }
}

fn pattern_text(u: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::new();
    for _ in 0..u.int_in_range(0..=4)? {
        text += if u.ratio(1, 3)? { u.choose(&WILD)? } else { u.choose(&TEXTS)? };
    }
    Ok(text)
}

fn joined(u: &mut Unstructured<'_>, parts: &[&str], most: usize) -> Result<String> {
    (0..u.int_in_range(0..=most)?).map(|_| Ok(*u.choose(parts)?)).collect()
}

/// Quoted, one way or the other.
fn scalar(
    u: &mut Unstructured<'_>,
    text: &dyn Fn(&mut Unstructured<'_>) -> Result<String>,
) -> Result<String> {
    let text = text(u)?;
    if u.ratio(1, 2)? && !text.chars().any(char::is_control) {
        return Ok(format!("'{}'", text.replace('\'', "''")));
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => _ = write!(out, "\\x{:02x}", u32::from(character)),
            _ => out.push(character),
        }
    }
    out.push('"');
    Ok(out)
}

/// A record: each field is there, missing, or not known to the end.
pub fn record(u: &mut Unstructured<'_>) -> Result<Written> {
    let mut written = Written { source: u.int_in_range(0..=1)?, time: u.arbitrary()?, cells: Vec::new() };
    for (id, _) in (0..).zip(FIELDS) {
        let presence = match u.int_in_range(0..=7_u8)? {
            0 | 1 => continue,
            2 => Presence::Pending,
            _ => Presence::Present,
        };
        let values = values(u)?;
        written.cells.push(Cell { field: FieldId(id), presence, values });
    }
    Ok(written)
}

/// What the record may turn out to be: pending fields get values, or turn out to lack them.
pub fn completed(u: &mut Unstructured<'_>, record: &Written) -> Result<Written> {
    let mut later = record.clone();
    for cell in later.cells.iter_mut().filter(|cell| cell.presence == Presence::Pending) {
        cell.values.extend(values(u)?);
        let absent = cell.values.is_empty() && u.ratio(1, 2)?;
        cell.presence = if absent { Presence::Absent } else { Presence::Present };
    }
    Ok(later)
}

fn values(u: &mut Unstructured<'_>) -> Result<Vec<Owned>> {
    let count = *u.choose(&[1, 1, 1, 1, 2, 3, 0])?;
    (0..count).map(|_| owned(u)).collect()
}

fn owned(u: &mut Unstructured<'_>) -> Result<Owned> {
    Ok(match u.int_in_range(0..=9_u8)? {
        0 => Owned::Number(*u.choose(&[0, 1, 22, -1, i64::MAX, i64::MIN])?),
        1 => Owned::Number(u.arbitrary()?),
        2 => Owned::Ip(*u.choose(&[
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()),
        ])?),
        3 => Owned::Bool(u.arbitrary()?),
        4 => Owned::Text(u.arbitrary::<&str>()?.chars().take(64).collect()),
        5 => Owned::Text(joined(u, &TEXTS, 4)?.repeat(u.int_in_range(1..=200)?)),
        _ => Owned::Text(joined(u, &TEXTS, 5)?),
    })
}
