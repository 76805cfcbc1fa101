//! Hostile strings through every field that meets outside text, in every form, read back by parsers that are not ours:
//! `tests/format/decode.py`, in plain Python.
//!
//! `TIDEWAITER_HOSTILE=10000` says how many; an ordinary run takes fewer. All of them come from a seed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::python;
use crate::alert::{Action, Alert, Message, Place};
use crate::octet;
use crate::outbox::Envelope;
use crate::sink::syslog::{Facility, frame};
use crate::sink::{Form, encode, sample};
use crate::state::container::{Container, Owner, Pod};
use crate::state::process::{Executable, Process, Written};

/// Of an ordinary run.
const COUNT: usize = 400;
/// Fields are filled in so many goes, so that a frame has room for those of one.
const GROUPS: usize = 4;

/// What ends a record, a field or a text somewhere, or looks like another one.
const FRAGMENTS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b"\0",
    b"\x07",
    b"\x08",
    b"\x0b",
    b"\x0c",
    b"\x1b[2J",
    b"\x1b]0;t\x07",
    b"\x7f",
    b"\x01",
    b"\x1f",
    b" ",
    b"  ",
    b"\"",
    b"'",
    b"\\",
    b"\\\\",
    b"\\n",
    b"\\u0041",
    b"\\u",
    b"\\x1b",
    b"]",
    b"[",
    b"[x@32473 a=\"b\"]",
    b"\"] ",
    b"|",
    b"||",
    b"=",
    b"a=b",
    b" act=forged",
    b" cs1Label=x cs1=",
    b"\\=",
    b"\\|",
    b"<34>1 - f tidewaiter - alert - ",
    b"99 <34>1 ",
    b"CEF:0|Tidewaiter|tidewaiter|1|x|y|10|",
    b"{\"kind\":\"alert\"}",
    b"\"},{\"",
    b"}\n{",
    b"null",
    b"%",
    b"%s%n",
    b"%00",
    b"$(id)",
    b"`id`",
    b"<!--",
    b"&amp;",
    b"\xc2\x80",
    b"\xc2\x85",
    b"\xc2\x9b31m",
    b"\xc2\x9f",
    b"\xc2\xa0",
    b"\xc2\xad",
    b"\xe2\x80\x8b",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xe2\x80\xae",
    b"\xe2\x81\xa6",
    b"\xe2\x80\x8f",
    b"\xef\xbb\xbf",
    b"\xef\xbf\xbd",
    b"\xef\xbf\xbe",
    b"\xee\xbe\x80",
    b"\xee\xbf\xbf",
    b"\xee\xbd\xbf",
    b"\xef\x80\x80",
    b"\xf0\x9f\x92\xa3",
    b"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
    b"e\xcc\x81",
    b"\xcd\x8f",
    b"\xf3\xa0\x81\x81",
    b"\xf4\x8f\xbf\xbf",
    b"\xc3\xa9",
    b"\xe6\xbc\xa2",
    b"\xd7\x90",
    b"\xd8\xa7",
    b"\x80",
    b"\xbf",
    b"\xff",
    b"\xfe",
    b"\xc0\xaf",
    b"\xc0\x80",
    b"\xe0\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xed\xa0\xbd\xed\xb2\xa3",
    b"\xf8\x88\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"\xe6\xbc",
    b"\xf0\x9f\x92",
    b"/",
    b"..",
    b"-",
    b"--",
    b"\xe2\x80\xa6",
    b"a",
];

/// xorshift64*: the same strings in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides
    }
}

/// Every fragment by itself, then mixtures, then bytes by chance; one in two hundred is longer than a frame.
fn strings(count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice(0x7469_6465);
    let mut strings: Vec<Vec<u8>> = FRAGMENTS.iter().map(|fragment| fragment.to_vec()).collect();
    while strings.len() < count {
        let parts = match dice.roll(200) {
            0 => 400 + dice.roll(2_000),
            1..=20 => 10 + dice.roll(40),
            _ => 1 + dice.roll(8),
        };
        let is_chance = dice.roll(4) == 0;
        let mut string = Vec::new();
        for _ in 0..parts {
            if is_chance {
                string.push(u8::try_from(dice.roll(256)).unwrap());
            } else {
                string.extend_from_slice(FRAGMENTS[dice.roll(FRAGMENTS.len())]);
            }
        }
        strings.push(string);
    }
    strings.truncate(count);
    strings
}

/// The alert with this text in every field of these groups. What processes make are bytes; what runtimes, the API and
/// rules tell is text that knows nothing of ours.
fn alert(number: usize, bytes: &[u8], foreign: &str, groups: std::ops::Range<usize>) -> Alert {
    let raw = octet::text(bytes);
    let mut alert = sample::in_pod();
    alert.sequence = number as u64 + 1;
    alert.ancestors.truncate(1);
    alert.story.participants.clear();
    alert.detection.response.clear();
    alert.detection.false_positives.clear();
    let process = Arc::make_mut(&mut alert.process);
    let put = |group: usize, into: &mut String| {
        if groups.contains(&group) {
            into.clone_from(&raw);
        }
    };
    if groups.contains(&0) {
        process.arguments = vec!["prog".to_owned(), raw.clone(), "end".to_owned()].into();
    }
    put(1, process.directory.insert("/".to_owned()));
    put(1, process.session.terminal.insert("pts/0".to_owned()));
    put(2, &mut process.executable.path);
    put(2, process.executable.interpreter.insert("/bin/sh".to_owned()));
    let mut writer = ["/bin/w".to_owned(), "w".to_owned()];
    writer.iter_mut().for_each(|text| put(2, text));
    let [image, command_line] = writer;
    let by = process.key;
    let arguments = command_line.as_str().into();
    process.executable.written = Some(Arc::new(Written { time: 1, by, image, arguments, received: None }));
    if groups.contains(&3) {
        alert.user = Some(raw.as_str().into());
        alert.ancestors = vec![parent(&alert.ancestors[0], &raw)];
        alert.detection.title = foreign.to_owned();
    }
    steps(&mut alert, &raw, foreign, &groups);
    pod(&mut alert, foreign, &groups);
    alert
}

