//! The clock of the day.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Check, Fact, Finding, Problem};

/// No clock is right that shows a year before this sensor was written, or one in which nobody will run it.
const YEARS: std::ops::RangeInclusive<i16> = 2025..=2100;

/// What the kernel knows of its clock (adjtimex(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFacts {
    pub is_synchronised: bool,
    /// The most it may be wrong by, microseconds, as the kernel counts it.
    pub error_max: i64,
}

/// By the time now, what the kernel knows of its clock, and its name for this boot.
#[must_use]
pub fn clock(now: Timestamp, kernel: &Fact<ClockFacts>, boot: Option<&str>) -> Finding {
    let year = now.to_zoned(TimeZone::UTC).year();
    if !YEARS.contains(&year) {
        return Finding::problem(Problem::ClockWrong, format!("it shows the year {year}"));
    }
    let boot = boot.map_or_else(String::new, |boot| format!("; boot {boot}"));
    match kernel {
        Ok(ClockFacts { is_synchronised: true, error_max }) => Finding::good(
            Check::Clock,
            format!("synchronised, within {} ms{boot}", error_max.div_euclid(1_000) + 1),
        ),
        Ok(ClockFacts { is_synchronised: false, .. }) => {
            Finding::problem(Problem::ClockLoose, format!("not synchronised{boot}"))
        }
        Err(error) => Finding::unknown(Check::Clock, error.to_string()),
    }
}
