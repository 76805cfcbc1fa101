//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! It reads and never repairs. Whether a rule makes sense is a matter for the README, not for an exception here:
//! the only exceptions are the named long files below, each with its reason.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::place::Place;
use crate::progress;

/// The crates; other folders hold documents.
const CRATES: [&str; 5] = ["sensor-ebpf", "sensor-user", "sigma", "tests", "xtask"];

/// Lines that fit a reader's head in one sitting.
const LINES_MAX: usize = 400;

/// Where even an exception ends.
const LINES_LIMIT: usize = 450;

/// Files that may have up to [`LINES_LIMIT`] lines, and why they are not split.
const LONG: &[(&str, &str)] = &[];

/// Names that say nothing of what is inside, so that everything ends up there.
const VAGUE: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"];

/// Where `unsafe` may stand: programs in the kernel, and system calls that no crate offers.
const UNSAFE: [&str; 4] =
    ["sensor-ebpf/", "sensor-user/src/ebpf/sys.rs", "sensor-user/src/ebpf/sys/", "tests/deed/sys/"];

/// Words that betray a broken rule, and the rule. Split in two so that this file does not betray itself.
const WORDS: [(&str, &str); 3] = [
    (
        concat!("keep ", "in sync"),
        "two places that must agree are a defect: write it once, let the compiler check",
    ),
    (
        concat!("#[", "allow("),
        "use #[expect(lint, reason = \"...\")]: the compiler tells when it is no longer needed",
    ),
    (
        concat!("#![", "allow("),
        "use #![expect(lint, reason = \"...\")]: the compiler tells when it is no longer needed",
    ),
];

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    sentence: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// Reads every Rust file of the workspace.
pub(crate) fn tidy(place: &Place) -> Result<()> {
    let mut files = Vec::new();
    for name in CRATES {
        rust_files(&place.root.join(name), &mut files)?;
    }
    files.sort();
    let mut findings = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(&place.root).unwrap_or(file).to_string_lossy();
        findings.extend(check(&name, &text));
    }
    if findings.is_empty() {
        progress::good("tidy", &format!("{} files keep the rules of the house", files.len()));
        return Ok(());
    }
    for finding in &findings {
        progress::say(&finding.to_string());
    }
    bail!("{} places break the rules of the house", findings.len())
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && entry.file_name() != "target" {
            rust_files(&path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// All rules over one file.
fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find =
        |line: usize, sentence: String| findings.push(Finding { file: file.to_owned(), line, sentence });

    if !text.starts_with("//!") {
        find(1, "opens with `//!`: what the module is for, and what it will not do".to_owned());
    }
    let lines = text.lines().count();
    let max = if LONG.iter().any(|(long, _)| *long == file) { LINES_LIMIT } else { LINES_MAX };
    if lines > max {
        find(lines, format!("{lines} lines, and {max} are the bound: split it by meaning"));
    }
    if let Some(vague) =
        Path::new(file).iter().filter_map(|part| Path::new(part).file_stem()?.to_str()).find(is_vague)
    {
        find(1, format!("`{vague}` says nothing of what is inside: name it after what it is"));
    }
    let may_be_unsafe = UNSAFE.iter().any(|place| file.starts_with(place));
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        for (word, sentence) in WORDS {
            if line.to_ascii_lowercase().contains(word) {
                find(number, sentence.to_owned());
            }
        }
        if !may_be_unsafe && has_unsafe(line) {
            find(number, format!("unsafe code lives in {} only", UNSAFE.join(" and ")));
        }
    }
    findings
}

fn is_vague(name: &&str) -> bool {
    VAGUE.contains(name)
}

/// Whether a line opens unsafe code; comments and longer names (`unsafe_code`) do not count.
fn has_unsafe(line: &str) -> bool {
    let mut code = line.split("//").next().unwrap_or_default();
    while let Some((before, after)) = code.split_once(concat!("un", "safe ")) {
        let is_a_word = !before.ends_with(|c: char| c.is_alphanumeric() || "_`\"".contains(c));
        if is_a_word && ["{", "fn ", "impl", "extern ", "trait "].iter().any(|next| after.starts_with(next)) {
            return true;
        }
        code = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(file: &str, text: &str) -> Vec<(usize, String)> {
        check(file, text).into_iter().map(|finding| (finding.line, finding.sentence)).collect()
    }

    #[test]
    fn a_good_file_passes() {
        let text = "//! A thing.\n#![forbid(unsafe_code)]\n// unsafe { } in a comment\nfn main() {}\n";
        assert_eq!(sentences("sensor-user/src/thing.rs", text), []);
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let allow = concat!("//! A.\n#[", "allow(dead_code)]\n");
        let sync = concat!("//! A.\n// Keep ", "in sync with b.rs\n");
        let cast = concat!("//! A.\nlet x = un", "safe { y };\n");
        let cases = [
            ("xtask/src/a.rs", "fn main() {}\n", 1),
            ("xtask/src/utils.rs", "//! A.\n", 1),
            ("tests/helpers/mod.rs", "//! A.\n", 1),
            ("xtask/src/a.rs", allow, 2),
            ("xtask/src/a.rs", sync, 2),
            ("sensor-user/src/a.rs", cast, 2),
        ];
        for (file, text, line) in cases {
            let found = sentences(file, text);
            assert_eq!(found.len(), 1, "{file}: {found:?}");
            assert_eq!(found[0].0, line, "{file}");
        }
    }

    #[test]
    fn unsafe_is_at_home_in_three_places() {
        let text = concat!("//! A.\nlet x = un", "safe { y };\n");
        assert_eq!(sentences("sensor-ebpf/src/path.rs", text), []);
        assert_eq!(sentences("sensor-user/src/ebpf/sys.rs", text), []);
        assert_eq!(sentences("tests/deed/sys/mod.rs", text), []);
    }

    #[test]
    fn the_bound_of_lines_is_met_exactly() {
        let text = |lines| format!("//! A.\n{}", "\n".repeat(lines - 1));
        assert_eq!(sentences("xtask/src/a.rs", &text(LINES_MAX)), []);
        assert_eq!(sentences("xtask/src/a.rs", &text(LINES_MAX + 1)).len(), 1);
    }
}
