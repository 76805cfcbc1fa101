//! `tidewaiter validate`: the command line of the proof, and what it tells.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use rustix::termios::isatty;
use sigma::RuleSet;
use tokio::sync::watch;

use super::run::runtime;
use super::table::{print, table};
use super::{Exit, Failure, RuleOptions};
use crate::agent::StartError;
use crate::config::{Config, FormatChoice};
use crate::detection::{Catalogue, Emulation};
use crate::event::field::Fields;
use crate::shutdown;
use crate::sink::SyslogTarget;
use crate::sink::stdout::Format;
use crate::sink::text::escape::visible;
use crate::validate::report::{HEADER, Proof, Subject, Verdict};
use crate::validate::{Report, Request, Runtime, ValidateError, validate as prove};

pub(super) const ABOUT: &str = "\
Prove detections on this machine

For each detection a container is made, without any network but loopback, and an agent of its own watches. The \
detection's emulate.sh does the technique in the container: its alert must come. Its benign.sh does a look-alike: \
neither this detection nor anything of low or graver may come. All that is made is taken away again, and nothing else \
is touched.

Without --image the container has this machine's own tools, bound read-only, so nothing is pulled. Where no Docker \
answers, runc or crun make the container.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter validate curl_download
      One detection, with the tools of this machine
  sudo tidewaiter validate --all --image debian:12
      All, with the tools of an image that is there
  sudo tidewaiter validate --all --syslog tcp://127.0.0.1:514 --received /var/log/syslog
      Until each alert stands in the receiver's log";

/// Options of `validate`.
#[derive(Clone, Debug, Args)]
pub struct ValidateOptions {
    /// Detections by name, as `tidewaiter rules list` has them
    #[arg(value_name = "DETECTION", required_unless_present = "all", conflicts_with = "all")]
    pub detections: Vec<String>,
    /// All that come with the binary
    #[arg(long)]
    pub all: bool,
    /// Containers of this image, which must be there, instead of this machine's tools
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// What makes the containers; without it docker, else runc, else crun
    #[arg(long, value_enum, value_name = "RUNTIME")]
    pub runtime: Option<Runtime>,
    /// Containers at work at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub jobs: u8,
    /// Leave the look-alikes out
    #[arg(long)]
    pub no_benign: bool,
    /// What cannot be proven because a tool is missing counts as failed
    #[arg(long)]
    pub strict: bool,
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub rules: RuleOptions,
    /// Where the agent forwards to; may be given several times
    #[arg(long, value_name = "RECEIVER")]
    pub syslog: Vec<SyslogTarget>,
    /// The receiver's log: wait until each alert's id stands in it
    #[arg(long, value_name = "FILE", requires = "syslog")]
    pub received: Option<PathBuf>,
    /// How the outcome looks
    #[arg(long, value_enum, default_value = "auto")]
    pub format: FormatChoice,
}

pub(super) fn validate(options: ValidateOptions) -> Result<Exit, Failure> {
    let format = options.format.resolve(isatty(std::io::stdout()));
    let request = Request {
        subjects: subjects(&options)?,
        runtime: options.runtime,
        state: state(&options)?,
        jobs: usize::from(options.jobs),
        benign: !options.no_benign,
        agent: agent_options(&options),
        image: options.image,
        received: options.received,
    };
    let count = request.subjects.len();
    let mut progress = Progress { done: 0, count, is_shown: isatty(std::io::stderr()) };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let requested = shutdown::requested().map_err(|error| {
            Failure::new("cannot wait for signals", &error, "raise the limit of open files (`ulimit -n`)")
        })?;
        let (interrupt, interrupted) = watch::channel(false);
        let attend = tokio::spawn(async move {
            requested.await;
            interrupt.send_replace(true);
            // Whoever waits for an interruption must not see the channel closed.
            std::future::pending::<()>().await;
        });
        progress.show("");
        let outcome = prove(request, interrupted, |proof| {
            progress.advance(proof);
            if format == Format::Json {
                print(&proof.json());
            }
        });
        let outcome = outcome.await.map_err(Failure::from);
        attend.abort();
        outcome
    });
    progress.clear();
    let report = outcome?;
    match format {
        Format::Text => print(&text(&report)),
        Format::Json => print(&report.json()),
    }
    let is_bad = report.count(Verdict::Failed) > 0 || options.strict && report.count(Verdict::Impossible) > 0;
    Ok(if is_bad { Exit::Negative } else { Exit::Good })
}

