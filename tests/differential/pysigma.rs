//! The reference implementation, asked the same: it turns rules into SQL, and SQLite answers.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::host::Event;
use crate::rule::Rule;
use crate::verdict::Verdict;

/// The Python of the lab that has pySigma; without it, why there is none.
pub(crate) fn python() -> Result<PathBuf, String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lab");
    let lab = std::env::var_os("TIDEWAITER_LAB").map_or(target, PathBuf::from);
    let python = lab.join("python/bin/python");
    if python.is_file() {
        return Ok(python);
    }
    Err(format!("there is no {}; `cargo xtask setup` makes it, with pySigma in it", python.display()))
}

/// Each rule is asked of its range of events; verdicts count from the range's start.
pub(crate) fn verdicts(python: &Path, asked: &[(&Rule, Range<usize>)], events: &[Event]) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    let (rules_file, events_file) = (folder.path().join("rules"), folder.path().join("events"));
    let rules =
        asked.iter().map(|(rule, events)| json!({ "text": rule.text, "events": [events.start, events.end] }));
    write_lines(&rules_file, rules);
    write_lines(&events_file, events.iter().map(|event| Value::Object(event.clone())));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/pysigma.py");
    let output = Command::new(python)
        .args(["-B", "-W", "ignore"])
        .arg(script)
        .args([rules_file, events_file])
        .output()
        .expect("the lab's Python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pysigma.py ended with {}: {said}", output.status);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), asked.len(), "one line a rule");
    lines.lines().zip(asked).map(|(line, (_, events))| verdict(line, events.start)).collect()
}

fn write_lines(path: &Path, lines: impl Iterator<Item = Value>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    lines.for_each(|line| writeln!(file, "{line}").unwrap());
    file.flush().unwrap();
}

fn verdict(line: &str, start: usize) -> Verdict {
    let read: Value = serde_json::from_str(line).unwrap();
    let refused = read["refused"].as_str().map(str::to_owned);
    let number = |event: &Value| usize::try_from(event.as_u64().unwrap()).unwrap() - start;
    let matched = read["events"].as_array().map(|events| events.iter().map(number).collect());
    Verdict { matched: matched.unwrap_or_default(), refused }
}
