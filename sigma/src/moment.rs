//! Dates in records, and the parts of them that the time modifiers ask for (modifiers appendix, "Time Modifiers").
//!
//! A date is read as it is written: 23:00 at `+02:00` has the hour 23. "It is not designed to handle timezone or
//! format conversions", so nothing is converted, and a number is no date. Read are RFC 3339, the same with a
//! space in the place of the `T` or without an offset, and a day alone, which then has no hour and no minute.

use std::ops::RangeInclusive;

use jiff::civil::Date;

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Minute,
    Hour,
    Day,
    /// Of ISO 8601: Monday is first, and the week with the year's first Thursday is 1.
    Week,
    Month,
    Year,
}

impl Part {
    const ALL: [Self; 6] = [Self::Minute, Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// The part that a modifier asks for.
    pub(super) fn of_modifier(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The numbers it can have. The appendix ends the weeks at 52; some years have a 53rd by ISO 8601, and its
    /// days must have a name.
    pub(super) fn range(self) -> RangeInclusive<i64> {
        match self {
            Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::Day => 1..=31,
            Self::Week => 1..=53,
            Self::Month => 1..=12,
            Self::Year => 0..=9999,
        }
    }

    /// This part of the date that `text` is; `None` if it is none, or has no such part.
    pub(super) fn of(self, text: &str) -> Option<i64> {
        let (date, time) = read(text)?;
        Some(match self {
            Self::Minute => time?.minute,
            Self::Hour => time?.hour,
            Self::Day => date.day().into(),
            Self::Week => date.iso_week_date().week().into(),
            Self::Month => date.month().into(),
            Self::Year => date.year().into(),
        })
    }
}

#[derive(Clone, Copy)]
struct Time {
    hour: i64,
    minute: i64,
}

/// Whether `text` is a day of the calendar, written `YYYY-MM-DD`.
pub(super) fn is_day(text: &str) -> bool {
    text.len() == 10 && day(text).is_some()
}

fn read(text: &str) -> Option<(Date, Option<Time>)> {
    let (written, rest) = text.split_at_checked(10)?;
    let date = day(written)?;
    if rest.is_empty() {
        return Some((date, None));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let time = Time { hour: number(clock, 0, 2)?, minute: number(clock, 3, 5)? };
    // A leap second is the 61st of its minute.
    let sound = clock.get(2..3) == Some(":")
        && clock.get(5..6) == Some(":")
        && Part::Hour.range().contains(&time.hour)
        && Part::Minute.range().contains(&time.minute)
        && number(clock, 6, 8)? <= 60;
    (sound && is_offset(behind_fraction(rest)?)).then_some((date, Some(time)))
}

fn day(text: &str) -> Option<Date> {
    if text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    let [year, month, day] = [number(text, 0, 4)?, number(text, 5, 7)?, number(text, 8, 10)?];
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// What follows a fraction of a second; all of `rest` if there is none.
fn behind_fraction(rest: &str) -> Option<&str> {
    let Some(fraction) = rest.strip_prefix('.') else { return Some(rest) };
    let behind = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
    (behind.len() < fraction.len()).then_some(behind)
}

/// Nothing, `Z`, or `+02:00`.
fn is_offset(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return matches!(text, "" | "Z" | "z") };
    let of = |start, end, part: Part| number(offset, start, end).is_some_and(|it| part.range().contains(&it));
    offset.len() == 5 && offset.get(2..3) == Some(":") && of(0, 2, Part::Hour) && of(3, 5, Part::Minute)
}

/// The digits from `start` to `end`, and nothing but digits.
fn number(text: &str, start: usize, end: usize) -> Option<i64> {
    let digits = text.get(start..end)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Part, is_day};

    #[test]
    fn a_date_is_read_as_it_is_written() {
        for (text, expected) in [
            ("2026-11-05T23:07:59+02:00", [Some(7), Some(23), Some(5), Some(45), Some(11), Some(2026)]),
            ("2026-11-05t23:07:60.5z", [Some(7), Some(23), Some(5), Some(45), Some(11), Some(2026)]),
            ("2026-11-05 23:07:59.123", [Some(7), Some(23), Some(5), Some(45), Some(11), Some(2026)]),
            ("2026-11-05", [None, None, Some(5), Some(45), Some(11), Some(2026)]),
            ("2027-01-01", [None, None, Some(1), Some(53), Some(1), Some(2027)]),
            ("2024-12-30", [None, None, Some(30), Some(1), Some(12), Some(2024)]),
            ("2024-02-29", [None, None, Some(29), Some(9), Some(2), Some(2024)]),
            ("0000-01-01", [None, None, Some(1), Some(52), Some(1), Some(0)]),
        ] {
            assert_eq!(Part::ALL.map(|part| part.of(text)), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-1-05",
            "2026/11/05",
            "20261105",
            "2026-11-05T",
            "2026-11-05T24:00:00",
            "2026-11-05T23:60:00",
            "2026-11-05T23:07",
            "2026-11-05T23:07:61",
            "2026-11-05T23:07:59.",
            "2026-11-05T23:07:59+2",
            "2026-11-05T23:07:59+24:00",
            "2026-11-05T23:07:59 UTC",
            "2026-11-05 23.07.59",
            " 2026-11-05",
            "2026-11-0ä",
            "+026-11-05",
        ] {
            assert!(Part::ALL.iter().all(|part| part.of(text).is_none()), "{text}");
            assert!(!is_day(text), "{text}");
        }
        assert!(is_day("2026-11-05") && !is_day("2026-11-05T23:07:59Z"));
    }
}
