//! One account: what matched, who took part, and its steps in order, within its bounds.

mod step;

use std::sync::Arc;

use sigma::Level;

use super::chain::Chain;
use super::program;
use crate::alert::{Action, Correlation, Detection, Participant, Step};
use crate::event::Event;
use crate::state::container::Container;
use crate::state::phase::Phase;
use crate::state::process::{Process, ProcessKey};
pub(in crate::story) use step::place;

/// Most steps an account carries; further ones are counted. A transfer has under ten, a build
/// script that is caught has its beginning told.
pub const STEPS_MAX: usize = 64;
/// How long before the match the process may have started for its start to be the first step,
/// nanoseconds. A server that ran for days begins its story with what it did.
const RECENT_START: u64 = 10_000_000_000;
/// Most processes an account names; further ones are counted. A tree of more does not fit a screen.
const PARTICIPANTS_MAX: usize = 24;
/// Longest command line of a participant, bytes: the step that ran it has the whole.
const PARTICIPANT_LINE_MAX: usize = 512;
/// Most matches whose evidence is kept. Each rule has one, counted; a tree that matches more rules than this has
/// been told enough.
const EVIDENCE_MAX: usize = 32;

/// Whose doing a match is: the process, its ancestors, the name of its user, what its container was doing.
type Who<'w> = (&'w Arc<Process>, &'w [Arc<Process>], Option<&'w Arc<str>>, Option<Phase>);

/// Why a rule says so.
#[derive(Clone, Debug)]
pub struct Proof {
    /// As [`Detection::id`].
    pub rule: String,
    /// The same, of a correlation with the group it found: two groups are two findings.
    pub key: String,
    pub title: String,
    pub level: Level,
    /// Of the event it matched, of a correlation the last, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    pub pid: u32,
    pub count: u64,
    pub correlation: Option<Box<Correlation>>,
}

/// What becomes an alert.
#[derive(Clone, Debug)]
pub struct Account {
    /// Counts the accounts of this run: an amendment has the number of what it amends.
    pub number: u64,
    /// Number of the first account of its story.
    pub story: u64,
    /// Which alert of its story this is, from 1.
    pub alerts: u32,
    /// Told before: since then it went on, or its container got a name.
    pub is_amendment: bool,
    /// When its first step happened, `CLOCK_BOOTTIME` nanoseconds.
    pub time: u64,
    /// The process of the gravest match.
    pub process: Arc<Process>,
    pub ancestors: Vec<Arc<Process>>,
    pub container: Option<Arc<Container>>,
    /// What the container was doing.
    pub phase: Option<Phase>,
    pub user: Option<Arc<str>>,
    pub steps: Vec<Step>,
    pub steps_omitted: u32,
    /// Payload bytes of connections whose end is among these.
    pub bytes_omitted: (u64, u64),
    /// What the steps amount to.
    pub chain: Chain,
    /// Each rule that matched: when first, how often.
    pub evidence: Vec<Proof>,
    /// Parents first.
    pub participants: Vec<Participant>,
    pub participants_omitted: u32,
    detection: Option<Detection>,
    related: Vec<Detection>,
    /// Connections whose end is awaited: who uses which socket.
    open: Vec<(ProcessKey, u64)>,
}

impl Account {
    /// The account of an event's process, with the start of its program where that was recent.
    #[must_use]
    pub fn begin(event: &Event, number: u64) -> Self {
        let process = &event.process;
        let is_recent = event.time.saturating_sub(process.exec_time) <= RECENT_START;
        let time = if is_recent { process.exec_time.min(event.time) } else { event.time };
        let mut account = Self {
            number,
            story: number,
            alerts: 1,
            is_amendment: false,
            time,
            process: Arc::clone(process),
            ancestors: event.ancestors.clone(),
            container: event.container.clone(),
            phase: event.phase,
            user: event.user.clone(),
            steps: Vec::new(),
            steps_omitted: 0,
            bytes_omitted: (0, 0),
            chain: Chain::default(),
            evidence: Vec::new(),
            participants: Vec::new(),
            participants_omitted: 0,
            detection: None,
            related: Vec::new(),
            open: Vec::new(),
        };
        account.enrol(event);
        account
    }

