//! OCSF events beside the schema, as a package of PyPI has it: `tests/format/ocsf_schema.py`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use super::{python, *};

fn validate(python: &Path, lines: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events");
    std::fs::write(&file, lines.concat()).unwrap();
    Command::new(python).arg("-B").arg(python::script("ocsf_schema.py")).arg(file).output().unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_event_is_as_the_schema_says() {
    let Some(python) = python::found() else { return };
    let mut lines = Vec::new();
    for message in samples() {
        for room in [ROOM_MIN, 6_000, 8_000, usize::MAX] {
            lines.push(format!("{}\n", Form::Ocsf.render(&envelope(&message), room)));
        }
    }
    let output = validate(&python, &lines);
    assert!(output.status.success(), "{}", complaint(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), lines.len().to_string());
}

/// The validator is one: it sees what is wrong.
#[test]
fn wrong_events_are_refused() {
    let Some(python) = python::found() else { return };
    for (pointer, value) in [
        ("/unheard_of", json!(1)),
        ("/evidences/0/process/unheard_of", json!("x")),
        ("/time", json!("now")),
        ("/severity_id", json!(7)),
        ("/severity", json!("Fatal")),
        ("/type_uid", json!(200_402)),
        ("/finding_info/uid", json!(null)),
        ("/evidences/0/process/pid", json!("many")),
        ("/device/unheard_of", json!(1)),
        ("/metadata/version", json!("1.4.0")),
        ("/device/os/type_id", json!(7)),
    ] {
        let mut event = ocsf(&sample::message());
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value;
        let output = validate(&python, &[format!("{event}\n")]);
        assert!(!output.status.success(), "{pointer} passed");
        assert!(!complaint(&output).contains("Traceback"), "{}", complaint(&output));
    }
}
