//! Loads the programs and attaches them by tier: the best place the kernel lets us have.

mod place;
mod freeze;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use aya::maps::{Array, HashMap, Map, MapError, PerCpuArray, RingBuf};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::counter::AccountKey;
use thiserror::Error;
use tracing::debug;
use zerocopy::IntoBytes as _;

use super::account::{Accounts, Aggregates};
use super::counter::Ledger;
use super::fanotify::FileWatch;
use super::flow::FlowRows;
use super::hook::{HOOKS, Means};
use super::offset::Layout;
use super::proof::{Proof, Prover, Trials};
use super::ring::Ring;
use super::watch::Watch;
use crate::alert::HookCoverage;
use crate::capture::{Capture, SecretPath, name_key};
use crate::host::hierarchy::Hierarchy;
use crate::packed;
use freeze::Maps;
pub(crate) use place::AVOIDED;
use place::{Place, reason};

/// Why the kernel half could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("this binary was built without its kernel half")]
    NoObject,
    #[error("the kernel refuses the sensor's maps or its program file: {0}")]
    Object(String),
    #[error("nothing here shows the root of the cgroup v2 hierarchy")]
    NoCgroup2,
    #[error("cannot open the cgroup v2 hierarchy at {path}: {source}")]
    Cgroup2 { path: PathBuf, source: std::io::Error },
    #[error("cannot observe \"{purpose}\", which every detection needs: {reason}")]
    Required { purpose: &'static str, reason: String },
    #[error("the kernel half lacks its map {0}")]
    NoMap(&'static str),
    #[error("cannot watch the ring: {0}")]
    Ring(std::io::Error),
}

impl LoadError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoObject => "build it with `cargo xtask build`",
            Self::Object(_) => {
                "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; in a container also allow bpf(2)"
            }
            Self::NoCgroup2 => {
                "mount it: `mount -t cgroup2 none /sys/fs/cgroup/unified` (any place will do); in a container share the \
                 host's pid namespace and allow CAP_SYS_PTRACE, or mount the host's /sys/fs/cgroup"
            }
            Self::Cgroup2 { .. } => "run as root or with read access to that directory",
            Self::Required { .. } => "`tidewaiter check` shows what this kernel refuses and why",
            Self::NoMap(_) => {
                "agent and kernel half are of different builds: build both with `cargo xtask build`"
            }
            Self::Ring(_) => "raise the limit of open files (`ulimit -n`)",
        }
    }
}

/// The kernel half at work. Dropping it detaches everything.
pub struct Loaded {
    /// Owns programs and links; without it nothing is attached, and the maps can still be read.
    pub programs: Option<Ebpf>,
    pub ring: Ring,
    pub ledger: Ledger,
    pub accounts: Accounts,
    pub aggregates: Aggregates,
    pub flows: FlowRows,
    /// What the programs log, with `--log debug`; else they are loaded without that code.
    pub log: Option<EbpfLogger<&'static dyn log::Log>>,
    /// Files on kernels without fentry.
    pub files: Option<FileWatch>,
    /// What came of each row of [`HOOKS`].
    pub hooks: Vec<HookCoverage>,
    /// For each of these whether it is known to fire; none where nothing is attached.
    pub proofs: Vec<Option<Proof>>,
    /// Looks after the programs and links from now on.
    pub watch: Watch,
    /// With these a hook that was attached again is proven.
    pub trials: Trials,
    /// Where the cgroup v2 hierarchy is.
    pub hierarchy: Hierarchy,
}

impl Loaded {
    /// To be called behind each turn: nothing came of it, for long enough, and the agent dozes.
    pub fn pace(&mut self, is_silent: bool) {
        let files = self.files.iter().flat_map(FileWatch::descriptors);
        self.ring.note(is_silent, files);
    }
}

