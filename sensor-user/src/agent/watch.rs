//! What fanotify sees, for the pipeline, and what it is to watch.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use tracing::{debug, warn};

use super::facts::{Entered, Facts};
use crate::ebpf::fanotify::{Ask, Deed, Drained, FileWatch, Overflowed, Place, Seen, Stat};
use crate::ebpf::load::Loaded;
use crate::host::{mount, procfs};
use crate::keeper::Kind;
use crate::metric::Metrics;
use crate::pipeline::{HostDeed, HostFile, HostStat, Pipeline};
use crate::state::mount::MountTable;
use crate::state::process::{ProcessKey, ProcessTable};

/// Marks the secrets of the host itself.
pub(super) fn begin(kernel: &mut Loaded) {
    if let Some(watch) = &mut kernel.files {
        look(watch, procfs::host_pid(), None);
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

/// Most processes through which new secrets are looked for, when who made them is gone. The table may have
/// some whose end was lost.
const STAND_INS_MAX: usize = 8;

/// What one turn works on.
pub(super) struct Turn<'a> {
    pub(super) pipeline: &'a mut Pipeline,
    pub(super) facts: &'a mut Facts,
    pub(super) waiting: &'a mut Waiting,
    /// When processes that ended in this turn did, by number.
    pub(super) ends: FxHashMap<u32, u64>,
    pub(super) now: u64,
}

/// One turn; whether anything came. Events carry the time of reading; one of a process that has ended since happened
/// before its end.
pub(super) fn turn(kernel: &mut Loaded, metrics: &mut Metrics, mut turn: Turn<'_>) -> bool {
    let entered = turn.facts.take_entered();
    let Some(watch) = &mut kernel.files else { return false };
    let is_renewed = |mnt_ns: u32| entered.get(&mnt_ns).is_some_and(|entered| entered.is_renewed);
    if entered.values().any(|entered| entered.is_renewed) {
        // Those that have ended too: the devices of their file systems may be among the new ones.
        let alive = alive(turn.pipeline);
        watch.keep(&|mnt_ns| alive.contains(&mnt_ns) && !is_renewed(mnt_ns));
    }
    for (mnt_ns, Entered { pids, is_remounted, .. }) in entered {
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
    let has_come = !all.is_empty();
    all.into_iter().for_each(|seen| turn.tell(seen));
    turn.look_again(watch);
    for pid in watch.take_rescans() {
        look_where(watch, &turn.pipeline.processes, pid);
    }
    match drained {
        Ok(drained) => count(metrics, &drained),
        Err(error) => {
            warn!(%error, "files are no longer seen");
            kernel.files = None;
        }
    }
    has_come
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
pub(super) fn sweep(kernel: &mut Loaded, pipeline: &Pipeline, facts: &mut Facts) {
    let alive = alive(pipeline);
    facts.keep(&alive);
    if let Some(watch) = &mut kernel.files {
        watch.keep(&|mnt_ns| alive.contains(&mnt_ns));
    }
}

/// Mount namespaces of processes that live, and the host's.
fn alive(pipeline: &Pipeline) -> FxHashSet<u32> {
    let mut alive = pipeline.processes.mount_namespaces();
    alive.extend(procfs::namespace(procfs::host_pid(), Kind::Mount));
    alive
}

/// Marks the secrets that `maker` sees, who gave a file the name of one. Whoever did that may have ended: then
/// it is done through others who see the same.
fn look_where(watch: &mut FileWatch, processes: &ProcessTable, maker: u32) {
    if look(watch, maker, None) {
        return;
    }
    let home = processes.place(ProcessKey { pid: maker, start_time: 0 }).map(|place| place.mnt_ns);
    let host = procfs::host_pid();
    let of_host = (host, procfs::namespace(host, Kind::Mount));
    let others = stand_ins(home, of_host, |mnt_ns| processes.in_mount_namespace(mnt_ns, STAND_INS_MAX));
    if !others.into_iter().any(|pid| look(watch, pid, home)) {
        debug!(pid = maker, "a new secret is not watched: nobody is left in its mount namespace");
    }
}

/// Who stands in for a process of the namespace `home` that is gone. Of the host's namespace it is the process
/// that stands for the host, as any other may be chrooted; of another's, those who live there. The host also
/// stands in where nobody knows the namespace.
fn stand_ins(
    home: Option<u32>,
    (host, host_ns): (u32, Option<u32>),
    living: impl FnOnce(u32) -> Vec<u32>,
) -> Vec<u32> {
    match home {
        Some(home) if Some(home) != host_ns => living(home),
        Some(_) | None => vec![host],
    }
}

/// Marks the secrets that a process sees, if it is in the namespace that is `wanted`. False: it is gone, or
/// elsewhere.
fn look(watch: &mut FileWatch, pid: u32, wanted: Option<u32>) -> bool {
    let Some(mnt_ns) =
        procfs::namespace(pid, Kind::Mount).filter(|found| wanted.is_none_or(|it| it == *found))
    else {
        return false;
    };
    table(pid).is_some_and(|table| watch.add_secrets(mnt_ns, pid, &table))
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (u32, Option<u32>) = (1, Some(100));

    #[test]
    fn a_secret_of_a_container_is_looked_for_through_those_who_live_there() {
        let living = |mnt_ns| {
            assert_eq!(mnt_ns, 200);
            vec![20, 30]
        };
        assert_eq!(stand_ins(Some(200), HOST, living), [20, 30]);
        assert!(stand_ins(Some(200), HOST, |_| Vec::new()).is_empty(), "and never on the host");
    }

    #[test]
    fn a_secret_of_the_host_is_looked_for_from_its_own_root() {
        let none = |_| panic!("any other process may be chrooted");
        assert_eq!(stand_ins(Some(100), HOST, none), [1]);
        assert_eq!(stand_ins(None, HOST, none), [1]);
        let living = |_| vec![20];
        assert_eq!(stand_ins(Some(100), (7, None), living), [20], "the host's namespace is not known");
    }
}
