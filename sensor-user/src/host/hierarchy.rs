//! The cgroup v2 hierarchy as the host has it, whatever this process is shown of it.
//!
//! In a cgroup namespace of its own, as unprivileged pods have it on nodes with cgroup v2, the agent finds its own cgroup
//! mounted as if that were the root, and reads other paths relative to it: `/../../kubepods.slice/...`
//! (cgroup_namespaces(7)). Programs attached there would fire for the agent, prove themselves well, and see nobody
//! else. So the root is known by its inode and not by where it is mounted, and paths are made the host's again.
//! It changes no namespace: that would take `CAP_SYS_ADMIN`.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::{mount, procfs};

/// kernfs gives its nodes rising numbers, and the root is the first of them (`kernfs_create_root` and `__kernfs_new_node`,
/// fs/kernfs/dir.c).
const ROOT_INODE: u64 = 1;
/// Most cgroups that are looked at for the agent's own. Full nodes have some thousands.
const CGROUPS_MAX: usize = 16_384;

/// Where it is.
#[derive(Clone, Debug)]
pub struct Hierarchy {
    root: PathBuf,
    /// The root, open: by way of it the place stays in reach when other processes' roots are not any more.
    _held: Option<Arc<OwnedFd>>,
    /// What this process reads as `/`, as the host has it. None: it could not be found out.
    view: Option<String>,
}

impl Hierarchy {
    /// Looks for it: among the own mounts, then among those of process 1. None: neither has its root.
    #[must_use]
    pub fn read() -> Option<Self> {
        let root = own_root().or_else(host_root)?;
        let view = view(&root);
        Some(Self { root, _held: None, view })
    }

    #[cfg(test)]
    pub(super) fn of(root: &Path, view: &str) -> Self {
        Self { root: root.to_owned(), _held: None, view: Some(view.to_owned()) }
    }

    /// The same, with its root held open: for a process that is about to give up looking into others.
    ///
    /// # Errors
    /// The root cannot be opened.
    pub fn hold(&self) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = rustix::fs::open(&self.root, flags, Mode::empty())?;
        let root = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        Ok(Self { root, _held: Some(Arc::new(held)), view: self.view.clone() })
    }

    /// The directory of the root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path as `/proc/PID/cgroup` tells it to this process, as the host has it.
    #[must_use]
    pub fn absolute(&self, path: &str) -> String {
        match self.view.as_deref() {
            None | Some("/") => path.to_owned(),
            Some(view) => resolve(view, path),
        }
    }

    /// The directory of such a path.
    #[must_use]
    pub fn directory(&self, path: &str) -> PathBuf {
        self.root.join(self.absolute(path).trim_start_matches('/'))
    }
}

/// What is held is no part of where it is.
impl PartialEq for Hierarchy {
    fn eq(&self, other: &Self) -> bool {
        (&self.root, &self.view) == (&other.root, &other.view)
    }
}

impl Eq for Hierarchy {}

fn own_root() -> Option<PathBuf> {
    let table = mount::read(std::process::id()).ok()??;
    let mut places = table.points_of_type("cgroup2").map(PathBuf::from);
    places.find(|place| is_root(place))
}

/// With `CAP_SYS_PTRACE` the mounts of process 1 are in reach, so that a pod in the host's pid namespace needs no mount of its own.
fn host_root() -> Option<PathBuf> {
    let host = procfs::host_pid();
    let table = mount::read(host).ok()??;
    let below = |point: &str| PathBuf::from(format!("/proc/{host}/root{point}"));
    let mut places = table.points_of_type("cgroup2").map(below);
    places.find(|place| is_root(place))
}

fn is_root(place: &Path) -> bool {
    fs::metadata(place).is_ok_and(|metadata| metadata.ino() == ROOT_INODE)
}

/// What this process reads as the root, found by where it is itself.
fn view(root: &Path) -> Option<String> {
    let told = fs::read_to_string("/proc/self/cgroup").ok()?;
    let told = told.lines().find_map(|line| line.strip_prefix("0::"))?;
    if holds_self(&root.join(told.trim_start_matches('/'))) {
        return Some("/".to_owned());
    }
    let own = find(root, CGROUPS_MAX, holds_self)?;
    let own = format!("/{}", own.strip_prefix(root).ok()?.to_str()?);
    let view = own.strip_suffix(told.trim_end_matches('/'))?;
    Some(if view.is_empty() { "/".to_owned() } else { view.to_owned() })
}

/// The cgroup holds this process (`cgroup.procs` tells pids of the reader's namespace).
fn holds_self(cgroup: &Path) -> bool {
    let own = std::process::id().to_string();
    fs::read_to_string(cgroup.join("cgroup.procs")).is_ok_and(|pids| pids.lines().any(|pid| pid == own))
}

/// The first directory that passes, breadth first, of at most `most`.
fn find(root: &Path, most: usize, passes: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut waiting = VecDeque::from([root.to_owned()]);
    let mut seen = 0;
    while let Some(directory) = waiting.pop_front() {
        if passes(&directory) {
            return Some(directory);
        }
        seen += 1;
        if seen == most {
            return None;
        }
        // A cgroup may go away between the listing and the look.
        waiting.extend(children(&directory).unwrap_or_default());
    }
    None
}

fn children(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut children = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            children.push(entry.path());
        }
    }
    Ok(children)
}

/// `path`, which begins at `view`, from the root on.
fn resolve(view: &str, path: &str) -> String {
    let mut names: Vec<&str> = view.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match name {
            ".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_namespace_become_the_hosts() {
        let view = "/kubepods.slice/pod1.slice/cri-a.scope";
        for (told, expected) in [
            ("/", view),
            ("/child", "/kubepods.slice/pod1.slice/cri-a.scope/child"),
            ("/../cri-b.scope", "/kubepods.slice/pod1.slice/cri-b.scope"),
            ("/../../../init.scope", "/init.scope"),
            ("/../../..", "/"),
            ("/../../../../..", "/"),
        ] {
            assert_eq!(resolve(view, told), expected, "{told}");
        }
        let of_the_host = Hierarchy::of(Path::new("/cg"), "/");
        assert_eq!(of_the_host.absolute("/docker/1"), "/docker/1");
        assert_eq!(of_the_host.directory("/docker/1"), Path::new("/cg/docker/1"));
    }

    #[test]
    fn a_search_ends_at_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        let wanted = folder.path().join("a/b/c");
        assert_eq!(find(folder.path(), 4, |path| path == wanted), Some(wanted.clone()));
        assert_eq!(find(folder.path(), 3, |path| path == wanted), None);
    }

    #[test]
    fn what_is_held_leads_to_the_same_place() {
        let hierarchy = Hierarchy::read().unwrap();
        let held = hierarchy.hold().unwrap();
        assert!(is_root(held.root()), "{held:?}");
        assert_ne!(held.root(), hierarchy.root());
        assert_eq!(held.absolute("/a"), hierarchy.absolute("/a"));
    }

    #[test]
    fn this_process_is_where_its_path_says() {
        let hierarchy = Hierarchy::read().unwrap();
        assert!(is_root(hierarchy.root()));
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
        assert!(holds_self(&hierarchy.directory(own)), "{hierarchy:?} {own}");
    }
}
