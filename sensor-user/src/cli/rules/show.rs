//! `tidewaiter rules show`: a detection's ADS, for whoever has its alert in hand.

use std::path::Path;

use clap::Args;
use sigma::Rule;

use super::explain::Wanted;
use super::list::{ListOptions, load};
use super::tree::paint;
use super::{Loaded, colour, markdown};
use crate::cli::table::print;
use crate::cli::{Exit, Failure};
use crate::detection::attack::Technique;
use crate::detection::{Catalogue, Detections};
use crate::sink::stdout::terminal_width;
use crate::sink::text::escape::visible;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidewaiter rules show curl_download
      By its folder; the id of the rule, as an alert has it, and its title work as well
  tidewaiter rules show curl_download | less
      Plain text
  tidewaiter rules show odd --rules my-rules
      One of your own";

/// Widest text, columns: a longer line is hard to read.
const WIDTH_MAX: usize = 100;

/// Widest name of a fact about the rule, columns, and a blank.
const NAME: usize = 12;

/// Options of `rules show`.
#[derive(Clone, Debug, Args)]
pub struct ShowOptions {
    /// Folder, id or title of a detection
    #[arg(value_name = "DETECTION")]
    pub detection: String,
    #[command(flatten)]
    pub list: ListOptions,
}

pub(super) fn show(options: ShowOptions) -> Result<Exit, Failure> {
    let (loaded, detections) = load(options.list)?;
    let wanted = Wanted { word: &options.detection, is_path: false };
    // Of several rules in a folder the one that reports.
    let all = loaded.set.rules().iter().enumerate().filter(|(_, rule)| wanted.means(&loaded, rule));
    let (index, rule) = all.max_by_key(|(_, rule)| rule.reports).ok_or_else(|| {
        let reason = format!("there is no detection `{}`", options.detection);
        Failure::new("cannot show", &reason, "`tidewaiter rules list` shows all")
    })?;
    let width = terminal_width().min(WIDTH_MAX);
    print(&text(&loaded, &detections, index, rule, width, colour()));
    Ok(Exit::Good)
}

/// The facts about the rule, then the ADS without its title, or what the rule says of itself.
fn text(
    loaded: &Loaded,
    detections: &Detections,
    index: usize,
    rule: &Rule,
    width: usize,
    colour: bool,
) -> String {
    let mut text = format!("{}\n", paint(anstyle::Style::new().bold(), &visible(&rule.title), colour));
    let mut fact = |name: &str, value: &str| {
        for (number, line) in lines(value, width.saturating_sub(NAME)).into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            text.push_str(&format!("{name:NAME$}{}\n", visible(&line)));
        }
    };
    let name = loaded.catalogue.name(&rule.source).unwrap_or_default();
    if let Some((detection, host)) = detections.iter().nth(index) {
        fact("detection", name);
        fact("level", &format!("{} in a container, {host} on the host", detection.level));
        let techniques = detection.techniques.iter().map(|id| technique(id));
        fact("techniques", &techniques.collect::<Vec<_>>().join("; "));
        fact("tactics", &detection.tactics.join(", "));
        fact("rule", &detection.id);
    }
    fact("files", &files(&rule.source, name));
    text.push('\n');
    match loaded.catalogue.strategy(name) {
        Some(strategy) => {
            let body = strategy.text().split_once('\n').map_or("", |(_, body)| body);
            text.push_str(&markdown::render(body.trim_start(), width, colour));
        }
        None => {
            let said = rule.description.as_deref().unwrap_or("There is no ads.md beside this rule.");
            text.push_str(&markdown::render(said, width, colour));
        }
    }
    text
}

/// `T1048.003 Exfiltration Over Alternative Protocol: Exfiltration Over Unencrypted Non-C2 Protocol`.
fn technique(id: &str) -> String {
    match Technique::find(id) {
        Some(technique) => match technique.parent() {
            Some(parent) => format!("{id} {}: {}", parent.name, technique.name),
            None => format!("{id} {}", technique.name),
        },
        None => id.to_owned(),
    }
}

/// Where somebody finds rule, ADS and scripts.
fn files(source: &str, name: &str) -> String {
    if Catalogue::is_built_in(source) {
        return format!(
            "in the binary, and in rules/{name} of the source; `tidewaiter validate {name}` runs its scripts"
        );
    }
    let folder = Path::new(source).parent().filter(|folder| folder.join("ads.md").exists());
    folder.map_or_else(
        || source.to_owned(),
        |folder| format!("{source}, ads.md and more in {}", folder.display()),
    )
}

/// Broken at blanks.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use sigma::Placeholders;

    use super::*;
    use crate::agent::StartError;
    use crate::config::Config;

    #[test]
    fn the_facts_come_first_and_every_section_after_them() {
        let lists: Placeholders = Config::default().placeholders().unwrap();
        let loaded = Loaded::new(Catalogue::built_in(), lists).unwrap();
        let detections = loaded.catalogue.bind(loaded.set.rules()).map_err(StartError::Catalogue).unwrap();
        let rules = loaded.set.rules().iter().enumerate();
        let (index, rule) = rules.into_iter().find(|(_, rule)| rule.source == "built-in:scp_push").unwrap();
        let told = text(&loaded, &detections, index, rule, 80, false);
        let sections = crate::detection::SECTIONS;
        let places: Vec<_> =
            sections.iter().map(|title| told.find(&format!("\n{title}\n")).unwrap()).collect();
        assert!(places.is_sorted(), "{told}");
        let facts = &told[..places[0]];
        for words in [
            "scp_push",
            "T1048.002 Exfiltration Over Alternative Protocol: ",
            "on the host",
            "rules/scp_push",
        ] {
            assert!(facts.contains(words), "{words}: {facts}");
        }
        assert!(!told.contains("\n# "), "{told}");
    }
}
