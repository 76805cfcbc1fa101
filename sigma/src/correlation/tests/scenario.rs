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

#[test]
fn a_sum_of_bytes() {
    let text = rules(&["send"])
        + &correlation(
            "exfiltration",
            "type: value_sum\nrules: [send]\ngroup-by: [ProcessId, DestinationIp]\ntimespan: 10s\n\
             condition: {field: BytesSent, gt: 1000}",
        );
    let send = |time: &str, owner: u64, bytes: &str| {
        format!("{time} send ProcessId=#4/{owner} DestinationIp=@10.0.0.1 BytesSent={bytes}")
    };
    let hit: &[&str] = &["exfiltration 1100 at 3s"];
    let rows: [(&str, Vec<String>, &[&str]); 9] = [
        ("in order", vec![send("1s", 1, "#600"), send("3s", 1, "#500")], hit),
        ("out of order", vec![send("3s", 1, "#500"), send("1s", 1, "#600")], hit),
        ("numbers written as text", vec![send("1s", 1, "600"), send("3s", 1, "500.0")], hit),
        ("exactly the threshold", vec![send("1s", 1, "#600"), send("3s", 1, "#400")], &[]),
        (
            "exactly a timespan",
            vec![send("1s", 1, "#600"), send("11s", 1, "#500")],
            &["exfiltration 1100 at 11s"],
        ),
        ("a nanosecond more", vec![send("1s", 1, "#600"), send("11s+1", 1, "#500")], &[]),
        ("its end in between", vec![send("1s", 1, "#600"), "exit 1".into(), send("3s", 1, "#500")], &[]),
        ("its pid used again", vec![send("1s", 1, "#600"), send("3s", 2, "#500")], &[]),
        ("no number", vec![send("1s", 1, "#600"), send("3s", 1, "many")], &[]),
    ];
    for (name, lines, expected) in rows {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(told(&text, &lines), *expected, "{name}");
    }
}

#[test]
fn distinct_destinations() {
    let text = rules(&["connect"])
        + &correlation(
            "scan",
            "type: value_count\nrules: [connect]\ngroup-by: [ProcessId]\ntimespan: 10s\n\
             condition: {field: DestinationIp, gte: 3}",
        );
    let to = |time: &str, owner: u64, address: &str| {
        format!("{time} connect ProcessId=#4/{owner} DestinationIp={address}")
    };
    let hit: &[&str] = &["scan 3 at 3s"];
    let rows: [(&str, Vec<String>, &[&str]); 9] = [
        ("in order", vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("3s", 1, "@10.0.0.3")], hit),
        (
            "out of order",
            vec![to("3s", 1, "@10.0.0.3"), to("2s", 1, "@10.0.0.2"), to("1s", 1, "@10.0.0.1")],
            hit,
        ),
        (
            "one of them twice",
            vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("3s", 1, "@10.0.0.1")],
            &[],
        ),
        (
            "one of them in another spelling",
            vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("3s", 1, "@::ffff:10.0.0.1")],
            &[],
        ),
        (
            "exactly a timespan",
            vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("11s", 1, "@10.0.0.3")],
            &["scan 3 at 11s"],
        ),
        (
            "a nanosecond more",
            vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("11s+1", 1, "@10.0.0.3")],
            &[],
        ),
        (
            "the oldest left, and came again",
            vec![
                to("1s", 1, "@10.0.0.1"),
                to("2s", 1, "@10.0.0.2"),
                to("12s", 1, "@10.0.0.1"),
                to("12s", 1, "@10.0.0.3"),
            ],
            &["scan 3 at 12s"],
        ),
        (
            "its end in between",
            vec![
                to("1s", 1, "@10.0.0.1"),
                to("2s", 1, "@10.0.0.2"),
                "exit 1".into(),
                to("3s", 1, "@10.0.0.3"),
            ],
            &[],
        ),
        (
            "its pid used again",
            vec![to("1s", 1, "@10.0.0.1"), to("2s", 1, "@10.0.0.2"), to("3s", 2, "@10.0.0.3")],
            &[],
        ),
    ];
    for (name, lines, expected) in rows {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(told(&text, &lines), *expected, "{name}");
    }
}
