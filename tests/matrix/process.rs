//! Events of programs that start, of processes that act on others, and of the system.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::agent::Line;

use crate::judge::{Finding, Truth, action, is_of, number};

/// The kernel's word behind the path of a program that has no name any more (`d_path`, fs/d_path.c).
const DELETED: &str = " (deleted)";

/// The program by its marker, under the path that it really has.
pub(crate) fn exec(truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let marker = truth.text("marker");
    let has_marker = |line: &&Line| {
        let words = line.field("process.args").and_then(Value::as_array);
        words.is_some_and(|words| words.iter().any(|word| word == marker))
    };
    let Some(line) = truth.own(lines).filter(|line| is_of(line, "process_creation")).find(has_marker) else {
        return Finding::Absent;
    };
    let expected = truth.text("executable");
    let told = line.text("process.executable");
    if told.trim_end_matches(DELETED) != expected.trim_end_matches(DELETED) {
        return Finding::Wrong(format!("told as {told}, is {expected}"));
    }
    let is_memory = expected.starts_with("/memfd:");
    let is_deleted = expected.ends_with(DELETED) && !is_memory;
    let flag = |name: &str| line.field(name).and_then(Value::as_bool).unwrap_or(false);
    for (name, wanted) in
        [("tidewaiter.executable.memfd", is_memory), ("tidewaiter.executable.deleted", is_deleted)]
    {
        // A program in memory has no name either, and may be told so.
        if flag(name) != wanted && !(is_memory && name.ends_with("deleted")) {
            return Finding::Wrong(format!("{name} is {}", !wanted));
        }
    }
    let mut what = vec!["program, arguments"];
    what.extend(is_memory.then_some("memfd"));
    what.extend(is_deleted.then_some("deleted"));
    Finding::Seen(what.join(", "))
}

/// Every program by its marker, under the pid that it really had and no other's identity; and the event that tells of
/// the trick, where there was one.
pub(crate) fn identity(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let Some(lives) = truth.list("lives") else { return trick(way, truth, lines) };
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for life in lives {
        let Some(line) = program(&life, lines) else { return Finding::Absent };
        if number(line, "process.pid") != life.number("pid") {
            return Finding::Wrong(format!(
                "told as {:?}, was {:?}",
                number(line, "process.pid"),
                life.number("pid")
            ));
        }
        ids.insert(line.text("process.entity_id"));
        count += 1;
    }
    if ids.len() != count {
        return Finding::Wrong(format!("{count} lives have {} identities", ids.len()));
    }
    Finding::Seen("each its own".to_owned())
}

/// The start of the program with a marker.
fn program<'l>(truth: &Truth<'_>, lines: &'l [Line]) -> Option<&'l Line> {
    let marker = truth.text("marker");
    lines.iter().find(|line| {
        let words = line.field("process.args").and_then(Value::as_array);
        action(line) == "exec" && words.is_some_and(|words| words.iter().any(|word| word == marker))
    })
}

fn trick(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let Some(line) = program(truth, lines) else { return Finding::Absent };
    for (name, told) in [("pid", "process.pid"), ("parent", "process.parent.pid")] {
        if number(line, told) != truth.number(name) {
            return Finding::Wrong(format!("{told} is {:?}, {:?}", number(line, told), truth.number(name)));
        }
    }
    let told = truth.own(lines).filter(|line| action(line) == "identity");
    let told: Vec<_> = told.map(|line| line.text("tidewaiter.identity.trick")).collect();
    let wanted: &[&str] =
        if matches!(way, "cgroup_forged" | "clone_into_cgroup") { &["cgroup_forged"] } else { &[] };
    if told == wanted {
        return Finding::Seen([&["who"], wanted].concat().join(", "));
    }
    if told.is_empty() { Finding::Absent } else { Finding::Wrong(format!("told as {}", told.join(", "))) }
}

/// What was done to a process or to the system.
pub(crate) fn system(way: &str, truth: &Truth<'_>, lines: &[Line], agent: u32) -> Finding {
    let wanted = match way {
        "setns" | "unshare" => "namespace_enter",
        "mount" | "mount_api" => "mount",
        "bpf_load" => "bpf_load",
        "module" => "module_load",
        "cgroup_move" => "cgroup_attach",
        "signal" => "signal",
        _ => "access",
    };
    let told: Vec<_> = truth.own(lines).filter(|line| action(line) == wanted).collect();
    if told.is_empty() {
        return Finding::Absent;
    }
    let target = if way == "signal" { Some(agent.into()) } else { truth.number("target_pid") };
    let is_it = |line: &Line| {
        let is_target = target.is_none() || number(line, "tidewaiter.target.pid") == target;
        let path = line.text("tidewaiter.mount.target");
        let is_place = wanted != "mount" || path == truth.text("path");
        let group = truth.text("cgroup");
        let is_group = group.is_empty() || line.text("tidewaiter.cgroup.path").ends_with(group);
        is_target && is_place && is_group
    };
    let others: Vec<_> = told.iter().map(|line| line.document["tidewaiter"].to_string()).collect();
    match told.iter().any(|line| is_it(line)) {
        true => Finding::Seen(match wanted {
            "access" | "signal" | "cgroup_attach" => "target".to_owned(),
            "mount" => "target directory".to_owned(),
            _ => wanted.replace('_', " "),
        }),
        false => Finding::Wrong(format!("told as {}", others.join(" "))),
    }
}
