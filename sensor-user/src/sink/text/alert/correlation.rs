//! What a correlation found, in a line: the value beside the condition, how many matches, what they have in common.

use std::time::Duration;

use sigma::{Kind, Operator};

use super::super::line::{FAINT, Line, PLACE, PLAIN, STRONG};
use super::super::quantity::{bytes, duration};
use crate::alert::Correlation;

/// Columns for one value of the group: a container's id is longer, and its beginning says enough.
const VALUE: usize = 40;
const SECOND: u64 = 1_000_000_000;

/// One line; a second one for the group where they do not fit beside each other.
pub(super) fn lines(found: &Correlation, room: usize) -> Vec<Line> {
    let within = duration(Duration::from_nanos(found.duration));
    let mut counted = format!("{} matches within {within}", found.matches);
    if found.kind == Kind::EventCount {
        counted = format!("within {within}");
    }
    if found.repeats > 0 {
        counted = format!("{counted}, {} more since it was told", found.repeats);
    }
    let measure = Line::new().with(STRONG, measure(found)).with(FAINT, format!("   {counted}"));
    let mut group = Line::new();
    for (index, (name, value)) in found.group.iter().enumerate() {
        let value = match value {
            Some(value) => Line::new().with(PLACE, value).cut(VALUE),
            None => Line::new().with(FAINT, "none"),
        };
        let gap = if index == 0 { "" } else { "  " };
        group = group.with(PLAIN, format!("{gap}{name} ")).join(value);
    }
    match group.width() {
        0 => vec![measure],
        width if measure.width() + 3 + width <= room => vec![measure.with(PLAIN, "   ").join(group)],
        _ => vec![measure, group],
    }
}

/// `sum of BytesSentNew 12 MiB > 10 MiB in 10 min`
fn measure(found: &Correlation) -> String {
    let fields = found.condition.fields.join(" and ");
    let told = |value: f64| amount(value, &found.condition.fields);
    let value = told(found.value);
    let subject = match found.kind {
        Kind::EventCount => format!("{value} matches"),
        Kind::ValueCount => format!("{value} values of {fields}"),
        Kind::ValueSum => format!("sum of {fields} {value}"),
        Kind::ValueAvg => format!("average of {fields} {value}"),
        Kind::ValuePercentile => {
            let percentile = found.condition.percentile.map_or_else(String::new, |of| format!("{of} "));
            format!("percentile {percentile}of {fields} {value}")
        }
        Kind::Temporal => format!("{value} rules"),
        Kind::TemporalOrdered => format!("{value} rules in this order"),
    };
    let bounds =
        found.condition.bounds.iter().map(|bound| format!(" {} {}", sign(bound.operator), told(bound.limit)));
    let bounds: Vec<String> = bounds.collect();
    format!("{subject}{} in {}", bounds.join(" and"), timespan(found.timespan))
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Gt => ">",
        Operator::Gte => "≥",
        Operator::Lt => "<",
        Operator::Lte => "≤",
        Operator::Eq => "=",
        Operator::Neq => "≠",
    }
}

/// Of a field of bytes in units; else as a number, with two digits of a fraction.
fn amount(value: f64, fields: &[String]) -> String {
    let is_bytes = fields.iter().any(|field| field.contains("Bytes") || field == "FileSize");
    let whole = format!("{value:.0}");
    match whole.parse::<u64>() {
        Ok(count) if is_bytes => bytes(count),
        Ok(_) | Err(_) if value.fract() == 0.0 => whole,
        Ok(_) | Err(_) => format!("{value:.2}"),
    }
}

/// As a rule writes it: `90 s`, `10 min`, `2 h`, `7 d`.
fn timespan(nanoseconds: u64) -> String {
    let seconds = nanoseconds / SECOND;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use sigma::{Bound, Condition};

    use super::*;

    fn found(kind: Kind, field: &str, value: f64, operator: Operator, limit: f64) -> Correlation {
        let fields = if field.is_empty() { Vec::new() } else { vec![field.to_owned()] };
        let percentile = (kind == Kind::ValuePercentile).then_some(95);
        let bounds = vec![Bound { operator, limit }];
        let condition = Condition { fields, bounds, percentile, ..Condition::default() };
        Correlation {
            kind,
            condition,
            timespan: 600 * SECOND,
            value,
            matches: 7,
            duration: 3 * SECOND,
            group: vec![("ContainerId".to_owned(), Some("8f3a".to_owned())), ("User".to_owned(), None)],
            repeats: 0,
            rules: Vec::new(),
        }
    }

    #[test]
    fn a_finding_is_one_line_with_the_value_beside_its_condition() {
        use Operator::{Gt, Gte, Lt};
        for (found, expected) in [
            (
                found(Kind::ValueSum, "BytesSentNew", 12_900_000.0, Gt, 10_485_760.0),
                "sum of BytesSentNew 12 MiB > 10 MiB in 10 min   7 matches within 3.0 s   ContainerId 8f3a  User none",
            ),
            (
                found(Kind::EventCount, "", 7.0, Gte, 5.0),
                "7 matches ≥ 5 in 10 min   within 3.0 s   ContainerId 8f3a  User none",
            ),
            (
                Correlation { repeats: 3, ..found(Kind::ValueCount, "DestinationIp", 5.0, Gte, 5.0) },
                "5 values of DestinationIp ≥ 5 in 10 min   7 matches within 3.0 s, 3 more since it was told   ContainerId 8f3a  User none",
            ),
            (
                Correlation { timespan: 90 * SECOND, ..found(Kind::ValueAvg, "FileSize", 1.5, Lt, 2.5) },
                "average of FileSize 2 B < 2 B in 90 s   7 matches within 3.0 s   ContainerId 8f3a  User none",
            ),
            (
                Correlation {
                    timespan: 7200 * SECOND,
                    ..found(Kind::ValuePercentile, "ArgumentCount", 1.5, Lt, 2.5)
                },
                "percentile 95 of ArgumentCount 1.50 < 2.50 in 2 h   7 matches within 3.0 s   ContainerId 8f3a  User none",
            ),
            (
                Correlation { group: Vec::new(), ..found(Kind::TemporalOrdered, "", 2.0, Gte, 2.0) },
                "2 rules in this order ≥ 2 in 10 min   7 matches within 3.0 s",
            ),
        ] {
            let told = lines(&found, 200);
            let mut text = String::new();
            told.iter().for_each(|line| line.paint(false, &mut text));
            assert_eq!(text, expected);
            assert_eq!(told.len(), 1);
        }
        let narrow = lines(&found(Kind::EventCount, "", 7.0, Gte, 5.0), 50);
        assert_eq!(narrow.len(), 2, "the group on a line of its own");
    }
}
