//! The steps of a start, each of which can fail with a sentence and a remedy.

use std::path::Path;
use std::sync::Arc;

use sigma::{Diagnostic, Engine};
use thiserror::Error;
use tracing::{debug, info, warn};

use super::purpose::Purpose;
use super::report::Reporter;
use crate::config::{Config, ConfigError, read_baseline};
use crate::detection::Problem;
use crate::ebpf::load::LoadError;
use crate::ebpf::offset::{Layout, OffsetError, VMLINUX};
use crate::ebpf::sys;
use crate::event::selection::Selection;
use crate::host::capability::{self, Capability};
use crate::host::procfs::{self, ProcfsError};
use crate::keeper::KeeperError;
use crate::outbox::Opened;
use crate::pipeline::Pipeline;
use crate::privilege::PrivilegeError;
use crate::redact::Redactor;
use crate::rule::{Mistakes, Reader, RuleFiles, Rules};
use crate::sink::{self, FileError, Origin, SinkSet, Stream, Target};
use crate::source::kubernetes::AccessError;
use crate::state::baseline::Baseline;
use crate::state::process::Process;
use crate::story::Stories;

/// Why the sensor does not start. Nothing is attached when it says so.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("{} of the rules cannot be used", .0.len())]
    Rules(Vec<Diagnostic>),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  "))]
    Catalogue(Vec<Problem>),
    #[error("{0}")]
    Allow(ConfigError),
    #[error("{0}")]
    Baseline(ConfigError),
    #[error("{receiver}: {error}")]
    Receiver { receiver: String, error: FileError },
    #[error("{}", capability::sentence(.0))]
    Privilege(Vec<Capability>),
    #[error(transparent)]
    Offsets(#[from] OffsetError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Procfs(#[from] ProcfsError),
    #[error("the Kubernetes API is to be asked, and {0}")]
    Kubernetes(#[from] AccessError),
    #[error(transparent)]
    Keeper(KeeperError),
    #[error("privileges cannot be given up: {0}")]
    Confine(PrivilegeError),
    #[error("standard output cannot be written beside the loop: {0}")]
    Sinks(std::io::Error),
}

impl StartError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Rules(_) => {
                "mend them, or leave them out; `tidewaiter rules check PATH` shows all".to_owned()
            }
            Self::Catalogue(_) => {
                "mend or leave out what is named; `tidewaiter rules check PATH` shows all".to_owned()
            }
            Self::Allow(error) => error.help().to_owned(),
            Self::Baseline(_) => {
                "name a file that `tidewaiter baseline learn` wrote; `tidewaiter baseline show FILE` reads it"
                    .to_owned()
            }
            Self::Receiver { error, .. } => error.remedy().to_owned(),
            Self::Privilege(missing) => capability::remedy(missing),
            Self::Offsets(_) => format!(
                "the sensor reads the kernel's own type information at {VMLINUX}: boot a kernel built with \
                 CONFIG_DEBUG_INFO_BTF=y (every current distribution's is), and mount sysfs at /sys"
            ),
            Self::Load(error) => error.remedy().to_owned(),
            Self::Procfs(_) => "run in the host's pid namespace (in a pod: hostPID: true)".to_owned(),
            Self::Kubernetes(error) => error.remedy().to_owned(),
            Self::Keeper(error) => error.remedy().to_owned(),
            Self::Confine(error) => error.remedy().to_owned(),
            Self::Sinks(_) => "raise the limit of processes (`ulimit -u`)".to_owned(),
        }
    }
}

impl From<Mistakes> for StartError {
    fn from(mistakes: Mistakes) -> Self {
        match mistakes {
            Mistakes::Rules(diagnostics) => Self::Rules(diagnostics),
            Mistakes::Catalogue(problems) => Self::Catalogue(problems),
            Mistakes::Allow(error) => Self::Allow(error),
        }
    }
}

/// Says what the configuration was read from.
pub(super) fn tell_files(config: &Config) {
    let files: Vec<_> = config.files.read().iter().map(|path| path.display().to_string()).collect();
    if !files.is_empty() {
        info!("configuration: {}", files.join(", "));
    }
}

/// Has the rules read again whenever they change. Without it the sensor runs as well.
pub(super) fn reader(files: RuleFiles, rules: &Rules) -> Option<Reader> {
    match Reader::start(files, rules) {
        Ok(reader) => Some(reader),
        Err(error) => {
            warn!(%error, "rules are not read again: start the sensor again to change them");
            None
        }
    }
}

