//! What the operator decided: defaults, then the configuration file, then the command line.
//!
//! Every key is documented in `deploy/tidewaiter.yaml`, which holds the defaults word for word and
//! is compared with [`Config::default`] by a test. A key that is not known is refused: a mistyped
//! setting must not be a setting in silence. Nothing here acts on what it reads.

mod error;
mod tree;
mod files;
mod allow;
mod outbox;
mod baseline;
mod canary;
mod metrics;

pub use allow::AllowFiles;
pub use baseline::{read_baseline, write_baseline};
pub use canary::CanarySettings;
pub use error::{ConfigError, Excerpt};
pub use files::{ConfigFiles, PLACE};
pub use metrics::{MetricsPlace, MetricsPlaceError, MetricsSettings};
pub use outbox::OutboxSettings;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::{Unexpected, Visitor};
use sigma::Placeholders;

use crate::capture::Capture;
use crate::control::SOCKET;
use crate::ebpf::hook::Means;
use crate::host::container::ContainerRoots;
use crate::redact::RedactSettings;
use crate::sink::{
    Facility, FileTarget, Format, KafkaTarget, OtlpTarget, SyslogReceiver, Target, WebhookTarget,
};
use crate::source::kubernetes::Kubernetes;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How messages look on standard output.
    pub format: FormatChoice,
    /// How much the agent says about itself on standard error.
    pub log: LogLevel,
    /// Receivers besides standard output.
    pub syslog: Vec<SyslogReceiver>,
    /// Where all of them file the messages.
    pub facility: Facility,
    /// Files to append to.
    pub file: Vec<FileTarget>,
    /// Receivers of POSTs.
    pub webhook: Vec<WebhookTarget>,
    /// Receivers of OpenTelemetry logs.
    pub otlp: Vec<OtlpTarget>,
    /// Topics of Kafka.
    pub kafka: Vec<KafkaTarget>,
    pub outbox: OutboxSettings,
    /// The detections built into the binary.
    pub embedded_rules: bool,
    /// Rule files and folders of them, besides the embedded.
    pub rules: Vec<PathBuf>,
    /// Files of allow-lists, over those of the binary.
    pub allow: Vec<PathBuf>,
    /// What stands for `%name%` in rules with the modifier `expand`, over all allow-lists.
    pub placeholders: BTreeMap<String, Vec<String>>,
    /// What `tidewaiter baseline learn` wrote; none: no rule can ask what is new for an image.
    pub baseline: Option<PathBuf>,
    pub story: Story,
    /// What is taken in of environments and secrets.
    pub capture: Capture,
    /// What is taken out of all that is told.
    pub redact: RedactSettings,
    /// Ways of attaching to the kernel to do without.
    pub avoid: Vec<Means>,
    /// Where container runtimes keep their state. A folder that does not exist is no error: the
    /// runtime may come later.
    pub containers: ContainerRoots,
    /// Whether and how the Kubernetes API is asked.
    pub kubernetes: Kubernetes,
    /// Where the agent answers `tidewaiter ps`; none: nowhere.
    pub control: Option<PathBuf>,
    /// Where monitoring asks.
    pub metrics: MetricsSettings,
    /// Whether delivery is tried from time to time.
    pub canary: CanarySettings,
    /// What all of it was read from.
    #[serde(skip)]
    pub files: ConfigFiles,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: FormatChoice::Auto,
            log: LogLevel::Info,
            syslog: Vec::new(),
            facility: Facility::default(),
            file: Vec::new(),
            webhook: Vec::new(),
            otlp: Vec::new(),
            kafka: Vec::new(),
            outbox: OutboxSettings::default(),
            embedded_rules: true,
            rules: Vec::new(),
            allow: Vec::new(),
            placeholders: BTreeMap::new(),
            baseline: None,
            story: Story::default(),
            capture: Capture::default(),
            redact: RedactSettings::default(),
            avoid: Vec::new(),
            containers: ContainerRoots::default(),
            kubernetes: Kubernetes::default(),
            control: Some(PathBuf::from(SOCKET)),
            metrics: MetricsSettings::default(),
            canary: CanarySettings::default(),
            files: ConfigFiles::default(),
        }
    }
}

