//! What fanotify sees, for the pipeline, and what it is to watch.

use std::time::Duration;

use rustc_hash::FxHashMap;
use tracing::{debug, warn};

use super::facts::{Entered, Facts};
use crate::ebpf::fanotify::{Ask, Deed, Drained, FileWatch, Overflowed, Place, Seen, Stat};
use crate::ebpf::load::Loaded;
use crate::host::{mount, procfs};
use crate::metric::Metrics;
use crate::pipeline::{HostDeed, HostFile, HostStat, Pipeline};
use crate::state::mount::MountTable;

/// Marks the secrets of the host itself.
pub(super) fn begin(kernel: &mut Loaded) {
    if let Some(watch) = &mut kernel.files {
        look(watch, procfs::host_pid());
    }
}

/// Events that wait for another turn.
#[derive(Default)]
pub(super) struct Waiting {
    /// Files that were made and have nothing in them so far.
    empty: Vec<Empty>,
}

struct Empty {
    pid: u32,
    time: u64,
    path: String,
    place: Place,
}

/// Most events that wait. Beyond it they are taken as they are.
const WAITING_MAX: usize = 1024;
/// When an empty file is looked at again, nanoseconds: two ticks of the slowest clock (`CONFIG_HZ_100`). What
/// is written later than one changes the file's time, and the ring tells of it.
const LOOK_AGAIN: u64 = 20_000_000;

/// What one turn works on.
pub(super) struct Turn<'a> {
    pub(super) pipeline: &'a mut Pipeline,
    pub(super) facts: &'a mut Facts,
    pub(super) waiting: &'a mut Waiting,
    /// When processes that ended in this turn did, by number.
    pub(super) ends: FxHashMap<u32, u64>,
    pub(super) now: u64,
}

/// One turn. Events carry the time of reading; one of a process that has ended since happened before its end.
pub(super) fn turn(kernel: &mut Loaded, metrics: &mut Metrics, mut turn: Turn<'_>) {
    let Some(watch) = &mut kernel.files else { return };
    for (mnt_ns, Entered { pids, is_remounted }) in turn.facts.take_entered() {
        // The first lives as long as its container, most of the time; the last may be gone already.
        for pid in pids {
            watch.enter(mnt_ns, pid, is_remounted, || table(pid));
        }
    }
    let mut all = Vec::new();
    let Turn { pipeline, ends, .. } = &mut turn;
    let mut ask = Ask {
        is_wanted: &mut |pid, is_secret| pipeline.wants_files_of(pid, is_secret),
        has_ended: &|pid| ends.contains_key(&pid),
    };
    let drained = watch.drain(&mut ask, &mut |seen| all.push(seen));
    all.into_iter().for_each(|seen| turn.tell(seen));
    turn.look_again(watch);
    for pid in watch.take_rescans() {
        look(watch, pid);
    }
    match drained {
        Ok(drained) => count(metrics, &drained),
        Err(error) => {
            warn!(%error, "files are no longer seen");
            kernel.files = None;
        }
    }
}

fn count(metrics: &mut Metrics, drained: &Drained) {
    let Overflowed { names, closes, opens } = drained.overflowed;
    metrics.lost_files.names += names;
    metrics.lost_files.closes += closes;
    metrics.lost_files.opens += opens;
    metrics.unresolved_files += drained.unresolved;
    metrics.refused_files += drained.malformed;
}

impl Turn<'_> {
    fn tell(&mut self, seen: Seen) {
        let Seen { pid, time, deed } = seen;
        let is_empty = |stat: &Stat| stat.is_regular() && stat.size == 0 && stat.links == 1;
        if let Deed::Created { path, stat: Some(stat), place } = &deed
            && is_empty(stat)
            && self.waiting.empty.len() < WAITING_MAX
        {
            let (path, place) = (path.clone(), place.clone());
            self.waiting.empty.push(Empty { pid, time, path, place });
        }
        if let Some(deed) = host_deed(deed) {
            self.handle(pid, time, deed);
        }
    }

    fn handle(&mut self, pid: u32, time: u64, deed: HostDeed) {
        let time = self.ends.get(&pid).map_or(time, |end| time.min(*end));
        self.pipeline.host_file(HostFile { time, pid, deed }, self.facts);
    }

    /// Looks at files that were empty when they were made, before their processes are forgotten.
    fn look_again(&mut self, watch: &FileWatch) {
        let (now, ends) = (self.now, &self.ends);
        let is_due =
            |empty: &mut Empty| ends.contains_key(&empty.pid) || now.saturating_sub(empty.time) >= LOOK_AGAIN;
        let due: Vec<Empty> = self.waiting.empty.extract_if(.., is_due).collect();
        for Empty { pid, time, path, place } in due {
            let stat = watch.look_again(&place).filter(|stat| stat.size > 0);
            if let Some(stat) = stat {
                self.handle(pid, time, HostDeed::Created { path, stat: Some(host_stat(stat)) });
            }
        }
    }
}

/// Forgets what belongs to containers that are gone.
pub(super) fn sweep(kernel: &mut Loaded, pipeline: &Pipeline) {
    let Some(watch) = &mut kernel.files else { return };
    let alive = pipeline.processes.mount_namespaces();
    let host = procfs::namespace(procfs::host_pid(), "mnt");
    watch.keep(&|mnt_ns| alive.contains(&mnt_ns) || Some(mnt_ns) == host);
}

/// Marks the secrets that a process sees; of one that is gone, the host's.
fn look(watch: &mut FileWatch, pid: u32) {
    for pid in [pid, procfs::host_pid()] {
        if let (Some(mnt_ns), Some(table)) = (procfs::namespace(pid, "mnt"), table(pid)) {
            watch.add_secrets(mnt_ns, pid, &table);
            return;
        }
    }
}

fn table(pid: u32) -> Option<MountTable> {
    mount::read(pid).unwrap_or_else(|error| {
        debug!(%error, pid, "mount table not read: its file systems are not watched");
        None
    })
}

fn host_deed(deed: Deed) -> Option<HostDeed> {
    let stat = |stat: Option<Stat>| stat.map(host_stat);
    Some(match deed {
        Deed::Renamed { is_directory: true, .. } => return None,
        Deed::Renamed { from, to, stat: found, .. } => HostDeed::Renamed { from, to, stat: stat(found) },
        Deed::Created { path, stat: found, .. } => HostDeed::Created { path, stat: stat(found) },
        Deed::Closed { path, stat: found } => HostDeed::Closed { path, stat: stat(found) },
        Deed::Changed { path, stat: found } => HostDeed::Changed { path, stat: stat(found) },
        Deed::Deleted { path } => HostDeed::Deleted { path },
        Deed::Opened { path } => HostDeed::Opened { path },
    })
}

fn host_stat(stat: Stat) -> HostStat {
    let nanoseconds = |ago: Duration| u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX);
    HostStat {
        inode: stat.inode,
        size: stat.size,
        links: stat.links,
        is_regular: stat.is_regular(),
        is_executable: stat.is_executable(),
        is_whiteout: stat.is_whiteout,
        changed: nanoseconds(stat.changed),
        born: stat.born.map(nanoseconds),
    }
}
