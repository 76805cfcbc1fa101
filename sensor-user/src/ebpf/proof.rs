//! Proves that an attached hook fires: the agent does what the hook watches for and looks at the ledger.
//!
//! Attaching is no proof: some kernels attach programs that they never run. Each trial is harmless and
//! the agent's own: sockets on loopback, files in a private directory, a child that prints its version
//! to nowhere, an empty cgroup. All of it is gone when the [`Prover`] is dropped, and none of it becomes
//! a record. The kernel counts before the call returns, so nothing is waited for but the child, and that
//! with a bound. The column it counts in is moved by nobody else, however busy the host.

use std::fs::{DirBuilder, File, FileTimes};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aya::maps::{Array, MapData};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::setting::trial;

use super::counter::Ledger;
use super::fanotify::{FileEvent, FileWatch};
use super::hook::Trial;

/// Where private directories are tried, so that one odd file system does not speak for all: the usual
/// place, and two that are tmpfs nearly everywhere.
const PLACES: [&str; 3] = ["/tmp", "/run", "/dev/shm"];
/// A connection on loopback takes microseconds; beyond this a filter drops it.
const CONNECT_MAX: Duration = Duration::from_millis(250);
/// The child takes 2 ms, in an emulated machine a hundred times that.
const CHILD_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// A name for a file, twice: what is renamed moves between them.
const NAMES: [&str; 2] = ["written", "renamed"];

/// Inode number of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const HOST_PIDS: u64 = 0xEFFF_FFFC;
/// Why the kernel half cannot tell the agent from others: it goes by the pid the kernel itself uses.
const ELSEWHERE: &str = "the agent is not in the host's pid namespace (in a pod: hostPID: true)";

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

/// Does what hooks watch for.
pub struct Prover<'a> {
    ledger: &'a Ledger,
    trials: Array<MapData, u64>,
    cgroups: PathBuf,
    directories: Vec<Private>,
    /// Why there is no directory.
    no_directory: String,
    in_host_pids: bool,
}

