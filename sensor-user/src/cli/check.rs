//! `tidewaiter check`: looks at all that `run` needs on this host, says what would go unseen or undelivered and what to
//! do about it, and ends.
//!
//! Every check stands alone. What is wrong with one hides no other, and what this user may not look at is told as that.

mod examination;
mod report;
mod wait;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use jiff::tz::TimeZone;

use super::run::{log_to_stderr, runtime};
use super::table::print;
use super::{Exit, Failure, RunOptions};
use crate::config::FormatChoice;
use crate::sink::stdout::terminal_width;
use crate::sink::text::{self, Examination as Shown, View};
use examination::Examination;
use wait::Wait;

pub(super) const ABOUT: &str = "\
Examine this host: what would be seen here, what would be delivered, and what weakens which detections

The kernel, its type information and lockdown; cgroups, namespaces, /proc; capabilities; every hook, attached and made to \
fire; container runtimes and, where configured, their sockets and the Kubernetes API; rules, allow-lists, the baseline; \
every receiver, really connected to with its TLS handshake, without sending a message; clock, disk, limits. For what is not \
good it says what that means, what to do, and which detections it weakens. Nothing is changed, and nothing stays.

It works without privilege as far as it can, and says what it could not look at. docs/check.md has every check.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter check --config /etc/tidewaiter.yaml
      With the receivers, rules and folders that `run` would have
  sudo tidewaiter check --json | jq -r '.findings[] | select(.verdict == \"bad\") | \"\\(.check): \\(.what)\"'
      For programs
  sudo tidewaiter check --all
      Every hook, and every detection by name";

pub(super) const STATUS: &str = "\
Exit status:
  0  all is well: everything would be seen and delivered
  1  something would go unseen or undelivered, or could not be looked at
  2  it could not run: usage, configuration";

/// Options of `check`: those of `run`, and how it is told.
#[derive(Clone, Debug, Default, Args)]
pub struct CheckOptions {
    #[command(flatten)]
    pub run: RunOptions,
    /// One JSON document, for programs: as --format json
    #[arg(long)]
    pub json: bool,
    /// Leave nothing out: every hook, every detection
    #[arg(long)]
    pub all: bool,
}

/// Negative when something would go unseen or undelivered.
pub(super) fn check(options: CheckOptions) -> Result<Exit, Failure> {
    let CheckOptions { run, json, all } = options;
    // Only when it was typed: a configuration's format is that of messages.
    let as_json = json || run.format == Some(FormatChoice::Json);
    let config = run.config()?;
    log_to_stderr(config.log);
    let runtime = runtime()?;
    let wait = Wait::begin();
    let examination = runtime.block_on(Examination::of(&config, &wait));
    drop(wait);
    let weakened = examination.weakened();
    let is_well = examination.findings.iter().all(|finding| finding.verdict.is_well());
    if as_json {
        print(&report::json(&examination, &weakened, is_well));
    } else {
        let Examination { findings, detections, .. } = &examination;
        let shown = Shown { findings, detections: detections.len(), weakened: &weakened, all };
        let colour = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
        print(&text::check(&shown, &View { width: terminal_width(), colour, zone: TimeZone::system() }));
    }
    Ok(if is_well { Exit::Good } else { Exit::Negative })
}
