//! What `tidewaiter check` finds: how well this host can be watched, and whether what is seen arrives.
//!
//! Each check is a total function of facts that somebody else has read, so other machines' facts can be tried in a test.
//! What is said of a problem stands in [`table`] and nowhere else; which detections it weakens follows from the rules
//! ([`dependence`]). Reading facts is `host::fact`'s, asking receivers `sink::probe`'s, showing findings `sink::text`'s.

pub mod table;
pub mod dependence;
pub mod kernel;
pub mod hierarchy;
pub mod privilege;
pub mod hook;
pub mod runtime;
pub mod rule;
pub mod receiver;
pub mod clock;
pub mod storage;
pub mod resource;

use std::borrow::Cow;
use std::io::ErrorKind;

use serde::Serialize;

pub use table::{Check, Problem};

/// What a finding comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing; nothing that was asked for goes unseen or undelivered.
    Note,
    /// It could not be looked at.
    Unknown,
    /// Less is seen or delivered than could be.
    Weak,
    /// Something is not seen or not delivered.
    Bad,
}

impl Verdict {
    pub const ALL: [Self; 5] = [Self::Good, Self::Note, Self::Unknown, Self::Weak, Self::Bad];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Weak => "weak",
            Self::Bad => "bad",
        }
    }

    /// What it says, in a sentence.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Good => "as it should be",
            Self::Note => "worth knowing; nothing that was asked for goes unseen or undelivered for it",
            Self::Unknown => "it could not be looked at, most of the time for want of a privilege",
            Self::Weak => "less is seen or delivered than could be",
            Self::Bad => "something is not seen, or does not arrive",
        }
    }

    /// Whether all can be well with it.
    #[must_use]
    pub const fn is_well(self) -> bool {
        match self {
            Self::Good | Self::Note => true,
            Self::Unknown | Self::Weak | Self::Bad => false,
        }
    }
}

/// Checks that are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Kernel,
    Host,
    Privilege,
    Hook,
    Container,
    Rule,
    Delivery,
    Clock,
    Disk,
    Resource,
}

impl Section {
    pub const ALL: [Self; 10] = [
        Self::Kernel,
        Self::Host,
        Self::Privilege,
        Self::Hook,
        Self::Container,
        Self::Rule,
        Self::Delivery,
        Self::Clock,
        Self::Disk,
        Self::Resource,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Host => "host",
            Self::Privilege => "privilege",
            Self::Hook => "hooks",
            Self::Container => "containers",
            Self::Rule => "rules",
            Self::Delivery => "delivery",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Resource => "resources",
        }
    }
}

/// What came of one check, or of one of the things it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    /// Which of several: a hook, a receiver, a runtime.
    pub subject: Option<String>,
    /// None: nothing is wrong, or nothing could be looked at.
    pub problem: Option<Problem>,
    pub verdict: Verdict,
    /// What was found; of what is unknown why.
    pub what: String,
    /// What it means; empty where all is well.
    pub means: Cow<'static, str>,
    /// What to do.
    pub remedy: Cow<'static, str>,
    /// Names of the detections that suffer.
    pub weakens: Vec<String>,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn good(check: Check, what: impl Into<String>) -> Self {
        Self {
            check,
            subject: None,
            problem: None,
            verdict: Verdict::Good,
            what: what.into(),
            means: Cow::Borrowed(""),
            remedy: Cow::Borrowed(""),
            weakens: Vec::new(),
        }
    }

    /// Something is wrong with it.
    #[must_use]
    pub fn problem(problem: Problem, what: impl Into<String>) -> Self {
        let row = problem.row();
        Self {
            problem: Some(problem),
            verdict: row.verdict,
            means: Cow::Borrowed(row.means),
            remedy: Cow::Borrowed(row.remedy),
            ..Self::good(row.check, what)
        }
    }

    /// It could not be looked at.
    #[must_use]
    pub fn unknown(check: Check, why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            remedy: Cow::Borrowed("run it as root: `sudo tidewaiter check`"),
            ..Self::good(check, why)
        }
    }

    /// About one of several things.
    #[must_use]
    pub fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// With a meaning of its own.
    #[must_use]
    pub fn meaning(self, means: impl Into<Cow<'static, str>>) -> Self {
        Self { means: means.into(), ..self }
    }

    /// With a remedy of its own.
    #[must_use]
    pub fn remedied(self, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("it is not there")]
    Absent,
    #[error("this user may not look")]
    Forbidden,
    #[error("it cannot be read: {0}")]
    Failed(String),
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        let kind = error.kind();
        if matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory) {
            Self::Absent
        } else if kind == ErrorKind::PermissionDenied {
            Self::Forbidden
        } else {
            Self::Failed(error.to_string())
        }
    }
}

/// The text of a file, or why it is not known.
pub type Fact<T> = Result<T, Unread>;

#[cfg(test)]
mod tests;