/// The table, then what went wrong, then the sum.
fn text(report: &Report) -> String {
    let mut text = table(&HEADER, report.proofs.iter().map(Proof::row));
    for fault in report.proofs.iter().flat_map(Proof::faults) {
        text.push_str(&format!("\n✘ {}\n", visible(&fault)));
    }
    format!("{text}\n{}\n", report.sum())
}

/// Where an agent with another configuration than the default looks for the state of runc and crun.
fn state(options: &ValidateOptions) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = &options.config else { return Ok(None) };
    let containers = Config::read(path)?.containers;
    let is_usual = containers.runc == Config::default().containers.runc;
    Ok(if is_usual { None } else { containers.runc.first().cloned() })
}

/// Those that were asked for, of those that come with the binary.
fn subjects(options: &ValidateOptions) -> Result<Vec<Subject>, Failure> {
    let placeholders = match &options.config {
        Some(path) => Config::read(path)?.placeholders()?,
        None => Config::default().placeholders()?,
    };
    let catalogue = Catalogue::built_in();
    let rules = RuleSet::load(catalogue.sources(), &Fields, &placeholders).map_err(StartError::Rules)?;
    let detections = catalogue.bind(rules.rules()).map_err(StartError::Catalogue)?;
    let subject = |emulation: Emulation| {
        let own = || {
            let all = rules.rules().iter().zip(detections.iter());
            all.filter(|(_, (detection, _))| detection.name == emulation.name)
        };
        // Of several the last that reports gives the name: a correlation stands below what it reads.
        let (_, (detection, _)) = own().filter(|(rule, _)| rule.reports).last()?;
        let ids = own().map(|(_, (detection, _))| detection.id.clone()).collect();
        Some(Subject::new(detection.clone(), emulation, ids))
    };
    let all: Vec<Subject> = Emulation::built_in().into_iter().filter_map(subject).collect();
    if options.all {
        return Ok(all);
    }
    let wanted = options.detections.iter().map(|name| {
        let found = all.iter().find(|subject| subject.detection.name == *name).cloned();
        found.ok_or_else(|| {
            let reason = format!("no detection that comes with the binary is called {name}");
            Failure::new("cannot validate", &reason, "`tidewaiter rules list` has their names")
        })
    });
    wanted.collect()
}

/// What the agent is given besides its own.
fn agent_options(options: &ValidateOptions) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    if options.config.is_none() {
        // That of the host has its receivers in it.
        all.push("--no-config".into());
    }
    let mut give = |name: &str, value: OsString| all.extend([OsString::from(name), value]);
    if let Some(config) = &options.config {
        give("--config", config.into());
    }
    for path in &options.rules.paths {
        give("--rules", path.into());
    }
    for target in &options.syslog {
        give("--syslog", target.to_string().into());
    }
    if options.rules.no_embedded_rules {
        all.push("--no-embedded-rules".into());
    }
    all
}

/// One line on the terminal that says how far it is.
struct Progress {
    done: usize,
    count: usize,
    is_shown: bool,
}

impl Progress {
    fn advance(&mut self, proof: &Proof) {
        self.done += 1;
        self.show(&proof.detection.name);
    }

    fn show(&self, last: &str) {
        self.write(&format!("\r\x1b[2K{} of {} {last}", self.done, self.count));
    }

    fn clear(&self) {
        self.write("\r\x1b[2K");
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            // If standard error is closed nobody watches.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

impl From<ValidateError> for Failure {
    fn from(error: ValidateError) -> Self {
        Self::new("cannot validate", &error, error.remedy())
    }
}