impl<'a> Prover<'a> {
    /// Makes the private directories. `cgroups` is where the v2 hierarchy is mounted.
    #[must_use]
    pub fn new(ledger: &'a Ledger, trials: Array<MapData, u64>, cgroups: &Path) -> Self {
        let mut no_directory = String::new();
        let mut directories = Vec::new();
        for place in PLACES {
            match Private::make(Path::new(place)) {
                Ok(directory) => directories.push(directory),
                Err(error) => no_directory = format!("no directory can be made in {place}: {error}"),
            }
        }
        let in_host_pids =
            std::fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == HOST_PIDS);
        Self { ledger, trials, cgroups: cgroups.to_owned(), directories, no_directory, in_host_pids }
    }

    /// Does what a hook watches for, and says whether it fired.
    pub fn prove(&mut self, trial: Trial) -> Proof {
        const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
        if !self.in_host_pids {
            return Proof::Unprovable(ELSEWHERE.to_owned());
        }
        let connect = |address| move || connection(address).map(drop);
        match trial {
            Trial::Exec => self.child(Kind::ProcessExec),
            Trial::Fork => self.child(Kind::ProcessFork),
            Trial::Exit => self.child(Kind::ProcessExit),
            Trial::Connect4 => self.moves(Kind::NetworkConnect, connect(V4)),
            Trial::Connect6 => self.moves(Kind::NetworkConnect, connect(V6)),
            Trial::Datagram4 => self.moves(Kind::NetworkConnect, || datagram(V4)),
            Trial::Datagram6 => self.moves(Kind::NetworkConnect, || datagram(V6)),
            Trial::Close => self.close(V4),
            Trial::Access
            | Trial::Signal
            | Trial::Accept
            | Trial::Sent
            | Trial::Received
            | Trial::Release
            | Trial::RawSocket
            | Trial::Unix
            | Trial::Query
            | Trial::Answer
            | Trial::Read
            | Trial::Map
            | Trial::Protect
            | Trial::Truncate
            | Trial::Allocate
            | Trial::FileClose
            | Trial::Link
            | Trial::Delete
            | Trial::Mode
            | Trial::CgroupAttach
            | Trial::Namespace
            | Trial::BpfLoad
            | Trial::ModuleLoad
            | Trial::Mount
            | Trial::MountMove => Proof::Unprovable("not yet".to_owned()),
            Trial::Open => self.anywhere(|path| self.moves(Kind::FileOpen, || open(path).map(drop))),
            Trial::Write => self.anywhere(|path| self.write(path)),
            Trial::Rename => self.anywhere(|path| self.moves(Kind::FileRename, || rename(path))),
            Trial::CgroupCreate => self.moves(Kind::CgroupCreate, || Private::make(&self.cgroups).map(drop)),
            Trial::CgroupRemove => match Private::make(&self.cgroups) {
                Ok(group) => self.moves(Kind::CgroupRemove, || group.remove()),
                Err(error) => Proof::Unprovable(reason(error)),
            },
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

    /// A child counts as the agent's own doing for just this long.
    fn child(&mut self, kind: Kind) -> Proof {
        if let Err(error) = self.trials.set(trial::CHILDREN, 1, 0) {
            return Proof::Unprovable(error.to_string());
        }
        let proof = self.moves(kind, child);
        match self.trials.set(trial::CHILDREN, 0, 0) {
            Ok(()) => proof,
            Err(error) => Proof::Unprovable(error.to_string()),
        }
    }

    /// Ends a connection by a reset, which leaves the state `ESTABLISHED` within the call.
    fn close(&mut self, address: IpAddr) -> Proof {
        let connection = connection(address).and_then(|(stream, listener)| {
            sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            // Asking for the cookie also makes the socket have one.
            let cookie = sockopt::socket_cookie(&stream)?;
            Ok((stream, listener, cookie))
        });
        let (stream, _listener, cookie) = match connection {
            Ok(found) => found,
            Err(error) => return Proof::Unprovable(reason(error)),
        };
        if let Err(error) = self.trials.set(trial::SOCKET, cookie, 0) {
            return Proof::Unprovable(error.to_string());
        }
        // The cell may stay: a cookie is never given twice.
        self.moves(Kind::NetworkClose, || {
            drop(stream);
            Ok(())
        })
    }

    /// Writes to a file whose time lies in the past. A write in the clock tick of the file's creation
    /// would change no time, and on tmpfs the second tier knows a write by that.
    fn write(&self, directory: &Path) -> Proof {
        let past = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        match open(directory).and_then(|file| file.set_times(past).map(|()| file)) {
            Ok(mut file) => self.moves(Kind::FileWrite, || file.write_all(b"proof\n")),
            Err(error) => Proof::Unprovable(reason(error)),
        }
    }
}

fn outcome(fired: bool, tried: io::Result<()>) -> Proof {
    match (fired, tried) {
        // The hook may stand before what failed.
        (true, _) => Proof::Proven,
        (false, Ok(())) => Proof::Silent,
        (false, Err(error)) => Proof::Unprovable(reason(error)),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an error that was told is done with")]
fn reason(error: io::Error) -> String {
    error.to_string()
}

/// A TCP connection to a listener of the agent's own; when that is closed, it resets the connection.
fn connection(address: IpAddr) -> io::Result<(TcpStream, TcpListener)> {
    let listener = TcpListener::bind(SocketAddr::new(address, 0))?;
    Ok((TcpStream::connect_timeout(&listener.local_addr()?, CONNECT_MAX)?, listener))
}

/// A datagram from an unconnected socket to itself.
fn datagram(address: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
    socket.send_to(b"proof", socket.local_addr()?).map(drop)
}

fn open(directory: &Path) -> io::Result<File> {
    let [name, _] = NAMES;
    File::create(directory.join(name))
}

fn rename(directory: &Path) -> io::Result<()> {
    let [from, to] = NAMES;
    open(directory)?;
    std::fs::rename(directory.join(from), directory.join(to))
}

/// Runs this executable for its version, from start to end.
fn child() -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = ends(child.id());
    if !matches!(ended, Ok(true)) {
        // Of use only against a child that hangs; one that has ended is waited for all the same.
        child.kill()?;
    }
    child.wait()?;
    ended.and_then(|ended| if ended { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) })
}

/// Does the process end within [`CHILD_MAX`]?
fn ends(pid: u32) -> io::Result<bool> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ended = [PollFd::new(&handle, PollFlags::IN)];
    Ok(poll(&mut ended, Some(&CHILD_MAX))? > 0)
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
        for name in NAMES {
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
        rename(&private.path).unwrap();
        open(&private.path).unwrap();
        drop(private);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn trials_on_loopback_work() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        datagram(loopback).unwrap();
        let (stream, _listener) = connection(loopback).unwrap();
        assert_ne!(sockopt::socket_cookie(&stream).unwrap(), 0);
    }
}
