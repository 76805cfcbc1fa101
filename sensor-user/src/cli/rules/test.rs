//! `tidewaiter rules test`: whether rules match the events beside them that they must, and no look-alike.
//!
//! Here is what is told of it; how it is found out stands in [`trial`].

mod trial;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sigma::{Engine, Explanation, Rule};

use super::tree::{paint, style, tree};
use super::{Loaded, ReferenceOptions, colour, counted};
use crate::cli::table::print;
use crate::cli::{Exit, Failure};
use crate::sink::json;
use crate::sink::text::escape::visible;

use trial::Trial;

pub(super) const ABOUT: &str = "\
Hold rules against the events that lie beside them

Beside a rule.yml lie events/match.jsonl and events/miss.jsonl, one event a line (docs/rule.md): every line of the \
first must match the rule, no line of the second may. Filters apply as they do in `run`. For a correlation the events \
are a history: those of match.jsonl together must make it come true, those of miss.jsonl must not. `time` (seconds) or \
`@timestamp` in each says when it happened; without it, a millisecond after the line above.

Each failure is explained as by `rules explain`. A rule without events is told and fails nothing, but if no rule at all \
has any, the status is 1.";

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules test
      What comes with the binary
  tidewaiter rules test my-rules
      All folders below one
  tidewaiter rules test --json my-rules | jq -r '.detections[] | select(.state != \"ok\") | .name'
      {detections: [{name, source, state, matches, misses, faults: [{file, line, message, explanation}]}],
      summary: {ok, failed, untested}}";

/// Options of `rules test`.
#[derive(Clone, Debug, Args)]
pub struct TestOptions {
    /// Rule files, or folders of them; those of the binary if there is none
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub reference: ReferenceOptions,
}

/// Negative when a rule does not keep what its events promise, or nothing was tested.
pub(super) fn test(options: &TestOptions) -> Result<Exit, Failure> {
    let loaded = Loaded::beside_embedded(&options.paths, &options.reference)?;
    let report = Report::new(loaded, options.paths.is_empty())?;
    print(&if options.reference.json { json::encode(&report) + "\n" } else { report.text(colour()) });
    Ok(if report.is_good() { Exit::Good } else { Exit::Negative })
}

/// All detections that were asked for.
#[derive(Debug, Serialize)]
struct Report {
    detections: Vec<Outcome>,
    summary: Summary,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Summary {
    ok: usize,
    failed: usize,
    untested: usize,
}

/// What came of one document with its events.
#[derive(Debug, Serialize)]
struct Outcome {
    /// The detection's folder, or the file.
    name: String,
    source: String,
    state: State,
    /// Events that must match, and that must not.
    matches: usize,
    misses: usize,
    faults: Vec<Fault>,
    /// Why nothing was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Failed,
    Untested,
}

/// A promise that was not kept.
#[derive(Debug, Serialize)]
struct Fault {
    file: String,
    /// From 1; none where it is about the whole file.
    line: Option<usize>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Explanation>,
    /// What is explained.
    #[serde(skip)]
    rule: Option<Rule>,
}

impl Report {
    /// Of the binary's own, or else of all but these.
    fn new(loaded: Loaded, built_in: bool) -> Result<Self, Failure> {
        let Loaded { catalogue, sources, set, placeholders } = loaded;
        let mut trial = Trial { engine: Engine::new(set), sources: &sources, placeholders: &placeholders };
        let detections = trial.all(&catalogue, built_in)?;
        let count = |state| detections.iter().filter(|outcome| outcome.state == state).count();
        let summary =
            Summary { ok: count(State::Ok), failed: count(State::Failed), untested: count(State::Untested) };
        Ok(Self { detections, summary })
    }

    fn is_good(&self) -> bool {
        self.summary.failed == 0 && self.summary.ok > 0
    }

