//! `tidewaiter check`: everything that `run` does to start, then what came of it, then nothing more.

use std::path::Path;

use serde::Serialize;
use sigma::RuleSet;

use super::run::{log_to_stderr, runtime};
use super::table::{print, table};
use super::{Exit, Failure, RunOptions};
use crate::agent::{StartError, receivers};
use crate::alert::HookCoverage;
use crate::config::FormatChoice;
use crate::detection::Catalogue;
use crate::ebpf::load::load;
use crate::ebpf::offset::{Layout, VMLINUX};
use crate::ebpf::proof::Proof;
use crate::event::field::Fields;
use crate::host::capability;
use crate::sink::stdout::terminal_width;
use crate::sink::text::escape::visible;

/// Widest paragraph, columns: a longer line is hard to read.
const WIDTH_MAX: usize = 100;
/// What stands before each line of a paragraph but its first.
const INDENT: &str = "  ";

/// Negative when something that the sensor is made to see would go unseen.
pub(super) fn check(options: RunOptions) -> Result<Exit, Failure> {
    // Only when it was typed: a configuration's format is that of messages.
    let as_json = options.format == Some(FormatChoice::Json);
    let config = options.config()?;
    log_to_stderr(config.log);
    let catalogue = Catalogue::load(&config.rules, config.embedded_rules).map_err(StartError::Catalogue)?;
    let rules =
        RuleSet::load(catalogue.sources(), &Fields, &config.placeholders()?).map_err(StartError::Rules)?;
    catalogue.bind(rules.rules()).map_err(StartError::Catalogue)?;
    receivers(&config.targets(false))?;
    let missing = capability::missing();
    if !missing.is_empty() {
        return Err(StartError::Privilege(missing).into());
    }
    let layout = Layout::read(Path::new(VMLINUX)).map_err(StartError::from)?;
    let runtime = runtime()?;
    // Attached for as long as it takes to know that it can be; dropping detaches.
    let (hooks, proofs) = runtime
        .block_on(async {
            load(&layout, &config.avoid, &config.capture).map(|loaded| (loaded.hooks, loaded.proofs))
        })
        .map_err(StartError::from)?;

    let rows: Vec<Row<'_>> = hooks.iter().zip(&proofs).map(|(hook, proof)| Row { hook, proof }).collect();
    let report = Report { rows: &rows, detections: rules.rules().len(), missing: layout.missing() };
    print(&if as_json { report.json() } else { report.text(terminal_width().min(WIDTH_MAX)) });
    let whole = rows.iter().all(|row| row.hook.attached.is_some());
    Ok(if whole { Exit::Good } else { Exit::Negative })
}

/// A hook as it turned out.
struct Row<'a> {
    hook: &'a HookCoverage,
    proof: &'a Option<Proof>,
}

/// All that is told.
struct Report<'a> {
    rows: &'a [Row<'a>],
    detections: usize,
    /// Fields this kernel's BTF lacks.
    missing: Vec<&'static str>,
}

impl Report<'_> {
    /// The table, then a paragraph for each gap in it, then the sum.
    fn text(&self, width: usize) -> String {
        let mut text = table(&["seen", "by", "tier", "proven"], self.rows.iter().map(Row::cells));
        for remark in self.rows.iter().filter_map(Row::remark) {
            text.push('\n');
            text.push_str(&paragraph(&remark, width));
        }
        let attached = self.rows.iter().filter(|row| row.hook.attached.is_some()).count();
        let proven = self.rows.iter().filter(|row| *row.proof == Some(Proof::Proven)).count();
        let (all, detections) = (self.rows.len(), self.detections);
        text.push_str(&format!(
            "\n{attached} of {all} hooks attach, {proven} of them proven to fire; {detections} detections\n"
        ));
        if !self.missing.is_empty() {
            let missing = format!("This kernel does not tell {}.", self.missing.join(", "));
            text.push_str(&paragraph(&missing, width));
        }
        text
    }

    /// One document, for programs.
    fn json(&self) -> String {
        let document = Document {
            hooks: self.rows.iter().map(Row::document).collect(),
            detections: self.detections,
            missing_offsets: &self.missing,
        };
        // Strings, numbers and lists of them: there is nothing in it that has no JSON form.
        serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
    }
}

