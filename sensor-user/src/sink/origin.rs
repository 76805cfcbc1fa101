//! Where messages come from: facts of this host and this run that every document repeats.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::redact::Redactor;

/// The kernel's name for this boot: random, another after each restart (`random(4)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Facts of this host and this run of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub hostname: String,
    /// Release of the running kernel (`6.18.5`).
    pub kernel: String,
    /// When the host booted, so that `CLOCK_BOOTTIME` can be told as a date.
    pub boot: Timestamp,
    /// The kernel's own name for that boot; none where it cannot be read.
    pub boot_id: Option<String>,
    /// Whose messages they are, kept with the outbox: `event.sequence` counts those of one agent from 1 without a gap.
    pub agent_id: Uuid,
    /// Which run of it.
    pub run_id: Uuid,
    /// Pid of the agent.
    pub pid: u32,
    /// Version of the agent.
    pub version: &'static str,
    /// What is taken out of all that is told.
    pub redactor: Redactor,
}

impl Origin {
    /// Asks the running system. The ids of agent and run are new ones: what leaves in one run must have one origin.
    #[must_use]
    pub fn read() -> Self {
        let system = rustix::system::uname();
        Self {
            hostname: system.nodename().to_string_lossy().into_owned(),
            kernel: system.release().to_string_lossy().into_owned(),
            boot: Timestamp::now()
                .checked_sub(since_boot(ClockId::Boottime))
                .unwrap_or(Timestamp::UNIX_EPOCH),
            boot_id: boot_id(),
            agent_id: Uuid::new_v4(),
            run_id: Uuid::new_v4(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            redactor: Redactor::default(),
        }
    }

    /// A `CLOCK_BOOTTIME` reading in nanoseconds as a date, as the clock stood when the agent
    /// started: a clock set since then shifts it.
    #[must_use]
    pub fn date(&self, since_boot: u64) -> Option<Timestamp> {
        let since_boot = SignedDuration::try_from(Duration::from_nanos(since_boot)).ok()?;
        self.boot.checked_add(since_boot).ok()
    }
}

fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string(BOOT_ID).ok()?.trim().to_owned();
    (!id.is_empty()).then_some(id)
}

fn since_boot(clock: ClockId) -> SignedDuration {
    let now = clock_gettime(clock);
    SignedDuration::new(now.tv_sec, i32::try_from(now.tv_nsec).unwrap_or(0))
}
