//! The `condition` and `timespan` of a correlation: numbers, their bounds, and what no window could fulfil.

use super::document::Name;
use super::limit::{COUNT_MAX, TIMESPAN_MAX_DAYS};
use super::{Bound, Condition, Kind, Operator};
use crate::document::Reader;
use crate::suggestion::did_you_mean;
use crate::yaml::{Data, Node, Scalar, ScalarKind};

/// Keys of a condition that are no bounds.
const FIELD: &str = "field";
const PERCENTILE: &str = "percentile";
/// The percentile that is meant where none is named: the median, the only one the specification names.
const PERCENTILE_UNSTATED: u8 = 50;
/// Most fields whose values are counted together.
const FIELDS_MAX: usize = 8;
const SECOND: u64 = 1_000_000_000;
/// The units of a `timespan`, in seconds (correlation specification, "Time Selection").
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

const OPERATORS: [(&str, Operator); 6] = [
    ("gt", Operator::Gt),
    ("gte", Operator::Gte),
    ("lt", Operator::Lt),
    ("lte", Operator::Lte),
    ("eq", Operator::Eq),
    ("neq", Operator::Neq),
];

impl Operator {
    /// A bound that a growing quantity reaches once and keeps.
    fn is_lower(self) -> bool {
        match self {
            Self::Gt | Self::Gte => true,
            Self::Lt | Self::Lte | Self::Eq | Self::Neq => false,
        }
    }
}

impl Bound {
    #[expect(
        clippy::float_cmp,
        reason = "`eq` of a count is exact; of an average it is what the author wrote"
    )]
    fn holds(self, value: f64) -> bool {
        match self.operator {
            Operator::Gt => value > self.limit,
            Operator::Gte => value >= self.limit,
            Operator::Lt => value < self.limit,
            Operator::Lte => value <= self.limit,
            Operator::Eq => value == self.limit,
            Operator::Neq => value != self.limit,
        }
    }
}

impl Condition {
    /// That matches of all rules are there: what a temporal correlation asks if nothing is said.
    pub(super) fn of_all(rules: usize) -> Self {
        let limit = u32::try_from(rules).map_or(f64::INFINITY, f64::from);
        Self { bounds: vec![Bound { operator: Operator::Gte, limit }], ..Self::default() }
    }

    pub(super) fn holds(&self, value: f64) -> bool {
        self.bounds.iter().all(|bound| bound.holds(value))
    }

    /// Whether more matches can only bring it nearer: then it is decided with each match. All others are
    /// decided when their window is over, since the next match could still undo them.
    pub(super) fn only_grows(&self) -> bool {
        self.bounds.iter().all(|bound| bound.operator.is_lower())
    }
}