    fn text(&self, colour: bool) -> String {
        let width =
            self.detections.iter().map(|outcome| outcome.name.chars().count()).max().unwrap_or_default();
        let mut text: String = self.detections.iter().map(|outcome| outcome.text(width, colour)).collect();
        let Summary { ok, failed, untested } = self.summary;
        text.push_str(&format!("\n{ok} ok, {failed} failed"));
        if untested > 0 {
            text.push_str(&format!(", {untested} not tested"));
        }
        text.push('\n');
        text
    }
}

impl Outcome {
    fn text(&self, width: usize, colour: bool) -> String {
        let (word, truth) = match self.state {
            State::Ok => ("ok      ", sigma::Truth::True),
            State::Failed => ("FAILED  ", sigma::Truth::False),
            State::Untested => ("untested", sigma::Truth::Unknown),
        };
        let word = paint(style(truth), word, colour);
        let name = visible(&self.name);
        let told = match self.reason {
            Some(reason) => reason.to_owned(),
            None => format!("{} match, {} not", counted(self.matches, "event"), self.misses),
        };
        let mut text = format!("{word}  {name:width$}  {told}\n");
        for fault in &self.faults {
            let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
            text.push_str(&format!("  {}{line}: {}\n", visible(&fault.file), visible(&fault.message)));
            if let (Some(rule), Some(explanation)) = (&fault.rule, &fault.explanation) {
                text.push_str(&tree(rule, explanation, 4, colour));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const RULE: &str = "\
title: Odd download
logsource: {category: process_creation, product: linux}
detection:
  tool:
    Image|endswith: /curl
  condition: tool
";
    const CURL: &str = r#"{"logsource": "process_creation", "Image": "/usr/bin/curl"}"#;
    const WGET: &str = r#"{"logsource": "process_creation", "Image": "/usr/bin/wget"}"#;

    fn folder(at: &Path, name: &str, matching: Option<&str>, missing: Option<&str>) {
        let folder = at.join(name);
        fs::create_dir_all(folder.join("events")).unwrap();
        fs::write(folder.join("rule.yml"), RULE.replace("Odd", name)).unwrap();
        for (file, text) in [("match.jsonl", matching), ("miss.jsonl", missing)] {
            if let Some(text) = text {
                fs::write(folder.join("events").join(file), text).unwrap();
            }
        }
    }

    fn report(at: &Path) -> Report {
        let options = ReferenceOptions::default();
        Report::new(Loaded::beside_embedded(&[at.to_owned()], &options).unwrap(), false).unwrap()
    }

    #[test]
    fn the_binarys_own_rules_keep_what_their_events_promise() {
        let loaded = Loaded::beside_embedded(&[], &ReferenceOptions::default()).unwrap();
        let report = Report::new(loaded, true).unwrap();
        assert!(report.is_good() && report.summary.ok > 10, "{}", report.text(false));
        assert_eq!(report.summary.failed, 0);
    }

    #[test]
    fn each_broken_promise_is_told_with_its_line_and_why() {
        let at = tempfile::tempdir().unwrap();
        folder(at.path(), "a_good", Some(CURL), Some(WGET));
        folder(at.path(), "b_both", Some(&format!("{CURL}\n\n{WGET}\n")), Some(CURL));
        folder(at.path(), "c_bad", Some(&format!("{CURL}\n{{\"Image\": 1}}\n")), Some("\n"));
        folder(at.path(), "d_half", Some(CURL), None);
        folder(at.path(), "e_none", None, None);
        let report = report(at.path());
        assert_eq!(report.summary, Summary { ok: 1, failed: 3, untested: 1 });
        let text = report.text(false);
        for expected in [
            "ok        a_good  1 event match, 1 not",
            "b_both/events/match.jsonl:3: must match `b_both download`, and does not",
            "✘ Image|endswith: /curl  is /usr/bin/wget",
            "b_both/events/miss.jsonl:1: must not match `b_both download`, and does",
            "c_bad/events/match.jsonl:2: the event has no `logsource`",
            "c_bad/events/miss.jsonl: there is no event in it",
            "d_half/rule.yml: there is no events/miss.jsonl beside it",
            "untested  e_none  no events beside it",
            "1 ok, 3 failed, 1 not tested\n",
        ] {
            assert!(text.contains(expected), "{expected}\n---\n{text}");
        }
        let told: serde_json::Value = serde_json::from_str(&json::encode(&report)).unwrap();
        assert_eq!(told["detections"][1]["faults"][0]["line"], 3);
        assert_eq!(told["detections"][1]["faults"][0]["explanation"]["truth"], "false");
    }

    const PAIR: &str = "\
title: Two downloads
correlation:
  type: event_count
  rules: [odd]
  group-by: [ContainerId]
  timespan: 10s
  condition: {gte: 2}
---
title: Odd download
name: odd
logsource: {category: process_creation, product: linux}
detection: {tool: {Image|endswith: /curl}, condition: tool}
";

    #[test]
    fn a_correlation_is_held_against_a_history() {
        let at = tempfile::tempdir().unwrap();
        let event = |time, container| {
            format!(
                "{{\"logsource\": \"process_creation\", \"time\": {time}, \"Image\": \"/curl\", \"ContainerId\": \"{container}\"}}\n"
            )
        };
        let near = event("1", "a") + &event("9", "a");
        let far = event("1", "a") + &event("2", "b") + &event("12.5", "a");
        let back = event("9", "a") + &event("8", "a");
        for (name, matching, missing) in [
            ("a_good", &near, &far),
            ("b_far", &far, &far),
            ("c_near", &near, &near),
            ("d_back", &back, &far),
        ] {
            folder(at.path(), name, Some(matching), Some(missing));
            fs::write(at.path().join(name).join("rule.yml"), PAIR.replace("odd", &format!("odd_{name}")))
                .unwrap();
        }
        let report = report(at.path());
        let text = report.text(false);
        assert_eq!(report.summary, Summary { ok: 1, failed: 3, untested: 0 }, "{text}");
        for expected in [
            "ok        a_good  2 events match, 3 not",
            "b_far/events/match.jsonl: must make `Two downloads` come true, and does not; of the rules it reads, `Odd download` matched 3",
            "c_near/events/miss.jsonl:2: must not make `Two downloads` come true, and does",
            "d_back/events/match.jsonl:2: this happened before the line above",
        ] {
            assert!(text.contains(expected), "{expected}\n---\n{text}");
        }
    }

    #[test]
    fn a_copy_of_a_built_in_rule_takes_its_place() {
        let at = tempfile::tempdir().unwrap();
        let copy = crate::detection::Catalogue::built_in().sources().next().unwrap();
        fs::write(at.path().join("rule.yml"), &*copy.text).unwrap();
        let report = report(at.path());
        assert_eq!((report.detections.len(), report.summary.untested, report.is_good()), (1, 1, false));
    }
}
