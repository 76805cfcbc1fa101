//! What watching over the sensor's own hooks needs privilege for: attaching a program again, giving a link its program
//! back, asking which programs there are and which stand at the hierarchy's root.
//!
//! Whoever asks has the descriptors already. The keeper attaches nothing but the programs that the agent had when both
//! gave up their privileges, and at no other cgroup than it had then.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use aya::programs::loaded_programs;
use rustix::fs::fstat;
use rustix::io::Errno;

use super::link::{Lane, link};
use super::message::{Deed, Message};
use super::watch::FileKey;
use crate::ebpf::reattach::{self, Home};
use crate::ebpf::sys;

/// Most programs that are looked at: hosts with service meshes have some hundreds.
const PROGRAMS_MAX: usize = 4096;
/// Most that are told in one message: with their names they are less than 32 KiB.
const PAGE: usize = 512;
/// Longest name of a tracepoint, bytes; the kernel takes 127 (`bpf_raw_tp_link_attach`, kernel/bpf/syscall.c).
const NAME_MAX: usize = 127;

/// A BPF program of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedProgram {
    pub id: u32,
    /// `enum bpf_prog_type`, in lower case (`cgroup_skb`).
    pub kind: String,
    /// Given by its loader: a claim.
    pub name: String,
    /// User that loaded it, where the kernel tells.
    pub uid: Option<u32>,
    /// The first of the maps in question that it was given.
    pub map: Option<u32>,
}

/// What of the kernel's is the sensor's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Ids of programs.
    pub programs: BTreeSet<u32>,
    /// The root of the cgroup v2 hierarchy.
    pub cgroup: FileKey,
}

/// Attaches a program by a new link, which is detached when that is dropped.
///
/// # Errors
/// What the kernel says, or the keeper: `EACCES` for what it does not know as the sensor's.
pub fn attach(program: BorrowedFd<'_>, cgroup: BorrowedFd<'_>, home: &Home) -> io::Result<OwnedFd> {
    let Some(link) = link() else { return reattach::attach(program, cgroup, home) };
    let question = Message::ask(Deed::Attach);
    let question = match home {
        Home::Cgroup { attach_type } => question.numbers([0, u64::from(*attach_type)]),
        Home::Tracepoint { name } => question.numbers([1]).text(name.as_bytes()),
        Home::Function => question.numbers([2]),
    };
    link.ask_open(Lane::Loop, &question, &[program, cgroup])
}

/// Gives a link its program back.
///
/// # Errors
/// As [`attach`].
pub fn give_back(own: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let Some(link) = link() else { return reattach::give_back(own, program) };
    link.ask(Lane::Loop, &Message::ask(Deed::GiveBack), &[own, program]).map(drop)
}

/// Ids of the programs at the hierarchy's root that are attached as this type, in the order in which they run.
///
/// # Errors
/// As [`attach`].
pub fn cgroup_programs(cgroup: BorrowedFd<'_>, attach_type: u32) -> io::Result<Vec<u32>> {
    let Some(link) = link() else { return sys::cgroup_programs(cgroup, attach_type) };
    let question = Message::ask(Deed::CgroupPrograms).numbers([u64::from(attach_type)]);
    let (answer, _) = link.ask(Lane::Loop, &question, &[cgroup])?;
    Ok(answer.numbers.iter().filter_map(|id| u32::try_from(*id).ok()).collect())
}

/// BPF programs there are, at most 4,096; with each the first of `maps` that it was given. The keeper leaves out the
/// sensor's own.
///
/// # Errors
/// They may not be listed: that needs `CAP_SYS_ADMIN`.
pub fn programs(maps: &[u32]) -> io::Result<Vec<LoadedProgram>> {
    let Some(link) = link() else { return programs_here(0, maps, PROGRAMS_MAX, |_| false) };
    let mut all: Vec<LoadedProgram> = Vec::new();
    while all.len() < PROGRAMS_MAX {
        let after = all.last().map_or(0, |program| program.id);
        let numbers = [after].into_iter().chain(maps.iter().copied()).map(u64::from);
        let (answer, _) = link.ask(Lane::Loop, &Message::ask(Deed::Programs).numbers(numbers), &[])?;
        let rows = answer.numbers.chunks_exact(3).zip(answer.texts.chunks_exact(2));
        let page: Vec<_> = rows.filter_map(|(numbers, texts)| program(numbers, texts)).collect();
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            break;
        }
    }
    Ok(all)
}

fn program(numbers: &[u64], texts: &[Vec<u8>]) -> Option<LoadedProgram> {
    let ([id, uid, map], [kind, name]) = (numbers, texts) else { return None };
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    // One more than the number, and 0 for none.
    let some = |number: u64| number.checked_sub(1).and_then(|number| u32::try_from(number).ok());
    let (id, uid, map) = (u32::try_from(*id).ok()?, some(*uid), some(*map));
    Some(LoadedProgram { id, kind: text(kind), name: text(name), uid, map })
}

/// The same as an answer of the keeper.
pub(super) fn page_here(question: &Message, own: &Own) -> io::Result<Message> {
    let mut numbers = question.numbers.iter().filter_map(|number| u32::try_from(*number).ok());
    let after = numbers.next().unwrap_or(0);
    let maps: Vec<u32> = numbers.collect();
    let page = programs_here(after, &maps, PAGE, |id| own.programs.contains(&id))?;
    let number = |one: Option<u32>| one.map_or(0, |one| u64::from(one) + 1);
    Ok(page.into_iter().fold(Message::default(), |answer, LoadedProgram { id, kind, name, uid, map }| {
        answer.numbers([u64::from(id), number(uid), number(map)]).text(kind).text(name)
    }))
}

