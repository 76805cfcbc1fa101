//! The kernel half's maps: which there are, and that nobody writes those any more that the agent has filled or never
//! writes.
//!
//! Frozen, a map is still written by programs and read by the agent. Who may load a program of his own can give it a map
//! by its id and write by that: not the ones that only the agent fills, which programs may not write either
//! (`BPF_F_RDONLY_PROG`), and not unseen (`ebpf::stranger`).

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};

use aya::Ebpf;
use aya::maps::{Map, MapData};
use tracing::warn;

use crate::ebpf::sys;

/// What the agent writes for as long as it runs: its place in the ring; whether it dozes; rows that it takes out when they are told, or when
/// whom they are about is gone; and where programs log, its place as well.
const WRITTEN: [&str; 6] = ["RECORDS", "DOZING", "ACCOUNTS", "AGGREGATES", "FLOWS", "AYA_LOGS"];

/// What the loader has frozen by itself: constants.
const CONSTANT: &str = ".rodata";

/// All maps, from before they are given out.
pub(super) struct Maps {
    names: BTreeMap<u32, String>,
    /// With names.
    to_freeze: Vec<(String, OwnedFd)>,
}

impl Maps {
    pub(super) fn of(programs: &Ebpf) -> Self {
        let (mut names, mut to_freeze) = (BTreeMap::new(), Vec::new());
        for (name, map) in programs.maps() {
            let map = data(map);
            if let Ok(info) = map.info() {
                names.insert(info.id(), name.to_owned());
            }
            if WRITTEN.contains(&name) || name.starts_with(CONSTANT) {
                continue;
            }
            if let Ok(map) = map.fd().as_fd().try_clone_to_owned() {
                to_freeze.push((name.to_owned(), map));
            }
        }
        Self { names, to_freeze }
    }

    /// Freezes them; returns the names of all maps by id.
    pub(super) fn freeze(self) -> BTreeMap<u32, String> {
        for (name, map) in self.to_freeze {
            if let Err(error) = sys::freeze_map(map.as_fd()) {
                warn!(%error, name, "a map cannot be frozen: whoever may use bpf(2) can write it unseen");
            }
        }
        self.names
    }
}

/// What all kinds have in common.
fn data(map: &Map) -> &MapData {
    match map {
        Map::Array(data)
        | Map::ArrayOfMaps(data)
        | Map::BloomFilter(data)
        | Map::CgroupArray(data)
        | Map::CgroupStorage(data)
        | Map::CgrpStorage(data)
        | Map::CpuMap(data)
        | Map::DevMap(data)
        | Map::DevMapHash(data)
        | Map::HashMap(data)
        | Map::HashOfMaps(data)
        | Map::InodeStorage(data)
        | Map::LpmTrie(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuCgroupStorage(data)
        | Map::PerCpuHashMap(data)
        | Map::PerCpuLruHashMap(data)
        | Map::PerfEventArray(data)
        | Map::ProgramArray(data)
        | Map::Queue(data)
        | Map::ReusePortSockArray(data)
        | Map::RingBuf(data)
        | Map::SockHash(data)
        | Map::SockMap(data)
        | Map::SkStorage(data)
        | Map::Stack(data)
        | Map::StackTraceMap(data)
        | Map::Unsupported(data)
        | Map::XskMap(data) => data,
    }
}
