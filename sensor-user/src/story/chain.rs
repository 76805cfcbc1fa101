//! What the steps of a story amount to: a lone download is daily business; downloaded, run and calling home is not.
//!
//! A link is noted once, with the time it was first seen, by a fact (what a process did) or by a match (what a rule
//! says it did, by its ATT&CK techniques). What links are there raises the level of the story; it never lowers one.

use sigma::Level;

use super::tie::is_from_elsewhere;
use crate::alert::{Detection, Stage};
use crate::event::{Body, Direction, Event, FileAction, Protocol};
use crate::state::phase::Phase;
use crate::state::process::Process;

/// Fewest bytes that are something sent after a secret was read: a request without a body has some two hundred.
const SENT_MIN: u64 = 512;
/// A name server is asked by everybody.
const DNS: u16 = 53;

/// Secrets that a program reads because they are its own way to prove who it is: reading them is how it works. Only
/// of a program that came with its image: a name costs nothing.
const OWN_SECRETS: [(&str, &str); 18] = [
    ("ssh", "/.ssh/"),
    ("sshd", "/etc/ssh/"),
    ("sshd-session", "/etc/ssh/"),
    ("scp", "/.ssh/"),
    ("sftp", "/.ssh/"),
    ("ssh-add", "/.ssh/"),
    ("git", "/.git-credentials"),
    ("kubectl", "/.kube/"),
    ("helm", "/.kube/"),
    ("aws", "/.aws/"),
    ("docker", "/.docker/"),
    ("podman", "/.docker/"),
    ("psql", "/.pgpass"),
    ("pg_dump", "/.pgpass"),
    ("curl", "/.netrc"),
    ("login", "/etc/shadow"),
    ("su", "/etc/shadow"),
    ("unix_chkpwd", "/etc/shadow"),
];

/// Which techniques make which link; a parent stands for its children.
const STAGES: [(&str, Stage); 26] = [
    ("T1105", Stage::BroughtIn),
    ("T1570", Stage::BroughtIn),
    ("T1620", Stage::Ran),
    ("T1204", Stage::Ran),
    ("T1552", Stage::ReadSecret),
    ("T1528", Stage::ReadSecret),
    ("T1003", Stage::ReadSecret),
    ("T1560", Stage::Collected),
    ("T1074", Stage::Collected),
    ("T1213", Stage::Collected),
    ("T1071", Stage::CalledHome),
    ("T1572", Stage::CalledHome),
    ("T1090", Stage::CalledHome),
    ("T1095", Stage::CalledHome),
    ("T1219", Stage::CalledHome),
    ("T1048", Stage::SentOut),
    ("T1567", Stage::SentOut),
    ("T1537", Stage::SentOut),
    ("T1041", Stage::SentOut),
    ("T1020", Stage::SentOut),
    ("T1030", Stage::SentOut),
    ("T1070", Stage::CoveredTracks),
    ("T1578", Stage::CoveredTracks),
    ("T1611", Stage::Escaped),
    ("T1485", Stage::Destroyed),
    ("T1496", Stage::Destroyed),
];

/// A link: when the first and the last event were that make it, `CLOCK_BOOTTIME` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub stage: Stage,
    pub first: u64,
    pub last: u64,
}

/// The links so far, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    links: Vec<Link>,
}

