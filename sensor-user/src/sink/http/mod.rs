//! What sinks over HTTP (RFC 9110) have in common: where a receiver is, the connection to it, what its answers mean, and the
//! way through the outbox.
//!
//! One request is under way at a time, so that order is kept, over one connection that is kept open. An answer of the
//! class 2xx acknowledges a request's messages. A receiver that is away, overloaded or broken gets the same again, in the
//! same order. One that refuses what it was sent gets the parts of it, down to the single message, and that one is lost
//! and counted: it would be refused the next time as well, and all behind it would wait for ever.
//!
//! Redirections are not followed: messages go to whom the operator named.
//!
//! Not here: what a request looks like and which refusals are for good (`webhook`, `otlp`).

mod address;
mod answer;
mod entry;
mod lane;
mod link;
mod secret;

pub use address::{HttpAddress, HttpAddressError, Scheme};
pub use entry::{FileError, HttpReceiver};
pub use secret::Secret;

pub(super) use answer::{Answer, Verdict, reason, told};
pub(super) use entry::{HttpEntry, HttpEntryError, word_or_map};
pub(super) use lane::{Lane, Sender};
pub(super) use link::{Protocol, Question};

#[cfg(test)]
pub(in crate::sink) mod tests;
