//! The rules on their way in: read at the start, and read again whenever their files change or SIGHUP comes.
//!
//! ```text
//! inotify ──┐            one thread                         the loop
//! SIGHUP ───┴─> quiet? ─> read ─> understood? ─> finished ──> swapped between two turns
//!                                     └─ no: the mistakes ──> told; the rules of before stay
//! ```
//!
//! Nothing of it is ever on the way of a record: [`reader`] reads, parses and builds on a thread of its own and
//! hands over what is ready to run. Either all rules of a reading are taken over or none. Read again are the
//! rules and the files of allow-lists: paths, placeholders and everything else of the configuration are those of the
//! start.

mod files;
mod place;
mod watch;
mod change;
mod reader;

pub use files::{Mistakes, RuleFiles, Rules};
pub use reader::{Fresh, News, Reader};
