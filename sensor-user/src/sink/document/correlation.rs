//! `tidewaiter.correlation`: what several matches have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use sigma::{Kind, Operator};

use crate::alert::{Alert, Correlation};

/// `tidewaiter.correlation`.
#[derive(Clone, Debug, Serialize)]
pub struct CorrelationReport<'a> {
    pub r#type: Kind,
    /// What was counted, summed or averaged; absent where matches or rules were counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub field: Vec<Cow<'a, str>>,
    /// Which percentile was asked, from 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<u8>,
    /// What the condition was asked of.
    pub value: Amount,
    /// `{"gte": 5}`: all of it holds of the value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub condition: BTreeMap<&'static str, Amount>,
    /// Nanoseconds.
    pub timespan_ns: u64,
    pub matches: u64,
    /// When the first and last match were.
    pub first: String,
    pub last: String,
    /// What they have in common, by its name in the rule; what they all lack is left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub group: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// Matches of the group since it was told before.
    #[serde(skip_serializing_if = "is_none")]
    pub repeats: u64,
    /// The rules that matched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleReport<'a>>,
}

/// A rule in [`CorrelationReport::rules`].
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport<'a> {
    pub id: Cow<'a, str>,
    pub name: Cow<'a, str>,
}

/// A number, without a fraction where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount(pub f64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What is told here are counts and sums: text says exactly whether it is whole.
        match format!("{}", self.0).parse::<i64>() {
            Ok(whole) => serializer.serialize_i64(whole),
            Err(_) => serializer.serialize_f64(self.0),
        }
    }
}

pub(super) fn report(alert: &Alert) -> Option<CorrelationReport<'_>> {
    let found = alert.correlation.as_ref()?;
    let proof = alert.story.evidence.iter().find(|proof| proof.rule == alert.detection.id);
    Some(report_of(found, alert.time, proof.map_or(found.duration, |proof| proof.offset)))
}

/// `last`: when its last match was, nanoseconds since `begin`.
pub(super) fn report_of(found: &Correlation, begin: Timestamp, last: u64) -> CorrelationReport<'_> {
    let Correlation { kind, condition, timespan, value, matches, duration, group, repeats, rules } = found;
    let date = |offset: u64| {
        let offset = SignedDuration::from_nanos(i64::try_from(offset).unwrap_or(i64::MAX));
        format!("{:.6}", begin.saturating_add(offset).unwrap_or(begin))
    };
    // Its story may have begun earlier.
    let last = last.max(*duration);
    let bounds = condition.bounds.iter().map(|bound| (word(bound.operator), Amount(bound.limit)));
    let common = group
        .iter()
        .filter_map(|(name, value)| Some((Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_deref()?))));
    let rules = rules
        .iter()
        .map(|rule| RuleReport { id: Cow::Borrowed(&rule.id), name: Cow::Borrowed(&rule.title) })
        .collect();
    CorrelationReport {
        r#type: *kind,
        field: condition.fields.iter().map(|field| Cow::Borrowed(field.as_str())).collect(),
        percentile: condition.percentile,
        value: Amount(*value),
        condition: bounds.collect(),
        timespan_ns: *timespan,
        matches: *matches,
        first: date(last.saturating_sub(*duration)),
        last: date(last),
        group: common.collect(),
        repeats: *repeats,
        rules,
    }
}

/// As rules write it.
fn word(operator: Operator) -> &'static str {
    match operator {
        Operator::Gt => "gt",
        Operator::Gte => "gte",
        Operator::Lt => "lt",
        Operator::Lte => "lte",
        Operator::Eq => "eq",
        Operator::Neq => "neq",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn is_none(number: &u64) -> bool {
    *number == 0
}

impl CorrelationReport<'_> {
    /// At most so many fields, values and rules, with texts as `cut` leaves them.
    pub(super) fn cut(&mut self, count: usize, cut: &mut impl FnMut(&mut Cow<'_, str>)) {
        self.field.truncate(count);
        self.field.iter_mut().for_each(&mut *cut);
        self.rules.truncate(count);
        for rule in &mut self.rules {
            cut(&mut rule.id);
            cut(&mut rule.name);
        }
        self.group = std::mem::take(&mut self.group)
            .into_iter()
            .take(count)
            .map(|(mut name, mut value)| {
                cut(&mut name);
                cut(&mut value);
                (name, value)
            })
            .collect();
    }
}