    /// The next alert of the same story: all that was told, and room for what is news.
    #[must_use]
    pub fn next(&self, event: &Event, number: u64) -> Self {
        let mut account = self.successor(number);
        account.process = Arc::clone(&event.process);
        account.ancestors.clone_from(&event.ancestors);
        (account.user, account.phase) = (event.user.clone(), event.phase);
        account
    }

    /// The same with what another account of the story has.
    #[must_use]
    pub fn next_with(&self, other: Self, number: u64) -> Self {
        let mut account = self.successor(number);
        account.process = Arc::clone(&other.process);
        account.ancestors.clone_from(&other.ancestors);
        (account.user, account.phase) = (other.user.clone(), other.phase);
        account.join(other);
        account
    }

    fn successor(&self, number: u64) -> Self {
        let mut account = self.clone();
        (account.number, account.is_amendment, account.alerts) =
            (number, false, self.alerts.saturating_add(1));
        account.related.splice(0..0, account.detection.take());
        account
    }

    /// Names the process of an event and those that lead to it within its container.
    pub fn enrol(&mut self, event: &Event) {
        let is_inside = |ancestor: &&Arc<Process>| ancestor.container == event.process.container;
        let is_known = |account: &Self, pid| account.participants.iter().any(|known| known.pid == pid);
        let within: usize = match event.process.container {
            Some(_) => event.ancestors.iter().take_while(is_inside).count(),
            // The host's lineage is told by itself; of it only who started this.
            None => event.ancestors.len().min(1),
        };
        let lineage = event.ancestors.iter().take(within).rev().chain([&event.process]);
        let mut parent = None;
        for process in lineage {
            let pid = process.key.pid;
            let arguments = process.arguments.head(PARTICIPANT_LINE_MAX);
            if let Some(known) = self.participants.iter_mut().find(|known| known.pid == pid) {
                // It runs another program by now.
                if known.arguments != arguments {
                    (known.program, known.arguments) = (program(process), arguments);
                }
            } else if self.participants.len() >= PARTICIPANTS_MAX {
                self.participants_omitted = self.participants_omitted.saturating_add(1);
            } else {
                // What is recalled comes without its ancestors.
                let parent = parent.or(process.parent.map(|parent| parent.pid));
                let parent = parent.filter(|pid| is_known(self, *pid));
                let program = program(process);
                self.participants.push(Participant { pid, parent, program, arguments });
            }
            parent = Some(pid);
        }
    }

    /// The start of an event's program, where that was recent.
    pub fn run(&mut self, event: &Event) {
        let process = &event.process;
        if event.time.saturating_sub(process.exec_time) <= RECENT_START {
            let arguments = process.arguments.clone();
            self.add_step(process.exec_time.min(event.time), process, Action::Executed { arguments });
        }
    }

    /// Level of the gravest match, or of what the steps amount to.
    #[must_use]
    pub fn level(&self) -> Level {
        let matched =
            self.detections().map(|detection| detection.level).max().unwrap_or(Level::Informational);
        self.chain_level().map_or(matched, |chain| chain.max(matched))
    }

    /// What the steps amount to together.
    #[must_use]
    pub fn chain_level(&self) -> Option<Level> {
        self.chain.level(self.phase, self.process.container.is_some())
    }

    /// What was found once was found once more.
    pub fn count(&mut self, key: &str) {
        if let Some(proof) = self.evidence.iter_mut().find(|proof| proof.key == key) {
            proof.count = proof.count.saturating_add(1);
        }
    }

    fn prove(&mut self, event: &Event, detection: &Detection, correlation: Option<Correlation>) {
        let key = key(detection, correlation.as_ref());
        if self.evidence.iter().any(|proof| proof.key == key) {
            self.count(&key);
        } else if self.evidence.len() < EVIDENCE_MAX {
            let Detection { id, title, level, .. } = detection;
            self.evidence.push(Proof {
                rule: id.clone(),
                key,
                title: title.clone(),
                level: *level,
                time: event.time,
                pid: event.process.key.pid,
                count: 1,
                correlation: correlation.map(Box::new),
            });
        }
    }

