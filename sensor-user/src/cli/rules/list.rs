//! `tidewaiter rules list`: what `run` would use.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sigma::{Filter, Level, Rule, RuleIndex, RuleSet};

use super::{Loaded, catalogue as read, census};
use crate::agent::StartError;
use crate::alert::Detection;
use crate::cli::table::{print, table};
use crate::cli::{Exit, Failure, RuleOptions};
use crate::config::Config;
use crate::detection::Detections;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules list
      What comes with the binary
  tidewaiter rules list --config /etc/tidewaiter.yaml
      What the agent with this configuration uses
  tidewaiter rules list --rules my-rules --no-embedded-rules
      What is in a folder";

/// Options of `rules list`.
#[derive(Clone, Debug, Args)]
pub struct ListCommand {
    #[command(flatten)]
    pub list: ListOptions,
    /// Write one JSON document, for programs
    #[arg(long)]
    pub json: bool,
}

/// Which rules, as `run` has them.
#[derive(Clone, Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    pub rules: RuleOptions,
    /// Read this configuration: its rules, allow-lists and the values of placeholders
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub(super) fn list(options: ListCommand) -> Result<Exit, Failure> {
    let (loaded, detections) = load(options.list)?;
    print(&if options.json { json(&loaded, &detections) } else { text(&loaded.set, &detections) });
    Ok(Exit::Good)
}

/// What `run` would use with these options.
pub(super) fn load(options: ListOptions) -> Result<(Loaded, Detections), Failure> {
    let mut config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    config.rules.extend(options.rules.paths);
    let embedded = config.embedded_rules && !options.rules.no_embedded_rules;
    let loaded = Loaded::new(read(&config.rules, embedded)?, config.placeholders()?)?;
    let detections = loaded.catalogue.bind(loaded.set.rules()).map_err(StartError::Catalogue)?;
    Ok((loaded, detections))
}

/// One rule or correlation, for programs.
#[derive(Serialize)]
struct Entry<'a> {
    detection: &'a str,
    kind: &'static str,
    /// False: only a correlation reads it.
    reports: bool,
    level: &'static str,
    host_level: &'static str,
    techniques: &'a [String],
    tactics: &'a [String],
    title: &'a str,
    id: &'a str,
    source: &'a str,
}

/// One document, in the order of loading.
fn json(loaded: &Loaded, detections: &Detections) -> String {
    let entries = loaded.set.rules().iter().zip(detections.iter()).map(|(rule, (detection, host))| Entry {
        detection: &detection.name,
        kind: if rule.correlation.is_some() { "correlation" } else { "rule" },
        reports: rule.reports,
        level: detection.level.name(),
        host_level: host.name(),
        techniques: &detection.techniques,
        tactics: &detection.tactics,
        title: &detection.title,
        id: &detection.id,
        source: &rule.source,
    });
    // Strings and lists of them: there is nothing in it that has no JSON form.
    serde_json::to_string_pretty(&entries.collect::<Vec<_>>()).map(|json| json + "\n").unwrap_or_default()
}

/// Gravest first, then by name: what somebody looks for stands at the top or in order. Filters come last.
fn text(set: &RuleSet, detections: &Detections) -> String {
    let mut rows: Vec<(&Rule, &Detection, Level, RuleIndex)> = (0..)
        .map(RuleIndex)
        .zip(set.rules())
        .zip(detections.iter())
        .map(|((index, rule), (detection, host))| (rule, detection, host, index))
        .collect();
    rows.sort_by(|(_, one, ..), (_, other, ..)| other.level.cmp(&one.level).then(one.name.cmp(&other.name)));
    let correlations = rows.iter().filter(|(rule, ..)| rule.correlation.is_some()).count();
    let census = census(rows.len() - correlations, correlations, set.filters().len());
    let is_plain =
        rows.iter().all(|(rule, ..)| rule.correlation.is_none() && rule.reports) && set.filters().is_empty();
    // Where all are alike a column that says so would only take room.
    let header = ["kind", "detection", "level", "on host", "technique", "title"];
    let header = if is_plain { header.get(1..).unwrap_or_default() } else { &header };
    let rules = rows.into_iter().map(|(rule, detection, host, index)| {
        let mut cells = row(detection, host);
        if !is_plain {
            cells.insert(0, kind(set, rule, index));
        }
        cells
    });
    let filters = set.filters().iter().map(|filter| filter_row(set, filter));
    format!("{}\n{census}\n", table(header, rules.chain(filters)))
}

