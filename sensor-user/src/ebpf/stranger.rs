//! Programs of others: those that somebody loads, whether one of them has its hands in the sensor's maps, and those that
//! run beside the sensor's at the root of the cgroup hierarchy, where one may change a destination after the sensor saw it.
//!
//! Only `CAP_SYS_ADMIN` may list programs, only `CAP_NET_ADMIN` ask a cgroup for its own: without them nothing is told,
//! and `docs/tamper.md` says so.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;

use crate::keeper::{self, LoadedProgram};

/// Types of programs that service managers load all day, and that see no more than their cgroup.
const EVERYDAY: &str = "cgroup_";

/// A BPF program of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub id: u32,
    /// `enum bpf_prog_type`, in lower case (`cgroup_skb`).
    pub kind: String,
    /// Given by its loader: a claim.
    pub name: String,
    /// User that loaded it, where the kernel tells.
    pub uid: Option<u32>,
    /// The sensor's map that it works on.
    pub map: Option<String>,
}

/// A program of somebody else that runs beside one of the sensor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    pub id: u32,
    /// As [`Loaded::name`], where the program could be listed.
    pub name: Option<String>,
    /// The sensor's.
    pub program: String,
}

/// What is known of others so far.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Names by id.
    others: BTreeMap<u32, String>,
    /// Ids, with the type they are attached as.
    beside: BTreeSet<(u32, u32)>,
    /// Programs cannot be listed (without `CAP_SYS_ADMIN`).
    hidden: bool,
}

impl Strangers {
    /// Programs of others that were not there before. `own` and `maps` are the sensor's by id, with their names.
    pub(super) fn news(&mut self, own: &BTreeMap<u32, String>, maps: &BTreeMap<u32, String>) -> Vec<Loaded> {
        if self.hidden {
            return Vec::new();
        }
        let ids: Vec<u32> = maps.keys().copied().collect();
        let Ok(programs) = keeper::programs(&ids) else {
            // Not permitted; once it was, it is.
            self.hidden = self.others.is_empty();
            return Vec::new();
        };
        let (mut now, mut news) = (BTreeMap::new(), Vec::new());
        for LoadedProgram { id, kind, name, uid, map } in programs {
            if own.contains_key(&id) {
                continue;
            }
            let map = map.and_then(|map| maps.get(&map)).cloned();
            if !self.others.contains_key(&id) && (map.is_some() || !kind.starts_with(EVERYDAY)) {
                news.push(Loaded { id, kind, name: name.clone(), uid, map });
            }
            now.insert(id, name);
        }
        self.others = now;
        news
    }

    /// Programs of others that were not there before at the hierarchy's root, as types that the sensor has programs of.
    pub(super) fn beside<'p>(
        &mut self,
        cgroup: BorrowedFd<'_>,
        own: &BTreeMap<u32, String>,
        places: impl Iterator<Item = (u32, &'p str)>,
    ) -> Vec<Beside> {
        let (mut now, mut news) = (BTreeSet::new(), Vec::new());
        for (attach_type, program) in places {
            // What cannot be asked has not changed, as far as is known.
            let Ok(ids) = keeper::cgroup_programs(cgroup, attach_type) else { continue };
            for id in ids.into_iter().filter(|id| !own.contains_key(id)) {
                now.insert((id, attach_type));
                if !self.beside.contains(&(id, attach_type)) {
                    let name = self.others.get(&id).cloned();
                    news.push(Beside { id, name, program: program.to_owned() });
                }
            }
        }
        self.beside = now;
        news
    }
}