impl Config {
    /// The values of placeholders, as the rule engine takes them: allow-lists of the binary and of files, then
    /// those of the configuration.
    ///
    /// # Errors
    /// As [`AllowFiles::read`].
    pub fn placeholders(&self) -> Result<Placeholders, ConfigError> {
        AllowFiles::new(self).read()
    }
}

/// How messages look on standard output, as asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FormatChoice {
    /// Text on a terminal, JSON into anything else
    #[default]
    Auto,
    /// For people
    Text,
    /// One ECS document per line, for programs
    Json,
}

impl FormatChoice {
    /// Decides, knowing whether standard output is a terminal.
    #[must_use]
    pub fn resolve(self, terminal: bool) -> Format {
        match (self, terminal) {
            (Self::Text, _) | (Self::Auto, true) => Format::Text,
            (Self::Json, _) | (Self::Auto, false) => Format::Json,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How events become one story.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Story {
    /// How long an alert waits after its match for what the process does next.
    pub gather: Milliseconds,
}

impl Default for Story {
    fn default() -> Self {
        // Long enough for a download of some megabytes to show where it went, short enough that
        // nobody waits for the alert.
        Self { gather: Milliseconds(700) }
    }
}

/// A number of milliseconds, at most [`Milliseconds::MAX`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(u64);

impl Milliseconds {
    /// A minute: an alert that is later than that is a report.
    pub const MAX: u64 = 60_000;

    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl Visitor<'_> for Bounded {
            type Value = Milliseconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number of milliseconds from 0 to {}", Milliseconds::MAX)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Milliseconds, E> {
                if number > Milliseconds::MAX {
                    return Err(E::invalid_value(Unexpected::Unsigned(number), &self));
                }
                Ok(Milliseconds(number))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Milliseconds, E> {
                let unsigned =
                    u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                self.visit_u64(unsigned)
            }
        }
        // Not deserialize_u64: the parser would then say "invalid u64", which tells an operator nothing.
        deserializer.deserialize_any(Bounded)
    }
}

impl fmt::Debug for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl Config {
    /// Reads the text of a configuration file; `path` is for errors only. An empty text is the
    /// default configuration.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        if is_blank(text) {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| ConfigError::invalid(path, text, &error))
    }

    /// What is to be delivered to.
    #[must_use]
    pub fn targets(&self, terminal: bool) -> Vec<Target> {
        let syslog = self
            .syslog
            .iter()
            .map(|receiver| Target::Syslog { receiver: receiver.clone(), facility: self.facility });
        let files = self.file.iter().cloned().map(Target::File);
        let webhooks = self.webhook.iter().cloned().map(Target::Webhook);
        let collectors = self.otlp.iter().cloned().map(Target::Otlp);
        let topics = self.kafka.iter().cloned().map(Target::Kafka);
        let stdout = std::iter::once(Target::Stdout(self.format.resolve(terminal)));
        stdout.chain(syslog).chain(files).chain(webhooks).chain(collectors).chain(topics).collect()
    }
}

/// Longest configuration file, bytes: a thousand times the default one; more is some other file.
pub const FILE_MAX: u64 = 1 << 20;

/// The text of a file.
fn read_text(path: &Path) -> Result<String, ConfigError> {
    read_bounded(path, FILE_MAX)
}

fn read_bounded(path: &Path, max: u64) -> Result<String, ConfigError> {
    let size = std::fs::metadata(path).map_err(|source| ConfigError::unreadable(path, source))?.len();
    if size > max {
        return Err(ConfigError::TooLong { path: path.to_owned(), size, max });
    }
    std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, source))
}

/// Whether a document says nothing.
fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    })
}

#[cfg(test)]
mod tests;
