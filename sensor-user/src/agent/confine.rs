//! The last step of a start: the agent gives up what it does not need any more, and has the rest asked of its keeper.
//!
//! From here on the process that reads what others wrote has no capability, starts no program, and reads and writes what
//! the configuration names. What could not be given up starts nothing. docs/privilege.md has the lists with their reasons.

use std::fs::DirBuilder;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::thread::CapabilitySet;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;
use tracing::{info, warn};

use super::StartError;
use crate::alert::HookCoverage;
use crate::config::Config;
use crate::ebpf::counter::Ledger;
use crate::ebpf::load::Loaded;
use crate::ebpf::sys;
use crate::ebpf::watch::FTRACE;
use crate::host::mount;
use crate::keeper::{Direct, KeeperError, Link, Own, Terms};
use crate::privilege::{self, Grants, Ground, Part, Ports, PrivilegeError};
use crate::sink::Reach;
use crate::source::kubernetes::Prepared;

/// What every agent reads: processes, what containers use, how many processors there are.
const ALWAYS: [&str; 3] = ["/proc", "/sys/fs/cgroup", "/sys/devices/system/cpu"];
/// Of name resolution, by the C library: its settings, its modules, and where resolvers keep theirs.
const NAMES: [&str; 14] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
];
/// Zones of time, for people at a terminal.
const ZONES: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];
/// Trust anchors, where the Kubernetes API is asked: all other connections have read theirs before.
const ANCHORS: [&str; 4] =
    ["/etc/ssl", "/etc/pki", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"];
/// Where name servers are named: replaced as a whole when a lease is renewed, unless it is a link.
const RESOLVER: &str = "/etc/resolv.conf";
/// Name servers over TCP, for answers that are too long.
const DNS: u16 = 53;

/// How long the keeper's end may hold up the agent's: it has nothing to do but to go.
const KEEPER_END: Duration = Duration::from_millis(500);

/// Ends with the keeper.
pub(super) struct Life {
    link: &'static Link,
    end: Option<AsyncFd<OwnedFd>>,
}

impl Life {
    /// Resolves when the keeper is gone; never, where nobody can tell.
    pub(super) async fn over(&self) {
        match &self.end {
            // Nobody writes to it, so it is readable at its end only.
            Some(end) => drop(end.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Has the keeper end, and waits until it has: whoever started both would else find it there alone, and systemd kills
    /// what it finds.
    pub(super) async fn end(self) {
        self.link.hang_up();
        // One that does not go is told by whoever finds it.
        let _ = timeout(KEEPER_END, self.over()).await;
    }
}

/// What a start has that decides what is needed from now on.
pub(super) struct Needs<'a> {
    pub(super) config: &'a Config,
    pub(super) kernel: &'a Loaded,
    pub(super) pods: Option<&'a Prepared>,
    /// A folder that is written when the agent has ended.
    pub(super) out: Option<&'a Path>,
}

/// Gives up all that is not needed. Must be called while there is one thread.
pub(super) fn confine(link: Link, needs: &Needs<'_>) -> Result<Life, StartError> {
    let kept = if reads_without(&needs.kernel.ledger) { CapabilitySet::empty() } else { CapabilitySet::BPF };
    let direct = direct(needs.config);
    let grants = grants(needs, &direct);
    privilege::await_alone()?;
    let link = link.begin(terms(needs), direct)?;
    privilege::keep(kept, None)?;
    let ground = privilege::confine(&grants)?;
    let is_deadly = privilege::forbid(Part::Agent)?;
    tell(kept, ground, is_deadly, link.pid());
    Ok(Life { link, end: link.life().and_then(|life| sys::readable(life).ok()) })
}

/// What the keeper judges by.
fn terms(needs: &Needs<'_>) -> Terms {
    let watch = &needs.kernel.watch;
    let roots = needs.config.containers.folders().into_iter();
    // A cgroup that tells no number is none that the keeper attaches to.
    let cgroup = rustix::fs::fstat(watch.cgroup()).map(|stat| (stat.st_dev, stat.st_ino)).unwrap_or_default();
    Terms {
        wants_files: privilege::held().contains(CapabilitySet::SYS_ADMIN),
        roots: roots.map(|path| path.as_os_str().as_bytes().to_vec()).collect(),
        own: Own { programs: watch.programs().collect(), cgroup },
    }
}

/// Whether maps can be read by a process without `CAP_BPF`: not before Linux 6.0, unless the host lets everybody use
/// bpf(2) (`__sys_bpf`, kernel/bpf/syscall.c; `kernel.unprivileged_bpf_disabled`). Tried, in a thread that has nothing.
fn reads_without(ledger: &Ledger) -> bool {
    let trial = || privilege::keep(CapabilitySet::empty(), None).is_ok() && ledger.read_all().is_ok();
    thread::scope(|scope| scope.spawn(trial).join().unwrap_or(false))
}

fn tell(kept: CapabilitySet, ground: Ground, is_deadly: bool, keeper: u32) {
    info!(keeper, landlock = ?ground, "privileges are given up: the agent has {}", names(kept));
    match ground {
        Ground::Whole => {}
        Ground::Part => {
            info!("this kernel has a part of Landlock only: docs/privilege.md says which version has what");
        }
        Ground::None => warn!(
            "this kernel has no Landlock (Linux 5.13, and `landlock` in lsm=): which files the agent reads and writes is \
             limited by its user alone"
        ),
    }
    if !is_deadly {
        warn!(
            "TIDEWAITER_CALLS=log: system calls that the agent does not need are told in the kernel's log, and done"
        );
    }
}

fn names(kept: CapabilitySet) -> &'static str {
    if kept.is_empty() {
        "no capability"
    } else {
        "CAP_BPF only, which this kernel wants for reading maps; bpf(2) does nothing else for it"
    }
}

/// What weakens the sensor for want of a capability that is not required, as a row of the coverage.
pub(super) fn weakened() -> Vec<HookCoverage> {
    let held = privilege::held();
    let row = |bit, purpose, name, weakens| {
        (!held.contains(bit)).then(|| HookCoverage {
            purpose,
            attached: None,
            tier: 0,
            refused: vec![("/proc".to_owned(), format!("{name} is missing"))],
            weakens: Some(weakens),
        })
    };
    let ptrace = row(
        CapabilitySet::SYS_PTRACE,
        "namespaces, roots and programs of running processes",
        "CAP_SYS_PTRACE",
        "programs that ran before the start, names of a container's users, paths below a container's root",
    );
    let search = row(
        CapabilitySet::DAC_READ_SEARCH,
        "state of runtimes in folders of others",
        "CAP_DAC_READ_SEARCH",
        "names of containers of users, sizes of files in folders of others",
    );
    ptrace.into_iter().chain(search).collect()
}

/// Where the agent looks by itself: all of root's runtimes for names, and the states of runc and crun, which hold no
/// container's files, as far as they are there by now.
fn direct(config: &Config) -> Direct {
    let containers = &config.containers;
    let listed = containers.folders().into_iter().filter(|path| nearest(path).is_some());
    let read = containers.runc.iter().filter(|path| path.is_dir());
    Direct { listed: listed.map(Path::to_owned).collect(), read: read.cloned().collect() }
}

/// The folder itself or what of the way to it is there, since only that can be granted. None: nothing but the very top is.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.is_dir()).filter(|folder| folder.parent().is_some())
}

/// What stays readable, writable and reachable.
fn grants(needs: &Needs<'_>, direct: &Direct) -> Grants {
    let config = needs.config;
    let reaches: Vec<Reach> = config.targets(false).iter().map(crate::sink::Target::reach).collect();
    let list = direct.listed.iter().filter_map(|path| nearest(path)).map(Path::to_owned).collect();
    let mut grants = Grants { list, ..Grants::default() };
    let read = &mut grants.read;
    read.extend_from_slice(&direct.read);
    read.extend(ALWAYS.iter().chain(&NAMES).chain(&ZONES).map(PathBuf::from));
    read.extend(hierarchies());
    read.push(needs.kernel.hierarchy.root().to_owned());
    // What of the configuration has changed is told when rules are read again.
    let files = config.files.read().iter().chain(&config.rules).chain(&config.allow);
    read.extend(files.flat_map(|path| around(path)));
    read.extend(reaches.iter().flat_map(|reach| &reach.read).flat_map(|path| around(path)));
    if let Some(pods) = needs.pods {
        read.extend(ANCHORS.iter().map(PathBuf::from));
        read.extend(pods.paths().iter().flat_map(|path| around(path)));
    }
    let is_name = |host: &str| host.parse::<IpAddr>().is_err();
    let has_names = reaches.iter().flat_map(|reach| &reach.servers).any(|(host, _)| is_name(host));
    let is_link = Path::new(RESOLVER).symlink_metadata().is_ok_and(|it| it.is_symlink());
    if (has_names || needs.pods.is_some()) && !is_link {
        // What takes its place when a lease is renewed is another file.
        read.push(PathBuf::from("/etc"));
    }
    let folders = |path: &PathBuf| path.parent().map(Path::to_owned);
    let write = &mut grants.write;
    if let Some(place) = config.outbox.place() {
        write.extend([place.directory, place.runtime]);
    }
    write.extend(config.control.iter().chain(&config.metrics.socket).filter_map(folders));
    write.extend(reaches.iter().flat_map(|reach| &reach.write).filter_map(folders));
    write.extend(needs.out.and_then(Path::parent).map(here));
    for folder in &grants.write {
        // One that is not there cannot be granted, and who writes there would make it.
        let _ = make(folder);
    }
    if needs.kernel.watch.traced().next().is_some() {
        // The one setting that the agent puts right itself: it is root's to write, whatever his capabilities.
        grants.write.push(PathBuf::from(FTRACE));
    }
    grants.ports = ports(&reaches, needs.pods);
    grants
}

fn ports(reaches: &[Reach], pods: Option<&Prepared>) -> Ports {
    if reaches.iter().any(|reach| reach.names_others) {
        return Ports::Any;
    }
    let servers = reaches.iter().flat_map(|reach| &reach.servers);
    Ports::These(servers.map(|(_, port)| *port).chain([DNS]).chain(pods.map(Prepared::port)).collect())
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// An empty path is where one is.
fn here(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// A file or folder that may be replaced while the agent runs: what it is in now, by its name and by where its links
/// lead. Of one at the very top only itself.
fn around(path: &Path) -> Vec<PathBuf> {
    let real = path.canonicalize().ok();
    let parent = |path: &Path| path.parent().map(here).filter(|parent| parent != Path::new("/"));
    let folders = [Some(path), real.as_deref()].into_iter().flatten().filter_map(parent);
    folders.chain([path.to_owned()]).collect()
}

/// Where hierarchies of cgroups are mounted, if elsewhere.
fn hierarchies() -> Vec<PathBuf> {
    let table = mount::read(std::process::id()).ok().flatten();
    let of_cgroups = |kind: &str| matches!(kind, "cgroup" | "cgroup2");
    let mounts = table.iter().flat_map(|table| table.iter().filter(|mount| of_cgroups(&mount.fs_type)));
    mounts.map(|mount| PathBuf::from(&mount.point)).collect()
}

impl From<PrivilegeError> for StartError {
    fn from(error: PrivilegeError) -> Self {
        Self::Confine(error)
    }
}

impl From<KeeperError> for StartError {
    fn from(error: KeeperError) -> Self {
        Self::Keeper(error)
    }
}
