//! Watches over what the sensor has in the kernel, by what the kernel itself tells of it: a sensor that was unhooked,
//! whose link runs another program, or that the kernel did not run, says so, and is hooked again.
//!
//! What somebody else can do to a link depends on its kind (`struct bpf_link_ops`, kernel/bpf/syscall.c): one of a cgroup
//! can be detached (`BPF_LINK_DETACH`) and given another program (`BPF_LINK_UPDATE`); those of tracepoints and of kernel
//! functions have neither operation, and end with their last descriptor: only by somebody who works within the agent, as
//! a debugger does. And the kernel skips a run of a tracing program that it would begin within another run of the
//! same one on that CPU; it counts these, and each is a record that nobody could count (`bpf_prog_show_fdinfo`,
//! kernel/bpf/syscall.c, since 5.12).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use aya::Ebpf;
use thiserror::Error;

use super::descriptor::{Descriptors, LinkNow};
use super::reattach::Home;
use super::stranger::{Beside, Loaded, Strangers};
use super::sys;
use crate::keeper;

/// Whether the kernel runs what is hooked to the beginning of functions (kernel/trace/ftrace.c).
pub const FTRACE: &str = "/proc/sys/kernel/ftrace_enabled";

/// What was found since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Links that do not do what they are for; each comes again until it does.
    pub broken: Vec<Broken>,
    /// Names of maps and programs of which the agent has no descriptor any more, each once.
    pub closed: Vec<String>,
    /// Programs of others that are new.
    pub loaded: Vec<Loaded>,
    pub beside: Vec<Beside>,
    /// Tracing of functions was switched off, or on again.
    pub tracing: Option<bool>,
    /// Runs that the kernel skipped, by program.
    pub skipped: Vec<(String, u64)>,
}

/// A link that does not do what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub link: u32,
    /// The sensor's program that does not run by it.
    pub program: String,
    pub harm: Harm,
    /// It was well at the last look.
    pub is_new: bool,
}

/// What was done to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It belongs to no cgroup any more.
    Detached,
    /// It runs a program of this id.
    Replaced { by: u32, number: RawFd },
    /// The agent has it no more.
    Closed,
}

/// Why a link stays broken.
#[derive(Debug, Error)]
pub enum MendError {
    #[error("the program was closed, too: start the sensor again")]
    NoProgram,
    #[error("the kernel refuses it: {0}")]
    Refused(io::Error),
}

/// One link of the sensor's.
#[derive(Clone, Debug)]
struct Link {
    program: u32,
    home: Home,
    is_broken: bool,
}

/// What is known so far.
#[derive(Debug)]
pub struct Watch {
    /// The sensor's own programs and maps, by id.
    programs: BTreeMap<u32, String>,
    maps: BTreeMap<u32, String>,
    links: BTreeMap<u32, Link>,
    /// Links that were made since the start.
    again: BTreeMap<u32, OwnedFd>,
    /// Programs and maps whose end was told.
    closed: BTreeSet<u32>,
    skipped: BTreeMap<u32, u64>,
    strangers: Strangers,
    /// The hierarchy's root.
    cgroup: File,
    is_tracing: bool,
}

impl Watch {
    /// Begins with what there is. `programs` and `maps` are the sensor's, by their ids.
    #[must_use]
    pub fn begin(cgroup: File, programs: BTreeMap<u32, String>, maps: BTreeMap<u32, String>) -> Self {
        let now = Descriptors::read().unwrap_or_default();
        let mut watch = Self {
            links: links(&now, &programs),
            programs,
            // One that is not there from the start cannot be closed.
            maps: maps.into_iter().filter(|(id, _)| now.maps.contains(id)).collect(),
            again: BTreeMap::new(),
            closed: BTreeSet::new(),
            skipped: BTreeMap::new(),
            strangers: Strangers::default(),
            cgroup,
            is_tracing: is_tracing(),
        };
        watch.strangers.news(&watch.programs, &watch.maps);
        watch.beside();
        watch
    }