impl Reader<'_> {
    /// The condition and the fields it names; `None` if any of it was refused.
    pub(super) fn correlation_condition(
        &mut self,
        node: &Node,
        kind: Kind,
        rules: usize,
    ) -> Option<(Condition, Vec<Name>)> {
        let entries = match &node.data {
            Data::Mapping(entries) => entries,
            Data::Scalar(_) if kind.is_temporal() => {
                let message = "boolean conditions over rules are not part of Sigma 2.1";
                let help = "remove it to ask for all `rules`, write `gte: N` for any N of them, or chain correlations";
                return self.refuse(node.span, message, Some(help.to_owned()));
            }
            Data::Null | Data::Scalar(_) | Data::Sequence(_) => {
                let message = format!("the condition must be a map of bounds, this is {}", node.kind_name());
                return self.refuse(node.span, message, Some("write for example `gte: 10`".into()));
            }
        };
        let mut condition = Condition::default();
        let mut fields = Vec::new();
        let mut sound = true;
        for (key, value) in entries {
            let known = OPERATORS.into_iter().find(|(name, _)| *name == key.text);
            let read = match (key.text.as_str(), known) {
                (_, Some((_, operator))) => {
                    let limit = self.limit(value, kind);
                    limit.map(|limit| condition.bounds.push(Bound { operator, limit }))
                }
                (FIELD, _) => self.counted(key, value, kind).map(|names| fields = names),
                (PERCENTILE, _) => {
                    self.percentile(key, value, kind).map(|of| condition.percentile = Some(of))
                }
                (other, _) => {
                    let known = OPERATORS.map(|(name, _)| name).into_iter().chain([FIELD, PERCENTILE]);
                    let help = did_you_mean(other, known)
                        .unwrap_or_else(|| "write gt, gte, lt, lte, eq or neq".to_owned());
                    self.refuse(key.span(), format!("`{other}` is no key of a condition"), Some(help))
                }
            };
            sound &= read.is_some();
        }
        if !sound {
            return None;
        }
        if condition.bounds.is_empty() {
            let help = Some("write for example `gte: 10`".to_owned());
            return self.refuse(node.span, "the condition has no bound", help);
        }
        if fields.is_empty() && kind != Kind::EventCount && !kind.is_temporal() {
            let message = format!("`{}` needs a `field` in its condition", kind.name());
            return self.refuse(node.span, message, Some("name what is to be measured".into()));
        }
        if kind == Kind::ValuePercentile {
            condition.percentile.get_or_insert(PERCENTILE_UNSTATED);
        }
        self.check_possible(node, &condition, kind, rules)?;
        condition.fields = fields.iter().map(|name| name.text.clone()).collect();
        Some((condition, fields))
    }

    fn limit(&mut self, node: &Node, kind: Kind) -> Option<f64> {
        let number = match &node.data {
            Data::Scalar(Scalar { kind: ScalarKind::Number, text, .. }) => {
                text.parse::<f64>().ok().filter(|number| number.is_finite())
            }
            Data::Null | Data::Scalar(_) | Data::Sequence(_) | Data::Mapping(_) => None,
        };
        let Some(number) = number else {
            return self.refuse(
                node.span,
                format!("a bound is a decimal number, this is {}", node.kind_name()),
                None,
            );
        };
        if counts(kind) && number.fract() != 0.0 {
            return self.refuse(
                node.span,
                format!("`{}` counts: its bounds are whole numbers", kind.name()),
                None,
            );
        }
        Some(number)
    }

    fn counted(&mut self, key: &Scalar, node: &Node, kind: Kind) -> Option<Vec<Name>> {
        match kind {
            Kind::EventCount | Kind::Temporal | Kind::TemporalOrdered => {
                let message = format!("`{}` counts no values, so it takes no `field`", kind.name());
                self.refuse(key.span(), message, Some("remove it, or use `value_count`".into()))
            }
            Kind::ValueCount => self.names(node, FIELD, FIELDS_MAX),
            Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile => self.names(node, FIELD, 1),
        }
    }

    fn percentile(&mut self, key: &Scalar, node: &Node, kind: Kind) -> Option<u8> {
        if kind != Kind::ValuePercentile {
            let message = format!("`{}` has no `percentile`", kind.name());
            return self.refuse(key.span(), message, Some("use `value_percentile`".into()));
        }
        let number = match &node.data {
            Data::Scalar(scalar) => scalar.text.parse::<u8>().ok().filter(|of| (1..=100).contains(of)),
            Data::Null | Data::Sequence(_) | Data::Mapping(_) => None,
        };
        match number {
            Some(of) => Some(of),
            None => self.refuse(node.span, "`percentile` is a whole number from 1 to 100", None),
        }
    }

    /// Refuses what no window could fulfil, or every one would.
    fn check_possible(&mut self, node: &Node, condition: &Condition, kind: Kind, rules: usize) -> Option<()> {
        let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
        let step = if counts(kind) { 1.0 } else { 0.0 };
        let mut open = false;
        for bound in &condition.bounds {
            match bound.operator {
                Operator::Gt => (least, open) = (least.max(bound.limit + step), open || step == 0.0),
                Operator::Gte => least = least.max(bound.limit),
                Operator::Lt => (most, open) = (most.min(bound.limit - step), open || step == 0.0),
                Operator::Lte => most = most.min(bound.limit),
                Operator::Eq => (least, most) = (least.max(bound.limit), most.min(bound.limit)),
                Operator::Neq => {}
            }
        }
        if least > most || (open && least >= most) {
            return self.refuse(node.span, "no value fulfils all of these bounds at once", None);
        }
        if !counts(kind) {
            return Some(());
        }
        if most < 1.0 {
            let message = "a window opens with a match, so there is never less than one";
            let help = "matches that stay out cannot be seen; ask for at least one";
            return self.refuse(node.span, message, Some(help.into()));
        }
        if condition.only_grows() && least < 1.0 {
            return self.refuse(node.span, "this holds of every match", Some("ask for at least one".into()));
        }
        let (top, what) =
            if kind.is_temporal() { (rules, "rules it has") } else { (COUNT_MAX, "matches a group keeps") };
        let top_number = u32::try_from(top).map_or(f64::INFINITY, f64::from);
        let beyond = condition.bounds.iter().any(|bound| match bound.operator {
            Operator::Gt => bound.limit >= top_number,
            Operator::Gte | Operator::Eq | Operator::Neq => bound.limit > top_number,
            Operator::Lt | Operator::Lte => bound.limit > top_number && !kind.is_temporal(),
        });
        if beyond {
            return self.refuse(
                node.span,
                format!("this is beyond the {top} {what}"),
                Some("write a lower bound".into()),
            );
        }
        Some(())
    }

    /// Nanoseconds.
    pub(super) fn timespan(&mut self, node: &Node) -> Option<u64> {
        let text = self.text(node, "timespan")?;
        let help = || Some("write a number and s, m, h or d, for example `10m`".to_owned());
        let unit = text.chars().next_back().unwrap_or_default();
        let digits = text.strip_suffix(unit).unwrap_or_default();
        let number: Option<u64> =
            digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let Some((_, seconds)) = UNITS.into_iter().find(|(known, _)| *known == unit) else {
            let help = match (unit, number) {
                ('w', Some(weeks)) => Some(format!("write `{}d`", weeks.saturating_mul(7))),
                _ => help(),
            };
            return self.refuse(node.span, format!("`{text}` is no timespan"), help);
        };
        let Some(number) = number else {
            return self.refuse(node.span, format!("`{text}` is no timespan"), help());
        };
        let seconds = number.saturating_mul(seconds);
        if seconds == 0 {
            return self.refuse(node.span, "the timespan must be longer than nothing", None);
        }
        if seconds > TIMESPAN_MAX_DAYS * 86_400 {
            let message =
                format!("`{text}` is longer than {TIMESPAN_MAX_DAYS} days, the longest that is kept");
            return self.refuse(node.span, message, None);
        }
        Some(seconds * SECOND)
    }
}

/// Whether its quantity is a whole number.
fn counts(kind: Kind) -> bool {
    match kind {
        Kind::EventCount | Kind::ValueCount | Kind::Temporal | Kind::TemporalOrdered => true,
        Kind::ValueSum | Kind::ValueAvg | Kind::ValuePercentile => false,
    }
}
