//! `tidewaiter rules check`: every mistake of every file, for people and for CI.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sigma::{Diagnostic, Placeholders, RuleSet, Source, Span};

use super::{ReferenceOptions, catalogue, census, colour, counted};
use crate::cli::table::print;
use crate::cli::{Exit, Failure};
use crate::detection::{Catalogue, HOST_LEVEL, Problem};
use crate::event::field::Fields;
use crate::sink::json;

pub(super) const ABOUT: &str = "\
Read Sigma rules and point at every mistake in them

Rules, correlations and filters are read to the last key, as `run` reads them, and each mistake is shown where it \
stands, with the remedy. The rules that come with the binary are there to be referred to and are not counted; an id \
that one of them has is a mistake, since `run` would refuse it too.";

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules check my-rules
      All files below a folder
  tidewaiter rules check --config /etc/tidewaiter.yaml my-rules
      With the values of placeholders that the agent will have
  tidewaiter rules check --json my-rules | jq -r '.mistakes[] | \"\\(.file):\\(.line):\\(.column): \\(.message)\"'
      For an editor or a CI log; {mistakes: [{file, line, column, span, message, help}], summary: {files, rules,
      correlations, filters, mistakes}}
  cat rule.yml | tidewaiter rules check -
      One that is not saved yet";

/// Options of `rules check`.
#[derive(Clone, Debug, Args)]
pub struct CheckOptions {
    /// Rule files, or folders of them; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub reference: ReferenceOptions,
}

/// Mistakes go to standard output: they are what was asked for.
pub(super) fn check(options: &CheckOptions) -> Result<Exit, Failure> {
    let placeholders = options.reference.placeholders()?;
    let catalogue = catalogue(&options.paths, !options.reference.no_embedded_rules)?;
    let report = Report::new(&catalogue, &placeholders);
    print(&if options.reference.json { json::encode(&report) + "\n" } else { report.text(colour()) });
    Ok(if report.mistakes.is_empty() { Exit::Good } else { Exit::Negative })
}

/// What is wrong, and how much is not.
#[derive(Debug, Serialize)]
struct Report {
    mistakes: Vec<Diagnostic>,
    summary: Summary,
}

/// The user's own only. Rules, correlations and filters are those in files without a mistake.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Summary {
    files: usize,
    rules: usize,
    correlations: usize,
    filters: usize,
    mistakes: usize,
}

impl Report {
    fn new(catalogue: &Catalogue, placeholders: &Placeholders) -> Self {
        let sources: Vec<Source> = catalogue.sources().collect();
        let (set, mut mistakes) = understood(&sources, placeholders);
        for problem in catalogue.bind(set.rules()).err().into_iter().flatten() {
            mistakes.extend(placed(&problem, &sources));
        }
        let place = |mistake: &Diagnostic| {
            (sources.iter().position(|source| *source.name == *mistake.source), mistake.span)
        };
        mistakes.sort_by_key(place);
        let broken: BTreeSet<&str> = mistakes.iter().map(|mistake| mistake.source.as_str()).collect();
        let own = |source: &str| !Catalogue::is_built_in(source) && !broken.contains(source);
        let rules = set.rules().iter().filter(|rule| own(&rule.source));
        let (correlations, rules): (Vec<_>, Vec<_>) = rules.partition(|rule| rule.correlation.is_some());
        let summary = Summary {
            files: sources.iter().filter(|source| !Catalogue::is_built_in(&source.name)).count(),
            rules: rules.len(),
            correlations: correlations.len(),
            filters: set.filters().iter().filter(|filter| own(&filter.source)).count(),
            mistakes: mistakes.len(),
        };
        Self { mistakes, summary }
    }

    fn text(&self, colour: bool) -> String {
        let Summary { rules, correlations, filters, mistakes, .. } = self.summary;
        let understood = census(rules, correlations, filters);
        if mistakes == 0 {
            return format!("{understood} understood, no mistakes\n");
        }
        let mut text: String = self.mistakes.iter().map(|mistake| mistake.render(colour)).collect();
        let files: BTreeSet<&str> = self.mistakes.iter().map(|mistake| mistake.source.as_str()).collect();
        text.push_str(&format!("{} in {}", counted(mistakes, "mistake"), counted(files.len(), "file")));
        if rules + correlations + filters > 0 {
            text.push_str(&format!("; {understood} without one"));
        }
        text.push('\n');
        if self.mistakes.iter().any(|mistake| mistake.message.contains("built-in:")) {
            text.push_str(
                "Who brings built-in rules of their own leaves out the binary's: --no-embedded-rules\n",
            );
        }
        text
    }
}

