//! `tidewaiter rules`: what would be detected, what is wrong with a rule, and why it matches or does not.
//!
//! Nothing is watched, and but for asking a running agent no privilege is needed. Each command makes a report, and the report its text or JSON;
//! only here and in the commands' entry points is anything read or written.

mod check;
mod explain;
mod layer;
mod list;
mod markdown;
mod show;
mod stats;
mod suppressed;
mod test;
mod tree;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use clap::{Args, Subcommand};
use sigma::{Placeholders, RuleSet, Source};

use super::{EXIT_CODES, Exit, Failure};
use crate::agent::StartError;
use crate::config::Config;
use crate::control::SOCKET;
use crate::detection::Catalogue;
use crate::event::field::Fields;

/// What stands for standard input where a file is asked for.
const STANDARD_INPUT: &str = "-";
/// Most that is read of standard input or of a file of events, bytes: some ten thousand events.
const INPUT_MAX: u64 = 64 << 20;

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List all rules, correlations and filters that `run` would use
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", list::EXAMPLES))]
    List(list::ListCommand),
    /// Show a detection's ADS: what it is about, what else it may be, and what to do now
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", show::EXAMPLES))]
    Show(show::ShowOptions),
    /// Write an ATT&CK Navigator layer of the techniques that rules are about
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", layer::EXAMPLES), long_about = layer::ABOUT)]
    Layer(list::ListOptions),
    /// Read Sigma rules and point at every mistake in them
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", check::EXAMPLES), long_about = check::ABOUT)]
    Check(check::CheckOptions),
    /// Hold rules against the events that lie beside them
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", test::EXAMPLES), long_about = test::ABOUT)]
    Test(test::TestOptions),
    /// Tell why a rule matches an event, or does not
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", explain::EXAMPLES), long_about = explain::ABOUT)]
    Explain(explain::ExplainOptions),
    /// Show how often each rule of a running agent ran and matched, and what that cost
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", stats::EXAMPLES), long_about = stats::ABOUT)]
    Stats(AgentOptions),
    /// Show the last matches that filters kept back in a running agent
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", suppressed::EXAMPLES), long_about = suppressed::ABOUT)]
    Suppressed(AgentOptions),
}

/// What stands beside the rules that a command is about.
#[derive(Clone, Debug, Default, Args)]
pub struct ReferenceOptions {
    /// Leave out the rules that come with the binary; else they can be referred to
    #[arg(long)]
    pub no_embedded_rules: bool,
    /// Take allow-lists and the values of placeholders from this configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write one JSON document, for programs
    #[arg(long)]
    pub json: bool,
}

/// Which agent is asked.
#[derive(Clone, Debug, Args)]
pub struct AgentOptions {
    /// Where the agent answers
    #[arg(long, value_name = "PATH", default_value = SOCKET)]
    pub socket: PathBuf,
    /// Write one JSON document, for programs
    #[arg(long)]
    pub json: bool,
}

impl ReferenceOptions {
    fn placeholders(&self) -> Result<Placeholders, Failure> {
        Ok(match &self.config {
            Some(path) => Config::read(path)?.placeholders()?,
            None => Config::default().placeholders()?,
        })
    }
}

/// Does what was asked for.
pub(super) fn execute(command: RulesCommand) -> Result<Exit, Failure> {
    match command {
        RulesCommand::List(options) => list::list(options),
        RulesCommand::Show(options) => show::show(options),
        RulesCommand::Layer(options) => layer::layer(options),
        RulesCommand::Check(options) => check::check(&options),
        RulesCommand::Test(options) => test::test(&options),
        RulesCommand::Explain(options) => explain::explain(&options),
        RulesCommand::Stats(options) => stats::stats(&options),
        RulesCommand::Suppressed(options) => suppressed::suppressed(&options),
    }
}

/// Rules that loaded, and what they were loaded from.
struct Loaded {
    catalogue: Catalogue,
    sources: Vec<Source>,
    set: RuleSet,
    placeholders: Placeholders,
}

impl Loaded {
    fn new(catalogue: Catalogue, placeholders: Placeholders) -> Result<Self, Failure> {
        let sources: Vec<Source> = catalogue.sources().collect();
        let set =
            RuleSet::load(sources.iter().cloned(), &Fields, &placeholders).map_err(StartError::Rules)?;
        Ok(Self { catalogue, sources, set, placeholders })
    }

    /// The rules at `paths`, and beside them those of the binary that they do not take the place of: who works on
    /// a copy of a built-in rule means the copy.
    fn beside_embedded(paths: &[PathBuf], options: &ReferenceOptions) -> Result<Self, Failure> {
        let placeholders = options.placeholders()?;
        let mut catalogue = catalogue(paths, false)?;
        if !options.no_embedded_rules {
            let own: Vec<Source> = catalogue.sources().collect();
            catalogue = self::catalogue(paths, true)?;
            catalogue.retain(|source| {
                !Catalogue::is_built_in(&source.name)
                    || !ids(&source.text)
                        .any(|id| own.iter().any(|own| ids(&own.text).any(|other| other == id)))
            });
        }
        Self::new(catalogue, placeholders)
    }
}

/// The ids that a document's own lines give, as they are written.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| Some(line.strip_prefix("id:")?.trim().trim_matches(['\'', '"'])))
}

/// Files and folders, and standard input where a path is `-`.
fn catalogue(paths: &[PathBuf], embedded: bool) -> Result<Catalogue, Failure> {
    let is_input = |path: &&PathBuf| path.as_path() == Path::new(STANDARD_INPUT);
    let files: Vec<PathBuf> = paths.iter().filter(|path| !is_input(path)).cloned().collect();
    let mut catalogue = Catalogue::load(&files, embedded).map_err(StartError::Catalogue)?;
    if paths.iter().any(|path| is_input(&path)) {
        catalogue.add(Source::new("standard input", input(Path::new(STANDARD_INPUT))?));
    }
    Ok(catalogue)
}

/// The text of a file, or of standard input.
fn input(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new(STANDARD_INPUT) {
        std::io::stdin().take(INPUT_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(INPUT_MAX + 1).read_to_string(&mut text))
    };
    match read {
        Ok(size) if size as u64 > INPUT_MAX => {
            let reason = format!("{} has more than {INPUT_MAX} bytes", path.display());
            Err(Failure::new("cannot read", &reason, "give a part of it"))
        }
        Ok(_) => Ok(text),
        Err(error) => {
            let reason = format!("{}: {error}", path.display());
            Err(Failure::new("cannot read", &reason, "name a file of text, or `-` for standard input"))
        }
    }
}

fn colour() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// `3 rules`, `1 rule`.
fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// `3 rules, 1 correlation and 2 filters`; kinds that are not there are left out, but for rules.
fn census(rules: usize, correlations: usize, filters: usize) -> String {
    let mut parts = vec![counted(rules, "rule")];
    parts.extend((correlations > 0).then(|| counted(correlations, "correlation")));
    parts.extend((filters > 0).then(|| counted(filters, "filter")));
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some(_) | None => parts.concat(),
    }
}
