//! What correlations found. Each is an account of its own, whatever else its processes are told for: two groups of
//! one correlation are two findings, also within one process tree. It does not go on; its container's name may
//! come later.

use std::sync::Arc;

use sigma::Correlated;

use super::account::{Account, place};
use super::{GATHER, STORIES_MAX, Stories, action, nanoseconds};
use crate::alert::{Action, Correlation, Detection};
use crate::event::{Body, Event, FileAction, FlowState};

impl Stories {
    /// A correlation came true. It is told when a story that began with its last match would be, most of the
    /// time with its container's name.
    pub fn correlated(
        &mut self,
        found: &Correlated<Arc<Event>>,
        detection: Detection,
        correlation: Correlation,
    ) {
        let until = found.last.saturating_add(nanoseconds(self.gather.unwrap_or(GATHER)));
        match Account::of_correlation(found, detection, correlation, self.accounts + 1) {
            Some(account) => {
                self.accounts += 1;
                self.findings.push((until, account));
            }
            None => self.bare += 1,
        }
    }

    /// Findings that could not be told, since none of the events they are made of was kept.
    #[must_use]
    pub fn bare(&self) -> u64 {
        self.bare
    }

    /// Findings beyond the bound of stories, to be told early.
    pub(super) fn findings_overflow(&mut self) -> impl Iterator<Item = Account> {
        let surplus = self.findings.len().saturating_sub(STORIES_MAX);
        self.findings.drain(..surplus).map(|(_, account)| account)
    }

    /// Findings that are to be told now.
    pub(super) fn findings_due(&mut self, now: u64) -> Vec<Account> {
        self.findings.extract_if(.., |(until, _)| *until <= now).map(|(_, account)| account).collect()
    }
}

/// What a match is as a step, whatever it is.
pub(super) fn deed(event: &Event) -> Action {
    match (action(event), &event.body) {
        (Some(action), _) => action,
        (None, Body::NetworkFlow(flow)) => {
            let (bytes_sent, bytes_received) = (flow.bytes_sent_new, flow.bytes_received_new);
            let (place, socket) = (place(&flow.connection), flow.connection.socket);
            match flow.state {
                FlowState::Open => Action::Transferred { place, socket, bytes_sent, bytes_received },
                FlowState::Closed => Action::Disconnected { place, bytes_sent, bytes_received },
                FlowState::Failed(error) => Action::Failed { place, error },
            }
        }
        (None, Body::FileEvent(file)) if file.action == FileAction::Close => {
            Action::Wrote { path: file.path.clone(), bytes: file.bytes, size: file.size }
        }
        (None, _) => Action::Did { deed: event.deed(), object: event.object() },
    }
}
