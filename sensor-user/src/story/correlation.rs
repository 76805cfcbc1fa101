//! What correlations found. A finding is a match of the last of its events, with the others as steps before it:
//! what it is made of is its evidence.

use std::sync::Arc;

use sigma::Correlated;

use super::account::{STEPS_MAX, place};
use super::scope::Scope;
use super::{Stories, action};
use crate::alert::{Action, Correlation, Detection};
use crate::event::{Body, Event, FileAction, FlowState};

impl Stories {
    /// A correlation came true. It is told when a story that began with its last match would be.
    pub fn correlated(
        &mut self,
        found: &Correlated<Arc<Event>>,
        detection: Detection,
        correlation: Correlation,
    ) {
        let Some(last) = found.steps.last() else {
            self.bare += 1;
            return;
        };
        let event = Arc::clone(&last.event);
        self.matched_by(&event, detection, Some(correlation));
        let Some(id) = self.home(&event, Scope::of(&event), true) else { return };
        self.restless.insert(id);
        let Some(story) = self.open.get_mut(&id) else { return };
        let skipped = found.steps.len().saturating_sub(STEPS_MAX);
        for step in found.steps.iter().skip(skipped) {
            let process = &step.event.process;
            if let Some(flow) = step.event.body.flow() {
                story.account.flow(step.time, process, flow);
            } else {
                story.account.add_step(step.time, process, deed(&step.event));
            }
            story.account.enrol(&step.event);
            story.account.chain.note_deed(&step.event, false);
        }
    }

    /// Findings that could not be told, since none of the events they are made of was kept.
    #[must_use]
    pub fn bare(&self) -> u64 {
        self.bare
    }
}

/// What a match is as a step, whatever it is.
fn deed(event: &Event) -> Action {
    match (action(event), &event.body) {
        (Some(action), _) => action,
        (None, Body::NetworkFlow(flow)) => {
            let (bytes_sent, bytes_received) = (flow.bytes_sent, flow.bytes_received);
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
