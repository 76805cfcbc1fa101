//! The evaluator: what a rule says of a record, found in the most obvious way.

use std::net::IpAddr;

use super::text::{Letter, encoded, lower, matches, meanings};
use super::{Condition, Item, RandomRule, Test};
use crate::tests::{Owned, Sysmon, TestRecord};
use crate::{Presence, Taxonomy, Truth};

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Unknown => Truth::Unknown,
    }
}

fn every(truths: &[Truth]) -> Truth {
    if truths.contains(&Truth::False) {
        Truth::False
    } else if truths.contains(&Truth::Unknown) {
        Truth::Unknown
    } else {
        Truth::True
    }
}

fn some(truths: &[Truth]) -> Truth {
    not(every(&truths.iter().map(|truth| not(*truth)).collect::<Vec<_>>()))
}

fn text_of(value: &Owned) -> String {
    match value {
        Owned::Text(text) => text.clone(),
        Owned::Number(number) => number.to_string(),
        Owned::Ip(address) => address.to_string(),
        Owned::Bool(flag) => flag.to_string(),
    }
}

/// What the record has under a name; of no name, everything.
fn visible(record: &TestRecord, field: Option<&str>) -> (Presence, Vec<Owned>) {
    let Some(name) = field else {
        let open = record.fields.iter().any(|(_, presence, _)| *presence == Presence::Pending);
        let values = record.fields.iter().flat_map(|(.., values)| values.clone()).collect();
        return (if open { Presence::Pending } else { Presence::Present }, values);
    };
    let id = Sysmon.field(name).expect("it is known");
    let found = record.fields.iter().find(|(known, ..)| *known == id);
    found.map_or((Presence::Absent, Vec::new()), |(_, presence, values)| (*presence, values.clone()))
}

fn compare(order: &str, left: f64, right: f64) -> bool {
    match order.trim_start_matches('|') {
        "lt" => left < right,
        "lte" => left <= right,
        "gt" => left > right,
        "gte" => left >= right,
        "" => (left - right).abs() < 0.01,
        other => panic!("{other}"),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit())
}

fn number(value: &Owned) -> Option<f64> {
    match value {
        Owned::Number(number) => number.to_string().parse().ok(),
        Owned::Text(text) if text.split('.').all(is_digits) => text.parse().ok(),
        Owned::Text(_) | Owned::Ip(_) | Owned::Bool(_) => None,
    }
}

/// A part of a date that is written as the generator writes dates; any other text is none.
fn moment(text: &str, part: &str) -> Option<f64> {
    let digits: Vec<i64> = text
        .split(['-', 'T', ' ', ':', '.', '+', 'Z'])
        .map(|digits| digits.parse().ok())
        .take_while(Option::is_some)
        .flatten()
        .collect();
    let (&[year, month, day], time) = digits.split_first_chunk()?;
    if text.len() < 10 || text.get(4..5) != Some("-") {
        return None;
    }
    let whole = match part {
        "year" => year,
        "month" => month,
        "day" => day,
        "week" => week(year, month, day),
        "hour" => *time.first()?,
        "minute" => *time.get(1)?,
        other => panic!("{other}"),
    };
    whole.to_string().parse().ok()
}

/// Days since 1 January 1600, a Saturday, counted year by year and month by month.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = months.iter().take(usize::try_from(month - 1).expect("a month")).sum();
    (1600..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<i64>() + before + day - 1
}

/// The week belongs to the year of its Thursday.
fn week(year: i64, month: i64, day: i64) -> i64 {
    let today = days(year, month, day);
    // 1 January 1600 was a Saturday: the sixth day, counted from Monday as the first.
    let thursday = today - (today + 5) % 7 + 3;
    let of = (year - 1..=year + 1).rfind(|year| days(*year, 1, 1) <= thursday).expect("a year");
    (thursday - days(of, 1, 1)) / 7 + 1
}

fn in_network(address: &str, network: &str) -> bool {
    let bits = |text: &str| {
        let parts: Vec<u32> = text.split('.').filter_map(|part| part.parse().ok()).collect();
        (parts.len() == 4 && parts.iter().all(|part| *part < 256))
            .then(|| parts.iter().map(|part| format!("{part:08b}")).collect::<String>())
    };
    let (base, length) = network.split_once('/').expect("a network");
    let length: usize = length.parse().expect("a length");
    match (bits(address), bits(base)) {
        (Some(address), Some(base)) => address[..length] == base[..length],
        _ => false,
    }
}

impl Item {
    pub(super) fn ask(&self, record: &TestRecord) -> Truth {
        let answers: Vec<Truth> = self.values.iter().map(|value| self.ask_value(value, record)).collect();
        let linked = if self.all { every(&answers) } else { some(&answers) };
        if self.negated { not(linked) } else { linked }
    }

    fn ask_value(&self, written: &str, record: &TestRecord) -> Truth {
        let (presence, values) = visible(record, self.field);
        let open = presence == Presence::Pending;
        let decided = |holds: bool, open: bool| match (holds, open) {
            (true, _) => Truth::True,
            (false, true) => Truth::Unknown,
            (false, false) => Truth::False,
        };
        match &self.test {
            Test::Null if !values.is_empty() => Truth::False,
            Test::Null => not(decided(false, open)),
            Test::Exists => {
                let exists = decided(presence == Presence::Present || !values.is_empty(), open);
                if written == "true" { exists } else { not(exists) }
            }
            Test::FieldRef { place, cased } => {
                let (other_presence, others) = visible(record, Some(written));
                let holds = values.iter().any(|value| {
                    others.iter().any(|other| {
                        let other = text_of(other).chars().map(Letter::Is).collect();
                        matches(&placed(other, place), &lower(&text_of(value), *cased), *cased)
                    })
                });
                decided(holds, open || other_presence == Presence::Pending)
            }
            Test::Text { .. } | Test::Order(_) | Test::Moment { .. } | Test::Cidr => {
                decided(values.iter().any(|value| self.holds(written, value)), open)
            }
        }
    }

