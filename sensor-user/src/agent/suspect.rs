//! Who may have worked on the sensor: processes that signalled or reached into the agent, or got hold of BPF programs.
//!
//! The kernel does not tell who took a link away. Where it tells who did something that such a deed begins with, those are
//! named, as what they are: the ones that come into question.

use std::collections::VecDeque;

use crate::alert::Suspect;
use crate::decode::{Body, Record};
use crate::octet;

/// Most that are remembered: who makes more of them than this within a look is among the newest.
const KEPT_MAX: usize = 32;
/// Most that one message names.
const NAMED_MAX: usize = 4;

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Sent the agent a signal.
    Signal,
    /// Got hold of a BPF program, or reached into the agent as debuggers do.
    Hold,
}

/// The newest of them.
#[derive(Debug)]
pub(super) struct Suspects {
    /// The agent's.
    pid: u32,
    kept: VecDeque<(u64, Cause, Suspect)>,
}

impl Suspects {
    pub(super) fn new() -> Self {
        Self { pid: std::process::id(), kept: VecDeque::new() }
    }

    /// Takes in a record, if it is of such a deed.
    pub(super) fn note(&mut self, record: &Record) {
        let cause = match &record.body {
            Body::Signal(access) if access.target_pid == self.pid => Cause::Signal,
            Body::Access(access) if access.target_pid == self.pid => Cause::Hold,
            Body::BpfLoad { .. } => Cause::Hold,
            Body::Signal(_)
            | Body::Access(_)
            | Body::Exec(_)
            | Body::Fork(_)
            | Body::Exit { .. }
            | Body::Connect(_)
            | Body::Accept(_)
            | Body::Traffic(_)
            | Body::Close(_)
            | Body::Socket(_)
            | Body::UnixConnect { .. }
            | Body::Dns(_)
            | Body::File(..)
            | Body::Name(..)
            | Body::CgroupCreate(_)
            | Body::CgroupRemove(_)
            | Body::CgroupAttach(_)
            | Body::Namespace(_)
            | Body::ModuleLoad { .. }
            | Body::Mount(_) => return,
        };
        if self.kept.len() >= KEPT_MAX {
            self.kept.pop_front();
        }
        let comm = record.actor.comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let suspect = Suspect { pid: record.actor.pid, program: octet::text(comm) };
        self.kept.push_back((record.time, cause, suspect));
    }

    /// Those of this kind between two times, each once, the newest last.
    pub(super) fn between(&self, cause: Cause, from: u64, to: u64) -> Vec<Suspect> {
        let mut named: Vec<Suspect> = Vec::new();
        let in_question = self.kept.iter().filter(|(time, of, _)| *of == cause && (from..=to).contains(time));
        for (.., suspect) in in_question.rev() {
            if named.len() < NAMED_MAX && !named.contains(suspect) {
                named.push(suspect.clone());
            }
        }
        named.reverse();
        named
    }
}

#[cfg(test)]
mod tests {
    use sensor_ebpf::wire::{Actor, COMM_SIZE};

    use super::*;
    use crate::decode::Access;

    fn record(time: u64, pid: u32, body: Body) -> Record {
        let mut comm = [0; COMM_SIZE];
        comm[..4].copy_from_slice(b"kill");
        let actor =
            Actor { start_time: 1, cgroup_id: 1, pid, tid: pid, uid: 0, gid: 0, mnt_ns: 0, pid_ns: 0, comm };
        Record { time, actor, body }
    }

    fn signal(target_pid: u32) -> Body {
        Body::Signal(Access { target_pid, target_start_time: 1, mode: 19 })
    }

    #[test]
    fn who_signalled_the_agent_in_the_time_in_question_is_named_once() {
        let mut suspects = Suspects::new();
        for (time, pid) in [(10, 7), (20, 7), (20, 8), (99, 9)] {
            suspects.note(&record(time, pid, signal(std::process::id())));
        }
        suspects.note(&record(20, 66, signal(1)));
        suspects.note(&record(20, 77, Body::BpfLoad { program_type: 1, name: "x".to_owned() }));
        let pids = |cause, from, to| -> Vec<u32> {
            suspects.between(cause, from, to).iter().map(|suspect| suspect.pid).collect()
        };
        assert_eq!(pids(Cause::Signal, 5, 30), [7, 8]);
        assert_eq!(pids(Cause::Hold, 5, 30), [77]);
        assert_eq!(suspects.between(Cause::Signal, 99, 99)[0].program, "kill");
    }

    #[test]
    fn the_newest_are_kept_and_named() {
        let mut suspects = Suspects::new();
        for pid in 1..=100 {
            suspects.note(&record(u64::from(pid), pid, signal(std::process::id())));
        }
        assert_eq!(suspects.kept.len(), KEPT_MAX);
        let named = suspects.between(Cause::Signal, 0, 1000);
        assert_eq!(named.iter().map(|suspect| suspect.pid).collect::<Vec<_>>(), [97, 98, 99, 100]);
    }
}