/// A container may live for ten milliseconds, of which a busy host lets the agent wait three for its turn, and three for
/// each answer of its keeper.
pub(super) fn turns() {
    /// The shortest that the kernel takes (`__setparam_fair`, kernel/sched/syscalls.c).
    const TURN: u64 = 100_000;
    if let Err(error) = sys::ask_for_short_turns(TURN) {
        debug!(%error, "the agent's turns on the processor stay as long as others'");
    }
}

/// Refuses to start without what loading needs, before the kernel says so less clearly.
pub(super) fn privilege() -> Result<(), StartError> {
    let missing = capability::missing();
    if missing.is_empty() { Ok(()) } else { Err(StartError::Privilege(missing)) }
}

/// What the running kernel looks like inside.
pub(super) fn layout() -> Result<Layout, StartError> {
    Ok(Layout::read(Path::new(VMLINUX))?)
}

/// Who runs already, each with its cgroup's path.
pub(super) fn inventory() -> Result<Vec<(Process, String)>, StartError> {
    let inventory = procfs::inventory()?;
    Ok(inventory.found.into_iter().map(|found| (found.process, found.cgroup)).collect())
}

/// What was learned of images, where there is such a file.
pub(super) fn baseline(config: &Config) -> Result<Option<Arc<Baseline>>, StartError> {
    let baseline = config.baseline.as_deref().map(read_baseline).transpose();
    Ok(baseline.map_err(StartError::Baseline)?.map(Arc::new))
}

/// Reads what receivers need of files, so that a mistake in one starts nothing.
pub(crate) fn receivers(targets: &[Target]) -> Result<(), StartError> {
    targets.iter().try_for_each(|target| {
        target.prepare().map_err(|error| StartError::Receiver { receiver: target.name(), error })
    })
}

pub(super) fn pipeline(rules: Rules, config: &Config) -> Pipeline {
    let engine = Engine::new(rules.set).with_clock(crate::host::thread_time);
    let stories = Stories::with_gather(config.story.gather.duration());
    let mut pipeline = Pipeline::new(engine, rules.detections, stories);
    pipeline.set_host(super::facts::namespaces(procfs::host_pid()).unwrap_or_default());
    pipeline.capture.clone_from(&config.capture);
    pipeline
}

/// Nothing leaves: what happens is learned.
pub(super) fn learning_reporter(origin: &Arc<Origin>) -> Result<Reporter, StartError> {
    let none = SinkSet::start(&[], origin, None).map_err(StartError::Sinks)?;
    let mut reporter = Reporter::new(none, None);
    reporter.learn();
    Ok(reporter)
}

/// The way out: alerts to every sink that was asked for, or events to standard output alone.
pub(super) fn reporter(
    config: &Config,
    selection: Option<Selection>,
    origin: &Arc<Origin>,
    kept: Option<Opened>,
) -> Result<Reporter, StartError> {
    let Some(selection) = selection else {
        let sinks = SinkSet::start(&config.targets(is_terminal()), origin, kept);
        return Ok(Reporter::new(sinks.map_err(StartError::Sinks)?, None));
    };
    let none = SinkSet::start(&[], origin, None).map_err(StartError::Sinks)?;
    let format = config.format.resolve(is_terminal());
    let stream = Stream::start(format, selection, Arc::clone(origin)).map_err(StartError::Sinks)?;
    Ok(Reporter::new(none, Some(stream)))
}

fn is_terminal() -> bool {
    rustix::termios::isatty(std::io::stdout())
}

/// Who the messages are from, and where they are kept until their receivers have them, if any sink wants that: the id of
/// the agent is kept there too. Without a folder they are in memory: alerts go out as well, so that is no reason not
/// to start.
pub(super) fn origin(config: &Config, purpose: &Purpose) -> (Arc<Origin>, Option<Opened>) {
    let mut origin = Origin::read();
    origin.redactor = Redactor::new(&config.redact);
    let sinks = sink::kept(&config.targets(is_terminal()));
    if !matches!(purpose, Purpose::Judge) || sinks.is_empty() {
        return (Arc::new(origin), None);
    }
    let opened = config.outbox.place().and_then(|place| {
        let opened = Opened::read(&place, sinks.clone()).inspect_err(|error| {
            warn!("messages are kept in memory only, and lost with the agent: {error}; {}", error.help());
        });
        opened.ok()
    });
    let kept = opened.unwrap_or_else(|| Opened::in_memory(sinks));
    origin.agent_id = kept.agent();
    (Arc::new(origin), Some(kept))
}

/// Release of the running kernel.
pub(super) fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}