    /// Looks again.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn look(&mut self) -> io::Result<Findings> {
        let now = Descriptors::read()?;
        let mut findings = Findings { broken: self.broken(&now), ..Findings::default() };
        findings.closed = self.newly_closed(&now);
        findings.skipped = self.newly_skipped(&now);
        findings.loaded = self.strangers.news(&self.programs, &self.maps);
        findings.beside = self.beside();
        if self.links.values().any(|link| link.home == Home::Function) {
            let is_tracing = is_tracing();
            findings.tracing = (self.is_tracing != is_tracing).then_some(is_tracing);
            self.is_tracing = is_tracing;
        }
        Ok(findings)
    }

    /// Puts a broken link right: a detached or closed one is made anew, another's program is replaced by ours.
    ///
    /// # Errors
    /// [`MendError`]; it is found broken again at the next look.
    pub fn mend(&mut self, programs: &Ebpf, broken: &Broken) -> Result<(), MendError> {
        let Some(link) = self.links.get(&broken.link).cloned() else { return Ok(()) };
        if self.closed.contains(&link.program) {
            return Err(MendError::NoProgram);
        }
        let program = programs.program(&broken.program).and_then(|program| program.fd().ok());
        let program = program.ok_or(MendError::NoProgram)?.as_fd();
        if let Harm::Replaced { number, .. } = broken.harm {
            let own = sys::duplicate(number).map_err(MendError::Refused)?;
            if keeper::give_back(own.as_fd(), program).is_ok() {
                self.links.entry(broken.link).and_modify(|link| link.is_broken = false);
                return Ok(());
            }
        }
        let again = keeper::attach(program, self.cgroup.as_fd(), &link.home).map_err(MendError::Refused)?;
        let Some(id) = Descriptors::link_of(again.as_raw_fd()) else {
            return Err(MendError::Refused(io::ErrorKind::NotFound.into()));
        };
        self.links.remove(&broken.link);
        self.again.remove(&broken.link);
        self.links.insert(id, Link { is_broken: false, ..link });
        self.again.insert(id, again);
        Ok(())
    }

    /// Has the kernel run again what is hooked to the beginning of functions. It did when those hooks were attached.
    ///
    /// # Errors
    /// The setting cannot be written: that takes the host's root.
    pub fn trace_again(&mut self) -> io::Result<()> {
        std::fs::write(FTRACE, "1")?;
        self.is_tracing = is_tracing();
        if self.is_tracing { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }

    /// Programs that are hooked to functions.
    pub fn traced(&self) -> impl Iterator<Item = &str> {
        let traced = self.links.values().filter(|link| link.home == Home::Function);
        traced.filter_map(|link| self.programs.get(&link.program).map(String::as_str))
    }

    /// The sensor's own, by their ids.
    pub fn programs(&self) -> impl Iterator<Item = u32> {
        self.programs.keys().copied()
    }

    /// The hierarchy's root.
    #[must_use]
    pub fn cgroup(&self) -> BorrowedFd<'_> {
        self.cgroup.as_fd()
    }

    /// Detaches what was attached since the start.
    pub fn release(&mut self) {
        self.again.clear();
        self.links.clear();
    }

    /// How many links do not do what they are for, as far as the last look knows.
    #[must_use]
    pub fn broken_links(&self) -> usize {
        self.links.values().filter(|link| link.is_broken).count()
    }

    fn broken(&mut self, now: &Descriptors) -> Vec<Broken> {
        let mut broken = Vec::new();
        for (id, link) in &mut self.links {
            let harm = harm(link, now.links.get(id));
            let is_new = !link.is_broken;
            link.is_broken = harm.is_some();
            let Some(harm) = harm else { continue };
            let program = self.programs.get(&link.program).cloned().unwrap_or_default();
            broken.push(Broken { link: *id, program, harm, is_new });
        }
        broken
    }

    fn newly_closed(&mut self, now: &Descriptors) -> Vec<String> {
        let programs = self.programs.iter().filter(|(id, _)| !now.programs.contains_key(id));
        let maps = self.maps.iter().filter(|(id, _)| !now.maps.contains(id));
        let closed = &mut self.closed;
        let gone = programs.chain(maps).filter(|(id, _)| closed.insert(**id));
        gone.map(|(_, name)| name.clone()).collect()
    }

    fn newly_skipped(&mut self, now: &Descriptors) -> Vec<(String, u64)> {
        let mut skipped = Vec::new();
        for (id, total) in &now.programs {
            let (Some(name), Some(total)) = (self.programs.get(id), *total) else { continue };
            let told = self.skipped.insert(*id, total).unwrap_or(0);
            if total > told {
                skipped.push((name.clone(), total - told));
            }
        }
        skipped
    }

    fn beside(&mut self) -> Vec<Beside> {
        let places = self.links.values().filter_map(|link| match &link.home {
            Home::Cgroup { attach_type } => Some((*attach_type, self.programs.get(&link.program)?.as_str())),
            Home::Tracepoint { .. } | Home::Function => None,
        });
        self.strangers.beside(self.cgroup.as_fd(), &self.programs, places)
    }
}

