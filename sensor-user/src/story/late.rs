//! What joins a story late: the name of its container, and matches that could not be decided in time.

use super::{Account, Member, Part, Phase, Stories, Story, StoryId, lingered};
use crate::state::process::ProcessKey;

impl Stories {
    /// None yet, with the same wait: for what is decided late, to be taken over by [`Stories::adopt`].
    #[must_use]
    pub fn beside(&mut self) -> Self {
        Self { gather: self.gather, past: std::mem::take(&mut self.past), is_late: true, ..Self::default() }
    }

    /// An account that was told, as far as its story has gone since; none where that is over or tells
    /// another one by now. An end that is to be told now is told with it.
    pub fn retell(&mut self, number: u64, now: u64) -> Option<Account> {
        let story = self.open.values_mut().find(|story| story.account.number == number)?;
        match story.phase {
            Phase::Gathering { .. } => None,
            Phase::Told { .. } if story.is_due(now) => {
                story.phase.note();
                story.tell(now)
            }
            Phase::Told { .. } => {
                story.account.is_amendment = true;
                Some(story.account.clone())
            }
        }
    }

    /// Takes over stories of what was decided late. Where a story is about their process already, it learns
    /// what it was not told. `is_live` tells of a process whether it has not ended.
    pub fn adopt(&mut self, mut late: Self, is_live: impl Fn(&ProcessKey) -> bool) {
        self.past = std::mem::take(&mut late.past);
        self.repeats += late.repeats;
        let mut open: Vec<(StoryId, Story)> = std::mem::take(&mut late.open).into_iter().collect();
        open.sort_unstable_by_key(|(id, _)| *id);
        // Of two that are decided together neither is the other's.
        let known: Vec<_> =
            open.iter().map(|(_, story)| self.story_of(&story.root).or_else(|| self.tied(story))).collect();
        for ((id, mut story), known) in open.into_iter().zip(known) {
            // What led to two of them leads to the later one, as it did there.
            story.ties.retain(|(tie, key)| late.ties(*tie).get(key) == Some(&id));
            match known {
                Some(known) => {
                    for (key, member) in
                        late.members.iter().filter(|(key, of)| of.story == id && is_live(key))
                    {
                        self.enrol(known, *key, member.part);
                    }
                    self.join(known, story);
                }
                None => {
                    let mine =
                        late.members.iter().filter(|(_, of)| of.story == id).map(|(key, of)| (*key, of.part));
                    self.take_over(story, mine.filter(|(key, _)| is_live(key)));
                }
            }
        }
    }

    /// The story that the same script, way into the container or written file led to.
    fn tied(&self, story: &Story) -> Option<StoryId> {
        story.ties.iter().find_map(|(tie, key)| self.ties(*tie).get(key)).copied()
    }

    fn enrol(&mut self, id: StoryId, key: ProcessKey, part: Part) {
        if self.story_of(&key).is_none()
            && let Some(story) = self.open.get_mut(&id)
        {
            self.restless.insert(id);
            story.alive += 1;
            story.all_ended = None;
            self.members.insert(key, Member { story: id, part });
        }
    }

    /// Two stories are about one process: one goes on.
    fn join(&mut self, id: StoryId, late: Story) {
        self.restless.insert(id);
        let Some(story) = self.open.get_mut(&id) else { return };
        let mut account = late.account;
        story.matched = story.matched.max(late.matched);
        self.repeats += account.forget(&story.told);
        if account.detections().next().is_none() {
            return;
        }
        if let Phase::Gathering { .. } = story.phase {
            story.account.join(account);
            return;
        }
        self.accounts += 1;
        story.account = story.account.next_with(account, self.accounts);
        (story.is_amended, story.is_amended_after_all, story.is_amended_after_settling) =
            (false, false, false);
        story.phase = late.phase;
    }

    /// A story goes on here with those of its members that live; who is in another one already stays there.
    fn take_over(&mut self, mut story: Story, members: impl Iterator<Item = (ProcessKey, Part)>) {
        self.accounts += 1;
        let id = StoryId(self.accounts);
        (story.account.number, story.account.story) = (self.accounts, self.accounts);
        story.alive = 0;
        let mut is_root_live = false;
        for (key, part) in members {
            if self.story_of(&key).is_none() {
                self.members.insert(key, Member { story: id, part });
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
        let ties = std::mem::take(&mut story.ties);
        self.open.insert(id, story);
        self.restless.insert(id);
        for (tie, key) in ties {
            self.tie(id, key, tie);
        }
    }
}
