//! Proves that an attached hook fires: the agent does what the hook watches for and looks at the ledger.
//!
//! Attaching is no proof: some kernels attach programs that they never run. Each trial is harmless and
//! the agent's own: sockets on loopback, files in a private directory, a child that prints its version
//! to nowhere, an empty cgroup, calls that the kernel refuses behind the hook. All of it is gone when the
//! [`Prover`] is dropped, and none of it becomes a record. The kernel counts before the call returns, so
//! nothing is waited for but the child and what crosses loopback, and that with a bound. The column it
//! counts in is moved by nobody else, however busy the host.

mod process;
mod network;
mod file;
mod system;

use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::maps::{Array, MapData};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::setting::trial;

use super::counter::Ledger;
use super::fanotify::{FileEvent, FileWatch};
use super::hook::{Tier, Trial};
use crate::host::hierarchy::Hierarchy;
use crate::keeper;

/// Where private directories are tried, so that one odd file system does not speak for all: the usual
/// place, one that outlives a boot and so lies on a disk, and two that are tmpfs nearly everywhere.
const PLACES: [&str; 4] = ["/tmp", "/var/tmp", "/run", "/dev/shm"];
/// What crosses loopback takes microseconds; beyond this a filter drops it.
const LOOPBACK_MAX: Duration = Duration::from_millis(250);
/// What is written, sent and received.
const BYTES: &[u8] = b"proof\n";
/// A name for a file, twice: what is renamed moves between them.
const NAMES: [&str; 2] = ["written", "renamed"];
/// Names that the kernel half knows as that of a secret and of a container runtime's socket.
const SECRET: &str = "shadow";
const RUNTIME: &str = "docker.sock";

/// Inode number of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const HOST_PIDS: u64 = 0xEFFF_FFFC;
/// Why the kernel half cannot tell the agent from others: it goes by the pid the kernel itself uses.
const ELSEWHERE: &str = "the agent is not in the host's pid namespace (in a pod: hostPID: true)";
/// Why some hooks cannot be proven a second time.
const FROZEN: &str = "its trial would have to be announced in a map that is frozen since the start";
/// Why others cannot.
const CONFINED: &str = "its trial takes what the agent has given up since the start";
/// No module can be counted on to be unloaded again.
const NO_MODULE: &str = "loading a module would not be harmless";

/// What became of an attached hook's trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It fired.
    Proven,
    /// What it watches for was done, and it did not fire.
    Silent,
    /// What it watches for cannot be done here: the reason.
    Unprovable(String),
}

/// What trials need for as long as the agent runs.
pub struct Trials {
    /// The map `TRIAL`.
    cells: Array<MapData, u64>,
    /// A client and its name server, both the agent's own and connected to each other, once they were needed.
    names: Option<(UdpSocket, UdpSocket)>,
    /// Nobody writes the map any more.
    is_frozen: bool,
}

impl Trials {
    #[must_use]
    pub fn new(cells: Array<MapData, u64>) -> Self {
        Self { cells, names: None, is_frozen: false }
    }

    /// Leaves in the map what may stay there: it is about to be frozen.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn settle(&mut self) -> io::Result<()> {
        let cookie = self.names.as_ref().map(|(client, _)| sockopt::socket_cookie(client)).transpose()?;
        for (cell, value) in [(trial::CHILDREN, 0), (trial::SOCKET, cookie.unwrap_or(0)), (trial::PEER, 0)] {
            self.set(cell, value)?;
        }
        self.is_frozen = true;
        Ok(())
    }

    fn set(&mut self, cell: u32, value: u64) -> io::Result<()> {
        self.cells.set(cell, value, 0).map_err(io::Error::other)
    }
}

/// Does what hooks watch for.
pub struct Prover<'a> {
    ledger: &'a Ledger,
    trials: &'a mut Trials,
    hierarchy: &'a Hierarchy,
    directories: Vec<Private>,
    /// Why there is no directory.
    no_directory: String,
    in_host_pids: bool,
    /// The agent has given up its privileges.
    is_confined: bool,
}

