//! Which story an event belongs to: its process's, or that of what led to it.

use rustc_hash::FxHashMap;

use super::scope::Scope;
use super::{AGE_MAX, Member, Part, Stories, StoryId, TIES_MAX, nanoseconds};
use crate::alert::Stage;
use crate::event::Event;
use crate::state::process::{ProcessKey, Written};

/// What leads to a story.
#[derive(Clone, Copy)]
pub(super) enum Tie {
    Group,
    Entry,
    Writer,
}

impl Stories {
    /// The story that an event belongs to. A match belongs to that of the way into the container, too.
    pub(super) fn home(&self, event: &Event, scope: Scope, is_match: bool) -> Option<StoryId> {
        let of_writer = || self.writers.get(&event.process.executable.written.as_ref()?.by);
        let of_entry = || self.entries.get(&scope.entry.filter(|_| is_match)?);
        let tied = || {
            let id = self.groups.get(&scope.group).or_else(of_writer).or_else(of_entry).copied()?;
            let age = event.time.saturating_sub(self.open.get(&id)?.account.time);
            (age <= nanoseconds(AGE_MAX)).then_some(id)
        };
        self.story_of(&event.process.key).or_else(tied)
    }

    /// From now on this process belongs to a story.
    pub(super) fn join_member(&mut self, id: StoryId, event: &Event, part: Part) {
        let key = event.process.key;
        if let Some(member) = self.members.get_mut(&key) {
            if part == Part::Full {
                member.part = Part::Full;
            }
        } else if !self.settling.contains_key(&key)
            && let Some(story) = self.open.get_mut(&id)
        {
            self.restless.insert(id);
            story.alive += 1;
            story.all_ended = None;
            self.members.insert(key, Member { story: id, part });
        }
    }

    pub(super) fn tie(&mut self, id: StoryId, key: ProcessKey, tie: Tie) {
        if self.ties(tie).get(&key) == Some(&id) {
            return;
        }
        if let Some(story) = self.open.get_mut(&id).filter(|story| story.ties.len() < TIES_MAX) {
            story.ties.push((tie, key));
            self.ties_mut(tie).insert(key, id);
        }
    }

    pub(super) fn ties(&self, tie: Tie) -> &FxHashMap<ProcessKey, StoryId> {
        match tie {
            Tie::Group => &self.groups,
            Tie::Entry => &self.entries,
            Tie::Writer => &self.writers,
        }
    }

    pub(super) fn ties_mut(&mut self, tie: Tie) -> &mut FxHashMap<ProcessKey, StoryId> {
        match tie {
            Tie::Group => &mut self.groups,
            Tie::Entry => &mut self.entries,
            Tie::Writer => &mut self.writers,
        }
    }

    /// Does the process run what came over the network: a file that the story wrote, or one whose writer had it from
    /// another machine; or what is in no file?
    pub(super) fn runs_what_was_brought(&self, event: &Event, id: StoryId) -> bool {
        let Some(written) = &event.process.executable.written else { return event.process.executable.memfd };
        let is_of_story = self.writers.get(&written.by) == Some(&id)
            && self.open.get(&id).is_some_and(|story| story.account.chain.has(Stage::BroughtIn));
        is_of_story || is_from_elsewhere(written)
    }
}

/// Had its writer bytes from another machine?
pub(super) fn is_from_elsewhere(written: &Written) -> bool {
    written.received.is_some_and(|bytes| bytes > 0)
}
