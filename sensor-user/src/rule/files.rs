//! Where rules lie, and one reading of all of them. IO happens in [`RuleFiles::gather`] only.

use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;

use rustc_hash::FxHasher;
use sigma::{Diagnostic, Placeholders, RuleSet, Source};

use super::change::{Known, known};
use crate::alert::{RuleMistake, RulePlace};
use crate::canary;
use crate::config::{AllowFiles, Config, ConfigError, ConfigFiles};
use crate::detection::{Catalogue, Detections, Problem};
use crate::event::field::Fields;

/// Where rules come from, as the configuration says.
#[derive(Clone, Debug, Default)]
pub struct RuleFiles {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Whether those of the binary are wanted, too.
    pub embedded: bool,
    pub allow: AllowFiles,
    /// Whether the rule of the delivery canary is at work.
    pub canary: bool,
    /// What all of this was read from.
    pub configuration: ConfigFiles,
}

/// The texts of one reading.
#[derive(Debug)]
pub(super) struct Gathered {
    catalogue: Catalogue,
    placeholders: Placeholders,
}

/// Rules that are understood to the last key.
#[derive(Debug, Default)]
pub struct Rules {
    pub set: RuleSet,
    pub detections: Detections,
    /// What they were made of.
    pub(super) fingerprint: u64,
    /// What tells them from those of another reading.
    pub(super) known: Vec<Known>,
}

/// Why rules cannot be used.
#[derive(Debug)]
pub enum Mistakes {
    /// In documents.
    Rules(Vec<Diagnostic>),
    /// In paths, or in keys of this sensor.
    Catalogue(Vec<Problem>),
    /// In a file of allow-lists.
    Allow(ConfigError),
}

impl RuleFiles {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let Config { rules, embedded_rules, canary, files, .. } = config;
        let (allow, canary) = (AllowFiles::new(config), canary.every.is_some());
        let (paths, configuration) = (rules.clone(), files.clone());
        Self { paths, embedded: *embedded_rules, allow, canary, configuration }
    }

    /// Reads, parses and builds.
    ///
    /// # Errors
    /// All mistakes of one kind. No rule is to be used if there is any.
    pub fn read(&self) -> Result<Rules, Mistakes> {
        self.understand(&self.gather()?)
    }

    /// Reads the texts.
    pub(super) fn gather(&self) -> Result<Gathered, Mistakes> {
        let mut catalogue = Catalogue::load(&self.paths, self.embedded).map_err(Mistakes::Catalogue)?;
        if self.canary {
            catalogue.add(Source::new(canary::NAME, canary::RULE));
        }
        Ok(Gathered { catalogue, placeholders: self.allow.read().map_err(Mistakes::Allow)? })
    }

    pub(super) fn understand(&self, gathered: &Gathered) -> Result<Rules, Mistakes> {
        let Gathered { catalogue, placeholders } = gathered;
        let set = RuleSet::load(catalogue.sources(), &Fields, placeholders).map_err(Mistakes::Rules)?;
        let detections = catalogue.bind(set.rules()).map_err(Mistakes::Catalogue)?;
        let known = known(&set, &catalogue.fingerprints());
        Ok(Rules { set, detections, fingerprint: gathered.fingerprint(), known })
    }

    /// All that a reading reads.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        self.paths.iter().chain(&self.allow.paths).cloned().collect()
    }
}

impl Gathered {
    /// The same number for the same texts.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        self.catalogue.fingerprint().hash(&mut hasher);
        for name in self.placeholders.names() {
            (name, self.placeholders.get(name)).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Mistakes {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Rules(diagnostics) => diagnostics.len(),
            Self::Catalogue(problems) => problems.len(),
            Self::Allow(_) => 1,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same number for the same sentences.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = FxHasher::default();
        match self {
            Self::Rules(diagnostics) => diagnostics.iter().for_each(|it| it.to_string().hash(&mut hasher)),
            Self::Catalogue(problems) => problems.iter().for_each(|it| it.to_string().hash(&mut hasher)),
            Self::Allow(error) => error.to_string().hash(&mut hasher),
        }
        hasher.finish()
    }

    /// The first `max`, for a message.
    #[must_use]
    pub fn first(&self, max: usize) -> Vec<RuleMistake> {
        match self {
            Self::Rules(diagnostics) => diagnostics.iter().take(max).map(mistake).collect(),
            Self::Catalogue(problems) => problems
                .iter()
                .take(max)
                .map(|problem| RuleMistake { message: problem.to_string(), ..RuleMistake::default() })
                .collect(),
            Self::Allow(error) => vec![mistake_of_list(error)],
        }
    }

    /// The first `max` as people read them: each with its place in the document and a caret.
    #[must_use]
    pub fn render(&self, max: usize) -> String {
        let shown: String = match self {
            Self::Rules(diagnostics) => diagnostics.iter().take(max).map(|it| it.render(false)).collect(),
            Self::Catalogue(problems) => problems.iter().take(max).map(|it| format!("{it}\n")).collect(),
            Self::Allow(error) => format!("{error}\n"),
        };
        match self.len().saturating_sub(max) {
            0 => shown,
            more => format!("{shown}and {more} more: `tidewaiter rules check PATH` shows them\n"),
        }
    }
}

fn mistake(diagnostic: &Diagnostic) -> RuleMistake {
    let Diagnostic { source, line, column, message, help, .. } = diagnostic;
    let place = RulePlace { file: source.clone(), line: *line, column: *column };
    RuleMistake { place: Some(place), message: message.clone(), help: help.clone() }
}

fn mistake_of_list(error: &ConfigError) -> RuleMistake {
    let help = Some(error.help().to_owned());
    match error.excerpt() {
        Some(excerpt) => {
            let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let (line, column) = (index(excerpt.line), index(excerpt.column));
            let place = RulePlace { file: excerpt.path.display().to_string(), line, column };
            RuleMistake { place: Some(place), message: excerpt.reason.clone(), help }
        }
        None => RuleMistake { place: None, message: error.to_string(), help },
    }
}
