//! What joins a story late: the name of its container, and matches that could not be decided in time.

use super::{Account, Phase, Stories, Story, StoryId, lingered};
use crate::state::process::ProcessKey;

impl Stories {
    /// None yet, with the same wait: for what is decided late, to be taken over by [`Stories::adopt`].
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { gather: self.gather, ..Self::default() }
    }

    /// An account that was told, as far as its story has gone since; none where that is over or tells
    /// another one by now. An end that is to be told now is told with it.
    pub fn retell(&mut self, number: u64, now: u64) -> Option<Account> {
        let story = self.open.values_mut().find(|story| story.account.number == number)?;
        match story.phase {
            Phase::Gathering { .. } => None,
            Phase::Told { .. } if story.is_due(now) => {
                story.phase.note();
                story.tell()
            }
            Phase::Told { .. } => {
                story.account.is_amendment = true;
                Some(story.account.clone())
            }
        }
    }

    /// Takes over stories of what was decided late. Where a story is about their process already, it learns
    /// what it was not told. `is_live` tells of a process whether it has not ended.
    pub fn adopt(&mut self, late: Self, is_live: impl Fn(&ProcessKey) -> bool) {
        let Self { open, members, repeats, .. } = late;
        self.repeats += repeats;
        let mut open: Vec<(StoryId, Story)> = open.into_iter().collect();
        open.sort_unstable_by_key(|(id, _)| *id);
        for (id, story) in open {
            match self.story_of(&story.root) {
                Some(known) => self.join(known, story),
                None => {
                    let mine = members.iter().filter(|(_, of)| **of == id).map(|(key, _)| *key);
                    self.take_over(story, mine.filter(|key| is_live(key)));
                }
            }
        }
    }

    /// Two stories are about one process: one goes on.
    fn join(&mut self, id: StoryId, late: Story) {
        let Some(story) = self.open.get_mut(&id) else { return };
        let mut account = late.account;
        self.repeats += account.forget(&story.told);
        if account.detections().next().is_none() {
            return;
        }
        if let Phase::Gathering { .. } = story.phase {
            story.account.join(account);
            return;
        }
        self.accounts += 1;
        account.number = self.accounts;
        account.follow(&story.account);
        story.account = account;
        (story.is_amended, story.is_amended_after_all) = (false, false);
        story.phase = late.phase;
    }

    /// A story goes on here with those of its members that live; who is in another one already stays there.
    fn take_over(&mut self, mut story: Story, members: impl Iterator<Item = ProcessKey>) {
        self.accounts += 1;
        let id = StoryId(self.accounts);
        story.account.number = self.accounts;
        story.alive = 0;
        let mut is_root_live = false;
        for key in members {
            if self.story_of(&key).is_none() {
                self.members.insert(key, id);
                story.alive += 1;
                is_root_live |= key == story.root;
            }
        }
        let Self { members, settling, .. } = self;
        story.settling.retain(|key| !members.contains_key(key) && !settling.contains_key(key));
        settling.extend(story.settling.iter().map(|key| (*key, id)));
        // An end that nobody told was long ago.
        let begun = story.account.time;
        if story.alive == 0 {
            story.all_ended.get_or_insert(begun);
        }
        if !is_root_live {
            let ended = *story.root_ended.get_or_insert(begun);
            if let Phase::Gathering { until } = &mut story.phase {
                *until = (*until).min(lingered(ended));
            }
        }
        self.open.insert(id, story);
    }
}
