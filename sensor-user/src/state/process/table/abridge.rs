//! Who exited is kept whole for a moment; then as an ancestor or author, which takes less, or not at all.

use std::sync::Arc;

use super::entry::Memory;
use super::{EXITED_MAX, ProcessTable, Slot};

/// How long an exited process stays whole, nanoseconds: records of it may come for as long, and matches of it wait for
/// the name of its container; the correlator tolerates as much (15 s).
pub(super) const FRESH_KEPT: u64 = 15 * 1_000_000_000;
/// Most that stay whole: two thousand ends a second. Beyond it the oldest is let go early.
pub(super) const FRESH_MAX: usize = 32_768;
/// Rules ask for the whole command line of a parent, and it lies within the bounds of an exec record.
const LINE_MAX: usize = usize::MAX;

impl ProcessTable {
    /// Lets go of those that exited [`FRESH_KEPT`] before `now`.
    pub(super) fn let_go_until(&mut self, now: u64) {
        let Self { entries, fresh, .. } = self;
        let is_due = |slot: &mut Slot| {
            let exited = entries.get(slot).and_then(|entry| entry.exited);
            exited.is_none_or(|time| now.saturating_sub(time) >= FRESH_KEPT)
        };
        let mut due = Vec::new();
        while let Some(slot) = fresh.pop_front_if(is_due) {
            due.push(slot);
        }
        for slot in due {
            self.stats.expired += u64::from(!self.let_go(slot));
        }
    }

    /// Keeps of an exited process what others need. False: they need nothing, and it is gone.
    pub(super) fn let_go(&mut self, slot: Slot) -> bool {
        let Some(entry) = self.entries.get(&slot) else { return true };
        if !entry.is_needed() {
            self.remove(slot);
            return false;
        }
        // Whom others hold too, a story or those it forked, would only be there twice.
        if let Memory::Whole(process) = &entry.memory
            && Arc::strong_count(process) == 1
            && !process.is_abridged(LINE_MAX)
        {
            let abridged = Arc::new(process.abridged(LINE_MAX));
            self.replace(slot, Memory::Whole(abridged));
        }
        if let Some(entry) = self.entries.get_mut(&slot) {
            entry.is_kept_for_others = true;
        }
        self.exited.push_back(slot);
        if self.exited.len() > 2 * EXITED_MAX {
            self.exited.retain(|slot| self.entries.contains_key(slot));
            while self.exited.len() > EXITED_MAX
                && let Some(oldest) = self.exited.pop_front()
            {
                self.stats.evicted_exited += u64::from(self.remove(oldest));
            }
        }
        true
    }
    /// A child is gone: with the last one goes an ancestor that was kept for its children alone, and so on.
    pub(super) fn release(&mut self, parent: Option<Slot>) {
        let mut next = parent;
        while let Some(slot) = next {
            let Some(entry) = self.entries.get_mut(&slot) else { return };
            entry.children = entry.children.saturating_sub(1);
            if !entry.is_kept_for_others || entry.is_needed() {
                return;
            }
            next = entry.counted_by;
            if let Some(entry) = self.entries.remove(&slot) {
                self.weights.take(&entry.memory);
                self.stats.expired += 1;
            }
        }
    }
}
