//! What the kernel tells of the agent's own descriptors that are of BPF (`/proc/self/fdinfo`): programs, links and maps.
//! For one's own that takes no privilege. Nothing here decides what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::RawFd;

use super::reattach::Home;

/// Where it tells.
const DESCRIPTORS: &str = "/proc/self/fdinfo";

/// A link as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkNow {
    /// The descriptor.
    pub number: RawFd,
    pub program: u32,
    /// Of a cgroup link; 0: it was detached (`bpf_cgroup_link_show_fdinfo`, kernel/bpf/cgroup.c).
    pub cgroup: Option<u64>,
    /// None: of a kind that the sensor does not make.
    pub home: Option<Home>,
}

/// All that the agent holds, by the kernel's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// With the runs that the kernel skipped, where it counts them (since 5.12).
    pub programs: BTreeMap<u32, Option<u64>>,
    pub links: BTreeMap<u32, LinkNow>,
    pub maps: BTreeSet<u32>,
}

impl Descriptors {
    /// Reads all of them.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read() -> io::Result<Self> {
        let mut all = Self::default();
        for entry in fs::read_dir(DESCRIPTORS)? {
            let path = entry?.path();
            let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            // A descriptor may close between the listing and the look.
            let (Some(number), Ok(text)) = (number, fs::read_to_string(&path)) else { continue };
            all.add(number, &text);
        }
        Ok(all)
    }

    /// The id of the link that this descriptor is.
    #[must_use]
    pub fn link_of(number: RawFd) -> Option<u32> {
        let text = fs::read_to_string(format!("{DESCRIPTORS}/{number}")).ok()?;
        id(&text, "link_id:")
    }

    /// Takes in what the kernel says of one descriptor.
    pub(super) fn add(&mut self, number: RawFd, text: &str) {
        if let Some(link) = id(text, "link_id:") {
            let Some(program) = id(text, "prog_id:") else { return };
            let cgroup = value(text, "cgroup_id:");
            self.links.insert(link, LinkNow { number, program, cgroup, home: home(text) });
        } else if let Some(program) = id(text, "prog_id:") {
            self.programs.insert(program, value(text, "recursion_misses:"));
        } else if let Some(map) = id(text, "map_id:") {
            self.maps.insert(map);
        }
    }
}

fn home(text: &str) -> Option<Home> {
    match word(text, "link_type:")? {
        "cgroup" => id(text, "attach_type:").map(|attach_type| Home::Cgroup { attach_type }),
        "raw_tracepoint" => {
            let name = CString::new(word(text, "tp_name:")?).ok()?;
            Some(Home::Tracepoint { name })
        }
        "tracing" => Some(Home::Function),
        _ => None,
    }
}

/// What stands behind a key, as `fdinfo` has it.
fn word<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

fn value(text: &str, key: &str) -> Option<u64> {
    word(text, key)?.parse().ok()
}

fn id(text: &str, key: &str) -> Option<u32> {
    word(text, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.18 has them.
    const CGROUP: &str = "pos:\t0\nflags:\t02000000\nlink_type:\tcgroup\nlink_id:\t5113\nprog_tag:\t00\nprog_id:\t7\n\
                          cgroup_id:\t1\nattach_type:\t10\n";
    const TRACEPOINT: &str = "link_type:\traw_tracepoint\nlink_id:\t4\nprog_tag:\t00\nprog_id:\t8\n\
                              tp_name:\tsched_process_exec\ncookie:\t0\n";
    const PROGRAM: &str = "prog_type:\t18\nprog_jited:\t1\nprog_tag:\t00\nmemlock:\t4096\nprog_id:\t7\nrun_time_ns:\t0\n\
                           run_cnt:\t0\nrecursion_misses:\t3\n";
    const MAP: &str = "map_type:\t1\nkey_size:\t8\nmap_id:\t12\nfrozen:\t1\n";

    #[test]
    fn what_the_kernel_tells_of_each_kind_is_known() {
        let mut all = Descriptors::default();
        for (number, text) in [(3, CGROUP), (4, TRACEPOINT), (5, PROGRAM), (6, MAP), (7, "pos:\t0\n")] {
            all.add(number, text);
        }
        assert_eq!(all.programs, BTreeMap::from([(7, Some(3))]));
        assert_eq!(all.maps, BTreeSet::from([12]));
        let cgroup = Some(Home::Cgroup { attach_type: 10 });
        let attached = LinkNow { number: 3, program: 7, cgroup: Some(1), home: cgroup };
        assert_eq!(all.links.get(&5113), Some(&attached));
        let name = CString::new("sched_process_exec").unwrap();
        assert_eq!(all.links.get(&4).unwrap().home, Some(Home::Tracepoint { name }));
    }

    #[test]
    fn a_descriptor_that_is_no_link_has_no_id() {
        assert_eq!(Descriptors::link_of(0), None);
    }
}
