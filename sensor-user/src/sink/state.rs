//! Whether a sink's receiver is there, as the sink itself says.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Longest reason that is kept, bytes: a sentence with a path or a certificate's name in it.
const REASON_MAX: usize = 512;

/// How a receiver is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Receiver {
    /// Nothing has shown it yet.
    #[default]
    Unknown,
    Up {
        since: Timestamp,
    },
    /// It cannot be reached, or refuses.
    Away {
        since: Timestamp,
        /// The last reason.
        reason: String,
    },
}

/// Shared by the sink, which says it, and the agent, which asks.
#[derive(Debug, Default)]
pub struct State(Mutex<Receiver>);

impl State {
    /// The receiver is there: a connection stands, or it took something.
    pub(crate) fn up(&self) {
        let mut receiver = self.lock();
        if !matches!(*receiver, Receiver::Up { .. }) {
            *receiver = Receiver::Up { since: Timestamp::now() };
        }
    }

    /// It is not, and why.
    pub(crate) fn away(&self, reason: &dyn Display) {
        let mut receiver = self.lock();
        let mut reason = reason.to_string();
        reason.truncate(reason.floor_char_boundary(REASON_MAX));
        let since = match *receiver {
            Receiver::Away { since, .. } => since,
            Receiver::Unknown | Receiver::Up { .. } => Timestamp::now(),
        };
        *receiver = Receiver::Away { since, reason };
    }

    pub(crate) fn get(&self) -> Receiver {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Receiver> {
        // One assignment is all that happens under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_keeps_its_beginning_and_has_the_last_reason() {
        let state = State::default();
        assert_eq!(state.get(), Receiver::Unknown);
        state.away(&"refused");
        let Receiver::Away { since: began, .. } = state.get() else { panic!("{state:?}") };
        state.away(&"\u{e4}".repeat(REASON_MAX));
        let Receiver::Away { since, reason } = state.get() else { panic!("{state:?}") };
        assert_eq!((since, reason.len()), (began, REASON_MAX));
        state.up();
        let up = state.get();
        state.up();
        assert_eq!(state.get(), up, "since when it is there");
        assert!(matches!(up, Receiver::Up { .. }));
    }
}
