//! Amounts as people say them.

use std::time::Duration;

/// Bytes in binary units with at most one decimal: `92 B`, `1.2 MiB`, `17 GiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Tenths of the unit, in integers: u128 holds ten times any u64.
    let mut size: u128 = 1024;
    let mut units = UNITS.iter().peekable();
    let mut unit = "KiB";
    while let Some(name) = units.next() {
        unit = name;
        // 1023.95 KiB would be shown as 1024 KiB: from there on it is 1.0 MiB.
        if units.peek().is_none() || rounded_tenths(count, size) < 10_240 {
            break;
        }
        size *= 1024;
    }
    let tenths = rounded_tenths(count, size);
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

fn rounded_tenths(count: u64, size: u128) -> u128 {
    (u128::from(count) * 10 + size / 2) / size
}

/// A duration with the unit that fits: `0 ms`, `12 ms`, `3.4 s`, `2 min 05 s`, `3 h 20 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A time as short as a rule takes, nanoseconds: `820 ns`, `52 µs`, `3.1 ms`; longer ones as [`duration`].
#[must_use]
pub fn fine(nanoseconds: u64) -> String {
    let in_unit = |unit: u64, name| match nanoseconds / (unit / 10) {
        tenths @ 0..100 => format!("{}.{} {name}", tenths / 10, tenths % 10),
        tenths => format!("{} {name}", tenths / 10),
    };
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => in_unit(1_000, "µs"),
        1_000_000..1_000_000_000 => in_unit(1_000_000, "ms"),
        _ => duration(Duration::from_nanos(nanoseconds)),
    }
}

/// `1,234,567`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #[test]
    fn short_times_have_their_unit() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (52_345, "52 µs"),
            (3_149_000, "3.1 ms"),
            (1_500_000_000, "1.5 s"),
        ];
        for (nanoseconds, expected) in cases {
            assert_eq!(fine(nanoseconds), expected);
        }
    }

    use super::*;

    #[test]
    fn bytes_are_told_in_their_unit() {
        for (count, told) in [
            (0, "0 B"),
            (92, "92 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_258_291, "1.2 MiB"),
            (10_240, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(bytes(count), told);
        }
    }

    #[test]
    fn durations_are_told_in_their_unit() {
        for (milliseconds, told) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (3_460, "3.4 s"),
            (59_999, "59.9 s"),
            (125_000, "2 min 05 s"),
            (12_000_000, "3 h 20 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), told);
        }
    }
}
