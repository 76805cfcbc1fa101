//! Watches over the sensor's own programs and links, and over programs that others load, by what the
//! kernel tells of them: a sensor that was unhooked, or that the kernel did not run, says so.
//!
//! Only a cgroup link can be detached under its owner's hands (`BPF_LINK_DETACH`); it then belongs to no
//! cgroup. And the kernel skips a run of a tracing program that it would begin within another run of the
//! same one on that CPU; it counts these, and each is a record that nobody could count
//! (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c, since 5.12).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use crate::keeper;
pub use crate::keeper::LoadedProgram as Loaded;

/// Where the kernel tells what the agent's descriptors are.
const DESCRIPTORS: &str = "/proc/self/fdinfo";

/// What was found since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Programs of the sensor's whose link was detached by somebody.
    pub detached: Vec<String>,
    /// Programs of others that are new.
    pub loaded: Vec<Loaded>,
    /// Runs that the kernel skipped, by program.
    pub skipped: Vec<(String, u64)>,
}

/// What is known so far.
#[derive(Debug)]
pub struct Watch {
    /// The sensor's own programs, by id.
    names: BTreeMap<u32, String>,
    detached: BTreeSet<u32>,
    skipped: BTreeMap<u32, u64>,
    others: BTreeSet<u32>,
    /// Programs can be listed (`CAP_SYS_ADMIN`).
    lists: bool,
}

impl Watch {
    /// Begins with what there is. `names` are the sensor's programs by their ids.
    #[must_use]
    pub fn begin(names: BTreeMap<u32, String>) -> Self {
        let mut watch = Self {
            names,
            detached: BTreeSet::new(),
            skipped: BTreeMap::new(),
            others: BTreeSet::new(),
            lists: true,
        };
        watch.news();
        watch
    }

    /// Looks again.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn look(&mut self) -> io::Result<Findings> {
        let mut findings = Findings::default();
        for entry in fs::read_dir(DESCRIPTORS)? {
            // A descriptor may close between the listing and the look.
            let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
            self.read(&text, &mut findings);
        }
        findings.loaded = self.news();
        Ok(findings)
    }

    /// Takes in what the kernel says of one descriptor.
    fn read(&mut self, text: &str, findings: &mut Findings) {
        let Some(program) = value(text, "prog_id:").and_then(|id| u32::try_from(id).ok()) else { return };
        let Some(name) = self.names.get(&program) else { return };
        if value(text, "link_id:").is_some() {
            if value(text, "cgroup_id:") == Some(0) && self.detached.insert(program) {
                findings.detached.push(name.clone());
            }
            return;
        }
        let Some(total) = value(text, "recursion_misses:") else { return };
        let told = self.skipped.insert(program, total).unwrap_or(0);
        if total > told {
            findings.skipped.push((name.clone(), total - told));
        }
    }

    /// Programs of others that were not there before.
    fn news(&mut self) -> Vec<Loaded> {
        if !self.lists {
            return Vec::new();
        }
        let (mut now, mut news) = (BTreeSet::new(), Vec::new());
        let Ok(programs) = keeper::programs() else {
            self.lists = false;
            return Vec::new();
        };
        for Loaded { id, kind, name, uid } in programs {
            if self.names.contains_key(&id) {
                continue;
            }
            now.insert(id);
            if !self.others.contains(&id) {
                news.push(Loaded { id, kind, name, uid });
            }
        }
        self.others = now;
        news
    }
}

/// The number behind a key, as `fdinfo` has it.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch {
            names: BTreeMap::from([(7, "connect4".to_owned())]),
            detached: BTreeSet::new(),
            skipped: BTreeMap::new(),
            others: BTreeSet::new(),
            lists: false,
        }
    }

    #[test]
    fn a_cgroup_link_without_a_cgroup_was_detached_and_is_told_once() {
        let (mut watch, mut findings) = (watch(), Findings::default());
        let attached = "link_type:\tcgroup\nlink_id:\t5113\nprog_id:\t7\ncgroup_id:\t1\nattach_type:\t10\n";
        watch.read(attached, &mut findings);
        assert_eq!(findings, Findings::default());
        let detached = attached.replace("cgroup_id:\t1", "cgroup_id:\t0");
        watch.read(&detached, &mut findings);
        watch.read(&detached, &mut findings);
        assert_eq!(findings.detached, ["connect4"]);
    }

    #[test]
    fn skipped_runs_are_told_as_they_grow_and_those_of_others_are_not() {
        let (mut watch, mut findings) = (watch(), Findings::default());
        watch.read("prog_id:\t7\nrecursion_misses:\t3\n", &mut findings);
        watch.read("prog_id:\t7\nrecursion_misses:\t3\n", &mut findings);
        watch.read("prog_id:\t7\nrecursion_misses:\t5\n", &mut findings);
        watch.read("prog_id:\t8\nrecursion_misses:\t5\n", &mut findings);
        assert_eq!(findings.skipped, [("connect4".to_owned(), 3), ("connect4".to_owned(), 2)]);
    }
}
