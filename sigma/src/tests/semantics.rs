//! What rules mean: hand-labelled cases, each under the section of the specification it follows.

use super::{TestRecord, engine, rule, truth};
use crate::Truth;

const YES: Truth = Truth::True;
const NO: Truth = Truth::False;
const OPEN: Truth = Truth::Unknown;

/// An item (or several, or a whole detection with its condition), a record, and the answer.
type Case = (&'static str, &'static [&'static str], Truth);

/// Runs cases; an item without a condition is the only selection.
fn check(cases: &[Case]) {
    for (written, record, expected) in cases {
        let detection = if written.contains("condition:") {
            (*written).to_owned()
        } else {
            let indented: String = written.lines().map(|line| format!("  {line}\n")).collect();
            format!("selection:\n{indented}condition: selection\n")
        };
        let mut engine = engine(&rule(&detection));
        let record = TestRecord::parse(record.iter().copied());
        assert_eq!(truth(&mut engine, &record), *expected, "\n{written}\n{record:?}");
        // A second look at the same record must not depend on what the first left behind.
        assert_eq!(truth(&mut engine, &record), *expected, "second time\n{written}\n{record:?}");
    }
}

/// Rules specification, "Detection: General".
#[test]
fn values_are_texts_without_case() {
    check(&[
        ("Image: /BIN/Sh", &["Image=/bin/sH"], YES),
        ("Image: /bin/sh", &["Image=/bin/sh "], NO),
        ("User: ÄRGER", &["User=ärger"], YES),
        ("User: straße", &["User=STRASSE"], NO),
        ("User: kelvin", &["User=\u{212a}ELVIN"], YES),
        ("DestinationPort: 443", &["DestinationPort=#443"], YES),
        ("DestinationPort: '443'", &["DestinationPort=#443"], YES),
        ("DestinationPort: 443", &["DestinationPort=443"], YES),
        ("DestinationPort: 443", &["DestinationPort=#4430"], NO),
        ("LogonId: 00000429", &["LogonId=00000429"], YES),
        ("LogonId: 00000429", &["LogonId=429"], NO),
        ("Initiated: 'true'", &["Initiated=!true"], YES),
        ("Initiated: true", &["Initiated=!false"], NO),
        ("Initiated: TRUE", &["Initiated=true"], YES),
        ("DestinationIp: 0:0:0:0:0:0:0:1", &["DestinationIp=@::1"], YES),
        ("DestinationIp: 10.0.0.1", &["DestinationIp=@::ffff:10.0.0.1"], YES),
        ("DestinationIp: 10.0.0.1", &["DestinationIp=@10.0.0.10"], NO),
        ("DestinationIp|startswith: '10.'", &["DestinationIp=@10.0.0.1"], YES),
    ]);
}

/// Rules specification, "String Wildcard" and "Escaping".
#[test]
fn wildcards_and_escapes() {
    check(&[
        ("Image: prog?.exe", &["Image=progA.exe"], YES),
        ("Image: prog?.exe", &["Image=prog.exe"], NO),
        ("Image: prog?.exe", &["Image=progAB.exe"], NO),
        ("Image: antivirus_V*.exe", &["Image=antivirus_V21.2.1.exe"], YES),
        ("Image: '*sh'", &["Image=/bin/bash"], YES),
        ("Image: '*sh'", &["Image=/bin/bash2"], NO),
        ("Image: '/bin/*'", &["Image=/bin/"], YES),
        ("Image: '*'", &["Image="], YES),
        ("Image: '*'", &["User=x"], NO),
        ("Image: '?*'", &["Image="], NO),
        (r"CommandLine: 'a\*b'", &["CommandLine=a*b"], YES),
        (r"CommandLine: 'a\*b'", &["CommandLine=axb"], NO),
        (r"CommandLine: 'a\?b'", &["CommandLine=a?b"], YES),
        (r"CommandLine: 'a\\*b'", &[r"CommandLine=a\xxb"], YES),
        (r"CommandLine: 'a\\\*b'", &[r"CommandLine=a\*b"], YES),
        (r"CommandLine: 'a\\\*b'", &[r"CommandLine=a\xb"], NO),
        (r"CommandLine: 'a\b'", &[r"CommandLine=a\b"], YES),
        (r"CommandLine: 'a\\b'", &[r"CommandLine=a\b"], YES),
        (r"CommandLine: 'a\\\\b'", &[r"CommandLine=a\\b"], YES),
        (r"CommandLine|contains: '\tmp\'", &[r"CommandLine=c:\tmp\x"], YES),
        ("CommandLine|startswith: 'a*c'", &["CommandLine=abcd"], YES),
        ("CommandLine|startswith: 'a*c'", &["CommandLine=xabcd"], NO),
        ("CommandLine|endswith: 'b?d'", &["CommandLine=abcd"], YES),
        ("CommandLine|endswith: 'b?d'", &["CommandLine=abcde"], NO),
        ("CommandLine|contains: 'b*d'", &["CommandLine=a\nb\nc\nd\n"], YES),
        ("CommandLine: 'ä?ö*'", &["CommandLine=ÄxÖ!"], YES),
    ]);
}

/// Rules specification, "Lists", "Maps".
#[test]
fn lists_are_or_and_maps_are_and() {
    check(&[
        ("Image: [a, b]", &["Image=B"], YES),
        ("Image: [a, b]", &["Image=c"], NO),
        ("Image: a\nUser: root", &["Image=a", "User=root"], YES),
        ("Image: a\nUser: root", &["Image=a", "User=me"], NO),
        ("- Image: a\n- User: root", &["Image=x", "User=root"], YES),
        ("- Image: a\n- User: root", &["Image=x", "User=x"], NO),
        ("- Image: a\n  User: root\n- Image: b", &["Image=a"], NO),
        // Any value of a field may match; each item looks at all of them.
        ("Image: busybox", &["Image=wget", "Image=busybox"], YES),
        ("Image|contains|all: [wget, box]", &["Image=wget", "Image=busybox"], YES),
    ]);
}

/// Rules specification, "Special Field Values" and "Field Existence".
#[test]
fn empty_null_and_missing() {
    check(&[
        ("User: ''", &["User="], YES),
        ("User: ''", &["User=x"], NO),
        ("User: ''", &["Image=x"], NO),
        ("User: null", &["Image=x"], YES),
        ("User: null", &["User"], YES),
        ("User: null", &["User="], NO),
        ("User: ~", &["User=x"], NO),
        ("User|exists: true", &["User"], YES),
        ("User|exists: true", &["Image=x"], NO),
        ("User|exists: false", &["Image=x"], YES),
        ("User|exists: false", &["User="], NO),
        ("User|contains: ''", &["User=x"], YES),
        ("s:\n  Image: a\nf:\n  User: null\ncondition: s and not f", &["Image=a", "User=x"], YES),
        ("s:\n  Image: a\nf:\n  User: null\ncondition: s and not f", &["Image=a"], NO),
    ]);
}

/// Modifiers appendix, "Generic Modifiers".
#[test]
fn generic_modifiers() {
    check(&[
        ("CommandLine|contains: ' -O '", &["CommandLine=curl -o x"], YES),
        ("CommandLine|startswith: curl", &["CommandLine=CURL x"], YES),
        ("CommandLine|startswith: curl", &["CommandLine=x curl"], NO),
        ("Image|endswith: /curl", &["Image=/usr/bin/curl"], YES),
        ("Image|endswith: [/curl, /wget]", &["Image=/usr/bin/wget"], YES),
        ("Image|endswith: /curl", &["Image=/usr/bin/curl7"], NO),
        ("CommandLine|contains|all: [a, b]", &["CommandLine=b a"], YES),
        ("CommandLine|contains|all: [a, b]", &["CommandLine=a"], NO),
        ("CommandLine|contains|cased: -O", &["CommandLine=curl -o x"], NO),
        ("CommandLine|contains|cased: -O", &["CommandLine=curl -O x"], YES),
        ("CommandLine|contains|cased: -O", &["CommandLine=ä -o -O"], YES),
        ("CommandLine|contains|cased: -O", &["CommandLine=ä -o"], NO),
        ("CommandLine|cased: 'A*b'", &["CommandLine=Axb"], YES),
        ("CommandLine|cased: 'A*b'", &["CommandLine=axb"], NO),
        ("User|neq: root", &["User=me"], YES),
        ("User|neq: root", &["User=ROOT"], NO),
        ("User|neq: [root, me]", &["User=me"], NO),
        ("User|neq: root", &["Image=x"], YES),
        ("DestinationPort|neq: 22", &["DestinationPort=#23"], YES),
        ("User|neq|startswith: ro", &["User=root"], NO),
    ]);
}

/// Modifiers appendix, "String Modifiers": windash and encodings.
#[test]
fn disguises() {
    check(&[
        ("CommandLine|windash|contains: ' -f '", &["CommandLine=x /f y"], YES),
        ("CommandLine|contains|windash: ' -f '", &["CommandLine=x \u{2013}F y"], YES),
        ("CommandLine|contains|windash: ' /f '", &["CommandLine=x \u{2015}f y"], YES),
        ("CommandLine|contains|windash: ' -f '", &["CommandLine=x _f y"], NO),
        ("CommandLine|contains|windash: 'a-b'", &["CommandLine=a/b"], NO),
        ("CommandLine|base64: foobar", &["CommandLine=Zm9vYmFy"], YES),
        ("CommandLine|base64|contains: foo", &["CommandLine=x Zm9vYmFy"], YES),
        ("CommandLine|base64offset|contains: curl", &["CommandLine=echo L2Jpbi9jdXJsIHg="], YES),
        ("CommandLine|base64offset|contains: wget", &["CommandLine=echo L2Jpbi9jdXJsIHg="], NO),
        ("CommandLine|wide|base64offset|contains: ls", &["CommandLine=bABzAA=="], YES),
        ("CommandLine|utf16le: ab", &["CommandLine=a\0b\0"], YES),
        ("CommandLine|utf16be: ab", &["CommandLine=\0a\0b"], YES),
        ("CommandLine|utf16|base64: a", &["CommandLine=//5hAA=="], YES),
    ]);
}

/// Modifiers appendix, "Regular Expression".
#[test]
fn regular_expressions() {
    check(&[
        (r"CommandLine|re: '\s-O\s'", &["CommandLine=curl -O x"], YES),
        (r"CommandLine|re: '\s-O\s'", &["CommandLine=curl -o x"], NO),
        (r"CommandLine|re|i: '\s-O\s'", &["CommandLine=curl -o x"], YES),
        ("CommandLine|re: 'a.b'", &["CommandLine=a\nb"], NO),
        ("CommandLine|re|s: 'a.b'", &["CommandLine=a\nb"], YES),
        ("CommandLine|re: '^b'", &["CommandLine=a\nb"], NO),
        ("CommandLine|re|m: '^b$'", &["CommandLine=a\nb"], YES),
        ("CommandLine|re|i|m: '^B$'", &["CommandLine=a\nb"], YES),
        ("CommandLine|re: 'b{2}'", &["CommandLine=abbc"], YES),
        ("CommandLine|re|all: ['^a', 'c$']", &["CommandLine=abc"], YES),
        ("CommandLine|re|neq: '^a'", &["CommandLine=abc"], NO),
        ("DestinationPort|re: '^44\\d$'", &["DestinationPort=#443"], YES),
    ]);
}

/// Modifiers appendix, "Numeric Modifiers" and "IP Modifiers".
#[test]
fn numbers_and_networks() {
    check(&[
        ("DestinationPort|lt: 1024", &["DestinationPort=#1023"], YES),
        ("DestinationPort|lt: 1024", &["DestinationPort=#1024"], NO),
        ("DestinationPort|lte: 1024", &["DestinationPort=#1024"], YES),
        ("DestinationPort|gt: 1024", &["DestinationPort=1025"], YES),
        ("DestinationPort|gte: -1", &["DestinationPort=#-1"], YES),
        ("DestinationPort|gt: 1.5", &["DestinationPort=#2"], YES),
        ("DestinationPort|gt: 1", &["DestinationPort=many"], NO),
        ("DestinationPort|gt: 1", &["User=x"], NO),
        ("DestinationPort|gt: 9007199254740992", &["DestinationPort=#9007199254740993"], YES),
        ("DestinationPort|gte: 20\nSourcePort|lt: 5", &["DestinationPort=#20", "SourcePort=#4"], YES),
        ("DestinationIp|cidr: 10.0.0.0/8", &["DestinationIp=@10.200.3.4"], YES),
        ("DestinationIp|cidr: 10.0.0.0/8", &["DestinationIp=@11.0.0.1"], NO),
        ("DestinationIp|cidr: 10.0.0.0/8", &["DestinationIp=10.0.0.1"], YES),
        ("DestinationIp|cidr: 10.0.0.0/8", &["DestinationIp=@::ffff:10.0.0.1"], YES),
        ("DestinationIp|cidr: [fe80::/10, '::1/128']", &["DestinationIp=@fe80::1"], YES),
        ("DestinationIp|cidr: fe80::/10", &["DestinationIp=@2001:db8::1"], NO),
        ("DestinationIp|cidr: 127.0.0.1", &["DestinationIp=@127.0.0.1"], YES),
        ("DestinationIp|cidr: 10.0.0.0/8", &["DestinationIp=host"], NO),
    ]);
}

/// Modifiers appendix, "Specific Modifiers".
#[test]
fn field_references() {
    check(&[
        ("Image|fieldref: ParentImage", &["Image=/bin/SH", "ParentImage=/bin/sh"], YES),
        ("Image|fieldref: ParentImage", &["Image=/bin/sh", "ParentImage=/bin/bash"], NO),
        ("Image|fieldref: ParentImage", &["Image=/bin/sh"], NO),
        ("Image|fieldref|cased: ParentImage", &["Image=/bin/SH", "ParentImage=/bin/sh"], NO),
        ("CommandLine|fieldref|startswith: Image", &["CommandLine=/bin/sh -c", "Image=/bin/sh"], YES),
        ("Image|fieldref|neq: ParentImage", &["Image=a", "ParentImage=b"], YES),
        ("Image|fieldref: ParentImage", &["Image=a", "ParentImage~"], OPEN),
        ("Image|fieldref: ParentImage", &["Image~=a", "ParentImage=A"], YES),
    ]);
}

/// Rules specification, "Condition".
#[test]
fn conditions() {
    let detection = "s_a:\n  Image: a\ns_b:\n  User: b\nf:\n  Product: f\n_x:\n  Company: x\ncondition: ";
    for (condition, record, expected) in [
        ("s_a or s_b and not f and _x", &["Image=a", "Product=f"][..], YES),
        ("(s_a or s_b) and not f and not _x", &["Image=a", "Product=f"], NO),
        ("1 of s_* and not f and not _x", &["User=b"], YES),
        ("all of s_* and not (f or _x)", &["User=b"], NO),
        ("all of s_* and not (f or _x)", &["User=b", "Image=a"], YES),
        ("1 of them or _x", &["Company=x"], YES),
        ("1 of them and not _x", &["Company=x"], NO),
        ("2 of them or _x", &["Image=a", "Product=f"], YES),
        ("2 of them or _x", &["Product=f"], NO),
        ("not 1 of s_* and f and not _x", &["Product=f"], YES),
        ("not (s_a and s_b) and not f and not _x", &["Image=a"], YES),
        ("\n- all of s_*\n- f\n- _x", &["Product=f"], YES),
        ("\n- all of s_*\n- f\n- _x", &["Image=a"], NO),
    ] {
        let condition = condition.replace("\n-", "\n  -");
        let mut engine = engine(&rule(&format!("{detection}{condition}\n")));
        let record = TestRecord::parse(record.iter().copied());
        assert_eq!(truth(&mut engine, &record), expected, "{condition} {record:?}");
    }
}

/// Our own third truth value (Kleene 1952): what is not known yet is neither true nor false.
#[test]
fn pending_fields_leave_rules_open() {
    check(&[
        ("User: root", &["User~"], OPEN),
        ("User: root", &["User~=root"], YES),
        ("User: root", &["User~=me"], OPEN),
        ("User|neq: root", &["User~"], OPEN),
        ("User|neq: root", &["User~=root"], NO),
        ("User|re: ro+t", &["User~"], OPEN),
        ("User: 'r*t?'", &["User~"], OPEN),
        ("User|exists: true", &["User~"], OPEN),
        ("User|exists: true", &["User~=x"], YES),
        ("User: null", &["User~"], OPEN),
        ("User: '*'", &["User~"], OPEN),
        ("Image: a\nUser: root", &["Image=b", "User~"], NO),
        ("Image: a\nUser: root", &["Image=a", "User~"], OPEN),
        ("- Image: a\n- User: root", &["Image=a", "User~"], YES),
        ("s:\n  Image: a\nf:\n  User: root\ncondition: s and not f", &["Image=a", "User~"], OPEN),
        ("s:\n  Image: a\nf:\n  User: root\ncondition: s and not f", &["Image=a", "User~=root"], NO),
        ("s:\n  Image: a\nf:\n  User: root\ncondition: s or not f", &["Image=a", "User~"], YES),
        ("DestinationPort|gt: 5", &["DestinationPort~"], OPEN),
    ]);
}

#[test]
fn rules_see_only_records_of_their_log_source() {
    let mut engine = engine(&rule("s:\n  Image: a\ncondition: s"));
    let mut record = TestRecord::parse(["Image=a"]);
    assert_eq!(truth(&mut engine, &record), YES);
    record.source = 1;
    assert_eq!(truth(&mut engine, &record), NO);
}

#[test]
fn matches_come_in_order_of_loading() {
    let text: Vec<String> = ["b", "a", "a*", "c"]
        .map(|value| rule(&format!("s:\n  Image|contains: '{value}'\ncondition: s")))
        .into();
    let mut engine = engine(&text.join("---\n"));
    let mut found = crate::Matches::default();
    engine.evaluate(&TestRecord::parse(["Image=ab"]), &mut found);
    assert_eq!(found.matched.iter().map(|index| index.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(found.pending.is_empty());
}