fn parent(of: &Arc<Process>, raw: &str) -> Arc<Process> {
    let executable = Executable { path: raw.to_owned(), ..Executable::default() };
    Arc::new(Process { executable, arguments: vec![raw.to_owned()].into(), ..Process::clone(of) })
}

fn steps(alert: &mut Alert, raw: &str, foreign: &str, groups: &std::ops::Range<usize>) {
    for step in &mut alert.steps {
        if let Action::Wrote { path, .. } = &mut step.action
            && groups.contains(&0)
        {
            raw.clone_into(path);
        }
        if let Action::Executed { arguments } = &mut step.action
            && groups.contains(&1)
        {
            *arguments = raw.into();
        }
        if let Action::Connected { place: Place { name, .. }, .. } = &mut step.action
            && groups.contains(&1)
        {
            *name = Some(foreign.into());
        }
        if groups.contains(&2) {
            raw.clone_into(&mut step.program);
        }
    }
}

fn pod(alert: &mut Alert, foreign: &str, groups: &std::ops::Range<usize>) {
    let Some(container) = alert.container.as_deref() else { return };
    let mut container = Container::clone(container);
    let text = || foreign.to_owned();
    if groups.contains(&0) {
        container.name = Some(text());
        container.image = Some(text());
    }
    if groups.contains(&3) {
        container.pod = Some(Pod {
            name: text(),
            namespace: text(),
            uid: text(),
            labels: [("l".to_owned(), text())].into(),
            owner: Some(Owner { kind: text(), name: text() }),
            node: Some(text()),
            service_account: Some(text()),
        });
    }
    alert.container = Some(Arc::new(container));
}

/// Where records go: frames one behind the other as on a connection, and lines as in a file.
struct Files<'a> {
    folder: &'a Path,
    open: Vec<(String, BufWriter<File>)>,
}

impl Files<'_> {
    fn write(&mut self, name: &str, bytes: &[u8]) {
        if !self.open.iter().any(|(known, _)| known == name) {
            let file = File::create(self.folder.join(name)).unwrap();
            self.open.push((name.to_owned(), BufWriter::new(file)));
        }
        let (_, file) = self.open.iter_mut().find(|(known, _)| known == name).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn record(&mut self, envelope: &Envelope, form: Form) {
        let line = form.render(envelope, usize::MAX);
        self.write(&format!("{}.lines", form.name()), format!("{line}\n").as_bytes());
    }

    fn frame(&mut self, envelope: &Envelope, form: Form) {
        let target = "tcp://h:1".parse().unwrap();
        let bytes = frame(envelope, &target, Facility::Authpriv, form);
        self.write(&format!("{}.frames", form.name()), &bytes);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn hostile_strings_are_one_record_each_and_come_back() {
    let Some(python) = python::found() else { return };
    let asked = std::env::var("TIDEWAITER_HOSTILE").ok().map(|count| count.parse().expect("a count"));
    let strings = strings(asked.unwrap_or(COUNT));
    let folder = tempfile::tempdir().unwrap();
    let mut files = Files { folder: folder.path(), open: Vec::new() };
    for (number, string) in strings.iter().enumerate() {
        let foreign = String::from_utf8_lossy(string);
        let told = json!({ "bytes": hexadecimal(string), "foreign": hexadecimal(foreign.as_bytes()) });
        files.write("expected", format!("{told}\n").as_bytes());
        let encoded = |groups| {
            let message = Message::Alert(Box::new(alert(number, string, &foreign, groups)));
            encode::encode(&message, &sample::origin())
        };
        let all = encoded(0..GROUPS);
        for form in [Form::Ecs, Form::Ocsf, Form::Cef] {
            files.record(&all, form);
        }
        for form in [Form::Ocsf, Form::Cef] {
            files.frame(&all, form);
        }
        for group in 0..GROUPS {
            files.frame(&encoded(group..group + 1), Form::Ecs);
        }
    }
    drop(files);
    let mut decode = Command::new(python);
    decode.arg("-B").arg(python::script("decode.py")).arg(folder.path()).arg(GROUPS.to_string());
    let output = decode.output().unwrap();
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complaint}");
    let summary: Value = serde_json::from_str(&said).unwrap();
    println!("{} strings: {summary}", strings.len());
    assert_eq!(summary["strings"], strings.len());
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(count("records"), strings.len() as u64 * (5 + GROUPS as u64));
    assert!(count("whole") > 20 * count("cut"), "most of them have room");
}
