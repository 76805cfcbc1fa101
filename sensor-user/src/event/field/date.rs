//! The date of an event as text, the way rules read dates.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sigma::{Presence, Value};

use super::{Each, one};

/// Bytes of `2026-11-21 12:03:14.281`.
const LENGTH: usize = 23;

/// `YYYY-MM-DD HH:MM:SS.fff` in UTC, as Sysmon writes `UtcTime`; absent beyond the years that have four digits.
pub(in crate::event) fn visit(date: Timestamp, each: Each<'_>) -> Presence {
    let date = date.to_zoned(TimeZone::UTC);
    let mut text = [0; LENGTH];
    let mut rest = text.as_mut_slice();
    // Into an array: a rule that asks for the hour is asked for every event.
    let written = write!(
        rest,
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        date.year(),
        date.month(),
        date.day(),
        date.hour(),
        date.minute(),
        date.second(),
        date.millisecond()
    );
    match std::str::from_utf8(&text) {
        Ok(text) if written.is_ok() && date.year() >= 0 => one(Value::Text(text), each),
        Ok(_) | Err(_) => Presence::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_sysmon_does() {
        for (date, expected) in [
            ("2026-11-21T12:03:14.281942123Z", Some("2026-11-21 12:03:14.281")),
            ("1970-01-01T00:00:00Z", Some("1970-01-01 00:00:00.000")),
            ("2026-11-21T23:30:00.009+02:00", Some("2026-11-21 21:30:00.009")),
            ("-000044-03-15T00:00:00Z", None),
        ] {
            let mut told = None;
            let presence = visit(date.parse().unwrap(), &mut |value| {
                if let Value::Text(text) = value {
                    told = Some(text.to_owned());
                }
            });
            assert_eq!(told.as_deref(), expected);
            assert_eq!(presence == Presence::Present, expected.is_some());
        }
    }
}