fn kind(set: &RuleSet, rule: &Rule, index: RuleIndex) -> String {
    let kind = if rule.correlation.is_some() { "correlation" } else { "rule" };
    if rule.reports {
        return kind.to_owned();
    }
    let reader = set.rules().iter().find(|other| {
        other.correlation.as_ref().is_some_and(|correlation| correlation.rules.contains(&index))
    });
    reader.map_or_else(|| format!("{kind}, not told"), |reader| format!("{kind}, told by `{}`", reader.title))
}

fn row(detection: &Detection, host: Level) -> Vec<String> {
    vec![
        detection.name.clone(),
        detection.level.to_string(),
        host.to_string(),
        detection.techniques.join(" "),
        detection.title.clone(),
    ]
}

fn filter_row(set: &RuleSet, filter: &Filter) -> Vec<String> {
    let rules = match filter.rules.as_slice() {
        [only] => set.rule(*only).map_or_else(String::new, |rule| format!("before `{}`", rule.title)),
        rules => format!("before {} rules", rules.len()),
    };
    let none = String::new;
    let title = format!("{}, {rules}", filter.title);
    vec!["filter".to_owned(), filter.source.clone(), none(), none(), none(), title]
}

#[cfg(test)]
mod tests {
    use sigma::Source;

    use super::*;
    use crate::detection::Catalogue;

    const PAIR: &str = "\
title: Twice
correlation:
  type: event_count
  rules: [odd]
  timespan: 10s
  condition: {gte: 2}
---
title: Odd
name: odd
logsource: {category: process_creation, product: linux}
detection: {tool: {Image|endswith: /odd}, condition: tool}
";

    #[test]
    fn filters_and_what_only_correlations_tell_are_told_apart() {
        let mut catalogue = Catalogue::built_in();
        let lists = Config::default().placeholders().unwrap();
        let plain = Loaded::new(catalogue.clone(), lists.clone()).unwrap();
        let told = text(&plain.set, &plain.catalogue.bind(plain.set.rules()).unwrap());
        let head = told.trim_start();
        assert!(head.starts_with("DETECTION") || head.starts_with("KIND"), "{told}");
        let rule = plain.set.rules().iter().find(|rule| rule.source == "built-in:curl_download").unwrap();
        let filter = format!(
            "title: Known mirrors\nlogsource: {{category: process_creation, product: linux}}\nfilter:\n  rules:\n  - \
             {}\n  mirror:\n    CommandLine|contains: mirror\n  condition: mirror\n",
            rule.id.unwrap()
        );
        catalogue.add(Source::new("mirrors.yml", filter));
        catalogue.add(Source::new("pair.yml", PAIR));
        let filtered = Loaded::new(catalogue, lists).unwrap();
        let told = text(&filtered.set, &filtered.catalogue.bind(filtered.set.rules()).unwrap());
        assert!(told.contains("KIND") && told.contains("filter"), "{told}");
        let rules = plain.set.rules();
        let joined = rules.iter().filter(|rule| rule.correlation.is_some()).count();
        let census = match joined + 1 {
            1 => format!("\n{} rules, 1 correlation and 1 filter\n", rules.len() + 1),
            all => format!("\n{} rules, {all} correlations and 1 filter\n", rules.len() + 1 - joined),
        };
        assert!(told.ends_with(&census), "{told}");
        // Cells wrap, so words are looked for one by one.
        for word in ["correlation", "told by", "Twice"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}
