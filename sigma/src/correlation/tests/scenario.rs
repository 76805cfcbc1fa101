//! The four scenarios that must hold: ordered read then connect, a sum of bytes, distinct destinations, a
//! count; each in order, out of order, at the edges of the window, and with the process's end in between.

use super::{correlation, rules, told};

/// Checks rows of lines and what they tell.
fn check(text: &str, rows: &[(&str, &[&str], &[&str])]) {
    for (name, lines, expected) in rows {
        assert_eq!(told(text, lines), *expected, "{name}: {lines:#?}");
    }
}

#[test]
fn a_read_then_a_connection() {
    let text = rules(&["read", "connect"])
        + &correlation(
            "leak",
            "type: temporal_ordered\nrules: [read, connect]\ngroup-by: [ProcessId]\ntimespan: 10s",
        );
    let hit: &[&str] = &["leak 2 at 5s"];
    check(
        &text,
        &[
            ("in order", &["1s read ProcessId=#4/1", "5s connect ProcessId=#4/1"], hit),
            ("arrived out of order", &["5s connect ProcessId=#4/1", "1s read ProcessId=#4/1"], hit),
            ("happened in the other order", &["1s connect ProcessId=#4/1", "5s read ProcessId=#4/1"], &[]),
            ("the same moment", &["5s read ProcessId=#4/1", "5s connect ProcessId=#4/1"], &[]),
            (
                "exactly a timespan",
                &["20s read ProcessId=#4/1", "30s connect ProcessId=#4/1"],
                &["leak 2 at 30s"],
            ),
            ("a nanosecond more", &["20s read ProcessId=#4/1", "30s+1 connect ProcessId=#4/1"], &[]),
            ("another process", &["1s read ProcessId=#4/1", "5s connect ProcessId=#5/2"], &[]),
            ("its end in between", &["1s read ProcessId=#4/1", "exit 1", "5s connect ProcessId=#4/1"], &[]),
            ("its pid used again", &["1s read ProcessId=#4/1", "5s connect ProcessId=#4/2"], &[]),
            (
                "another one's end",
                &["1s read ProcessId=#4/1", "1s read ProcessId=#5/2", "exit 2", "5s connect ProcessId=#4/1"],
                hit,
            ),
            (
                "too late",
                &["1s connect ProcessId=#9/9", "40s connect ProcessId=#4/1", "24s read ProcessId=#4/1"],
                &[],
            ),
        ],
    );
}

#[test]
fn a_count() {
    let text = rules(&["fail"])
        + &correlation(
            "many",
            "type: event_count\nrules: [fail]\ngroup-by: [ProcessId]\ntimespan: 10s\ncondition: {gte: 3}",
        );
    check(
        &text,
        &[
            (
                "in order",
                &["1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1", "3s fail ProcessId=#4/1"],
                &["many 3 at 3s"],
            ),
            (
                "out of order",
                &["3s fail ProcessId=#4/1", "1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1"],
                &["many 3 at 3s"],
            ),
            (
                "exactly a timespan",
                &["1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1", "11s fail ProcessId=#4/1"],
                &["many 3 at 11s"],
            ),
            (
                "a nanosecond more",
                &["1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1", "11s+1 fail ProcessId=#4/1"],
                &[],
            ),
            (
                "its end in between",
                &["1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1", "exit 1", "3s fail ProcessId=#4/1"],
                &[],
            ),
            (
                "its pid used again",
                &["1s fail ProcessId=#4/1", "2s fail ProcessId=#4/1", "3s fail ProcessId=#4/2"],
                &[],
            ),
        ],
    );
}