impl<'a> Row<'a> {
    fn cells(&self) -> Vec<String> {
        let (by, tier) = match &self.hook.attached {
            Some(point) => (point.clone(), self.hook.tier.to_string()),
            None => ("nothing".to_owned(), String::new()),
        };
        let proven = match self.proof {
            Some(Proof::Proven) => "yes",
            Some(Proof::Unprovable(_)) => "not here",
            Some(Proof::Silent) => "no",
            None => "",
        };
        vec![self.hook.purpose.to_owned(), by, tier, proven.to_owned()]
    }

    /// What is missing about it and why; nothing of a hook on its best place that is proven.
    fn remark(&self) -> Option<String> {
        let mut sentences = Vec::new();
        if let Some(weakens) = self.hook.weakens {
            sentences.push(format!("not seen: {weakens}."));
        }
        sentences
            .extend(self.hook.refused.iter().map(|(point, reason)| format!("Refused: {point} ({reason}).")));
        if let Some(Proof::Unprovable(reason)) = self.proof {
            sentences.push(format!("Attached, but cannot be proven here: {reason}."));
        }
        (!sentences.is_empty()).then(|| format!("{}: {}", self.hook.purpose, sentences.join(" ")))
    }

    fn document(&self) -> HookDocument<'a> {
        let unprovable = match self.proof {
            Some(Proof::Unprovable(reason)) => Some(reason.as_str()),
            Some(Proof::Proven | Proof::Silent) | None => None,
        };
        HookDocument {
            purpose: self.hook.purpose,
            attached: self.hook.attached.as_deref(),
            tier: self.hook.attached.is_some().then_some(self.hook.tier),
            proven: *self.proof == Some(Proof::Proven),
            unprovable,
            refused: self
                .hook
                .refused
                .iter()
                .map(|(attach_point, reason)| Refusal { attach_point, reason })
                .collect(),
            not_seen: self.hook.weakens,
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    hooks: Vec<HookDocument<'a>>,
    detections: usize,
    missing_offsets: &'a [&'static str],
}

#[derive(Serialize)]
struct HookDocument<'a> {
    purpose: &'a str,
    attached: Option<&'a str>,
    tier: Option<u8>,
    proven: bool,
    /// Why it cannot be proven on this host.
    unprovable: Option<&'a str>,
    refused: Vec<Refusal<'a>>,
    not_seen: Option<&'a str>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    attach_point: &'a str,
    reason: &'a str,
}

/// Breaks at blanks; lines after the first are indented.
fn paragraph(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in visible(text).split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("{INDENT}{word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakened() -> HookCoverage {
        HookCoverage {
            purpose: "file written",
            attached: Some("tracepoint writeback_mark_inode_dirty".to_owned()),
            tier: 2,
            refused: vec![("fentry rw_verify_area".to_owned(), "attached but did not fire".to_owned())],
            weakens: Some("writes to a file that another process left dirty"),
        }
    }

    #[test]
    fn a_gap_is_told_below_the_table_within_the_width() {
        let (hook, proof) = (weakened(), Some(Proof::Unprovable("no directory".to_owned())));
        let rows = [Row { hook: &hook, proof: &proof }];
        let text = Report { rows: &rows, detections: 3, missing: vec!["sock_cookie"] }.text(60);
        assert!(text.contains("file written: not seen: writes to a file that another"), "{text}");
        let flowing = text.replace("\n  ", " ");
        assert!(flowing.contains("Refused: fentry rw_verify_area (attached but did not fire)."), "{text}");
        assert!(flowing.contains("cannot be proven here: no directory."), "{text}");
        assert!(text.contains("1 of 1 hooks attach, 0 of them proven"), "{text}");
        assert!(text.lines().skip(2).all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn a_proven_hook_on_its_best_place_needs_no_word() {
        let hook = HookCoverage { tier: 1, refused: Vec::new(), weakens: None, ..weakened() };
        assert_eq!(Row { hook: &hook, proof: &Some(Proof::Proven) }.remark(), None);
    }

    #[test]
    fn programs_get_the_same_facts() {
        let (hook, proof) = (weakened(), Some(Proof::Proven));
        let rows = [Row { hook: &hook, proof: &proof }];
        let json = Report { rows: &rows, detections: 3, missing: Vec::new() }.json();
        let told: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(told["hooks"][0]["proven"], true);
        assert_eq!(told["hooks"][0]["tier"], 2);
        assert_eq!(told["hooks"][0]["refused"][0]["attach_point"], "fentry rw_verify_area");
        assert_eq!(told["detections"], 3);
    }
}
