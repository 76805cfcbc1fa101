//! The folder in which messages wait for their receivers.

use super::{Check, Fact, Finding, Problem, Unread};

/// A folder, or the nearest above it that is there: it would be made below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFacts {
    pub path: String,
    /// Whether it is the folder itself.
    pub is_there: bool,
    pub is_writable: bool,
    /// Its file system is mounted for reading only.
    pub is_read_only: bool,
    /// Bytes that this user may still write there.
    pub free: u64,
    /// Bytes that are in it already.
    pub used: u64,
}

const MEBIBYTE: u64 = 1 << 20;

/// By the folder and the bytes it may take. `is_used`: any receiver's messages are kept.
#[must_use]
pub fn outbox(folder: Option<(&Fact<FolderFacts>, u64)>, is_used: bool) -> Finding {
    if !is_used {
        return Finding::good(Check::Outbox, "not used: there is no receiver whose messages wait");
    }
    let Some((facts, bound)) = folder else {
        return Finding::problem(Problem::OutboxNone, "no folder is configured");
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(Unread::Forbidden) => {
            return Finding::unknown(Check::Outbox, "this user may not look into the folder");
        }
        Err(error @ (Unread::Absent | Unread::Failed(_))) => {
            return Finding::problem(Problem::OutboxUnwritable, error.to_string());
        }
    };
    let path = &facts.path;
    let place = if facts.is_there { path.clone() } else { format!("it would be made below {path}") };
    let wanted = bound.saturating_sub(facts.used);
    let (free, bound) = (facts.free / MEBIBYTE, bound / MEBIBYTE);
    if facts.is_read_only {
        Finding::problem(Problem::OutboxReadOnly, format!("{path} is on a file system for reading only"))
    } else if !facts.is_writable {
        Finding::problem(Problem::OutboxUnwritable, format!("{path} may not be written to"))
    } else if facts.free < wanted {
        let used = facts.used / MEBIBYTE;
        let what = format!("{place}: {free} MiB free, {used} of {bound} MiB used");
        Finding::problem(Problem::OutboxSmall, what)
    } else {
        Finding::good(Check::Outbox, format!("{place}: {free} MiB free for {bound} MiB"))
    }
}
