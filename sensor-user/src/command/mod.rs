//! What a command line means, beyond its words: what a transfer tool is asked to move, and where to.
//!
//! Pure and total: any list of words is read, none is refused. A tool's own rules decide what an option is and
//! what its value; a shell's quotes are gone by then, so nothing here splits or guesses words. It is asked once
//! for each program that starts, and kept with the process. A program that is no tool costs a look at its names.
//!
//! It reads what was asked for, not what came of it: configuration files, variables of the environment and what
//! is typed later are not here.

mod call;
pub mod option;
pub mod transfer;
pub mod cloud;

use std::sync::Arc;

pub use call::{Call, calls};
pub use cloud::Cloud;
pub use transfer::Transfer;

/// What is understood of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub transfer: Option<Transfer>,
    /// What is asked of a cloud.
    pub cloud: Option<Cloud>,
}

impl Command {
    /// Bytes it keeps.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.transfer.as_ref().map_or(0, Transfer::texts)
            + self.cloud.as_ref().map_or(0, Cloud::texts)
    }
}

/// Reads a command line. `images` are all names of the executable, `arguments` begin with `argv[0]`.
/// None: no tool that is known here.
#[must_use]
pub fn understand<'a>(
    images: impl Iterator<Item = &'a str>,
    arguments: &'a [String],
) -> Option<Arc<Command>> {
    calls(images, arguments).find_map(|call| {
        let (transfer, cloud) = (transfer::understand(call), cloud::understand(call));
        (transfer.is_some() || cloud.is_some()).then(|| Arc::new(Command { transfer, cloud }))
    })
}

#[cfg(test)]
mod tests;
