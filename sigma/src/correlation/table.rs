//! All groups: found by their values, ended with their owners, dropped in order of last use.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Stats;
use super::group::{Group, GroupKey, Kept};
use super::limit::{ENTRIES_MAX, GROUPS_MAX, STEPS_MAX};
use crate::record::Owner;

/// A group's place in the table, for as long as it is there.
pub(super) type GroupId = usize;

/// A group between those that were touched before and after it.
#[derive(Debug)]
struct Slot<H> {
    group: Group<H>,
    earlier: Option<GroupId>,
    later: Option<GroupId>,
}

/// The groups of all correlations.
#[derive(Debug)]
pub(super) struct Table<H> {
    slots: Vec<Option<Slot<H>>>,
    free: Vec<GroupId>,
    /// Hashed with a seed: the values come from whoever makes the events.
    by_key: HashMap<Arc<GroupKey>, GroupId>,
    by_owner: FxHashMap<Owner, FxHashSet<GroupId>>,
    /// The two ends of the order of last use.
    oldest: Option<GroupId>,
    newest: Option<GroupId>,
    /// Events that are kept, and some that are gone: where, and which.
    steps: VecDeque<(GroupId, u64)>,
    numbered: u64,
    pub(super) stats: Stats,
}

impl<H> Default for Table<H> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::default(),
            by_owner: FxHashMap::default(),
            oldest: None,
            newest: None,
            steps: VecDeque::new(),
            numbered: 0,
            stats: Stats::default(),
        }
    }
}

impl<H> Table<H> {
    fn slot(&mut self, id: GroupId) -> Option<&mut Slot<H>> {
        self.slots.get_mut(id).and_then(Option::as_mut)
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&Group<H>> {
        self.slots.get(id).and_then(Option::as_ref).map(|slot| &slot.group)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (GroupId, &Group<H>)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| slot.as_ref().map(|slot| (id, &slot.group)))
    }

    /// The group of these values, made if it is not there; the one that was used longest ago gives way.
    pub(super) fn open(&mut self, key: GroupKey) -> GroupId {
        if let Some(id) = self.by_key.get(&key).copied() {
            self.unlink(id);
            self.link(id);
            return id;
        }
        while self.stats.groups >= GROUPS_MAX && self.evict(None) {}
        self.insert(Group::new(Arc::new(key)))
    }

    pub(super) fn insert(&mut self, group: Group<H>) -> GroupId {
        let id = self.free.pop().unwrap_or(self.slots.len());
        self.by_key.insert(Arc::clone(&group.key), id);
        for owner in group.key.owners() {
            self.by_owner.entry(owner).or_default().insert(id);
        }
        self.stats.groups += 1;
        self.stats.entries += group.window.len();
        for step in &group.steps {
            self.steps.push_back((id, step.number));
        }
        let slot = Some(Slot { group, earlier: None, later: None });
        match self.slots.get_mut(id) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.link(id);
        id
    }

    /// Lets `change` at a group, and keeps the books.
    pub(super) fn update<T>(
        &mut self,
        id: GroupId,
        change: impl FnOnce(&mut Group<H>, &mut Stats) -> T,
    ) -> Option<T> {
        let slot = self.slots.get_mut(id).and_then(Option::as_mut)?;
        let before = slot.group.window.len();
        let done = change(&mut slot.group, &mut self.stats);
        self.stats.entries = (self.stats.entries + slot.group.window.len()).saturating_sub(before);
        Some(done)
    }

    /// Makes room for another entry of this group, if others must give way for it.
    pub(super) fn make_room(&mut self, id: GroupId) {
        while self.stats.entries >= ENTRIES_MAX && self.evict(Some(id)) {}
    }

    /// Drops the group that was used longest ago; `false` if there is none but `spared`.
    fn evict(&mut self, spared: Option<GroupId>) -> bool {
        let Some(id) = self.oldest.filter(|oldest| Some(*oldest) != spared) else { return false };
        if let Some(group) = self.remove(id) {
            self.stats.evicted_groups += 1;
            self.stats.evicted_entries += u64::try_from(group.window.len()).unwrap_or(u64::MAX);
        }
        true
    }

    pub(super) fn remove(&mut self, id: GroupId) -> Option<Group<H>> {
        self.unlink(id);
        let group = self.slots.get_mut(id)?.take()?.group;
        self.free.push(id);
        self.by_key.remove(&group.key);
        for owner in group.key.owners() {
            if let Some(groups) = self.by_owner.get_mut(&owner) {
                groups.remove(&id);
                if groups.is_empty() {
                    self.by_owner.remove(&owner);
                }
            }
        }
        self.stats.groups -= 1;
        self.stats.entries = self.stats.entries.saturating_sub(group.window.len());
        Some(group)
    }

    /// Drops all groups of an owner.
    pub(super) fn end(&mut self, owner: Owner) {
        for id in self.by_owner.remove(&owner).unwrap_or_default() {
            self.remove(id);
        }
    }

    /// Takes all groups out, those used longest ago first.
    pub(super) fn take_all(&mut self) -> Vec<Group<H>> {
        let mut groups = Vec::with_capacity(self.stats.groups);
        while let Some(id) = self.oldest {
            groups.extend(self.remove(id));
        }
        self.steps.clear();
        groups
    }

    /// Keeps an event of a group, and lets go of the one that was kept longest if there are too many.
    pub(super) fn keep(&mut self, id: GroupId, time: u64, member: u8, event: H) {
        self.numbered += 1;
        let number = self.numbered;
        let Some(slot) = self.slot(id) else { return };
        slot.group.keep(Kept { number, time, member, event });
        self.steps.push_back((id, number));
        if self.steps.len() <= STEPS_MAX {
            return;
        }
        // A quarter of them is gone already, or goes now: what that costs is shared by as many steps.
        let mut live = std::mem::take(&mut self.steps);
        live.retain(|(id, number)| {
            self.get(*id).is_some_and(|group| group.steps.iter().any(|step| step.number == *number))
        });
        let surplus = live.len().saturating_sub(STEPS_MAX / 4 * 3);
        for (id, number) in live.drain(..surplus) {
            if let Some(slot) = self.slots.get_mut(id).and_then(Option::as_mut) {
                slot.group.steps.retain(|step| step.number != number);
            }
        }
        self.steps = live;
    }

    /// Puts a group at the newer end.
    fn link(&mut self, id: GroupId) {
        let before = self.newest.replace(id);
        match before.and_then(|before| self.slot(before)) {
            Some(slot) => slot.later = Some(id),
            None => self.oldest = Some(id),
        }
        if let Some(slot) = self.slot(id) {
            (slot.earlier, slot.later) = (before, None);
        }
    }

    fn unlink(&mut self, id: GroupId) {
        let Some(slot) = self.slot(id) else { return };
        let (earlier, later) = (slot.earlier.take(), slot.later.take());
        match earlier.and_then(|earlier| self.slot(earlier)) {
            Some(slot) => slot.later = later,
            None => self.oldest = later,
        }
        match later.and_then(|later| self.slot(later)) {
            Some(slot) => slot.earlier = earlier,
            None => self.newest = earlier,
        }
    }
}
