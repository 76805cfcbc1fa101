//! Why a command could not run, as its user reads it:
//!
//! ```text
//! tidewaiter: <what failed>: <reason>
//!   help: <remedy>
//! ```

use std::fmt;
use std::io::Write;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use sigma::Diagnostic;

use crate::agent::StartError;
use crate::config::ConfigError;
use crate::keeper::KeeperError;
use crate::sink::text::escape::visible;

/// Mistakes shown in full; who has more mends these first.
const DIAGNOSTICS_SHOWN: usize = 20;

/// Why a command could not run.
#[derive(Debug)]
pub struct Failure {
    what: &'static str,
    reason: String,
    remedy: String,
    details: Details,
}

/// What is shown between the reason and the remedy.
#[derive(Debug)]
enum Details {
    None,
    Place(Box<crate::config::Excerpt>),
    Diagnostics(Vec<Diagnostic>),
}

impl Failure {
    /// A failure that is told in one sentence.
    #[must_use]
    pub fn new(what: &'static str, reason: &dyn fmt::Display, remedy: impl Into<String>) -> Self {
        Self { what, reason: reason.to_string(), remedy: remedy.into(), details: Details::None }
    }

    /// Writes it to standard error, in colour where that has any.
    pub(super) fn tell(&self) {
        let colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
        // If standard error is closed there is nobody to tell; the exit status still does.
        let _ = std::io::stderr().lock().write_all(self.render(colour).as_bytes());
    }

    /// All lines.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = |style: Style, text: &str| {
            if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
        };
        let head = paint(AnsiColor::Red.on_default().bold(), &format!("tidewaiter: {}", self.what));
        let mut text = format!("{head}: {}\n", lines(&self.reason));
        text.push_str(&self.details.render(colour));
        let help = paint(AnsiColor::Cyan.on_default().bold(), "help");
        text.push_str(&format!("  {help}: {}\n", lines(&self.remedy)));
        text
    }
}

/// Safe to show, its own line breaks kept.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

impl Details {
    fn of(error: &ConfigError) -> Self {
        error.excerpt().map_or(Self::None, |excerpt| Self::Place(Box::new(excerpt.clone())))
    }

    fn render(&self, colour: bool) -> String {
        match self {
            Self::None => String::new(),
            Self::Place(excerpt) => excerpt.render(colour),
            Self::Diagnostics(all) => diagnostics(all, colour),
        }
    }
}

/// Each with its place, at most [`DIAGNOSTICS_SHOWN`].
pub(super) fn diagnostics(all: &[Diagnostic], colour: bool) -> String {
    let mut text: String =
        all.iter().take(DIAGNOSTICS_SHOWN).map(|diagnostic| diagnostic.render(colour)).collect();
    if let Some(more) = all.len().checked_sub(DIAGNOSTICS_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self {
            details: Details::of(&error),
            ..Self::new("cannot use the configuration", &error, error.help())
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let what = match &error {
            StartError::Rules(_) | StartError::Catalogue(_) | StartError::Allow(_) => "cannot use the rules",
            StartError::Baseline(_) => "cannot use the baseline",
            StartError::Receiver { .. } => "cannot use the configuration",
            StartError::Keeper(KeeperError::Died) => "cannot go on",
            StartError::Privilege(_)
            | StartError::Offsets(_)
            | StartError::Load(_)
            | StartError::Procfs(_)
            | StartError::Kubernetes(_)
            | StartError::Keeper(_)
            | StartError::Confine(_)
            | StartError::Sinks(_) => "cannot start",
        };
        let failure = Self::new(what, &error, error.remedy());
        match error {
            StartError::Rules(diagnostics) => Self { details: Details::Diagnostics(diagnostics), ..failure },
            StartError::Allow(error) | StartError::Baseline(error) => {
                Self { details: Details::of(&error), ..failure }
            }
            StartError::Catalogue(_)
            | StartError::Receiver { .. }
            | StartError::Privilege(_)
            | StartError::Offsets(_)
            | StartError::Load(_)
            | StartError::Procfs(_)
            | StartError::Kubernetes(_)
            | StartError::Keeper(_)
            | StartError::Confine(_)
            | StartError::Sinks(_) => failure,
        }
    }
}