impl Chain {
    /// In the order in which they were first seen.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    pub(super) fn note(&mut self, stage: Stage, time: u64) {
        match self.links.iter_mut().find(|link| link.stage == stage) {
            Some(link) => (link.first, link.last) = (time.min(link.first), time.max(link.last)),
            None => self.links.push(Link { stage, first: time, last: time }),
        }
        self.links.sort_by_key(|link| link.first);
    }

    /// The links of another account of the same story.
    pub(super) fn join(&mut self, other: &Self) {
        for link in &other.links {
            self.note(link.stage, link.first);
            self.note(link.stage, link.last);
        }
    }

    /// What a rule says of an event. A tool that moves either way (netcat) says nothing of which.
    pub(super) fn note_match(&mut self, detection: &Detection, time: u64) {
        let of = |technique: &str| {
            let parent = technique.split('.').next().unwrap_or(technique);
            STAGES.iter().find(|(known, _)| *known == parent).map(|(_, stage)| *stage)
        };
        let mut stages: Vec<Stage> =
            detection.techniques.iter().filter_map(|technique| of(technique)).collect();
        if stages.contains(&Stage::BroughtIn) && stages.contains(&Stage::SentOut) {
            stages.retain(|stage| !matches!(stage, Stage::BroughtIn | Stage::SentOut));
        }
        stages.into_iter().for_each(|stage| self.note(stage, time));
    }

    /// What a process of the story did. `is_brought`: its program was brought in by the story.
    pub(super) fn note_deed(&mut self, event: &Event, is_brought: bool) {
        match &event.body {
            Body::ProcessCreation if is_brought => {
                if let Some(written) =
                    event.process.executable.written.as_deref().filter(|it| is_from_elsewhere(it))
                {
                    self.note(Stage::BroughtIn, written.time);
                }
                self.note(Stage::Ran, event.time);
            }
            Body::NetworkConnection(connection)
                if is_brought
                    && connection.direction == Direction::Outbound
                    && !matches!(connection.port, 0 | DNS)
                    && !connection.address.is_loopback() =>
            {
                self.note(Stage::CalledHome, event.time);
            }
            Body::NetworkFlow(flow)
                if flow.bytes_sent >= SENT_MIN
                    && flow.connection.protocol == Protocol::Tcp
                    && flow.connection.direction == Direction::Outbound
                    && flow.connection.port != DNS
                    && !flow.connection.address.is_loopback()
                    && self.has(Stage::ReadSecret) =>
            {
                self.note(Stage::SentOut, event.time);
            }
            Body::FileEvent(file)
                if file.action == FileAction::Read && !is_own_secret(&event.process, &file.path) =>
            {
                self.note(Stage::ReadSecret, event.time);
            }
            Body::ProcessCreation
            | Body::ProcessAccess(_)
            | Body::NetworkConnection(_)
            | Body::NetworkFlow(_)
            | Body::NetworkSocket(_)
            | Body::DnsQuery(_)
            | Body::FileEvent(_)
            | Body::SystemChange(_)
            | Body::ContainerEvent(_)
            | Body::ContainerResource(_) => {}
        }
    }

    /// The level that the links amount to together, if they do. An image that is being built downloads and runs what
    /// it downloaded: that is what building is, and raises nothing.
    #[must_use]
    pub fn level(&self, phase: Option<Phase>, is_inside: bool) -> Option<Level> {
        if phase == Some(Phase::Build) {
            return None;
        }
        let has = |stage| self.has(stage);
        let is_running = has(Stage::BroughtIn) && has(Stage::Ran);
        let is_theft = self.follows(Stage::ReadSecret, Stage::SentOut);
        let is_at_work = has(Stage::CalledHome)
            || has(Stage::SentOut)
            || has(Stage::ReadSecret)
            || has(Stage::Escaped)
            || has(Stage::Destroyed);
        let level = if is_running && is_at_work || is_theft && has(Stage::BroughtIn) {
            Level::Critical
        } else if is_running || is_theft {
            Level::High
        } else {
            return None;
        };
        Some(if is_inside { level } else { level.lower() })
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.links.iter().any(|link| link.stage == stage)
    }

    /// Both are there, and the second not only before the first.
    fn follows(&self, first: Stage, second: Stage) -> bool {
        let find = |stage| self.links.iter().find(|link| link.stage == stage);
        find(first).zip(find(second)).is_some_and(|(first, second)| first.first <= second.last)
    }
}

fn is_own_secret(process: &Process, path: &str) -> bool {
    let executable = &process.executable;
    let is_of_image = !executable.upper_layer && executable.written.is_none() && !executable.memfd;
    let owns = |(name, part): &(&str, &str)| *name == process.name() && path.contains(part);
    is_of_image && OWN_SECRETS.iter().any(owns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(stages: &[Stage]) -> Chain {
        let mut chain = Chain::default();
        (1..).zip(stages).for_each(|(time, stage)| chain.note(*stage, time));
        chain
    }

    #[test]
    fn a_level_rises_with_what_came_together() {
        use Stage::{BroughtIn, CalledHome, Collected, Ran, ReadSecret, SentOut};
        for (stages, expected) in [
            (&[BroughtIn][..], None),
            (&[BroughtIn, SentOut], None),
            (&[Collected, SentOut], None),
            (&[ReadSecret], None),
            (&[BroughtIn, Ran], Some(Level::High)),
            (&[ReadSecret, SentOut], Some(Level::High)),
            (&[SentOut, ReadSecret], None),
            (&[BroughtIn, Ran, CalledHome], Some(Level::Critical)),
            (&[BroughtIn, ReadSecret, SentOut], Some(Level::Critical)),
        ] {
            assert_eq!(chain(stages).level(None, true), expected, "{stages:?}");
            assert_eq!(
                chain(stages).level(None, false),
                expected.map(Level::lower),
                "{stages:?} on the host"
            );
            assert_eq!(chain(stages).level(Some(Phase::Build), true), None, "{stages:?} in a build");
        }
    }

    #[test]
    fn a_technique_makes_a_link_and_one_that_may_be_either_makes_none() {
        let links = |techniques: &[&str]| {
            let mut chain = Chain::default();
            let techniques = techniques.iter().map(|technique| (*technique).to_owned()).collect();
            let detection = Detection { techniques, ..crate::sink::sample::detection() };
            chain.note_match(&detection, 1);
            chain.links.iter().map(|link| link.stage).collect::<Vec<_>>()
        };
        assert_eq!(links(&["T1048.003"]), [Stage::SentOut]);
        assert_eq!(links(&["T1105", "T1048", "T1095"]), [Stage::CalledHome]);
        assert_eq!(links(&["T1609"]), []);
    }
}