impl<'a> Prover<'a> {
    /// Makes the private directories, where the agent may still do what is done there.
    #[must_use]
    pub fn new(ledger: &'a Ledger, trials: &'a mut Trials, hierarchy: &'a Hierarchy) -> Self {
        let is_confined = keeper::is_kept();
        let mut no_directory = String::new();
        let mut directories = Vec::new();
        for place in PLACES.into_iter().filter(|_| !is_confined) {
            match Private::make(Path::new(place)) {
                Ok(directory) => directories.push(directory),
                Err(error) => no_directory = format!("no directory can be made in {place}: {error}"),
            }
        }
        let in_host_pids =
            std::fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == HOST_PIDS);
        Self { ledger, trials, hierarchy, directories, no_directory, in_host_pids, is_confined }
    }

    /// Does what a hook watches for, and says whether it fired in the places of this tier.
    pub fn prove(&mut self, trial: Trial, tier: Tier) -> Proof {
        const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
        if !self.in_host_pids {
            return Proof::Unprovable(ELSEWHERE.to_owned());
        }
        if self.is_confined && !trial.is_for_confined() {
            return Proof::Unprovable(CONFINED.to_owned());
        }
        match trial {
            Trial::Exec => self.child(Kind::ProcessExec),
            Trial::Fork => self.child(Kind::ProcessFork),
            Trial::Exit => self.child(Kind::ProcessExit),
            Trial::Access => self.moves(Kind::ProcessAccess, process::reach),
            Trial::Signal => self.moves(Kind::ProcessSignal, process::signal),
            Trial::Connect4 => self.moves(Kind::NetworkConnect, || network::connect(V4)),
            Trial::Connect6 => self.moves(Kind::NetworkConnect, || network::connect(V6)),
            Trial::Datagram4 => self.moves(Kind::NetworkConnect, || network::datagram(V4)),
            Trial::Datagram6 => self.moves(Kind::NetworkConnect, || network::datagram(V6)),
            Trial::Accept => self.accept(V4, tier),
            Trial::Sent => self.sent(&[V4, V6], tier),
            Trial::Received => self.received(&[V4, V6]),
            Trial::Close => self.close(V4),
            Trial::Release => self.release(V4),
            // Of any kind, see the kernel half.
            Trial::RawSocket => self.moves(Kind::NetworkSocket, || network::connect(V4)),
            Trial::Unix => self.anywhere(|path| self.unix(path, tier)),
            Trial::Query => self.query(),
            Trial::Answer => self.answer(),
            Trial::Open => self.anywhere(|path| self.moves(Kind::FileOpen, || file::create(path).map(drop))),
            Trial::Read => self.anywhere(|path| self.read(path)),
            Trial::Write => self.anywhere(|path| self.write(path)),
            Trial::Map => self.anywhere(|path| self.map(path)),
            Trial::Protect => self.anywhere(|path| self.protect(path)),
            Trial::Truncate => self.anywhere(|path| self.truncate(path)),
            Trial::Allocate => self.anywhere(|path| self.allocate(path)),
            Trial::FileClose => self.anywhere(|path| self.close_written(path, tier)),
            Trial::Rename => self.anywhere(|path| self.moves(Kind::FileRename, || file::rename(path))),
            Trial::Link => self.anywhere(|path| self.moves(Kind::FileLink, || file::link(path))),
            Trial::Symlink => self.anywhere(|path| self.moves(Kind::FileLink, || file::symlink(path))),
            Trial::Delete => self.anywhere(|path| self.moves(Kind::FileDelete, || file::delete(path))),
            Trial::Mode => self.anywhere(|path| self.moves(Kind::FileMode, || file::permit(path))),
            Trial::CgroupCreate => {
                self.moves(Kind::CgroupCreate, || Private::make(self.hierarchy.root()).map(drop))
            }
            Trial::CgroupRemove => match Private::make(self.hierarchy.root()) {
                Ok(group) => self.moves(Kind::CgroupRemove, || group.remove()),
                Err(error) => unprovable(error),
            },
            Trial::CgroupAttach => self.moves(Kind::CgroupAttach, || system::stay(self.hierarchy)),
            Trial::Namespace => self.moves(Kind::NamespaceEnter, system::reenter),
            Trial::BpfLoad => self.moves(Kind::BpfLoad, system::get_program),
            Trial::ModuleLoad => Proof::Unprovable(NO_MODULE.to_owned()),
            Trial::Mount => self.anywhere(|path| self.moves(Kind::Mount, || system::mount(path))),
            Trial::MountMove => self.anywhere(|path| self.moves(Kind::Mount, || system::move_mount(path))),
        }
    }

    /// Does something under the eyes of the agent's own watch.
    pub fn prove_watch(&self, watch: &mut FileWatch, event: FileEvent) -> Proof {
        self.anywhere(|path| {
            if !watch.watches(path) {
                return Proof::Unprovable(format!("the file system of {} is not watched", path.display()));
            }
            match watch.proves(event, path) {
                Ok(seen) => outcome(seen, Ok(())),
                Err(error) => Proof::Unprovable(error.to_string()),
            }
        })
    }

    /// Does it, and looks whether the agent's own column of the ledger moved.
    fn moves(&self, kind: Kind, act: impl FnOnce() -> io::Result<()>) -> Proof {
        let own = || self.ledger.read(kind).map(|row| row.own);
        let before = own();
        let tried = act();
        match (before, own()) {
            (Ok(before), Ok(after)) => outcome(after > before, tried),
            (Err(error), _) | (_, Err(error)) => Proof::Unprovable(format!("no ledger: {error}")),
        }
    }

    /// Tries one private directory after the other until the hook fires. Silence in one of them
    /// weighs more than another that cannot be used.
    fn anywhere(&self, mut act: impl FnMut(&Path) -> Proof) -> Proof {
        let mut worst = Proof::Unprovable(self.no_directory.clone());
        for directory in &self.directories {
            match act(&directory.path) {
                Proof::Proven => return Proof::Proven,
                Proof::Silent => worst = Proof::Silent,
                Proof::Unprovable(_) if worst == Proof::Silent => {}
                unprovable @ Proof::Unprovable(_) => worst = unprovable,
            }
        }
        worst
    }

    /// Sets a cell of the map `TRIAL`.
    fn set(&mut self, cell: u32, value: u64) -> io::Result<()> {
        if self.trials.is_frozen {
            return Err(io::Error::other(FROZEN));
        }
        self.trials.set(cell, value)
    }
}

