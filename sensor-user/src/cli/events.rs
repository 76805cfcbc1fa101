//! `tidewaiter events`: the same sensor as `run`, but instead of judging what happens it shows all of it.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::run::{attend, log_to_stderr};
use super::{ConfigOptions, Exit, Failure};
use crate::agent;
use crate::config::{Config, ConfigError, FormatChoice, LogLevel};
use crate::ebpf::hook::Means;
use crate::event::field::Category;
use crate::event::selection::{Root, Selection};

pub(super) const ABOUT: &str = "\
Show every event the sensor makes, as it happens, until SIGINT or SIGTERM

No rule is read and nothing is judged: this is what rules get to see. On a terminal an event is one line: time, \
container or host, program and pid, what it did, to what, bytes. Elsewhere it is one JSON document per line, under \
the names of docs/field.md.

The first message says what is watched here and what not, as in `run`. What is lost is told in the same stream, and \
the last message says that it ended. Nobody is waited for but the reader: while it does not read, the sensor pauses, \
the kernel goes on, and what its ring cannot hold is counted and told as lost.";

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo tidewaiter events
      Everything, one line each
  sudo tidewaiter events --container web-1 --category network_connection --category network_flow
      Where a container connects, and what it moves
  sudo tidewaiter events --tree-of $$
      What is done in this shell, in another terminal
  sudo tidewaiter events --format json | jq -c 'select(.event.action == \"close\") | .file'
      For programs; `jq` ending ends it as well";

/// Options of `events`. Those that narrow hold together; a category may be given several times.
#[derive(Clone, Debug, Default, Args)]
pub struct EventOptions {
    /// Its rules and receivers are left out
    #[command(flatten)]
    pub config: ConfigOptions,
    /// How events look
    #[arg(long, value_enum)]
    pub format: Option<FormatChoice>,
    /// Only events of this category; may be given several times
    #[arg(long, value_name = "CATEGORY", value_parser = category())]
    pub category: Vec<Category>,
    /// Only this container: its name, its id, or four digits of it or more; what no runtime has named yet is shown too
    #[arg(long, value_name = "NAME|ID")]
    pub container: Option<String>,
    /// Only this process
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// Only this process and what it started, up to 16 generations down
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "pid")]
    pub tree_of: Option<u32>,
    /// Do without this way of attaching to the kernel; may be given several times
    #[arg(long, value_enum, value_name = "MEANS")]
    pub avoid: Vec<Means>,
    /// How much to log on standard error
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log: Option<LogLevel>,
}

/// A category by its name in rules.
fn category() -> impl clap::builder::TypedValueParser<Value = Category> {
    PossibleValuesParser::new(Category::ALL.map(Category::name)).try_map(|name| {
        Category::ALL.into_iter().find(|known| known.name() == name).ok_or("there is no such category")
    })
}

impl EventOptions {
    /// The sensor's configuration, without rules and receivers.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut config = self.config.load()?;
        config.avoid.extend(&self.avoid);
        Ok(Config {
            format: self.format.unwrap_or(config.format),
            log: self.log.unwrap_or(config.log),
            syslog: Vec::new(),
            embedded_rules: false,
            rules: Vec::new(),
            ..config
        })
    }

    /// What is to be shown.
    #[must_use]
    pub fn selection(self) -> Selection {
        let process = self.pid.map(Root::Process).or(self.tree_of.map(Root::Tree));
        Selection { categories: self.category, container: self.container, process }
    }
}

pub(super) fn events(options: EventOptions) -> Result<Exit, Failure> {
    let config = options.config()?;
    log_to_stderr(config.log);
    attend(|shutdown| agent::events(config, options.selection(), shutdown))
}