/// Loads the programs for a kernel of this layout, attaches what can be attached, and lets each fire.
/// Places that need a means to `avoid` count as refused.
/// Must be called within a tokio runtime.
///
/// # Errors
/// [`LoadError`]; a refused hook that is not required is no error but part of the coverage.
pub fn load(layout: &Layout, avoid: &[Means], capture: &Capture) -> Result<Loaded, LoadError> {
    let mut programs = open(layout)?;
    let maps = Maps::of(&programs);
    let hierarchy = Hierarchy::read().ok_or(LoadError::NoCgroup2)?;
    let closed = |source| LoadError::Cgroup2 { path: hierarchy.root().to_owned(), source };
    let cgroup = File::open(hierarchy.root()).map_err(closed)?;
    let hierarchy = hierarchy.hold().map_err(closed)?;
    // Only fentry needs it, and it is large: dropped before the agent settles.
    let btf = Btf::from_sys_fs().ok();
    let (ring, dozing): (RingBuf<_>, Array<_, u32>) =
        (map(&mut programs, "RECORDS")?, map(&mut programs, "DOZING")?);
    let ledger = Ledger::new(map::<PerCpuArray<_, _>>(&mut programs, "COUNTERS")?);
    let mut trials = Trials::new(map(&mut programs, "TRIAL")?);
    fill(&mut programs, capture)?;
    let accounts = Accounts::new(map(&mut programs, "ACCOUNTS")?);
    let aggregates = Aggregates::new(map(&mut programs, "AGGREGATES")?);
    let flows = FlowRows::new(map(&mut programs, "FLOWS")?);
    let mut place = Place {
        programs: &mut programs,
        btf: btf.as_ref(),
        cgroup: &cgroup,
        avoid,
        prover: Prover::new(&ledger, &mut trials, &hierarchy),
        files: None,
        capture,
    };
    let taken = HOOKS.iter().map(|hook| place.take(hook)).collect::<Result<Vec<_>, _>>()?;
    let (hooks, proofs) = taken.into_iter().unzip();
    let Place { files, .. } = place;
    let log =
        tracing::enabled!(tracing::Level::DEBUG).then(|| EbpfLogger::init(&mut programs).ok()).flatten();
    trials.settle().map_err(|error| LoadError::Object(error.to_string()))?;
    let maps = maps.freeze();
    let watch = Watch::begin(cgroup, ids(&programs), maps);
    Ok(Loaded {
        programs: Some(programs),
        watch,
        log,
        ring: Ring::new(ring, dozing).map_err(LoadError::Ring)?,
        ledger,
        accounts,
        aggregates,
        flows,
        files,
        hooks,
        proofs,
        trials,
        hierarchy,
    })
}

/// The programs that were loaded, by the kernel's ids for them.
fn ids(programs: &Ebpf) -> BTreeMap<u32, String> {
    let loaded = programs.programs().filter_map(|(name, program)| {
        let info = program.info().ok()?;
        Some((info.id(), name.to_owned()))
    });
    loaded.collect()
}

fn open(layout: &Layout) -> Result<Ebpf, LoadError> {
    // The reader of objects wants it aligned to eight bytes, and the allocator aligns what is large to sixteen.
    let object = packed::object();
    if object.is_empty() {
        return Err(LoadError::NoObject);
    }
    // Kernels before 5.11 charge maps to this limit; elsewhere it does nothing. Not having
    // CAP_SYS_RESOURCE to raise it is fine where it is high enough, and the load says so if not.
    if let Err(error) = super::sys::raise_locked_memory() {
        debug!(%error, "the limit of locked memory stays as it is");
    }
    let kernel_log: u8 =
        if tracing::enabled!(tracing::Level::DEBUG) { aya_log::Level::Debug as u8 } else { 0 };
    EbpfLoader::new()
        .btf(None)
        .override_global(aya_log::LEVEL, kernel_log.as_bytes(), true)
        .override_global("OFFSETS", layout.offsets.as_bytes(), true)
        .override_global("FACTS", layout.facts.as_bytes(), true)
        .load(&object)
        .map_err(|error| LoadError::Object(reason(&error)))
}

/// Puts into the programs' tables what they look up: names to keep, and the accounts of cgroups for which
/// there will be no room.
fn fill(programs: &mut Ebpf, capture: &Capture) -> Result<(), LoadError> {
    let refused = |error: MapError| LoadError::Object(error.to_string());
    let mut keys: HashMap<_, u64, u32> = borrow(programs, "ENVIRONMENT_KEYS")?;
    for variable in &capture.environment {
        keys.insert(variable.key(), 1, 0).map_err(refused)?;
    }
    let mut names: HashMap<_, [u8; 16], u32> = borrow(programs, "SECRET_NAMES")?;
    let sockets = RUNTIME_SOCKETS.iter().map(|name| name_key(name));
    for name in capture.secrets.iter().map(SecretPath::key).chain(sockets) {
        names.insert(name, 1, 0).map_err(refused)?;
    }
    let mut accounts: HashMap<_, [u64; 2], [u64; 5]> = borrow(programs, "ACCOUNTS")?;
    for kind in Kind::ALL {
        accounts.insert([AccountKey::OTHERS, kind as u64], [0; 5], 0).map_err(refused)?;
    }
    Ok(())
}

/// Sockets of container runtimes: who is connected to one can start anything.
const RUNTIME_SOCKETS: [&str; 5] =
    ["docker.sock", "containerd.sock", "crio.sock", "podman.sock", "kubelet.sock"];

/// A map that stays where it is: programs that are loaded later refer to it.
fn borrow<'p, M>(programs: &'p mut Ebpf, name: &'static str) -> Result<M, LoadError>
where
    M: TryFrom<&'p mut Map, Error = MapError>,
{
    let map = programs.map_mut(name).ok_or(LoadError::NoMap(name))?;
    map.try_into().map_err(|error: MapError| LoadError::Object(error.to_string()))
}

fn map<M>(programs: &mut Ebpf, name: &'static str) -> Result<M, LoadError>
where
    M: TryFrom<Map, Error = MapError>,
{
    let map = programs.take_map(name).ok_or(LoadError::NoMap(name))?;
    map.try_into().map_err(|error: MapError| LoadError::Object(error.to_string()))
}