fn outcome(fired: bool, tried: io::Result<()>) -> Proof {
    match (fired, tried) {
        // The hook may stand before what failed.
        (true, _) => Proof::Proven,
        (false, Ok(())) => Proof::Silent,
        (false, Err(error)) => unprovable(error),
    }
}

/// What several deeds prove together: silence of one weighs most, and what cannot be done here least.
fn whole(parts: impl IntoIterator<Item = Proof>) -> Proof {
    parts
        .into_iter()
        .reduce(|whole, part| match (whole, part) {
            (Proof::Silent, _) | (_, Proof::Silent) => Proof::Silent,
            (Proof::Proven, _) | (_, Proof::Proven) => Proof::Proven,
            (unprovable, _) => unprovable,
        })
        .unwrap_or(Proof::Unprovable(String::new()))
}

/// Does the tier have a program of this name?
fn has(tier: Tier, program: &str) -> bool {
    tier.iter().any(|attach| attach.program() == Some(program))
}

#[expect(clippy::needless_pass_by_value, reason = "an error that was told is done with")]
fn unprovable(error: io::Error) -> Proof {
    Proof::Unprovable(error.to_string())
}

/// Waits until a descriptor can be read from, or a bound is over.
fn wait(descriptor: impl AsFd, bound: &Timespec) -> io::Result<()> {
    let mut waiting = [PollFd::new(&descriptor, PollFlags::IN)];
    if poll(&mut waiting, Some(bound))? > 0 { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

/// An empty directory of the agent's own, removed on drop. A cgroup is one too.
struct Private {
    path: PathBuf,
}

impl Private {
    /// Fails where the name is taken: by a leftover, or by somebody who lies in wait in `/tmp`.
    fn make(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("tidewaiter-proof-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    fn remove(&self) -> io::Result<()> {
        std::fs::remove_dir(&self.path)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        for name in NAMES.into_iter().chain([SECRET, RUNTIME]) {
            // Most of the time it is not there.
            let _ = std::fs::remove_file(self.path.join(name));
        }
        // Nothing can be done about a directory that stays; its name says whose it was.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_that_fired_is_proven_whatever_came_of_the_call() {
        let failed = || Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        assert_eq!(outcome(true, Ok(())), Proof::Proven);
        assert_eq!(outcome(true, failed()), Proof::Proven);
        assert_eq!(outcome(false, Ok(())), Proof::Silent);
        assert!(matches!(outcome(false, failed()), Proof::Unprovable(_)));
    }

    #[test]
    fn what_is_done_on_trial_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let private = Private::make(parent.path()).unwrap();
        assert!(Private::make(parent.path()).is_err(), "a name that is taken is not used");
        file::rename(&private.path).unwrap();
        file::create(&private.path).unwrap();
        drop(private);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_silent_part_is_silence_and_one_that_cannot_be_done_is_not() {
        let refused = || Proof::Unprovable("IPv6 is off".to_owned());
        assert_eq!(whole([Proof::Proven, Proof::Silent, refused()]), Proof::Silent);
        assert_eq!(whole([Proof::Proven, refused()]), Proof::Proven);
        assert_eq!(whole([refused(), refused()]), refused());
    }
}
