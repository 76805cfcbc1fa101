//! Facility and severity (RFC 5424 section 6.2.1).

use clap::ValueEnum;
use serde::Deserialize;
use sigma::Level;

use crate::alert::{CanaryReport, Message, Reload, Subject};

/// Where a receiver files a message.
///
/// The default is `authpriv`: alerts hold command lines, and those hold secrets. RFC 5424 gives the
/// number to security messages, and common receivers keep it in a file that only administrators
/// read (Debian: `/var/log/auth.log`, mode 0640).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Facility {
    Daemon,
    Auth,
    #[default]
    Authpriv,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    /// Numerical code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::Authpriv => 10,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

/// How urgent a message is. `Emergency` and `Alert` are not here on purpose: receivers write the
/// first to every terminal of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Informational = 6,
}

impl Severity {
    /// Of a message.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        match message {
            Message::Alert(alert) => match alert.level {
                Level::Critical => Self::Critical,
                Level::High => Self::Error,
                Level::Medium => Self::Warning,
                Level::Low => Self::Notice,
                Level::Informational => Self::Informational,
            },
            Message::Notice(notice) => match notice.subject {
                Subject::Coverage(_) | Subject::Heartbeat(_) => Self::Informational,
                Subject::Loss(_)
                | Subject::Tampering(_)
                | Subject::Reload(Reload::Refused(_))
                | Subject::Cost(_)
                | Subject::Canary(CanaryReport::Failed { .. }) => Self::Warning,
                Subject::Aggregation(_)
                | Subject::Reload(Reload::Loaded(_))
                | Subject::Canary(CanaryReport::Well { .. })
                | Subject::Stopped(_) => Self::Notice,
            },
        }
    }
}

/// PRIVAL.
pub(super) fn priority(facility: Facility, severity: u8) -> u8 {
    facility.code() * 8 + severity
}
