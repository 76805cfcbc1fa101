//! The command line: what can be typed, and what it means.
//!
//! Parsing is clap's; here stand the words. What was typed ([`Cli`]) becomes a [`Config`] in one
//! place ([`RunOptions::config`]). The commands themselves are in the modules below, and each ends in
//! an [`Exit`].

mod baseline;
mod check;
mod config;
mod events;
mod failure;
mod ps;
mod rules;
mod run;
mod status;
mod probe;
mod table;
mod validate;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use baseline::BaselineCommand;
pub use check::CheckOptions;
pub use events::EventOptions;
pub use failure::Failure;
pub use probe::ProbeOptions;
pub use ps::PsOptions;
pub use rules::RulesCommand;
pub use status::StatusOptions;
pub use validate::ValidateOptions;
pub use verify::VerifyOptions;

use crate::config::{Config, ConfigError, FormatChoice, LogLevel, MetricsPlace};
use crate::ebpf::hook::Means;
use crate::sink::{Facility, KafkaTarget, OtlpTarget, SyslogReceiver, SyslogTarget, WebhookTarget};

const EXIT_CODES: &str = "\
Exit status:
  0  all went well
  1  the answer is no: a rule has mistakes, misses an event or does not match; something would not be seen; nothing
     is there of what was asked for; a detection is not proven; messages are missing in a log
  2  it could not run: usage, configuration, privilege, kernel";

const RUN_EXAMPLES: &str = "\
Examples:
  sudo tidewaiter run
      Watch this host, tell it on the terminal
  sudo tidewaiter run --format json | jq 'select(.kind == \"alert\") | .message'
      One ECS document per line
  sudo tidewaiter run --syslog tls://loghost:6514 --syslog unix:///dev/log
      Forward to a central receiver and to the local daemon
  sudo tidewaiter run --rules ./my-rules --no-embedded-rules
      Only these Sigma rules";

/// Watches what crosses the border of this host's containers: tools coming in, data going out.
#[derive(Debug, Parser)]
#[command(name = "tidewaiter", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host and tell what happens, until SIGINT or SIGTERM
    #[command(after_help = format!("{RUN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Run(RunOptions),
    /// Show every event the sensor makes, as it happens, until SIGINT or SIGTERM
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", events::EXAMPLES), long_about = events::ABOUT)]
    Events(EventOptions),
    /// Show who runs in which container, and over which connections, as a running agent has it
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", ps::EXAMPLES), long_about = ps::ABOUT)]
    Ps(PsOptions),
    /// Show at a glance how a running agent is, and whether its alerts arrive
    #[command(after_help = format!("{}\n\n{}", status::EXAMPLES, status::STATUS), long_about = status::ABOUT)]
    Status(StatusOptions),
    /// Ask a running agent whether it lives, or is ready, for supervisors such as Kubernetes
    #[command(after_help = EXIT_CODES)]
    Probe(ProbeOptions),
    /// Examine this host: what would be seen and delivered here, and what weakens which detections
    #[command(after_help = format!("{}\n\n{}", check::EXAMPLES, check::STATUS), long_about = check::ABOUT)]
    Check(CheckOptions),
    /// Show what the configuration's files say together
    #[command(after_help = EXIT_CODES)]
    Config(ConfigOptions),
    /// Learn what is normal for images, and look at what was learned
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Look at rules without watching anything; needs no privilege
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Prove detections on this machine: do the technique, and see the alert come
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", validate::EXAMPLES), long_about = validate::ABOUT)]
    Validate(ValidateOptions),
    /// Prove that a received log is complete; needs no privilege
    #[command(after_help = format!("{}\n\n{}", verify::EXAMPLES, verify::STATUS), long_about = verify::ABOUT)]
    Verify(VerifyOptions),
    /// What the delivery canary runs: does nothing
    #[command(hide = true)]
    Canary { number: String },
    /// What keeps the privileges of an agent that runs: started by it, and by nobody else
    #[command(hide = true)]
    Keeper,
    /// Print the version
    Version,
}

