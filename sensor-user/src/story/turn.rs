//! When stories are told, told again, and over.

use super::{
    Account, BEAT, Phase, QUIET, SETTLE, STORIES_MAX, Stories, Story, StoryId, lingered, nanoseconds,
    technique,
};
use crate::alert::Stage;
use crate::state::process::{Process, ProcessKey};

impl Stories {
    /// What is to be told now, oldest first.
    pub fn due(&mut self, now: u64) -> Vec<Account> {
        if now.saturating_sub(self.looked) >= nanoseconds(BEAT) {
            self.looked = now;
            self.restless.extend(self.open.keys());
        }
        let is_due = |id: &StoryId| self.open.get(id).is_some_and(|story| story.is_due(now));
        let mut ids: Vec<StoryId> = self.restless.iter().copied().filter(is_due).collect();
        ids.sort_unstable();
        self.settle(now);
        let accounts = ids.into_iter().filter_map(|id| self.turn(id, now)).collect();
        self.restless.retain(|id| self.open.get(id).is_some_and(|story| !story.is_at_rest(now)));
        accounts
    }

    /// Connections that have ended, or had the time to, are not awaited any more.
    fn settle(&mut self, now: u64) {
        for id in &self.restless {
            let Some(story) = self.open.get_mut(id).filter(|story| !story.settling.is_empty()) else {
                continue;
            };
            if story.is_settled(now) {
                for key in story.settling.drain(..) {
                    self.settling.remove(&key);
                }
            }
        }
    }

    /// All that have something to tell, however short they gathered: the agent ends.
    pub fn drain(&mut self) -> Vec<Account> {
        for story in self.open.values_mut() {
            story.all_ended.get_or_insert(0);
        }
        self.looked = 0;
        self.due(u64::MAX)
    }

    /// Stories beyond the bound, to be told early.
    pub fn overflow(&mut self) -> Vec<Account> {
        let mut accounts = Vec::new();
        while self.open.len() > STORIES_MAX {
            let Some(oldest) = self.open.keys().min().copied() else { break };
            accounts.extend(self.open.get_mut(&oldest).and_then(|story| story.tell(0)));
            self.remove(oldest);
            self.members.retain(|_, member| member.story != oldest);
        }
        accounts
    }

    /// Members that ended without a word of it: what was told of them came after their end.
    pub fn reap(&mut self, now: u64, is_live: impl Fn(&ProcessKey) -> bool) {
        let gone: Vec<ProcessKey> = self.members.keys().filter(|key| !is_live(key)).copied().collect();
        for key in gone {
            self.exited(now, &key, None, 0);
        }
    }

    /// Tells what a story has to tell; one that is over is dropped.
    fn turn(&mut self, id: StoryId, now: u64) -> Option<Account> {
        let story = self.open.get_mut(&id)?;
        let account = story.tell(now);
        if story.is_over(now) {
            self.remove(id);
        }
        account
    }
}

impl Story {
    /// Is there something to tell, or nothing more to wait for?
    pub(super) fn is_due(&self, now: u64) -> bool {
        match self.phase {
            Phase::Gathering { until } => until <= now,
            Phase::Told { has_news } => {
                let is_past = |ended: Option<u64>| ended.is_some_and(|ended| lingered(ended) <= now);
                let is_awaited = is_past(self.root_ended) && !self.is_amended
                    || is_past(self.all_ended) && !self.is_amended_after_all
                    || self.is_settled(now) && !self.is_amended_after_settling;
                self.is_over(now) || has_news && is_awaited || self.amend.is_some_and(|amend| amend <= now)
            }
        }
    }

    /// All members have ended, and their connections too, or had the time to.
    fn is_settled(&self, now: u64) -> bool {
        let is_settled =
            |ended: u64| !self.account.awaits_end(None) || ended.saturating_add(nanoseconds(SETTLE)) <= now;
        self.all_ended.is_some_and(|ended| lingered(ended) <= now && is_settled(ended))
    }

    /// Nothing will be due before something happens to it, or it is over.
    fn is_at_rest(&self, now: u64) -> bool {
        let is_told = matches!(self.phase, Phase::Told { has_news: false });
        is_told && self.amend.is_none() && self.settling.is_empty() && self.is_settled(now)
    }

    /// And nothing matched for a while.
    fn is_over(&self, now: u64) -> bool {
        self.is_settled(now) && self.matched.saturating_add(nanoseconds(QUIET)) <= now
    }

    pub(super) fn tell(&mut self, now: u64) -> Option<Account> {
        match self.phase {
            Phase::Gathering { .. } => {
                self.told.clear();
                self.techniques.clear();
                self.told.extend(self.account.evidence.iter().map(|proof| proof.key.clone()));
                self.techniques.extend(self.account.detections().map(technique));
            }
            Phase::Told { has_news } => {
                // What was only counted is told when it is over.
                if !has_news && (self.counted == 0 || !self.is_over(now)) {
                    return None;
                }
                self.account.is_amendment = true;
                self.told = self.account.evidence.iter().map(|proof| proof.key.clone()).collect();
                self.is_amended = true;
                self.is_amended_after_all = self.all_ended.is_some();
                self.is_amended_after_settling = self.is_settled(now);
            }
        }
        (self.amend, self.counted) = (None, 0);
        self.level = Some(self.account.level());
        self.phase = Phase::Told { has_news: false };
        Some(self.account.clone())
    }

    /// The steps amount to more than was told: that is told soon.
    pub(super) fn rise(&mut self, until: u64) {
        if let Phase::Told { .. } = self.phase
            && self.level.is_some_and(|told| self.account.level() > told)
        {
            self.phase.note();
            self.amend.get_or_insert(until);
        }
    }

    /// Whoever wrote a file and received bytes brought it in.
    pub(super) fn look_at_bytes(&mut self, process: &Process, time: u64) {
        let pid = process.key.pid;
        if self.account.received(pid) > 0 && self.account.wrote(pid) {
            self.account.chain.note(Stage::BroughtIn, time);
        }
    }
}
