//! The sink for syslog receivers.

mod frame;
mod priority;
mod target;

pub use frame::FRAME_MAX;
pub use priority::Facility;
pub use target::{SyslogTarget, SyslogTargetError};

use std::sync::Arc;

use super::{Inbox, Origin};

/// A syslog receiver and how messages to it look.
#[derive(Debug)]
pub struct Syslog {
    target: SyslogTarget,
    facility: Facility,
    origin: Arc<Origin>,
}

impl Syslog {
    /// Nothing is opened yet.
    #[must_use]
    pub fn new(target: SyslogTarget, facility: Facility, origin: Arc<Origin>) -> Self {
        Self { target, facility, origin }
    }

    pub(super) async fn run(self, _inbox: Inbox) {
        let _ = frame::Frame::new;
    }
}