/// What can be loaded when the files with mistakes are left out, and all mistakes.
///
/// Names of other rules are looked up once every document is read, so a second round may find more. What only
/// misses a rule of a file that was left out is no mistake.
fn understood(sources: &[Source], placeholders: &Placeholders) -> (RuleSet, Vec<Diagnostic>) {
    let mut sound: Vec<Source> = sources.to_vec();
    let mut broken: Vec<Source> = Vec::new();
    let mut mistakes = Vec::new();
    loop {
        let found = match RuleSet::load(sound.iter().cloned(), &Fields, placeholders) {
            Ok(set) => return (set, mistakes),
            Err(found) => found,
        };
        let is_broken = |source: &Source| found.iter().any(|mistake| *mistake.source == *source.name);
        let (out, rest): (Vec<Source>, Vec<Source>) = sound.into_iter().partition(is_broken);
        let follows = |mistake: &Diagnostic| out.iter().any(|source| names(mistake, source, &broken));
        mistakes.extend(found.iter().filter(|mistake| !follows(mistake)).cloned());
        if out.is_empty() {
            return (RuleSet::default(), mistakes);
        }
        broken.extend(out);
        sound = rest;
    }
}

/// Whether the mistake, in `source`, is about a word that a broken file has.
fn names(mistake: &Diagnostic, source: &Source, broken: &[Source]) -> bool {
    let place = mistake.span.offset..mistake.span.offset + mistake.span.len;
    let word = source.text.get(place).unwrap_or_default().trim_matches(['\'', '"', ' ']);
    *source.name == *mistake.source
        && !word.is_empty()
        && broken.iter().any(|broken| broken.text.contains(word))
}

/// The problem where it stands in its document; at the rule's first line, where the key is not found.
fn placed(problem: &Problem, sources: &[Source]) -> Option<Diagnostic> {
    let Problem::HostLevel { source_name, line, reason } = problem else { return None };
    let source = sources.iter().find(|source| *source.name == **source_name)?;
    let mut offset = 0;
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for line in source.text.split_inclusive('\n') {
        lines.push((offset, line.trim_end()));
        offset += line.len();
    }
    let mut of_rule = lines.into_iter().skip(line.saturating_sub(1));
    let first = of_rule.next()?;
    let (start, written) = of_rule.find(|(_, line)| line.starts_with(HOST_LEVEL)).unwrap_or(first);
    let value = written.split_once(':').map_or(written, |(_, value)| value.trim_start());
    let span = Span { offset: start + written.len() - value.len(), len: value.len() };
    Some(Diagnostic::new(source, span, format!("the rule's {HOST_LEVEL}: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(title: &str, more: &str) -> String {
        format!(
            "title: {title}\n{more}logsource: {{category: process_creation, product: linux}}\ndetection:\n  s:\n    \
             Image|endswith: /x\n  condition: s\n"
        )
    }

    fn report(files: &[(&str, String)], embedded: bool) -> Report {
        let mut catalogue = if embedded { Catalogue::built_in() } else { Catalogue::default() };
        files.iter().for_each(|(name, text)| catalogue.add(Source::new(*name, text.as_str())));
        Report::new(&catalogue, &crate::config::Config::default().placeholders().unwrap())
    }

    #[test]
    fn all_mistakes_of_all_files_are_told_with_their_place_and_the_rest_is_counted() {
        let files = [
            ("b.yml", rule("B", "level: hihg\n").replace("Image", "Imag")),
            ("a.yml", rule("A", "host_level: mild\n")),
            ("c.yml", rule("C", "")),
        ];
        let report = report(&files, true);
        let told: Vec<_> = report.mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with("b.yml:2:8: `hihg` is no level"), "{told:#?}");
        assert!(told[1].starts_with("b.yml:6:5: no record has a field `Imag`"), "{told:#?}");
        assert!(told[2].starts_with("a.yml:2:13: the rule's host_level: `mild` is no level"), "{told:#?}");
        let text = report.text(false);
        assert!(text.contains("2 │ level: hihg") && text.contains("2 │ host_level: mild"), "{text}");
        assert!(text.ends_with("3 mistakes in 2 files; 1 rule without one\n"), "{text}");
    }

    #[test]
    fn only_the_users_own_are_counted_and_built_in_ids_are_taken() {
        let fine = report(&[("a.yml", rule("A", ""))], true);
        assert_eq!(fine.summary, Summary { files: 1, rules: 1, correlations: 0, filters: 0, mistakes: 0 });
        assert_eq!(fine.text(false), "1 rule understood, no mistakes\n");

        let copy = Catalogue::built_in().sources().next().unwrap();
        let copied = [("copy.yml", copy.text.to_string())];
        let taken = report(&copied, true);
        let rules = copy.text.lines().filter(|line| line.starts_with("id: ")).count();
        assert_eq!(taken.summary.mistakes, rules, "{:?}", taken.mistakes);
        assert!(taken.text(false).contains("--no-embedded-rules"), "{}", taken.text(false));
        assert_eq!(report(&copied, false).summary.mistakes, 0);
    }

    #[test]
    fn programs_get_places_and_a_summary() {
        let report = report(&[("a.yml", rule("A", "level: hihg\n"))], false);
        let told: serde_json::Value = serde_json::from_str(&json::encode(&report)).unwrap();
        let mistake = &told["mistakes"][0];
        assert_eq!((mistake["file"].as_str(), mistake["line"].as_u64()), (Some("a.yml"), Some(2)));
        assert_eq!((mistake["column"].as_u64(), mistake["span"]["len"].as_u64()), (Some(8), Some(4)));
        assert!(mistake["help"].as_str().is_some_and(|help| help.contains("high")), "{told}");
        assert_eq!(told["summary"]["mistakes"], 1);
    }
}
