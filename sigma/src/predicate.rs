//! The questions rules ask of one field, each kept once however many rules ask it.

use std::cmp::Ordering;
use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;

use super::modifier::{Order, RegexFlags};
use super::moment::Part;
use super::pattern::{Glob, Place, fold_into};
use super::record::{FieldId, Presence, Record, Truth, Value};

/// Largest compiled regular expression, bytes. All public rules load under it; one alone cannot take
/// more than a twelfth of the memory an agent is meant to need.
const REGEX_SIZE_MAX: usize = 4 << 20;

/// A question to one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Test {
    pub(super) field: FieldId,
    pub(super) predicate: Predicate,
}

/// What is asked. All but [`Literal`](Self::Literal) are answered only when a candidate rule asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    /// Answered for all literals of a field at once by its matcher. Folded unless `cased`.
    Literal {
        place: Place,
        text: String,
        cased: bool,
    },
    Glob(Glob),
    Regex(RegularExpression),
    Cidr(IpNet),
    Order(Order, Number),
    /// A part of the date that the value is equals the number, or is on this side of it.
    Moment(Part, Option<Order>, i64),
    /// The record has the field, whatever its value.
    Exists,
    /// The field has any value at all.
    Anything,
    /// The field is missing or has no value.
    Null,
    /// A value of this field equals, or stands in this place of, one of the tested field's.
    SameAs {
        other: FieldId,
        place: Place,
        cased: bool,
    },
}

/// A regular expression; two are the same if they are written the same.
#[derive(Clone, Debug)]
pub(super) struct RegularExpression {
    written: String,
    flags: RegexFlags,
    regex: Regex,
}

impl RegularExpression {
    /// Linear-time matching; what needs backtracking (look-around, back-references) is refused.
    /// Read are more metacharacters than the appendix lists, since public rules use classes such as `\s`.
    /// Character classes are Unicode, `.` stops at a newline unless `s`, nothing is anchored.
    pub(super) fn compile(written: &str, flags: RegexFlags) -> Result<Self, regex::Error> {
        let regex = RegexBuilder::new(written)
            .case_insensitive(flags.insensitive)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .size_limit(REGEX_SIZE_MAX)
            .build()?;
        Ok(Self { written: written.to_owned(), flags, regex })
    }
}

impl PartialEq for RegularExpression {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.flags == other.flags
    }
}

impl Eq for RegularExpression {}

impl std::hash::Hash for RegularExpression {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.written.hash(state);
        self.flags.hash(state);
    }
}

/// A number in a rule or a record. Whole numbers are compared exactly.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i64),
    Decimal(f64),
}

