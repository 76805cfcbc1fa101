//! Why messages cannot be kept on the disk.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why an outbox cannot be opened.
#[derive(Debug, Error)]
pub enum OutboxError {
    #[error("another agent keeps its messages in {directory}", directory = directory.display())]
    Taken { directory: PathBuf },
    #[error("{directory} {what}: {source}", directory = directory.display())]
    Io { what: &'static str, directory: PathBuf, source: io::Error },
}

impl OutboxError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "give each agent a folder of its own (`outbox.directory`)",
            Self::Io { .. } => "make it a folder that root may write (`outbox.directory`)",
        }
    }
}
