//! Cgroups that runtimes make on the way to their containers and leave behind, empty.

use std::fs;
use std::path::{Path, PathBuf};

/// Where cgroups are: one tree of version 2, or those of version 1 with what is beside them.
const MOUNT: &str = "/sys/fs/cgroup";

/// Cgroups that were not there before. Dropping it removes them, as far as nobody is in them.
#[derive(Debug)]
pub(crate) struct CgroupRoot {
    new: Vec<&'static str>,
}

impl CgroupRoot {
    /// Remembers which of `paths`, the outermost first, are not there yet.
    pub(crate) fn watch(paths: &[&'static str]) -> Self {
        let is_new = |path: &&str| !hierarchies().iter().any(|hierarchy| hierarchy.join(path).exists());
        Self { new: paths.iter().copied().filter(is_new).collect() }
    }
}

impl Drop for CgroupRoot {
    fn drop(&mut self) {
        for path in self.new.iter().rev() {
            remove(path);
        }
    }
}

/// Removes a cgroup from every hierarchy. Only an empty one goes, as the kernel has it.
pub(crate) fn remove(path: &str) {
    for hierarchy in hierarchies() {
        // Not every hierarchy has it, and nobody is left to tell.
        drop(fs::remove_dir(hierarchy.join(path)));
    }
}

fn hierarchies() -> Vec<PathBuf> {
    let entries = fs::read_dir(MOUNT).into_iter().flatten().flatten();
    let below = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    below.chain([Path::new(MOUNT).to_owned()]).collect()
}