    /// What the leading match found, where it is a correlation.
    #[must_use]
    pub fn correlation(&self) -> Option<&Correlation> {
        let leading = &self.detection.as_ref()?.id;
        self.evidence.iter().find(|proof| proof.rule == *leading)?.correlation.as_deref()
    }

    /// Adds a match; the gravest leads, and of equals the earliest.
    pub fn add_match(&mut self, event: &Event, detection: Detection, correlation: Option<Correlation>) {
        self.prove(event, &detection, correlation);
        self.chain.note_match(&detection, event.time);
        self.add_detection(detection, (&event.process, &event.ancestors, event.user.as_ref(), event.phase));
    }

    /// The same story as another account tells it, whose beginning may be an earlier one.
    pub fn join(&mut self, other: Self) {
        let Self { process, ancestors, user, phase, detection, related, .. } = other;
        self.chain.join(&other.chain);
        for proof in other.evidence {
            let room = self.evidence.len() < EVIDENCE_MAX;
            match self.evidence.iter_mut().find(|known| known.key == proof.key) {
                Some(known) => known.count = known.count.saturating_add(proof.count),
                None if room => self.evidence.push(proof),
                None => {}
            }
        }
        for participant in other.participants {
            if self.participants.len() < PARTICIPANTS_MAX
                && !self.participants.iter().any(|known| known.pid == participant.pid)
            {
                self.participants.push(participant);
            }
        }
        for detection in detection.into_iter().chain(related) {
            self.add_detection(detection, (&process, &ancestors, user.as_ref(), phase));
        }
        for mut step in other.steps {
            step.offset = self.offset(other.time.saturating_add(step.offset));
            if !self.steps.iter().any(|known| known.pid == step.pid && known.action == step.action) {
                self.push(step);
            }
        }
        self.steps_omitted = self.steps_omitted.saturating_add(other.steps_omitted);
        let (sent, received) = other.bytes_omitted;
        self.bytes_omitted.0 = self.bytes_omitted.0.saturating_add(sent);
        self.bytes_omitted.1 = self.bytes_omitted.1.saturating_add(received);
    }

    /// Drops what was told already, by its key; returns how many matches.
    pub fn forget(&mut self, told: &[String]) -> u64 {
        let mut detections: Vec<Detection> =
            self.detection.take().into_iter().chain(self.related.drain(..)).collect();
        let before = detections.len();
        self.evidence.retain(|proof| !told.contains(&proof.key));
        let evidence = &self.evidence;
        detections.retain(|detection| evidence.iter().any(|proof| proof.rule == detection.id));
        let dropped = before - detections.len();
        let mut left = detections.into_iter();
        self.detection = left.next();
        self.related = left.collect();
        u64::try_from(dropped).unwrap_or(u64::MAX)
    }

    fn add_detection(&mut self, detection: Detection, who: Who<'_>) {
        match &mut self.detection {
            None => self.detection = Some(detection),
            Some(leading) if detection.id == leading.id => {}
            Some(leading) if detection.level > leading.level => {
                let former = std::mem::replace(leading, detection);
                self.related.push(former);
                let (process, ancestors, user, phase) = who;
                self.process = Arc::clone(process);
                self.ancestors = ancestors.to_vec();
                self.user = user.cloned();
                self.phase = phase;
            }
            Some(_) if self.related.iter().any(|known| known.id == detection.id) => {}
            Some(_) => self.related.push(detection),
        }
    }

    /// Every match, the leading one first.
    pub fn detections(&self) -> impl Iterator<Item = &Detection> {
        self.detection.iter().chain(&self.related)
    }

    /// Splits off the matches: the leading one and the others.
    #[must_use]
    pub fn into_detections(self) -> Option<(Detection, Vec<Detection>)> {
        self.detection.map(|leading| (leading, self.related))
    }
}

/// What a match is told under.
pub(super) fn key(detection: &Detection, correlation: Option<&Correlation>) -> String {
    let group = correlation.into_iter().flat_map(|found| &found.group);
    let values: Vec<&str> = group.map(|(_, value)| value.as_deref().unwrap_or_default()).collect();
    if values.is_empty() { detection.id.clone() } else { format!("{} {}", detection.id, values.join(" ")) }
}
