//! Events of files: written, named, read.

use tests::agent::Line;

use crate::judge::{Finding, Truth, action, is_of, number};

/// A change of the file: to the byte where the sensor knows, else with its size.
pub(crate) fn write(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let path = truth.text("path");
    let told: Vec<_> =
        truth.own(lines).filter(|line| is_of(line, "file_event") && line.text("file.path") == path).collect();
    if told.is_empty() {
        return Finding::Absent;
    }
    let actions = actions(&told);
    let is_changed = told.iter().any(|line| matches!(action(line), "write" | "close"));
    if !is_changed {
        return Finding::Wrong(format!("only told as {actions}"));
    }
    let (bytes, size) = (truth.number("bytes"), truth.number("size"));
    let exact = told.iter().rev().find_map(|line| number(line, "tidewaiter.file.bytes_written"));
    let last_size = told.iter().rev().find_map(|line| number(line, "file.size"));
    match exact {
        // Lengths that are set move no bytes: the size is the fact.
        _ if matches!(way, "truncate" | "ftruncate" | "fallocate") => sized(&actions, last_size, size),
        Some(exact) if Some(exact) == bytes => Finding::Seen(format!("{actions}, {exact} bytes")),
        Some(exact) => Finding::Wrong(format!("told {exact} bytes of {}", bytes.unwrap_or_default())),
        // The event itself says that stores are not seen.
        None if told.iter().any(|line| line.field("tidewaiter.file.mapped") == Some(&true.into())) => {
            Finding::Mapped(actions)
        }
        None => Finding::NoBytes(actions),
    }
}

fn sized(actions: &str, told: Option<u64>, size: Option<u64>) -> Finding {
    if told == size {
        Finding::Seen(format!("{actions}, size"))
    } else {
        let told = told.map_or("no size".to_owned(), |told| format!("size {told}"));
        Finding::NoBytes(format!("{actions}, {told} where it is {}", size.unwrap_or_default()))
    }
}

/// What was told, each word once.
fn actions(told: &[&Line]) -> String {
    let mut words: Vec<_> = told.iter().map(|line| action(line)).collect();
    words.dedup();
    words.join(" ")
}

/// A name given, taken away, or made a program's.
pub(crate) fn name(way: &str, truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let (wanted, path, from) = match way {
        "rename" | "renameat2_exchange" => ("rename", truth.text("to"), Some(truth.text("path"))),
        "link" | "symlink" => ("link", truth.text("to"), Some(truth.text("path"))),
        "tmpfile_link" => ("link", truth.text("path"), None),
        "unlink" => ("delete", truth.text("path"), None),
        _ => ("mode", truth.text("path"), None),
    };
    let told: Vec<_> = truth.own(lines).filter(|line| action(line) == wanted).collect();
    let is_it = |line: &&&Line| {
        let told = line.text("tidewaiter.file.from");
        // Where a link is seen by its new name alone, the other one is not known.
        let is_from = from.is_none_or(|from| told == from || (wanted == "link" && told.is_empty()));
        line.text("file.path") == path && is_from
    };
    match (told.iter().find(is_it), told.first()) {
        (Some(line), _) => {
            let has_both = !line.text("tidewaiter.file.from").is_empty();
            Finding::Seen(if has_both { "both names" } else { "path" }.to_owned())
        }
        (None, Some(other)) => Finding::Wrong(format!(
            "told as {} from {}",
            other.text("file.path"),
            other.text("tidewaiter.file.from")
        )),
        (None, None) => Finding::Absent,
    }
}

/// A secret opened.
pub(crate) fn read(truth: &Truth<'_>, lines: &[Line]) -> Finding {
    let path = truth.text("path");
    let told: Vec<_> = truth.own(lines).filter(|line| is_of(line, "file_access")).collect();
    match (told.iter().any(|line| line.text("file.path") == path), told.first()) {
        (true, _) => Finding::Seen("path".to_owned()),
        (false, Some(other)) => Finding::Wrong(format!("told as {}", other.text("file.path"))),
        (false, None) => Finding::Absent,
    }
}
