//! The catalogue of detections: each a Sigma rule, and the ADS that tells a responder what to do.
//!
//! The built-in ones are the folders of `rules/`, embedded in the binary; a user's are files and
//! folders, read once by [`Catalogue::load`]. Whether a rule is right Sigma is the engine's to say;
//! here its tags, levels and response become what an alert carries ([`Detection`]).

pub mod attack;
mod strategy;
mod document;
mod recording;

use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;

use rustc_hash::{FxHashMap, FxHasher};
use sigma::{Level, Rule, RuleIndex, Source, UnknownLevel};

use crate::alert::Detection;

use document::Document;

pub use document::Emulation;
pub(crate) use document::{DEPTH_MAX, is_hidden};
pub use recording::Recordings;
pub use strategy::{SECTIONS, Section, Strategy};

/// The custom key of a rule that gives its level outside of a container.
///
/// A process on the host is more often an administrator's than one in a container, so the same
/// technique counts less there; one key saves a second rule. Without it `level` holds everywhere.
pub const HOST_LEVEL: &str = "host_level";

/// All detections that were asked for, in order of loading: built-in first, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    documents: Vec<Document>,
}

impl Catalogue {
    /// What the binary carries.
    #[must_use]
    pub fn built_in() -> Self {
        Self { documents: document::built_in() }
    }

    /// Reads rule files and folders, after the built-in detections if those are wanted too.
    ///
    /// A folder is searched through, but for names that begin with a dot; `rule.yml` in it brings the `ads.md`
    /// beside it.
    ///
    /// # Errors
    /// Every path that cannot be read or holds no rule.
    pub fn load(paths: &[PathBuf], built_in: bool) -> Result<Self, Vec<Problem>> {
        let mut catalogue = if built_in { Self::built_in() } else { Self::default() };
        let mut problems = Vec::new();
        for path in paths {
            match document::read(path) {
                Ok(documents) => catalogue.documents.extend(documents),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    /// The rules, for the engine to load.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        self.documents.iter().map(|document| document.rule.clone())
    }

    /// The ADS of the detection of this name (`curl_download`), as it was written.
    #[must_use]
    pub fn strategy(&self, name: &str) -> Option<&Strategy> {
        self.documents.iter().find(|document| document.name == name)?.strategy.as_ref()
    }

    /// A document that lies nowhere, under a name for messages.
    pub fn add(&mut self, source: Source) {
        self.documents.push(Document { name: source.name.to_string(), rule: source, strategy: None });
    }

    /// Leaves out the documents that `keeps` says no to.
    pub fn retain(&mut self, keeps: impl Fn(&Source) -> bool) {
        self.documents.retain(|document| keeps(&document.rule));
    }

    /// The detection's name (`curl_download`) of the document of this name.
    #[must_use]
    pub fn name(&self, source: &str) -> Option<&str> {
        let document = self.documents.iter().find(|document| *document.rule.name == *source)?;
        Some(&document.name)
    }

    /// The same number for the same names and texts.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        for document in &self.documents {
            (&document.name, &document.rule.name, &document.rule.text).hash(&mut hasher);
            document.strategy.as_ref().map(Strategy::text).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The fingerprints of the text and of the strategy of each document, by the name of its source.
    #[must_use]
    pub fn fingerprints(&self) -> FxHashMap<&str, (u64, u64)> {
        let of = |text: &str| {
            let mut hasher = FxHasher::default();
            text.hash(&mut hasher);
            hasher.finish()
        };
        let each = self.documents.iter().map(|document| {
            let strategy = document.strategy.as_ref().map_or("", Strategy::text);
            (&*document.rule.name, (of(&document.rule.text), of(strategy)))
        });
        each.collect()
    }

    /// Joins the rules that the engine understood with their strategies.
    ///
    /// # Errors
    /// Every rule whose [`HOST_LEVEL`] is no level.
    pub fn bind(&self, rules: &[Rule]) -> Result<Detections, Vec<Problem>> {
        let mut bound = Vec::with_capacity(rules.len());
        let mut problems = Vec::new();
        let documents: FxHashMap<&str, &Document> =
            self.documents.iter().map(|document| (&*document.rule.name, document)).collect();
        for rule in rules {
            let document = documents.get(rule.source.as_str()).copied();
            match host_level(rule) {
                Ok(host) => bound.push(Bound { detection: describe(rule, document), host }),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Detections { bound }) } else { Err(problems) }
    }
}

/// What an alert says of each rule, by the rule's place in the engine's set.
#[derive(Clone, Debug, Default)]
pub struct Detections {
    bound: Vec<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    /// With the level it has in a container.
    detection: Detection,
    host: Level,
}

impl Detections {
    /// The detection behind a match, with the level it has where it happened.
    #[must_use]
    pub fn get(&self, rule: RuleIndex, in_container: bool) -> Option<Detection> {
        let bound = self.bound.get(usize::try_from(rule.0).ok()?)?;
        let mut detection = bound.detection.clone();
        if !in_container {
            detection.level = bound.host;
        }
        Some(detection)
    }

    /// Each with the level it has in a container, and that on the host, in order of loading.
    pub fn iter(&self) -> impl Iterator<Item = (&Detection, Level)> {
        self.bound.iter().map(|bound| (&bound.detection, bound.host))
    }
}

/// Why the catalogue could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{} cannot be read: {reason}; name a rule file or a folder of rules that the sensor may read", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("{} holds no rule; rule files end with .yml or .yaml", path.display())]
    NoRule { path: PathBuf },
    #[error("{} has {size} bytes, more than the {limit} a rule or its strategy may have; is it a rule?", path.display())]
    TooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("{} lies more than {limit} folders deep; name a folder nearer to the rules", path.display())]
    TooDeep { path: PathBuf, limit: usize },
    #[error("{source_name}:{line}: the rule's {HOST_LEVEL}: {reason}")]
    HostLevel { source_name: String, line: usize, reason: UnknownLevel },
}

