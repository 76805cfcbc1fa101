//! Control groups of the v2 hierarchy that a deed makes, and removes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::truth::Missing;

/// A control group; removed when dropped, with those made below it, by when nobody is in them.
pub(crate) struct Group {
    path: PathBuf,
    /// Outermost first.
    below: Vec<PathBuf>,
}

impl Group {
    /// One of this process' own name.
    pub(crate) fn new() -> Result<Self> {
        let hierarchy = hierarchy()?;
        let path = hierarchy.join(format!("deed-{}", std::process::id()));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                bail!(Missing(format!("{} is mounted read-only", hierarchy.display())))
            }
            made => made.with_context(|| format!("making {}", path.display()))?,
        }
        Ok(Self { path, below: Vec::new() })
    }

    /// The same with a group below it that is called as a container's would be: `docker/<64 digits>`. The
    /// digits, and the group.
    pub(crate) fn forged() -> Result<(Self, String)> {
        let mut group = Self::new()?;
        let id = id()?;
        for name in ["docker", &id] {
            let path = group.path().join(name);
            fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
            group.below.push(path);
        }
        Ok((group, id))
    }

    /// The innermost.
    pub(crate) fn path(&self) -> &Path {
        self.below.last().unwrap_or(&self.path)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for path in self.below.iter().rev().chain([&self.path]) {
            drop(fs::remove_dir(path));
        }
    }
}

/// 64 hexadecimal digits, as OCI runtimes name containers: two of the kernel's random uuids.
fn id() -> Result<String> {
    let uuid = || fs::read_to_string("/proc/sys/kernel/random/uuid");
    Ok([uuid()?, uuid()?].concat().chars().filter(char::is_ascii_hexdigit).collect())
}

/// Moves this process into a group.
pub(crate) fn enter(directory: &Path) -> Result<()> {
    let path = directory.join("cgroup.procs");
    fs::write(&path, "0").with_context(|| format!("writing {}", path.display()))
}

/// The directory itself, open.
pub(crate) fn open(directory: &Path) -> Result<File> {
    File::open(directory).with_context(|| format!("opening {}", directory.display()))
}

/// Where the v2 hierarchy is mounted (proc_pid_mountinfo(5): the fifth word; the type is behind `-`).
fn hierarchy() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        source.starts_with("cgroup2 ").then(|| mount.split(' ').nth(4)).flatten()
    });
    Ok(found.map(PathBuf::from).ok_or_else(|| Missing("no cgroup v2 hierarchy is mounted".to_owned()))?)
}