/// Options of `run`. They win over the configuration file; lists add to it.
#[derive(Clone, Debug, Default, Args)]
pub struct RunOptions {
    #[command(flatten)]
    pub config: ConfigOptions,
    /// How messages look on standard output
    #[arg(long, value_enum)]
    pub format: Option<FormatChoice>,
    /// Forward to (udp|tcp|tls|relp|relps)://HOST:PORT, unix:///dev/log or journal://; may be given several times
    #[arg(long, value_name = "RECEIVER")]
    pub syslog: Vec<SyslogTarget>,
    /// Send each message by POST to https://HOST/PATH or http://HOST/PATH; may be given several times
    #[arg(long, value_name = "URL")]
    pub webhook: Vec<WebhookTarget>,
    /// Send OpenTelemetry logs to http://HOST:4318, https://, grpc://HOST:4317 or grpcs://; may be given several times
    #[arg(long, value_name = "RECEIVER")]
    pub otlp: Vec<OtlpTarget>,
    /// Write to a topic, kafka://HOST:PORT/TOPIC or kafkas:// over TLS, of several brokers HOST:PORT,HOST:PORT; may be given
    /// several times
    #[arg(long, value_name = "TOPIC")]
    pub kafka: Vec<KafkaTarget>,
    /// Where syslog receivers file the messages
    #[arg(long, value_enum)]
    pub facility: Option<Facility>,
    /// Keep messages in this folder until their receivers have them
    #[arg(long, value_name = "FOLDER")]
    pub outbox: Option<PathBuf>,
    #[command(flatten)]
    pub rules: RuleOptions,
    /// Judge by what was learned of images (`tidewaiter baseline learn`)
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Do without this way of attaching to the kernel; may be given several times
    #[arg(long, value_enum, value_name = "MEANS")]
    pub avoid: Vec<Means>,
    /// Answer `tidewaiter ps` at this socket
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// Answer /metrics, /healthz and /readyz at ADDRESS:PORT or unix:/PATH; may be given for each
    #[arg(long, value_name = "PLACE")]
    pub metrics: Vec<MetricsPlace>,
    /// How much to log on standard error
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log: Option<LogLevel>,
}

/// Which configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigOptions {
    /// Read this configuration and conf.d/*.yaml beside it (every key: deploy/tidewaiter.yaml); without it
    /// /etc/tidewaiter/tidewaiter.yaml, if there is one
    #[arg(long = "config", value_name = "FILE")]
    pub path: Option<PathBuf>,
    /// Read no configuration, not even that in /etc
    #[arg(long, conflicts_with = "path")]
    pub no_config: bool,
}

impl ConfigOptions {
    /// What the files say.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        if self.no_config { Ok(Config::default()) } else { Config::load(self.path.as_deref()) }
    }
}

/// Which rules.
#[derive(Clone, Debug, Default, Args)]
pub struct RuleOptions {
    /// Use this Sigma rule, or all in this folder; may be given several times
    #[arg(long = "rules", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Leave out the detections that come with the binary
    #[arg(long)]
    pub no_embedded_rules: bool,
}

impl RunOptions {
    /// Defaults, then the configuration file, then what was typed.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn config(self) -> Result<Config, ConfigError> {
        let mut config = self.config.load()?;
        config.format = self.format.unwrap_or(config.format);
        config.facility = self.facility.unwrap_or(config.facility);
        config.log = self.log.unwrap_or(config.log);
        config.syslog.extend(self.syslog.into_iter().map(SyslogReceiver::from));
        config.webhook.extend(self.webhook);
        config.otlp.extend(self.otlp);
        config.kafka.extend(self.kafka);
        config.outbox.directory = self.outbox.or(config.outbox.directory);
        config.rules.extend(self.rules.paths);
        config.avoid.extend(self.avoid);
        config.control = self.control.or(config.control);
        config.baseline = self.baseline.or(config.baseline);
        self.metrics.into_iter().for_each(|place| config.metrics.set(place));
        config.embedded_rules &= !self.rules.no_embedded_rules;
        Ok(config)
    }
}

/// How a command ended that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Good,
    /// It ran, and the answer is no.
    Negative,
}

/// Does what was asked for and tells failures on standard error.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    let outcome = match cli.command {
        Command::Keeper => return crate::keeper::serve(),
        Command::Run(options) => run::run(options),
        Command::Events(options) => events::events(options),
        Command::Ps(options) => ps::ps(options),
        Command::Status(options) => status::status(&options),
        Command::Probe(options) => probe::probe(&options),
        Command::Check(options) => check::check(options),
        Command::Config(options) => config::config(&options),
        Command::Baseline(command) => baseline::execute(command),
        Command::Rules(command) => rules::execute(command),
        Command::Validate(options) => validate::validate(options),
        Command::Verify(options) => verify::verify(&options),
        Command::Canary { .. } => Ok(Exit::Good),
        Command::Version => {
            table::print(&format!("tidewaiter {}\n", env!("CARGO_PKG_VERSION")));
            Ok(Exit::Good)
        }
    };
    match outcome {
        Ok(Exit::Good) => ExitCode::SUCCESS,
        Ok(Exit::Negative) => ExitCode::from(1),
        Err(failure) => {
            failure.tell();
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests;
