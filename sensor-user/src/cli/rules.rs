//! `tidewaiter rules`: what would be detected, and what is wrong with a rule.

use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};
use sigma::{Level, Placeholders, RuleSet};

use super::failure::diagnostics;
use super::table::{print, table};
use super::{Exit, Failure, RuleOptions};
use crate::agent::StartError;
use crate::alert::Detection;
use crate::detection::{Catalogue, Problem};
use crate::event::field::Fields;

pub(super) fn list(options: &RuleOptions) -> Result<Exit, Failure> {
    let catalogue =
        Catalogue::load(&options.paths, !options.no_embedded_rules).map_err(StartError::Catalogue)?;
    let rules =
        RuleSet::load(catalogue.sources(), &Fields, &Placeholders::default()).map_err(StartError::Rules)?;
    let detections = catalogue.bind(rules.rules()).map_err(StartError::Catalogue)?;
    let mut rows: Vec<(&Detection, Level)> = detections.iter().collect();
    // Gravest first, then by name: what somebody looks for stands at the top or in order.
    rows.sort_by(|(one, _), (other, _)| other.level.cmp(&one.level).then(one.name.cmp(&other.name)));
    let count = rows.len();
    let rows = rows.into_iter().map(|(detection, host)| row(detection, host));
    print(&table(&["level", "on host", "technique", "title", "id", "folder"], rows));
    print(&format!("\n{count} detection{}\n", if count == 1 { "" } else { "s" }));
    Ok(Exit::Good)
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

/// Mistakes go to standard output: they are what was asked for.
pub(super) fn check(paths: &[PathBuf]) -> Result<Exit, Failure> {
    let catalogue = Catalogue::load(paths, false).map_err(StartError::Catalogue)?;
    let rules = match RuleSet::load(catalogue.sources(), &Fields, &Placeholders::default()) {
        Ok(rules) => rules,
        Err(mistakes) => {
            let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
            print(&diagnostics(&mistakes, colour));
            print(&verdict(mistakes.len(), mistakes.iter().map(|mistake| mistake.source.as_str())));
            return Ok(Exit::Negative);
        }
    };
    if let Err(problems) = catalogue.bind(rules.rules()) {
        problems.iter().for_each(|problem| print(&format!("{problem}\n")));
        print(&verdict(problems.len(), problems.iter().filter_map(source)));
        return Ok(Exit::Negative);
    }
    let count = rules.rules().len();
    print(&format!("{count} rule{} understood, no mistakes\n", if count == 1 { "" } else { "s" }));
    Ok(Exit::Good)
}

fn source(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::HostLevel { source_name, .. } => Some(source_name),
        Problem::Unreadable { .. }
        | Problem::NoRule { .. }
        | Problem::TooLarge { .. }
        | Problem::TooDeep { .. } => None,
    }
}

/// `3 mistakes in 2 files`.
fn verdict<'a>(mistakes: usize, sources: impl Iterator<Item = &'a str>) -> String {
    let files = sources.collect::<std::collections::BTreeSet<_>>().len();
    let plural = |count| if count == 1 { "" } else { "s" };
    format!("{mistakes} mistake{} in {files} file{}\n", plural(mistakes), plural(files))
}