/// At most `most` programs with higher ids than `after`, in the order of these.
fn programs_here(
    after: u32,
    maps: &[u32],
    most: usize,
    is_own: impl Fn(u32) -> bool,
) -> io::Result<Vec<LoadedProgram>> {
    let (mut all, mut is_permitted) = (Vec::new(), false);
    for found in loaded_programs().take(PROGRAMS_MAX) {
        // Not permitted, or gone between the listing and the look.
        let Ok(found) = found else { continue };
        is_permitted = true;
        let id = found.id();
        if id <= after || is_own(id) {
            continue;
        }
        if all.len() >= most {
            break;
        }
        let kind = format!("{:?}", found.program_type());
        let kind = kind.trim_start_matches("BPF_PROG_TYPE_").to_ascii_lowercase();
        // Neither as text nor with its maps by the library: it would load small programs, to find out what this kernel tells.
        let name = String::from_utf8_lossy(found.name()).into_owned();
        let given = found.fd().ok().and_then(|found| sys::program_facts(found.as_fd()).ok());
        let map = given.and_then(|(_, given)| given.into_iter().find(|map| maps.contains(map)));
        all.push(LoadedProgram { id, kind, name, uid: found.created_by_uid(), map });
    }
    if is_permitted || after > 0 { Ok(all) } else { Err(Errno::PERM.into()) }
}

impl Own {
    /// Attaches one of the sensor's programs to where the question says.
    pub(super) fn attach(
        &self,
        question: &Message,
        program: BorrowedFd<'_>,
        cgroup: BorrowedFd<'_>,
    ) -> io::Result<OwnedFd> {
        self.knows_program(program)?;
        self.knows_cgroup(cgroup)?;
        reattach::attach(program, cgroup, &home(question)?)
    }

    pub(super) fn give_back(&self, link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
        self.knows_program(program)?;
        reattach::give_back(link, program)
    }

    pub(super) fn cgroup_programs(&self, question: &Message, cgroup: BorrowedFd<'_>) -> io::Result<Message> {
        self.knows_cgroup(cgroup)?;
        let ids = sys::cgroup_programs(cgroup, question.small(0))?;
        Ok(Message::default().numbers(ids.into_iter().map(u64::from)))
    }

    fn knows_program(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        let (id, _) = sys::program_facts(program)?;
        if self.programs.contains(&id) { Ok(()) } else { Err(Errno::ACCESS.into()) }
    }

    fn knows_cgroup(&self, cgroup: BorrowedFd<'_>) -> io::Result<()> {
        let stat = fstat(cgroup)?;
        if (stat.st_dev, stat.st_ino) == self.cgroup { Ok(()) } else { Err(Errno::ACCESS.into()) }
    }
}

fn home(question: &Message) -> io::Result<Home> {
    match (question.numbers.as_slice(), question.bytes(0)) {
        ([0, attach_type], []) => {
            let attach_type = u32::try_from(*attach_type).map_err(|_| Errno::INVAL)?;
            Ok(Home::Cgroup { attach_type })
        }
        ([1], name) if !name.is_empty() && name.len() <= NAME_MAX => {
            Ok(Home::Tracepoint { name: CString::new(name).map_err(|_| Errno::INVAL)? })
        }
        ([2], []) => Ok(Home::Function),
        (_, _) => Err(Errno::INVAL.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn places_to_attach_to_are_understood_or_refused() {
        let question = |numbers: &[u64], name: &str| {
            let question = Message::ask(Deed::Attach).numbers(numbers.iter().copied());
            home(&if name.is_empty() { question } else { question.text(name) }).ok()
        };
        assert_eq!(question(&[0, 10], ""), Some(Home::Cgroup { attach_type: 10 }));
        let name = CString::new("sched_process_exec").unwrap();
        assert_eq!(question(&[1], "sched_process_exec"), Some(Home::Tracepoint { name }));
        assert_eq!(question(&[2], ""), Some(Home::Function));
        let long = "x".repeat(NAME_MAX + 1);
        for (numbers, name) in [
            (&[][..], ""),
            (&[0], ""),
            (&[0, u64::MAX], ""),
            (&[1], ""),
            (&[1], &long),
            (&[1], "a\0b"),
            (&[3], ""),
        ] {
            assert_eq!(question(numbers, name), None, "{numbers:?} {name}");
        }
    }

    #[test]
    fn what_is_not_the_sensors_is_not_attached() {
        let folder = File::open("/proc").unwrap();
        let stat = fstat(&folder).unwrap();
        let own = Own { programs: BTreeSet::from([7]), cgroup: (stat.st_dev, stat.st_ino) };
        assert!(own.knows_cgroup(folder.as_fd()).is_ok());
        assert!(own.knows_cgroup(File::open("/").unwrap().as_fd()).is_err(), "another folder");
        assert!(own.knows_program(folder.as_fd()).is_err(), "no program");
        let question = Message::ask(Deed::Attach).numbers([2]);
        assert!(own.attach(&question, folder.as_fd(), folder.as_fd()).is_err());
        assert!(own.give_back(folder.as_fd(), folder.as_fd()).is_err());
    }

    #[test]
    fn rows_of_programs_are_understood_or_left_out() {
        let texts = [b"tracing".to_vec(), b"deed".to_vec()];
        let told = program(&[7, 1, 0], &texts).unwrap();
        let (kind, name) = ("tracing".to_owned(), "deed".to_owned());
        assert_eq!(told, LoadedProgram { id: 7, kind, name, uid: Some(0), map: None });
        assert_eq!(program(&[u64::MAX, 0, 0], &texts), None);
        assert_eq!(program(&[7, 0], &texts), None);
    }
}
