//! `tidewaiter rules list`: what `run` would use.

use std::path::PathBuf;

use clap::Args;
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

/// Options of `rules list`, as `run` has them.
#[derive(Clone, Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    pub rules: RuleOptions,
    /// Read this configuration: its rules and the values of placeholders
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub(super) fn list(options: ListOptions) -> Result<Exit, Failure> {
    let mut config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    config.rules.extend(options.rules.paths);
    let embedded = config.embedded_rules && !options.rules.no_embedded_rules;
    let loaded = Loaded::new(read(&config.rules, embedded)?, config.placeholders())?;
    let detections = loaded.catalogue.bind(loaded.set.rules()).map_err(StartError::Catalogue)?;
    print(&text(&loaded.set, &detections));
    Ok(Exit::Good)
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
    let header = ["kind", "level", "on host", "technique", "title", "id", "folder"];
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
        detection.level.to_string(),
        host.to_string(),
        detection.techniques.join(" "),
        detection.title.clone(),
        detection.id.clone(),
        detection.name.clone(),
    ]
}

fn filter_row(set: &RuleSet, filter: &Filter) -> Vec<String> {
    let rules = match filter.rules.as_slice() {
        [only] => set.rule(*only).map_or_else(String::new, |rule| format!("before `{}`", rule.title)),
        rules => format!("before {} rules", rules.len()),
    };
    let id = filter.id.map_or_else(|| filter.source.clone(), |id| id.to_string());
    let folder = filter.source.clone();
    let none = String::new;
    vec!["filter".to_owned(), none(), none(), none(), format!("{}, {rules}", filter.title), id, folder]
}

#[cfg(test)]
mod tests {
    use sigma::{Placeholders, Source};

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
        let plain = Loaded::new(catalogue.clone(), Placeholders::default()).unwrap();
        let told = text(&plain.set, &plain.catalogue.bind(plain.set.rules()).unwrap());
        assert!(
            told.starts_with("LEVEL") || told.starts_with(" LEVEL") || told.starts_with("KIND"),
            "{told}"
        );
        let rule = plain.set.rules().iter().find(|rule| rule.source == "built-in:curl_download").unwrap();
        let filter = format!(
            "title: Known mirrors\nlogsource: {{category: process_creation, product: linux}}\nfilter:\n  rules:\n  - \
             {}\n  mirror:\n    CommandLine|contains: mirror\n  condition: mirror\n",
            rule.id.unwrap()
        );
        catalogue.add(Source::new("mirrors.yml", filter));
        catalogue.add(Source::new("pair.yml", PAIR));
        let filtered = Loaded::new(catalogue, Placeholders::default()).unwrap();
        let told = text(&filtered.set, &filtered.catalogue.bind(filtered.set.rules()).unwrap());
        assert!(told.contains("KIND") && told.contains("filter"), "{told}");
        let census = format!("\n{} rules, 1 correlation and 1 filter\n", plain.set.rules().len() + 1);
        assert!(told.ends_with(&census), "{told}");
        // Cells wrap, so words are looked for one by one.
        for word in ["correlation", "told by", "Twice"] {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}
