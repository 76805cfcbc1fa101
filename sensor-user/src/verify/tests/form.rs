//! The forms in which receivers write, and what may have become of a line.

use super::*;

/// RFC 5424 as a receiver keeps it that stores whole frames.
fn rfc5424(number: u64, document: &str) -> String {
    let data = format!(r#"[tidewaiter@32473 id="x" seq="{number}" detection="odd \"{{\" name \]"]"#);
    format!("<86>1 2026-11-22T11:00:00.281042Z node-1 tidewaiter 77 alert {data} {document}")
}

/// rsyslog's default file format, and its older form without a year.
fn file_format(document: &str) -> [String; 2] {
    [
        format!("Nov 22 11:00:00 node-1 tidewaiter[77]: {document}"),
        format!("2026-11-22T11:00:00.281042+00:00 node-1 tidewaiter[77]: {document}"),
    ]
}

/// The document as a text of a daemon's own JSON, under this key.
fn escaped(key: &str, document: &str) -> String {
    let text = serde_json::to_string(&format!(" {document}")).unwrap();
    format!(
        r#"{{"timereported":"2026-11-22T11:00:00+00:00","hostname":"node-1","{key}":{text},"procid":"77"}}"#
    )
}

fn assert_complete(lines: &[String], count: u64) {
    let report = verify(lines);
    let agent = only(&report);
    assert_eq!((agent.received, agent.missing.count, report.complete), (count, 0, true), "{report:?}");
    assert_eq!((report.foreign, report.damaged.count), (0, 0), "{report:?}");
}

#[test]
fn the_file_formats_of_daemons_are_read() {
    let origin = agent(1, 1);
    for form in [0, 1] {
        let lines: Vec<_> = (1..9).map(|number| file_format(&alert(&origin, number))[form].clone()).collect();
        assert_complete(&lines, 8);
    }
}

#[test]
fn whole_frames_are_read_also_with_braces_in_their_structured_data() {
    let origin = agent(1, 1);
    let lines: Vec<_> = (1..9).map(|number| rfc5424(number, &alert(&origin, number))).collect();
    assert_complete(&lines, 8);
}

#[test]
fn a_document_in_a_text_of_the_daemons_own_json_is_read() {
    let origin = agent(1, 1);
    for key in ["msg", "MESSAGE", "message", "log"] {
        let lines: Vec<_> = (1..9).map(|number| escaped(key, &alert(&origin, number))).collect();
        assert_complete(&lines, 8);
    }
    // Behind a head, in a text; and as an object of its own within another.
    let headed = escaped("MESSAGE", &file_format(&alert(&origin, 1))[0]);
    let nested = format!(r#"{{"_index":"logs","_source":{}}}"#, alert(&origin, 2));
    assert_complete(&[headed, nested], 2);
}

#[test]
fn hostile_texts_in_a_message_change_nothing() {
    let origin = agent(1, 1);
    let hostile = |number| line(&origin, number, alert::Message::Alert(Box::new(sample::hostile())));
    let mut forging = sample::alert();
    forging.detection.title = alert(&agent(9, 9), 77);
    let forging = line(&origin, 3, alert::Message::Alert(Box::new(forging)));
    assert_complete(
        &[
            escaped("msg", &hostile(1)),
            hostile(2),
            forging.clone(),
            escaped("msg", &forging.replace("\"sequence\":3", "\"sequence\":4")),
        ],
        4,
    );
}

#[test]
fn lines_of_other_programs_are_passed_over() {
    let origin = agent(1, 1);
    let others = [
        "",
        "Nov 22 11:00:00 node-1 sshd[99]: Accepted publickey for tidewaiter from 10.0.0.2",
        "Nov 22 11:00:00 node-1 systemd[1]: Started tidewaiter.service - {host sensor}.",
        "Nov 22 11:00:00 node-1 tidewaiter[77]: 2026-11-22T11:00:00Z  INFO stopped alerts=4",
        r#"{"@timestamp":"2026-11-22T11:00:00.281Z","log.level":"INFO","message":"tidewaiter","event":"start"}"#,
        r#"{"@timestamp":"2026-11-22T11:00:00.281Z","event":{"module":"nginx","sequence":7},"kind":"alert"}"#,
        r#"{"msg":"tidewaiter says {\"a\":1}"}"#,
        "{{{{{{{{{{{{ tidewaiter",
    ];
    let mut lines: Vec<String> = others.map(str::to_owned).to_vec();
    lines.push(alert(&origin, 1));
    let report = verify(&lines);
    assert_eq!((report.foreign, report.documents, report.damaged.count), (8, 1, 0), "{report:?}");
    assert!(report.complete);
}

#[test]
fn a_line_that_was_cut_is_damaged_wherever_that_happened() {
    let origin = agent(1, 1);
    let (whole, end) = (alert(&origin, 2), stopped(&origin, 3));
    let forms = |text: &str| {
        let [first, second] = file_format(text);
        [text.to_owned(), first, second, rfc5424(2, text), escaped("msg", text)]
    };
    for form in 0..5 {
        let line = &forms(&whole)[form];
        let start = line.find("@timestamp").unwrap();
        for at in (start + 4..line.len() - 20).step_by(37).chain([line.len() - 20]) {
            let Some(cut) = line.get(..at) else { continue };
            let report = verify(&[alert(&origin, 1), cut.to_owned(), end.clone()]);
            assert_eq!(report.damaged.count, 1, "{form} {at}: {cut}");
            let damage = &report.damaged.first[0];
            assert_eq!((damage.file.as_str(), damage.line), ("log", 2));
            assert!(["cut short", "broken"].contains(&damage.reason), "{}", damage.reason);
            assert_eq!((missing(only(&report)), report.complete), (vec![(2, 2)], false));
        }
    }
    let cut = whole.get(..900).unwrap();
    assert_eq!(verify(&[cut.to_owned()]).damaged.first[0].reason, "cut short");
}

#[test]
fn a_line_that_was_changed_is_damaged() {
    let origin = agent(1, 1);
    let whole = alert(&origin, 1);
    let mut not_text = whole.clone().into_bytes();
    let at = whole.find("curl").unwrap();
    not_text[at] = 0xff;
    let report = verify_bytes(&not_text, false);
    assert_eq!((report.damaged.count, report.documents), (1, 0), "a byte that no text has");
    for (from, to, reason) in [
        ("\"sequence\":1", "\"sequence\":-1", "broken"),
        ("\"sequence\":1", "\"sequence\":0", "without agent.id or number"),
        (
            "\"id\":\"00000000-0000-0000-0000-000000000001\",\"ephemeral_id\"",
            "\"ephemeral_id\"",
            "without agent.id or number",
        ),
        ("\"kind\":\"alert\",\"message\"", "\"kind\":\"alert\" \"message\"", "broken"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        let report = verify(&[changed]);
        assert_eq!(report.damaged.first.first().map(|damage| damage.reason), Some(reason), "{from}");
        assert!(!report.complete);
    }
}

#[test]
fn binary_garbage_is_no_message_and_hides_none() {
    let origin = agent(1, 1);
    let mut log: Vec<u8> = (0..=255_u8).cycle().take(4096).collect();
    log.push(b'\n');
    log.extend(alert(&origin, 1).as_bytes());
    log.push(b'\n');
    // What a file system leaves after a power failure.
    log.extend([0; 512]);
    log.extend(alert(&origin, 2).as_bytes());
    let report = verify_bytes(&log, false);
    assert_eq!((only(&report).received, report.complete), (2, true));
    assert!(report.foreign > 1);
}

#[test]
fn what_holds_no_message_at_all_cannot_be_judged() {
    let mut verifier = Verifier::new(false);
    verifier.read("log", &b"a\nb\n"[..]).unwrap();
    assert!(matches!(verifier.finish(), Err(VerifyError::Nothing { lines: 2 })));
    let mut verifier = Verifier::new(false);
    let error = verifier.read("log.gz", &b"\x1f\x8b\x08\x00"[..]).unwrap_err();
    assert!(error.to_string().contains("log.gz is compressed") && error.remedy().contains("zcat"));
    let picture =
        r#"{"@timestamp":"2026-11-22T11:00:00.281042Z","kind":"picture","event":{"module":"tidewaiter"}}"#;
    let mut verifier = Verifier::new(false);
    verifier.read("log", picture.as_bytes()).unwrap();
    assert!(matches!(verifier.finish(), Err(VerifyError::Nothing { .. })), "an answer is no message");
}