/// Links that run one of these programs.
fn links(now: &Descriptors, programs: &BTreeMap<u32, String>) -> BTreeMap<u32, Link> {
    let own = now.links.iter().filter(|(_, link)| programs.contains_key(&link.program));
    own.filter_map(|(id, link)| {
        Some((*id, Link { program: link.program, home: link.home.clone()?, is_broken: false }))
    })
    .collect()
}

fn harm(link: &Link, now: Option<&LinkNow>) -> Option<Harm> {
    let Some(now) = now else { return Some(Harm::Closed) };
    if now.cgroup == Some(0) {
        return Some(Harm::Detached);
    }
    let is_ours = now.program == link.program;
    (!is_ours).then_some(Harm::Replaced { by: now.program, number: now.number })
}

/// One that cannot be read is no news.
fn is_tracing() -> bool {
    std::fs::read_to_string(FTRACE).map_or(true, |value| value.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CGROUP: &str = "link_type:\tcgroup\nlink_id:\t5113\nprog_id:\t7\ncgroup_id:\t1\nattach_type:\t10\n";
    const PROGRAM: &str = "prog_id:\t7\nrecursion_misses:\t3\n";
    const MAP: &str = "map_type:\t1\nmap_id:\t12\n";

    fn now(texts: &[&str]) -> Descriptors {
        let mut now = Descriptors::default();
        for (number, text) in (3..).zip(texts) {
            now.add(number, text);
        }
        now
    }

    fn watch() -> Watch {
        let (program, map) = ((7, "connect4".to_owned()), (12, "FLOWS".to_owned()));
        let programs = BTreeMap::from([program]);
        Watch {
            links: links(&now(&[CGROUP, PROGRAM, MAP]), &programs),
            programs,
            maps: BTreeMap::from([map]),
            again: BTreeMap::new(),
            closed: BTreeSet::new(),
            skipped: BTreeMap::new(),
            strangers: Strangers::default(),
            cgroup: File::open("/").unwrap(),
            is_tracing: true,
        }
    }

    fn harms(watch: &mut Watch, link: &str) -> Vec<(Harm, bool)> {
        let broken = watch.broken(&now(&[link, PROGRAM, MAP]));
        broken.into_iter().map(|broken| (broken.harm, broken.is_new)).collect()
    }

    #[test]
    fn a_link_that_is_as_it_was_is_no_finding() {
        assert_eq!(harms(&mut watch(), CGROUP), []);
    }

    #[test]
    fn a_cgroup_link_without_a_cgroup_was_detached_and_stays_broken_until_it_is_mended() {
        let mut watch = watch();
        let detached = CGROUP.replace("cgroup_id:\t1", "cgroup_id:\t0");
        assert_eq!(harms(&mut watch, &detached), [(Harm::Detached, true)]);
        assert_eq!(harms(&mut watch, &detached), [(Harm::Detached, false)]);
        assert_eq!(watch.broken_links(), 1);
        assert_eq!(harms(&mut watch, CGROUP), []);
        assert_eq!(watch.broken_links(), 0);
    }

    #[test]
    fn a_link_that_runs_another_program_was_given_it() {
        let replaced = CGROUP.replace("prog_id:\t7", "prog_id:\t99");
        assert_eq!(harms(&mut watch(), &replaced), [(Harm::Replaced { by: 99, number: 3 }, true)]);
    }

    #[test]
    fn a_link_that_the_agent_has_no_more_was_closed() {
        assert_eq!(harms(&mut watch(), "pos:\t0\n"), [(Harm::Closed, true)]);
    }

    #[test]
    fn maps_and_programs_that_were_closed_are_told_once() {
        let mut watch = watch();
        assert_eq!(watch.newly_closed(&now(&[CGROUP, PROGRAM, MAP])), [""; 0]);
        assert_eq!(watch.newly_closed(&now(&[CGROUP])), ["connect4", "FLOWS"]);
        assert_eq!(watch.newly_closed(&now(&[CGROUP])), [""; 0]);
    }

    #[test]
    fn skipped_runs_are_told_as_they_grow_and_those_of_others_are_not() {
        let (mut watch, more) = (watch(), PROGRAM.replace("\t3", "\t5"));
        let foreign = "prog_id:\t8\nrecursion_misses:\t5\n";
        assert_eq!(watch.newly_skipped(&now(&[PROGRAM])), [("connect4".to_owned(), 3)]);
        assert_eq!(watch.newly_skipped(&now(&[PROGRAM])), []);
        assert_eq!(watch.newly_skipped(&now(&[&more, foreign])), [("connect4".to_owned(), 2)]);
    }
}