    /// Whether one value of a field answers one value of the rule.
    fn holds(&self, written: &str, value: &Owned) -> bool {
        match &self.test {
            Test::Text { place, cased, .. } => {
                let same_address = match value {
                    Owned::Ip(address) => written.parse().is_ok_and(|other: IpAddr| other == *address),
                    Owned::Text(_) | Owned::Number(_) | Owned::Bool(_) => false,
                };
                let text = lower(&text_of(value), *cased);
                (same_address && place.is_empty() && self.field.is_some())
                    || self.forms(written).iter().any(|form| matches(form, &text, *cased))
            }
            Test::Order(order) => {
                let bound = written.parse().expect("a number");
                number(value).is_some_and(|number| compare(order, number, bound))
            }
            Test::Moment { part, order } => {
                let bound = written.parse().expect("a number");
                let Owned::Text(text) = value else { return false };
                moment(text, part).is_some_and(|found| compare(order, found, bound))
            }
            Test::Cidr => in_network(&text_of(value), written),
            Test::Null | Test::Exists | Test::FieldRef { .. } => panic!("these ask no value"),
        }
    }

    /// Every pattern that a value of a text test stands for.
    fn forms(&self, written: &str) -> Vec<Vec<Letter>> {
        let Test::Text { place, encodings, expand, .. } = &self.test else { return Vec::new() };
        let place = if self.field.is_none() && place.is_empty() { "|contains" } else { place };
        let forms = meanings(written, *expand).into_iter().flat_map(|form| encoded(form, encodings));
        forms.map(|form| placed(form, place)).collect()
    }

    /// Texts that answer this item; wildcards are left out.
    pub(super) fn wanted(&self) -> Vec<String> {
        let of = |value: &String| -> Vec<String> {
            match &self.test {
                Test::Text { .. } => self.forms(value).iter().map(|form| plain(form)).collect(),
                Test::Cidr => vec![value.split('/').next().unwrap_or_default().to_owned()],
                Test::Order(_) => vec![value.clone()],
                Test::Null | Test::Exists | Test::FieldRef { .. } | Test::Moment { .. } => Vec::new(),
            }
        };
        self.values.iter().flat_map(of).collect()
    }

    /// What sort of item it is, to see that each sort was met.
    pub(super) fn kind(&self) -> String {
        if self.field.is_none() {
            return "keyword".to_owned();
        }
        match &self.test {
            Test::Text { place, encodings: "", expand, .. } => format!("text{place} {expand}"),
            Test::Text { encodings, .. } => format!("text{encodings}"),
            Test::Null => "null".to_owned(),
            Test::Exists => "exists".to_owned(),
            Test::FieldRef { place, .. } => format!("fieldref{place}"),
            Test::Order(order) => format!("order {order}"),
            Test::Moment { part, .. } => format!("moment {part}"),
            Test::Cidr => "cidr".to_owned(),
        }
    }
}

fn plain(form: &[Letter]) -> String {
    let letter = |letter: &Letter| match letter {
        Letter::Is(letter) => Some(*letter),
        Letter::One => Some('x'),
        Letter::Any => None,
    };
    form.iter().filter_map(letter).collect()
}

fn placed(mut pattern: Vec<Letter>, place: &str) -> Vec<Letter> {
    if matches!(place, "|contains" | "|endswith") {
        pattern.insert(0, Letter::Any);
    }
    if matches!(place, "|contains" | "|startswith") {
        pattern.push(Letter::Any);
    }
    pattern
}

impl RandomRule {
    pub(super) fn ask(&self, record: &TestRecord) -> Truth {
        let selections: Vec<Truth> = self
            .selections
            .iter()
            .map(|items| every(&items.iter().map(|item| item.ask(record)).collect::<Vec<_>>()))
            .collect();
        // The joined tail is "x or not x": true, or unknown where x is.
        let any = some(&selections);
        every(&[self.condition.ask(&selections), some(&[any, not(any)])])
    }

    /// Texts that some item of it waits for; never empty.
    pub(super) fn wanted(&self) -> Vec<String> {
        let mut wanted: Vec<String> = self.selections.iter().flatten().flat_map(Item::wanted).collect();
        wanted.push("a".to_owned());
        wanted
    }
}

impl Condition {
    fn ask(&self, selections: &[Truth]) -> Truth {
        match self {
            Self::Selection(index) => selections[*index],
            Self::Not(inner) => not(inner.ask(selections)),
            Self::And(left, right) => every(&[left.ask(selections), right.ask(selections)]),
            Self::Or(left, right) => some(&[left.ask(selections), right.ask(selections)]),
            Self::Of(least) => {
                let count = |truth| selections.iter().filter(|found| **found == truth).count();
                if count(Truth::True) >= *least {
                    Truth::True
                } else if count(Truth::True) + count(Truth::Unknown) >= *least {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            }
            Self::OfParity { odd, all } => {
                let chosen: Vec<Truth> =
                    selections.iter().copied().skip(usize::from(*odd)).step_by(2).collect();
                if *all { every(&chosen) } else { some(&chosen) }
            }
        }
    }
}
