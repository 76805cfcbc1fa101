//! What judges: rules, allow-lists, the baseline.

use std::path::Path;

use super::{Check, Finding, Problem};
use crate::config::ConfigError;
use crate::rule::{Mistakes, Rules};

/// Mistakes that are told with their place; who has more mends these first.
const MISTAKES_MAX: usize = 5;

/// What came of reading the rules and the allow-lists, without which there is no reading them.
#[must_use]
pub fn rules(read: Result<&Rules, &Mistakes>, lists: usize) -> Vec<Finding> {
    match read {
        Ok(rules) => {
            let rule = match rules.set.rules().len() {
                0 => Finding::problem(Problem::RulesNone, "there are none"),
                count => Finding::good(Check::Rules, format!("{count}, understood to the last key")),
            };
            let allow = match lists {
                0 => "the binary's own",
                _ => "the binary's own, and those of the configuration",
            };
            vec![rule, Finding::good(Check::Allow, allow)]
        }
        Err(mistakes) => {
            let told: Vec<String> = mistakes.first(MISTAKES_MAX).iter().map(place).collect();
            let more = mistakes.len().saturating_sub(MISTAKES_MAX);
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let what = format!("{}{more}", told.join("; "));
            match mistakes {
                Mistakes::Allow(error) => vec![
                    Finding::unknown(Check::Rules, "they are not read without the allow-lists")
                        .remedied("mend the allow-lists first"),
                    Finding::problem(Problem::AllowMistaken, what).remedied(error.help()),
                ],
                Mistakes::Rules(_) | Mistakes::Catalogue(_) => {
                    vec![Finding::problem(Problem::RulesMistaken, what)]
                }
            }
        }
    }
}

fn place(mistake: &crate::alert::RuleMistake) -> String {
    match &mistake.place {
        Some(place) => format!("{}:{}:{}: {}", place.file, place.line, place.column, mistake.message),
        None => mistake.message.clone(),
    }
}

/// The configured file, and how many images were learned or why it cannot be used.
#[must_use]
pub fn baseline(file: Option<(&Path, Result<usize, &ConfigError>)>) -> Finding {
    match file {
        None => Finding::problem(Problem::BaselineNone, "none is named"),
        Some((path, Ok(images))) => {
            Finding::good(Check::Baseline, format!("{images} images learned, in {}", path.display()))
        }
        Some((_, Err(error))) => Finding::problem(Problem::BaselineMistaken, error.to_string()),
    }
}
