//! When which runtime is asked who a container is.

use std::sync::Arc;

use super::{CgroupIdentity, ContainerTable, Entry};
use crate::state::container::{Confirmation, Container};

/// When a runtime is asked for names, nanoseconds after the first sight. A runtime writes its state
/// before the first program runs; what comes later covers a slow disk and a runtime found later.
pub(super) const ASK_AFTER: [u64; 6] = [0, 20_000_000, 80_000_000, 300_000_000, 1_000_000_000, 4_000_000_000];
/// Nobody has confirmed an id so long after its first sight, nanoseconds: it is told so. The last question
/// has had its second by then.
const GIVEN_UP_AFTER: u64 = 5_000_000_000;
/// And after that it is asked for so often, nanoseconds, while it has a cgroup: a runtime that was found late,
/// or a file that could not be read, must not leave it unnamed for ever.
const ASK_AGAIN: u64 = 60_000_000_000;
impl ContainerTable {
    /// Whose runtime should be asked at `now`, at most `max`. Each is told once per step of a short
    /// schedule, and rarely after it, until it is verified and named or has ended; an id given here counts
    /// as asked, one that did not fit is given next time.
    pub fn due(&mut self, now: u64, max: usize) -> Vec<CgroupIdentity> {
        if now < self.due_at {
            return Vec::new();
        }
        let (mut due, mut given_up, mut next) = (Vec::new(), Vec::new(), u64::MAX);
        let Self { containers, pending, settled, unconfirmed, stats, .. } = self;
        pending.retain(|id| {
            let Some(entry) = containers.get_mut(id) else { return false };
            if entry.container.is_answered() {
                return false;
            }
            if entry.container.is_asked() && now >= entry.first_seen.saturating_add(GIVEN_UP_AFTER) {
                let container = Container::clone(&entry.container);
                let is_known = container.is_verified();
                let confirmation = if is_known { Confirmation::Known } else { Confirmation::Unknown };
                entry.container = Arc::new(Container { confirmation, ..container });
                settled.push(Arc::clone(id));
                given_up.push(Arc::clone(id));
                if !is_known {
                    stats.unconfirmed += 1;
                    unconfirmed.push(Arc::clone(id));
                }
            }
            if now >= entry.ask_at() && due.len() < max {
                if !entry.container.is_asked() && entry.ended.is_some() {
                    return false;
                }
                entry.asked += 1;
                due.push(entry.question());
            }
            let gives_up_at = entry.first_seen.saturating_add(GIVEN_UP_AFTER);
            let ends_at = if entry.container.is_asked() { gives_up_at } else { u64::MAX };
            next = next.min(entry.ask_at()).min(ends_at);
            true
        });
        self.due_at = next;
        for id in given_up {
            self.show(&id);
        }
        due
    }
}

impl Entry {
    /// When its runtime is to be asked next (boot, nanoseconds).
    fn ask_at(&self) -> u64 {
        self.first_seen.saturating_add(ask_after(self.asked))
    }

    fn question(&self) -> CgroupIdentity {
        CgroupIdentity { outer: Vec::new(), ..self.identity.clone() }
    }
}

/// When the question after `asked` others is due, nanoseconds after the first sight.
fn ask_after(asked: usize) -> u64 {
    ASK_AFTER.get(asked).copied().unwrap_or_else(|| {
        let more = u64::try_from(asked - ASK_AFTER.len()).unwrap_or(u64::MAX);
        ASK_AGAIN.saturating_mul(more.saturating_add(1))
    })
}