impl Number {
    /// Decimal notation; no other base, no infinity.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        text.parse().ok().filter(|decimal: &f64| plain && decimal.is_finite()).map(Self::Decimal)
    }

    #[expect(clippy::cast_precision_loss, reason = "only beside a decimal, which has no more precision")]
    fn decimal(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Decimal(decimal) => decimal,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(&right),
            _ => self.decimal().total_cmp(&other.decimal()),
        }
    }

    fn key(self) -> (bool, u64) {
        match self {
            Self::Whole(whole) => (true, whole.cast_unsigned()),
            Self::Decimal(decimal) => (false, decimal.to_bits()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Number {}

impl std::hash::Hash for Number {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Order {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }
}

/// A test's number in the [`TestTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TestId(pub(super) usize);

/// All tests of a rule set.
#[derive(Debug, Default)]
pub(super) struct TestTable {
    ids: FxHashMap<Test, TestId>,
    tests: Vec<Test>,
}

impl TestTable {
    pub(super) fn intern(&mut self, field: FieldId, predicate: Predicate) -> TestId {
        let test = Test { field, predicate };
        let next = TestId(self.tests.len());
        *self.ids.entry(test).or_insert_with_key(|test| {
            self.tests.push(test.clone());
            next
        })
    }

    pub(super) fn get(&self, id: TestId) -> Option<&Test> {
        self.tests.get(id.0)
    }
}

/// Buffers for the text of values, kept between records.
#[derive(Debug, Default)]
pub(super) struct TextScratch {
    rendered: String,
    folded: String,
    other: String,
    other_folded: String,
}

/// The text of a value; numbers, addresses and booleans are written into `buffer`.
pub(super) fn text_of<'a>(value: Value<'a>, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    let written = match value {
        Value::Text(text) => return text,
        Value::Number(number) => write!(buffer, "{number}"),
        Value::Ip(address) => write!(buffer, "{address}"),
        Value::Bool(flag) => buffer.write_str(if flag { "true" } else { "false" }),
    };
    // Writing into a string cannot fail; an empty text would match nothing but `''`.
    if written.is_err() {
        buffer.clear();
    }
    buffer
}

impl Test {
    /// Asks the record itself, value by value.
    pub(super) fn ask(&self, record: &impl Record, scratch: &mut TextScratch) -> Truth {
        let mut matched = false;
        let mut values = false;
        let presence = record.visit(self.field, &mut |value| {
            values = true;
            matched = matched || self.value_matches(value, record, scratch);
        });
        match &self.predicate {
            Predicate::Exists => match presence {
                Presence::Present => Truth::True,
                Presence::Absent => Truth::False,
                Presence::Pending if values => Truth::True,
                Presence::Pending => Truth::Unknown,
            },
            Predicate::Null => match presence {
                Presence::Present | Presence::Absent => (!values).into(),
                Presence::Pending if values => Truth::False,
                Presence::Pending => Truth::Unknown,
            },
            Predicate::SameAs { other, .. } if !matched => {
                let pending = [presence, record.visit(*other, &mut |_| {})].contains(&Presence::Pending);
                if pending { Truth::Unknown } else { Truth::False }
            }
            Predicate::Literal { .. }
            | Predicate::Glob(_)
            | Predicate::Regex(_)
            | Predicate::Cidr(_)
            | Predicate::Order(..)
            | Predicate::Moment(..)
            | Predicate::Anything
            | Predicate::SameAs { .. } => match presence {
                _ if matched => Truth::True,
                Presence::Pending => Truth::Unknown,
                Presence::Present | Presence::Absent => Truth::False,
            },
        }
    }

    fn value_matches(&self, value: Value<'_>, record: &impl Record, scratch: &mut TextScratch) -> bool {
        match &self.predicate {
            Predicate::Anything => true,
            Predicate::Exists | Predicate::Null => false,
            Predicate::Literal { place, text, cased } => {
                let found = text_of(value, &mut scratch.rendered);
                let folded = fold_unless(*cased, found, &mut scratch.folded);
                place.holds(folded, text) || (*place == Place::Whole && same_address(value, text))
            }
            Predicate::Glob(glob) => glob.matches(text_of(value, &mut scratch.rendered)),
            Predicate::Regex(expression) => expression.regex.is_match(text_of(value, &mut scratch.rendered)),
            Predicate::Cidr(net) => address_of(value).is_some_and(|address| net.contains(&address)),
            Predicate::Order(order, bound) => {
                number_of(value).is_some_and(|number| order.holds(number.compare(*bound)))
            }
            Predicate::Moment(part, order, number) => moment_of(value, *part)
                .is_some_and(|found| order.map_or(found == *number, |order| order.holds(found.cmp(number)))),
            Predicate::SameAs { other, place, cased } => {
                let mut same = false;
                let text = text_of(value, &mut scratch.rendered);
                let left = fold_unless(*cased, text, &mut scratch.folded);
                record.visit(*other, &mut |value| {
                    let text = text_of(value, &mut scratch.other);
                    same = same || place.holds(left, fold_unless(*cased, text, &mut scratch.other_folded));
                });
                same
            }
        }
    }
}

fn fold_unless<'a>(cased: bool, text: &'a str, buffer: &'a mut String) -> &'a str {
    if cased {
        return text;
    }
    fold_into(text, buffer);
    buffer
}

fn same_address(value: Value<'_>, text: &str) -> bool {
    match value {
        Value::Ip(address) => {
            text.parse().is_ok_and(|other: IpAddr| other.to_canonical() == address.to_canonical())
        }
        Value::Text(_) | Value::Number(_) | Value::Bool(_) => false,
    }
}

/// An address, also where the record has it as text; an IPv4-mapped one counts as IPv4.
fn address_of(value: Value<'_>) -> Option<IpAddr> {
    let address = match value {
        Value::Ip(address) => address,
        Value::Text(text) => text.parse().ok()?,
        Value::Number(_) | Value::Bool(_) => return None,
    };
    Some(address.to_canonical())
}

/// A part of a date; only a text is one.
fn moment_of(value: Value<'_>, part: Part) -> Option<i64> {
    match value {
        Value::Text(text) => part.of(text),
        Value::Number(_) | Value::Ip(_) | Value::Bool(_) => None,
    }
}

pub(super) fn number_of(value: Value<'_>) -> Option<Number> {
    match value {
        Value::Number(number) => Some(Number::Whole(number)),
        Value::Text(text) => Number::parse(text),
        Value::Ip(_) | Value::Bool(_) => None,
    }
}