/// The level outside of a container.
fn host_level(rule: &Rule) -> Result<Level, Problem> {
    let Some(value) = rule.custom.get(HOST_LEVEL) else { return Ok(rule.level) };
    let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    word.parse().map_err(|reason| Problem::HostLevel {
        source_name: rule.source.clone(),
        line: rule.line,
        reason,
    })
}

fn describe(rule: &Rule, document: Option<&Document>) -> Detection {
    let id = rule.id.map(|id| id.to_string()).or_else(|| rule.name.clone());
    let attack = || rule.tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let strategy = document.and_then(|document| document.strategy.as_ref());
    Detection {
        id: id.unwrap_or_else(|| rule.source.clone()),
        title: rule.title.clone(),
        name: document.map_or_else(|| rule.source.clone(), |document| document.name.clone()),
        level: rule.level,
        techniques: attack().filter(|tag| is_technique(tag)).map(str::to_ascii_uppercase).collect(),
        tactics: attack().filter(|tag| is_tactic(tag)).map(str::to_owned).collect(),
        false_positives: rule.false_positives.clone(),
        response: strategy.map(Strategy::response).unwrap_or_default(),
    }
}

/// `t1105` or `t1048.003` (tags specification, namespace "attack").
fn is_technique(tag: &str) -> bool {
    let Some(number) = tag.strip_prefix(['t', 'T']) else { return false };
    let (technique, sub) = number.split_once('.').map_or((number, None), |(main, sub)| (main, Some(sub)));
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(technique, 4) && sub.is_none_or(|sub| digits(sub, 3))
}

/// A word like `command-and-control`: neither a technique nor a group (`g0016`), software (`s0002`) or
/// other numbered thing. Older rules write it with underscores; both spellings are kept as they are.
fn is_tactic(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn rule(text: &str) -> Rule {
        Rule {
            title: "A title".into(),
            id: None,
            name: None,
            status: None,
            level: Level::High,
            description: None,
            author: None,
            date: None,
            modified: None,
            license: None,
            references: Vec::new(),
            tags: ["attack.t1048.003", "attack.exfiltration", "attack.g0016", "cve.2021-44228", "attack.t10"]
                .map(str::to_owned)
                .to_vec(),
            false_positives: vec!["Backups".into()],
            fields: Vec::new(),
            scope: Vec::new(),
            related: Vec::new(),
            log_source: sigma::LogSource::default(),
            correlation: None,
            reports: true,
            fingerprint: 0,
            custom: text
                .split_once('=')
                .map(|(key, value)| (key.to_owned(), serde_json::json!(value)))
                .into_iter()
                .collect(),
            source: "mine.yml".into(),
            line: 1,
        }
    }

    #[test]
    fn tags_become_techniques_and_tactics_and_the_rest_is_left_alone() {
        let detections = Catalogue::default().bind(&[rule("")]).unwrap();
        let detection = detections.get(RuleIndex(0), true).unwrap();
        assert_eq!(detection.techniques, ["T1048.003"]);
        assert_eq!(detection.tactics, ["exfiltration"]);
        assert_eq!(detection.name, "mine.yml");
        assert!(detection.response.is_empty());
        assert_eq!(detections.get(RuleIndex(1), true), None);
    }

    #[test]
    fn the_host_level_holds_outside_of_containers_only() {
        let level = |custom, contained| {
            let detections = Catalogue::default().bind(&[rule(custom)]).unwrap();
            detections.get(RuleIndex(0), contained).unwrap().level
        };
        assert_eq!(level("host_level=low", true), Level::High);
        assert_eq!(level("host_level=low", false), Level::Low);
        assert_eq!(level("", false), Level::High);
    }

    #[test]
    fn a_host_level_that_is_no_level_is_refused_with_its_place() {
        let problems = Catalogue::default().bind(&[rule("host_level=mild")]).unwrap_err();
        let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                "mine.yml:1: the rule's host_level: `mild` is no level; write informational, low, medium, high or critical"
            ]
        );
    }

    #[test]
    fn a_users_folder_is_searched_and_brings_its_strategy() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("team/odd_download");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("rule.yml"), "title: x").unwrap();
        fs::write(folder.join("ads.md"), "# x\n\n## Response\n\n1. Look.\n2. Act.\n\nProse.\n").unwrap();
        fs::write(directory.path().join("plain.yaml"), "title: y").unwrap();
        fs::write(directory.path().join("notes.txt"), "no rule").unwrap();

        let catalogue = Catalogue::load(&[directory.path().to_owned()], false).unwrap();
        assert_eq!(catalogue.sources().count(), 2);
        assert_eq!(catalogue.strategy("odd_download").unwrap().response(), ["Look.", "Act."]);
    }

    #[test]
    fn every_bad_path_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.yml");
        let problems = Catalogue::load(&[missing, directory.path().to_owned()], true).unwrap_err();
        assert!(matches!(problems[..], [Problem::Unreadable { .. }, Problem::NoRule { .. }]), "{problems:?}");
    }
}
