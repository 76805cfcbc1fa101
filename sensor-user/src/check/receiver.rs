//! The receivers: whether messages would arrive.

use super::{Check, Finding, Problem};

/// What came of trying one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Somebody is there, and was believed where that is asked for.
    Yes { how: &'static str },
    /// Nothing was refused, which proves nothing.
    Perhaps,
    /// A file that it takes to connect cannot be used.
    Files { reason: String, remedy: String },
    /// Nobody answers.
    Away { reason: String },
    /// Whoever answers is not believed, or does not believe this host.
    Refused { reason: String },
    /// A file cannot be written.
    Unwritable { reason: String },
}

/// Every receiver by its name.
#[must_use]
pub fn receivers(tried: &[(String, Reached)]) -> Vec<Finding> {
    if tried.is_empty() {
        return vec![Finding::problem(Problem::ReceiverNone, "none is configured")];
    }
    tried.iter().map(|(name, reached)| receiver(reached).of(name)).collect()
}

fn receiver(reached: &Reached) -> Finding {
    match reached {
        Reached::Yes { how } => Finding::good(Check::Receiver, *how),
        Reached::Perhaps => Finding::problem(Problem::ReceiverUnproven, "its address is known"),
        Reached::Files { reason, remedy } => {
            Finding::problem(Problem::ReceiverFiles, reason.clone()).remedied(remedy.clone())
        }
        Reached::Away { reason } => Finding::problem(Problem::ReceiverAway, reason.clone()),
        Reached::Refused { reason } => Finding::problem(Problem::ReceiverRefused, reason.clone()),
        Reached::Unwritable { reason } => Finding::problem(Problem::ReceiverFolder, reason.clone()),
    }
}
